#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/outcome.hpp"

/// What operators do to accounts: each a job of one transaction, with its entry in the audit trail. A refusal is an
/// outcome, because it is recorded too. Throws `not_found`.
namespace backstay::accounts {

outcome<account_record> perform(transaction& tx, const change_role& command, timestamp now);
outcome<account_record> perform(transaction& tx, const lock_account& command, timestamp now);
outcome<account_record> perform(transaction& tx, const unlock_account& command, timestamp now);
outcome<sessions_ended> perform(transaction& tx, const end_sessions& command, timestamp now);

} // namespace backstay::accounts
