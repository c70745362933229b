#include "actors/accounts/administration.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/live/store.hpp"
#include "actors/sessions/store.hpp"

// Killed right after the commit, all of it stands: other nodes hear by NOTIFY, this one begins with an empty cache. The
// answer is lost; doing the same again changes nothing.

namespace backstay::accounts {

namespace {

template <class Command>
standing standing_of(transaction& tx, const Command& command) {
  auto found = store::find_standing(tx, command.caller.account, command.account);
  if (!found) fail(ec::not_found);
  return *found;
}

template <class Command>
audit::entry entry_of(const char* action, const Command& command) {
  return {.action = action, .actor = command.caller.account, .subject = command.account, .origin = command.origin};
}

fault deny(transaction& tx, audit::entry what, const fault& refusal, timestamp now) {
  what.result = audit::result::denied;
  if (!refusal.name.empty()) what.details["cause"] = refusal.name;
  audit::store::record(tx, what, now);
  return refusal;
}

/// Ends sessions and sockets, on every node.
std::int64_t sign_out_everywhere(transaction& tx, const account_id& account, const std::string& reason, timestamp now) {
  live::store::append(tx, account, live::force_disconnect{reason}, now);
  return sessions::store::revoke_all(tx, account, std::nullopt, now);
}

} // namespace

outcome<account_record> perform(transaction& tx, const change_role& command, timestamp now) {
  store::lock_super_admins(tx);
  auto who = standing_of(tx, command);
  auto entry = entry_of("user.role.change", command);
  entry.details = {{"from", std::string{name_of(who.subject)}}, {"to", std::string{name_of(command.role)}}};
  if (auto refusal = refusal_to_change_role(who, command.role)) return deny(tx, std::move(entry), *refusal, now);
  if (who.subject != command.role) {
    store::set_role(tx, command.account, command.role);
    audit::store::record(tx, entry, now);
  }
  return store::find_record(tx, command.account).value();
}

outcome<account_record> perform(transaction& tx, const lock_account& command, timestamp now) {
  auto who = standing_of(tx, command);
  auto entry = entry_of("user.deactivate", command);
  entry.details = {{"reason", command.reason}};
  if (auto refusal = refusal_to_lock(who)) return deny(tx, std::move(entry), *refusal, now);
  store::lock(tx, command.account, command.reason, now);
  sign_out_everywhere(tx, command.account, "Account suspended", now);
  audit::store::record(tx, entry, now);
  return store::find_record(tx, command.account).value();
}

outcome<account_record> perform(transaction& tx, const unlock_account& command, timestamp now) {
  auto who = standing_of(tx, command);
  auto entry = entry_of("user.activate", command);
  if (auto refusal = refusal_to_act(who, permission::manage)) return deny(tx, std::move(entry), *refusal, now);
  budgets::store::refill(tx, budgets::guesses_of(command.account)); // first the budget, then the account, as everywhere
  store::unlock(tx, command.account, now);
  audit::store::record(tx, entry, now);
  return store::find_record(tx, command.account).value();
}

outcome<sessions_ended> perform(transaction& tx, const end_sessions& command, timestamp now) {
  auto who = standing_of(tx, command);
  auto entry = entry_of("user.sessions.revoke", command);
  if (auto refusal = refusal_to_act(who, permission::manage)) return deny(tx, std::move(entry), *refusal, now);
  auto ended = sign_out_everywhere(tx, command.account, "Signed out by an administrator", now);
  entry.details = {{"count", std::to_string(ended)}};
  audit::store::record(tx, entry, now);
  return sessions_ended{ended};
}

} // namespace backstay::accounts
