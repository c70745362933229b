#pragma once

#include "persistence/transaction.hpp"

#include <string>

namespace backstay::sessions::store {

/// The account's device was active, though it did not describe itself: what is known of it stays, and if nothing is,
/// its id is kept alone.
void note_device(transaction& tx, const account_id& account, const std::string& device_id, timestamp now);

} // namespace backstay::sessions::store
