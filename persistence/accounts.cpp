#include "persistence/accounts.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/accounts/store.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/outbox/store.hpp"
#include "actors/proofs/store.hpp"
#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

namespace backstay::accounts::store {

namespace {

using sessions::account;

std::optional<account> found_account(const std::optional<pqxx::row>& row) {
  return row ? std::optional{account_of(*row)} : std::nullopt;
}

bool is_email_taken(transaction& tx, const std::optional<std::string>& email) {
  return tx.first("SELECT 1 FROM accounts WHERE lower(email) = lower($1)", email).has_value();
}

bool is_login_taken(transaction& tx, const std::optional<std::string>& login) {
  return tx.first("SELECT 1 FROM accounts WHERE lower(login) = lower($1)", login).has_value();
}

/// Under a new name, so that what is cached under the old one is never shown for it. Returns its path.
std::string keep_avatar(transaction& tx, const account_id& id, const std::string& png, timestamp now) {
  auto name = crypto::to_hex(crypto::random_bytes(16)) + ".png";
  tx.run("INSERT INTO avatars (name, account, png, created_at) VALUES ($1, $2::uuid, decode($3, 'hex'), $4)", name, id,
         crypto::to_hex(png), now);
  return "/avatars/" + name;
}

[[noreturn]] void fail_email_exists() { fail(ec::conflict, "Email already registered", "EMAIL_EXISTS"); }

[[noreturn]] void fail_login_exists() { fail(ec::conflict, "Username already exists", "LOGIN_EXISTS"); }

/// Runs `statement`; where a unique index forbids it, because somebody was faster, `otherwise` tells.
template <class... Args>
std::optional<pqxx::row> first_or(void (*otherwise)(), transaction& tx, const std::string& statement,
                                  const Args&... args) {
  try {
    return tx.first(statement, args...);
  } catch (const pqxx::unique_violation&) {
    otherwise();
    throw;
  }
}

using nlohmann::json;
using notifications::channels;
using notifications::preferences;

json to_json(const preferences& chosen) {
  json object = json::object();
  for (auto& [kind, by] : chosen)
    object[std::string{name_of(kind)}] = {{"push", by.push}, {"email", by.email}, {"in_app", by.in_app}};
  return object;
}

preferences read_preferences(const json& object) {
  preferences chosen;
  for (auto& [name, by] : object.items())
    if (auto kind = from_name<live::notification_kind>(name)) // one of a newer server is left alone
      chosen[*kind] = {.push = by.at("push"), .email = by.at("email"), .in_app = by.at("in_app")};
  return chosen;
}

} // namespace

void lock_row(transaction& tx, const account_id& id) {
  tx.run("SELECT 1 FROM accounts WHERE id = $1::uuid FOR NO KEY UPDATE", id);
}

void announce(transaction& tx, const account_id& id) { tx.notify("sessions", "account:" + to_string(id)); }

std::string usable(const std::string& of) {
  return "(" + of + ".is_active AND " + of + ".locked_at IS NULL AND " + of + ".deleted_at IS NULL)";
}

std::string account_columns(const std::string& of) {
  std::string list = of + ".id AS account_id, " + usable(of) + " AS account_is_active";
  for (auto column : {"number", "login", "email", "pending_email", "role", "is_email_verified", "display_name", "bio",
                      "avatar_url", "locale", "notification_preferences", "created_at", "updated_at", "last_login_at"})
    list += ", " + of + "." + column + " AS account_" + column;
  list += ", " + of + ".password_hash <> '' AS account_has_password";
  list += ", EXISTS (SELECT 1 FROM authenticators WHERE account = " + of +
          ".id AND confirmed_at IS NOT NULL) AS account_has_second_factor";
  list += ", ARRAY(SELECT provider FROM identities WHERE account = " + of +
          ".id ORDER BY provider) AS account_linked_providers";
  list += ", (SELECT subject::bigint FROM identities WHERE account = " + of +
          ".id AND provider = 'telegram') AS account_telegram_id";
  return list;
}

account account_of(const pqxx::row& row) {
  using sql::get;
  return {.id = get<account_id>(row["account_id"]),
          .number = get<std::int64_t>(row["account_number"]),
          .login = get<std::string>(row["account_login"]),
          .email = get<std::optional<std::string>>(row["account_email"]),
          .pending_email = get<std::optional<std::string>>(row["account_pending_email"]),
          .role = get<role>(row["account_role"]),
          .is_active = get<bool>(row["account_is_active"]),
          .is_email_verified = get<bool>(row["account_is_email_verified"]),
          .has_password = get<bool>(row["account_has_password"]),
          .has_second_factor = get<bool>(row["account_has_second_factor"]),
          .linked_providers = get<std::vector<std::string>>(row["account_linked_providers"]),
          .telegram_id = get<std::optional<std::int64_t>>(row["account_telegram_id"]),
          .display_name = get<std::optional<std::string>>(row["account_display_name"]),
          .bio = get<std::optional<std::string>>(row["account_bio"]),
          .avatar_url = get<std::optional<std::string>>(row["account_avatar_url"]),
          .locale = get<std::string>(row["account_locale"]),
          .notification_preferences = read_preferences(json::parse(row["account_notification_preferences"].c_str())),
          .created_at = get<timestamp>(row["account_created_at"]),
          .updated_at = get<timestamp>(row["account_updated_at"]),
          .last_login_at = get<std::optional<timestamp>>(row["account_last_login_at"])};
}

// The unique indexes decide, also between parallel registrations: the loser waits for the winner's commit. Killed
// before the commit, nothing stands; after it, a repeat is told that the e-mail address is taken.
account create(transaction& tx, const new_account& what, timestamp now) {
  static const std::string statement =
      "INSERT INTO accounts (id, login, email, password_hash, role, is_active, is_email_verified, locale, "
      "tos_accepted_at, created_at, updated_at, display_name) "
      "VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11) "
      "ON CONFLICT DO NOTHING RETURNING " +
      account_columns("accounts");
  auto tos_accepted_at = what.tos_accepted ? std::optional{now} : std::nullopt;
  for (auto& login : what.logins) {
    auto row = tx.first(statement, account_id::random(), login, what.email, what.password_hash, what.role,
                        what.is_active, what.is_email_verified, what.locale, tos_accepted_at, now, what.display_name);
    if (row) return account_of(*row);
    if (is_email_taken(tx, what.email)) fail_email_exists();
  }
  fail_login_exists();
}

void check_free(transaction& tx, const std::optional<std::string>& email, const std::optional<std::string>& login) {
  if (is_email_taken(tx, email)) fail_email_exists();
  if (is_login_taken(tx, login)) fail_login_exists();
}

std::optional<account> find(transaction& tx, const account_id& id) {
  static const std::string statement = "SELECT " + account_columns("accounts") + " FROM accounts WHERE id = $1::uuid";
  return found_account(tx.first(statement, id));
}

std::optional<account> find_by_email(transaction& tx, const std::string& email) {
  static const std::string statement =
      "SELECT " + account_columns("accounts") + " FROM accounts WHERE lower(email) = lower($1)";
  return found_account(tx.first(statement, email));
}

std::optional<credential> find_credential(transaction& tx, const std::string& identifier) {
  static const std::string columns = "SELECT id, password_hash, " + usable("accounts") + " AS is_active FROM accounts ";
  static const std::string by_email = columns + "WHERE lower(email) = lower($1)",
                           by_login = columns + "WHERE lower(login) = lower($1)";
  bool is_email = identifier.find('@') != std::string::npos; // no login has one
  auto row = tx.first(is_email ? by_email : by_login, identifier);
  if (!row) return std::nullopt;
  return credential{sql::get<account_id>((*row)["id"]), sql::get<std::string>((*row)["password_hash"]),
                    sql::get<bool>((*row)["is_active"])};
}

// Killed right after the commit: the new hash stands, and fits the same password.
std::optional<account> note_sign_in(transaction& tx, const credential& checked, const std::string& new_hash,
                                    timestamp now) {
  static const std::string statement =
      "UPDATE accounts SET last_login_at = $1, password_hash = coalesce(nullif($2, ''), password_hash) "
      "WHERE id = $3::uuid AND password_hash = $4 AND " +
      usable("accounts") + " RETURNING " + account_columns("accounts");
  return found_account(tx.first(statement, now, new_hash, checked.account, checked.password_hash));
}

// Killed right after the commit: only the note stands.
std::optional<account> note_sign_in(transaction& tx, const account_id& account, timestamp now) {
  static const std::string statement = "UPDATE accounts SET last_login_at = $1 WHERE id = $2::uuid AND " +
                                       usable("accounts") + " RETURNING " + account_columns("accounts");
  return found_account(tx.first(statement, now, account));
}

// Killed right after the commit: verified, and the caller may sign in with the password.
std::optional<account> verify_email(transaction& tx, const std::string& email, timestamp now) {
  static const std::string statement =
      "UPDATE accounts SET is_active = true, is_email_verified = true, last_login_at = $1 "
      "WHERE lower(email) = lower($2) AND deleted_at IS NULL RETURNING " +
      account_columns("accounts");
  auto verified = found_account(tx.first(statement, now, email));
  if (verified) announce(tx, verified->id);
  return verified;
}

// Killed right after the commit: the new address signs in, and the old one is told.
std::optional<account> confirm_pending_email(transaction& tx, const account_id& id, const std::string& email,
                                             timestamp now) {
  static const std::string statement =
      "UPDATE accounts SET email = pending_email, pending_email = NULL, is_email_verified = true, updated_at = $3 "
      "WHERE id = $1::uuid AND lower(pending_email) = lower($2) AND " +
      usable("accounts") + " RETURNING " + account_columns("accounts");
  using proofs::store::purpose;
  for (auto mailed : {purpose::password_reset, purpose::magic_link, purpose::email_verification})
    proofs::store::withdraw(tx, mailed, id);
  auto before = find(tx, id);
  if (is_email_taken(tx, email) && before && before->email != email) fail_email_exists();
  auto changed = found_account(first_or(fail_email_exists, tx, statement, id, email, now));
  if (!changed) return std::nullopt;
  announce(tx, id);
  if (before->email)
    outbox::store::enqueue(tx,
                           outbox::mail_work{.to = *before->email,
                                             .locale = changed->locale,
                                             .template_ = outbox::template_name::email_changed},
                           now);
  return changed;
}

// Killed right after the commit: changed; a repeat changes nothing more.
account change(transaction& tx, const change_account& what, timestamp now) {
  static const std::string statement =
      "UPDATE accounts SET login = coalesce($2, login), display_name = coalesce($3, display_name), "
      "locale = coalesce($4, locale), notification_preferences = notification_preferences || $5::jsonb, "
      "updated_at = $6 WHERE id = $1::uuid RETURNING " +
      account_columns("accounts");
  auto chosen = to_json(what.notification_preferences.value_or(preferences{})).dump();
  auto changed = found_account(first_or(fail_login_exists, tx, statement, what.caller.account, what.login,
                                        what.display_name, what.locale, chosen, now));
  if (!changed) fail(ec::not_found);
  announce(tx, changed->id);
  return *changed;
}

// Killed right after the commit: the address waits, and its code is in the mail that was written with it.
account set_pending_email(transaction& tx, const account_id& id, const std::optional<std::string>& email) {
  static const std::string statement =
      "UPDATE accounts SET pending_email = $2 WHERE id = $1::uuid RETURNING " + account_columns("accounts");
  if (is_email_taken(tx, email)) fail_email_exists();
  auto changed = found_account(tx.first(statement, id, email));
  if (!changed) fail(ec::not_found);
  announce(tx, id);
  return *changed;
}

std::optional<std::string> telegram_username_of(transaction& tx, const account_id& id) {
  auto row = tx.first("SELECT username FROM identities WHERE account = $1::uuid AND provider = 'telegram'", id);
  return row ? sql::get<std::optional<std::string>>((*row)[0]) : std::nullopt;
}

// Killed right after the commit: deleted; the caller's repeat finds no session.
void mark_deleted(transaction& tx, const account_id& id, timestamp now) {
  auto marked = tx.run(
      "UPDATE accounts SET deleted_at = $2, updated_at = $2 WHERE id = $1::uuid AND deleted_at IS NULL", id, now);
  if (marked.affected_rows() == 0) fail(ec::not_found);
  announce(tx, id);
}

namespace {

/// Everything about its owner; the row stays, for payments and ledger point to it.
void purge(transaction& tx, const account_id& id, const std::optional<std::string>& email, timestamp now) {
  tx.run("DELETE FROM outbox WHERE kind = 'mail' AND payload->>'to' = $1", email);
  for (auto* table : {"one_time_proofs", "sessions", "devices", "identities", "authenticators", "recovery_codes",
                      "device_credentials", "avatars", "saved_payment_methods"})
    tx.run(std::string{"DELETE FROM "} + table + " WHERE account = $1::uuid", id);
  for (auto* table : {"notifications", "live_events", "panel_users"})
    tx.run(std::string{"DELETE FROM "} + table + " WHERE account_id = $1::uuid", id);
  tx.run("UPDATE referrals SET marks = '{}', may_bring_bonuses = false WHERE referred_id = $1::uuid", id);
  tx.run("UPDATE accounts SET login = $2, email = NULL, pending_email = NULL, password_hash = '', is_active = false, "
         "is_email_verified = false, display_name = NULL, bio = NULL, avatar_url = NULL, lock_reason = NULL, "
         "preferences = '{}', notification_preferences = '{}', purged_at = $3 WHERE id = $1::uuid",
         id, purged_login(id), now);
}

} // namespace

// Killed before the commit, the next call finds the same accounts; after it, they are done.
std::int64_t purge_deleted_before(transaction& tx, timestamp moment, timestamp now) {
  auto due = tx.run("SELECT id, email FROM accounts WHERE deleted_at < $1 AND purged_at IS NULL "
                    "ORDER BY deleted_at LIMIT 100 FOR UPDATE SKIP LOCKED",
                    moment);
  for (auto row : due)
    purge(tx, sql::get<account_id>(row["id"]), sql::get<std::optional<std::string>>(row["email"]), now);
  return static_cast<std::int64_t>(due.size());
}

std::string password_hash_of(transaction& tx, const account_id& id) {
  auto row = tx.first("SELECT password_hash FROM accounts WHERE id = $1::uuid", id);
  if (!row) fail(ec::not_found);
  return sql::get<std::string>((*row)[0]);
}

// Killed right after the commit: the new password is good, and whoever set it signs in with it.
void set_password(transaction& tx, const account_id& id, const std::string& password_hash, timestamp now) {
  auto changed =
      tx.run("UPDATE accounts SET password_hash = $2, updated_at = $3 WHERE id = $1::uuid", id, password_hash, now);
  if (changed.affected_rows() == 0) fail(ec::not_found);
  tx.run("DELETE FROM device_credentials WHERE account = $1::uuid", id);
  announce(tx, id);
}

// Killed right after the commit: as `set_password`.
bool replace_password(transaction& tx, const account_id& id, const std::string& expected,
                      const std::string& password_hash, timestamp now) {
  auto changed = tx.run("UPDATE accounts SET password_hash = $3, updated_at = $4 WHERE id = $1::uuid AND "
                        "password_hash = $2",
                        id, expected, password_hash, now);
  if (changed.affected_rows() == 0) return false;
  announce(tx, id);
  return true;
}

profile profile_of(transaction& tx, const account_id& id) {
  static const std::string statement =
      "SELECT " + account_columns("accounts") + ", preferences FROM accounts WHERE id = $1::uuid";
  auto row = tx.first(statement, id);
  if (!row) fail(ec::not_found);
  return {account_of(*row), {sql::get<std::string>((*row)["preferences"])}};
}

// Killed right after the commit, the answer is lost: a repeat changes nothing more, but for the picture's name.
profile update_profile(transaction& tx, const accounts::update_profile& what, const std::optional<std::string>& png,
                       timestamp now) {
  auto& id = what.caller.account;
  auto avatar_url = what.avatar_url;
  if (png || avatar_url) tx.run("DELETE FROM avatars WHERE account = $1::uuid", id);
  if (png) avatar_url = keep_avatar(tx, id, *png, now);
  auto text = [](const std::optional<std::optional<std::string>>& change) { return change.value_or(std::nullopt); };
  auto row = tx.first("UPDATE accounts SET display_name = CASE WHEN $2::boolean THEN $3 ELSE display_name END, "
                      "bio = CASE WHEN $4::boolean THEN $5 ELSE bio END, "
                      "avatar_url = CASE WHEN $6::boolean THEN $7 ELSE avatar_url END, "
                      "preferences = preferences || $8::jsonb, updated_at = $9 WHERE id = $1::uuid "
                      "RETURNING email IS NULL OR lower(email) <> lower($10) AS other_email, "
                      "octet_length(preferences::text) AS size",
                      id, what.display_name.has_value(), text(what.display_name), what.bio.has_value(), text(what.bio),
                      avatar_url.has_value(), text(avatar_url), what.preferences.value_or(json_object{}).text, now,
                      what.email.value_or(""));
  if (!row) fail(ec::not_found);
  if (what.email && sql::get<bool>((*row)["other_email"]))
    fail(ec::refused, "Email changes not supported yet", "EMAIL_CHANGE_NOT_SUPPORTED");
  if (sql::get<std::size_t>((*row)["size"]) > most_preferences)
    fail_field("preferences", "must have at most 16 KiB in all", "too_long");
  announce(tx, id);
  return profile_of(tx, id);
}

std::optional<avatar> find_avatar(transaction& tx, const std::string& name) {
  // PostgreSQL's base64 as base64url: no line ends, no padding.
  auto row = tx.first("SELECT translate(encode(png, 'base64'), E'+/=\n', '-_') FROM avatars WHERE name = $1", name);
  if (!row) return std::nullopt;
  return avatar{crypto::from_base64url(sql::get<std::string>((*row)[0])).value()};
}

// Killed right after the commit: the other nodes hear of it, this one starts with an empty cache.
void set_role(transaction& tx, const account_id& id, role what) {
  if (tx.run("UPDATE accounts SET role = $1 WHERE id = $2::uuid", what, id).affected_rows() == 0) fail(ec::not_found);
  announce(tx, id);
}

} // namespace backstay::accounts::store
