#pragma once

#include "actors/sessions/messages.hpp"
#include "persistence/transaction.hpp"

namespace backstay::sessions::store {

/// Keeps what a device says about itself. Without a new push token the known one stays.
void keep_device(transaction& tx, const account_id& account, const device& what, timestamp now);

} // namespace backstay::sessions::store
