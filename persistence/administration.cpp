// What operators see of accounts, and how they lock them: the second half of actors/accounts/store.hpp.

#include "actors/accounts/store.hpp"
#include "actors/kernel/text.hpp"
#include "persistence/accounts.hpp"
#include "persistence/transaction.hpp"

namespace backstay::accounts::store {

namespace {

using sql::get;
using text = std::optional<std::string>;
using moment = std::optional<timestamp>;

std::string record_columns() { return account_columns("a") + ", a.locked_at, a.lock_reason, a.deleted_at"; }

account_record record_of(const pqxx::row& row) {
  return {.account = account_of(row),
          .locked_at = get<moment>(row["locked_at"]),
          .lock_reason = get<text>(row["lock_reason"]),
          .deleted_at = get<moment>(row["deleted_at"])};
}

/// Every filter by its parameter; one that is NULL lets everything pass. There is no wildcard to escape in strpos.
const std::string found_accounts = "FROM accounts a WHERE "
                                   "($1::text IS NULL OR a.id::text = $1 OR a.number::text = $1 "
                                   "OR strpos(lower(a.email), $1) > 0 OR strpos(lower(a.login), $1) > 0 "
                                   "OR strpos(lower(a.display_name), $1) > 0) "
                                   "AND ($2::text IS NULL OR a.role = $2) "
                                   "AND ($3::boolean IS NULL OR (a.locked_at IS NOT NULL) = $3) "
                                   "AND ($4::boolean IS NULL OR a.is_email_verified = $4) "
                                   "AND ($5::boolean IS NULL OR (a.deleted_at IS NOT NULL) = $5) "
                                   "AND ($6::boolean IS NULL OR EXISTS (SELECT 1 FROM authenticators "
                                   "WHERE account = a.id AND confirmed_at IS NOT NULL) = $6) ";

/// The id makes every order total, so that pages neither repeat nor leave out.
std::string order_by(account_order order) {
  switch (order) {
  case account_order::newest:
    return "a.created_at DESC, a.id";
  case account_order::oldest:
    return "a.created_at, a.id";
  case account_order::seen_last:
    return "a.last_login_at DESC NULLS LAST, a.id";
  case account_order::seen_first:
    return "a.last_login_at NULLS LAST, a.id";
  case account_order::login:
    return "lower(a.login), a.id";
  case account_order::login_descending:
    return "lower(a.login) DESC, a.id";
  case account_order::email:
    return "lower(a.email) NULLS LAST, a.id";
  case account_order::email_descending:
    return "lower(a.email) DESC NULLS LAST, a.id";
  }
  fail(ec::internal, "an order without a column");
}

std::vector<session_record> open_sessions(transaction& tx, const account_id& id, timestamp now) {
  std::vector<session_record> found;
  for (auto row :
       tx.run("SELECT id, device_id, address, user_agent, created_at, last_seen_at, expires_at FROM sessions "
              "WHERE account = $1::uuid AND revoked_at IS NULL AND expires_at > $2::timestamptz "
              "ORDER BY created_at DESC, id LIMIT 100",
              id, now))
    found.push_back({.id = get<session_id>(row["id"]),
                     .device_id = get<text>(row["device_id"]),
                     .address = get<std::string>(row["address"]),
                     .user_agent = get<std::string>(row["user_agent"]),
                     .created_at = get<timestamp>(row["created_at"]),
                     .last_seen_at = get<timestamp>(row["last_seen_at"]),
                     .expires_at = get<timestamp>(row["expires_at"])});
  return found;
}

std::vector<device_record> devices_of(transaction& tx, const account_id& id) {
  std::vector<device_record> found;
  for (auto row : tx.run("SELECT device_id, platform, device_model, os_version, app_version, registered_at, "
                         "last_active_at FROM devices WHERE account = $1::uuid "
                         "ORDER BY last_active_at DESC, device_id LIMIT 100",
                         id))
    found.push_back({.device_id = get<std::string>(row["device_id"]),
                     .platform = get<sessions::platform>(row["platform"]),
                     .device_model = get<std::string>(row["device_model"]),
                     .os_version = get<std::string>(row["os_version"]),
                     .app_version = get<std::string>(row["app_version"]),
                     .registered_at = get<timestamp>(row["registered_at"]),
                     .last_active_at = get<timestamp>(row["last_active_at"])});
  return found;
}

std::vector<identity_record> identities_of(transaction& tx, const account_id& id) {
  std::vector<identity_record> found;
  for (auto row : tx.run("SELECT provider, subject, username, email, linked_at FROM identities "
                         "WHERE account = $1::uuid ORDER BY provider",
                         id))
    found.push_back({.provider = get<std::string>(row["provider"]),
                     .subject = get<std::string>(row["subject"]),
                     .username = get<text>(row["username"]),
                     .email = get<text>(row["email"]),
                     .linked_at = get<timestamp>(row["linked_at"])});
  return found;
}

} // namespace

record_page list(transaction& tx, const list_accounts& wanted) {
  auto part = wanted.text ? std::optional{to_lower(*wanted.text)} : std::nullopt;
  auto run = [&](const std::string& statement, const auto&... more) {
    return tx.run(statement, part, wanted.role, wanted.locked, wanted.verified, wanted.deleted, wanted.second_factor,
                  more...);
  };
  record_page page{{}, 0, wanted.offset, wanted.limit};
  page.total = get<std::int64_t>(run("SELECT count(*) " + found_accounts)[0][0]);
  for (auto row : run("SELECT " + record_columns() + " " + found_accounts + "ORDER BY " + order_by(wanted.order) +
                          " LIMIT $7::bigint OFFSET $8::bigint",
                      wanted.limit, wanted.offset))
    page.items.push_back(record_of(row));
  return page;
}

std::optional<account_record> find_record(transaction& tx, const account_id& id) {
  auto row = tx.first("SELECT " + record_columns() + " FROM accounts a WHERE a.id = $1::uuid", id);
  return row ? std::optional{record_of(*row)} : std::nullopt;
}

std::optional<account_details> find_details(transaction& tx, const account_id& id, timestamp now) {
  auto record = find_record(tx, id);
  if (!record) return std::nullopt;
  account_details details{.record = std::move(*record),
                          .sessions = open_sessions(tx, id, now),
                          .devices = devices_of(tx, id),
                          .identities = identities_of(tx, id)};
  auto second = tx.first("SELECT confirmed_at, (SELECT count(*) FROM recovery_codes WHERE account = $1::uuid) "
                         "FROM authenticators WHERE account = $1::uuid AND confirmed_at IS NOT NULL",
                         id);
  if (second) {
    details.second_factor_since = get<moment>((*second)[0]);
    details.recovery_codes_left = get<std::int64_t>((*second)[1]);
  }
  return details;
}

std::optional<standing> find_standing(transaction& tx, const account_id& actor, const account_id& subject) {
  static const std::string statement =
      "SELECT actors.role AS actor, s.role AS subject, s.role = 'super_admin' AND NOT EXISTS (SELECT 1 FROM accounts "
      "others WHERE others.role = 'super_admin' AND others.id <> s.id AND " +
      usable("others") + ") AS is_last FROM accounts s LEFT JOIN accounts actors ON actors.id = $1::uuid AND " +
      usable("actors") + " WHERE s.id = $2::uuid";
  auto row = tx.first(statement, actor, subject);
  if (!row) return std::nullopt;
  return standing{.actor = get<std::optional<role>>((*row)["actor"]),
                  .subject = get<role>((*row)["subject"]),
                  .is_own = actor == subject,
                  .is_last_super_admin = get<bool>((*row)["is_last"])};
}

// In the order of their ids: two that wait for the same rows cannot wait for each other.
void lock_super_admins(transaction& tx) {
  tx.run("SELECT 1 FROM accounts WHERE role = 'super_admin' ORDER BY id FOR UPDATE");
}

// Killed right after the commit: the other nodes hear of it, this one starts with an empty cache.
void lock(transaction& tx, const account_id& id, const std::string& reason, timestamp now) {
  tx.run("UPDATE accounts SET locked_at = coalesce(locked_at, $2::timestamptz), lock_reason = $3, updated_at = $2 "
         "WHERE id = $1::uuid",
         id, now, reason);
  announce(tx, id);
}

void unlock(transaction& tx, const account_id& id, timestamp now) {
  tx.run("UPDATE accounts SET locked_at = NULL, lock_reason = NULL, updated_at = $2 WHERE id = $1::uuid", id, now);
  announce(tx, id);
}

} // namespace backstay::accounts::store
