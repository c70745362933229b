#pragma once

#include "actors/sessions/messages.hpp"
#include "persistence/transaction.hpp"

#include <string>

namespace backstay::accounts::store {

/// Whether an account may sign in: confirmed, neither locked nor deleted. An expression in SQL.
std::string usable(const std::string& of);

/// The columns that `account_of` reads, to be used in a SELECT or RETURNING; `of` is the table's name or alias.
/// The id is called `account_id`, so that the row may hold another table's columns too.
std::string account_columns(const std::string& of);

sessions::account account_of(const pqxx::row& row);

/// Every node drops what it remembers of the account, when the transaction commits.
void announce(transaction& tx, const account_id& id);

/// Until the transaction ends, nobody else signs the account in or out, or changes it. To be taken before the locks of
/// its sessions and devices.
void lock_row(transaction& tx, const account_id& id);

/// The condition that an account may sign in: confirmed, neither locked nor deleted.
std::string usable(const std::string& of);

} // namespace backstay::accounts::store
