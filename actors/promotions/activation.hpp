#pragma once

#include "actors/promotions/store.hpp"

#include <string>

namespace backstay::promotions {

/// Uses a code for an account: the use, its count and all that it brings, in this one transaction, or nothing of it.
/// Errors as `activate` says. Locks the account, the code, then books. Killed before the commit: nothing has happened;
/// after it, with the answer lost: a repeat is told that the code was used.
activation use(transaction& tx, const account_id& account, const std::string& code, timestamp now);

} // namespace backstay::promotions
