#include "actors/sessions/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "actors/outbox/store.hpp"
#include "config/log.hpp"
#include "persistence/accounts.hpp"
#include "persistence/transaction.hpp"

#include <algorithm>

namespace backstay::sessions::store {

namespace {

using accounts::store::account_columns;
using accounts::store::account_of;
using sql::get;
using std::chrono::seconds;

void announce(transaction& tx, const session_id& id) { tx.notify("sessions", "session:" + to_string(id)); }

// One statement decides and counts, so that parallel tries, also on other nodes, cannot overdraw a budget.
// Killed before the answer is out: the try is counted although nothing was checked.
bool take(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  static const std::string minute_over =
      "(CASE WHEN b.minute_count >= $3::bigint THEN b.last_at + $5::bigint * interval '1 second' "
      "ELSE b.minute_started_at + interval '1 minute' END <= $2::timestamptz)";
  static const std::string hour_over = "(b.hour_started_at + interval '1 hour' <= $2::timestamptz)";
  static const std::string statement =
      "INSERT INTO budgets AS b (key, minute_started_at, minute_count, hour_started_at, hour_count, last_at) "
      "VALUES ($1, $2::timestamptz, 1, $2::timestamptz, 1, $2::timestamptz) ON CONFLICT (key) DO UPDATE SET "
      "minute_started_at = CASE WHEN " +
      minute_over +
      " THEN $2::timestamptz ELSE b.minute_started_at END, "
      "minute_count = CASE WHEN " +
      minute_over +
      " THEN 1 ELSE b.minute_count + 1 END, "
      "hour_started_at = CASE WHEN " +
      hour_over +
      " THEN $2::timestamptz ELSE b.hour_started_at END, "
      "hour_count = CASE WHEN " +
      hour_over +
      " THEN 1 ELSE b.hour_count + 1 END, "
      "last_at = $2::timestamptz "
      "WHERE (b.minute_count < $3::bigint OR " +
      minute_over + ") AND (b.hour_count < $4::bigint OR " + hour_over +
      ") "
      "RETURNING 1";
  return tx.first(statement, key, now, from.per_minute, from.per_hour, from.pause.count()).has_value();
}

/// When the next try of an exhausted budget may be made.
seconds rest_of(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  auto row = tx.first("SELECT ceil(extract(epoch FROM greatest("
                      "CASE WHEN minute_count >= $3::bigint THEN last_at + $5::bigint * interval '1 second' END, "
                      "CASE WHEN hour_count >= $4::bigint THEN hour_started_at + interval '1 hour' END) "
                      "- $2::timestamptz))::bigint FROM budgets WHERE key = $1",
                      key, now, from.per_minute, from.per_hour, from.pause.count());
  auto wait = row ? get<std::optional<std::int64_t>>((*row)[0]) : std::nullopt;
  return seconds{std::max<std::int64_t>(wait.value_or(1), 1)};
}

/// 0 if a try was taken.
seconds reserve(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  return take(tx, key, from, now) ? seconds{0} : rest_of(tx, key, from, now);
}

std::string opaque(const terms& terms, std::string_view purpose, std::string_view text) {
  return crypto::to_hex(terms.keys.sign(purpose, to_lower(text)));
}

attempt attempt_on(transaction& tx, const terms& terms, const std::string& identifier) {
  auto credential = accounts::store::find_credential(tx, identifier);
  // People type passwords into the wrong field: an unknown identifier is not kept as it is.
  auto key = credential ? "guess:account:" + to_string(credential->account)
                        : "guess:identifier:" + opaque(terms, "guess", identifier);
  return {.key = std::move(key), .credential = std::move(credential)};
}

// --- sessions

seconds lifetime_of(const terms& terms, bool is_remembered) {
  return is_remembered ? terms.lifetimes.refresh_remembered : terms.lifetimes.refresh;
}

struct stored_session {
  session_id id;
  sessions::account account;
  std::optional<std::string> device_id;
  bool is_remembered = false;
  sessions::rotation rotation;
  timestamp expires_at;
  bool is_revoked = false;

  bool is_open(timestamp now) const { return !is_revoked && now < expires_at; }
};

std::optional<stored_session> find_session(transaction& tx, const session_id& id, const std::string& lock = {}) {
  static const std::string statement =
      "SELECT s.device_id, s.is_remembered, s.generation, s.refresh_hash, s.parent_hash, s.token_id, s.is_token_used, "
      "s.rotated_at, s.expires_at, s.revoked_at IS NOT NULL AS is_revoked, " +
      account_columns("a") + " FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.id = $1::uuid ";
  auto row = tx.first(statement + lock, id);
  if (!row) return std::nullopt;
  return stored_session{.id = id,
                        .account = account_of(*row),
                        .device_id = get<std::optional<std::string>>((*row)["device_id"]),
                        .is_remembered = get<bool>((*row)["is_remembered"]),
                        .rotation = {.generation = get<std::uint32_t>((*row)["generation"]),
                                     .hash = get<std::string>((*row)["refresh_hash"]),
                                     .parent_hash = get<std::string>((*row)["parent_hash"]),
                                     .token_id = get<std::string>((*row)["token_id"]),
                                     .token_used = get<bool>((*row)["is_token_used"]),
                                     .rotated_at = get<timestamp>((*row)["rotated_at"])},
                        .expires_at = get<timestamp>((*row)["expires_at"]),
                        .is_revoked = get<bool>((*row)["is_revoked"])};
}

signed_in answer(const terms& terms, const stored_session& session, secret refresh_token, timestamp now) {
  return {.account = session.account,
          .grant = {.account = session.account.id,
                    .session = session.id,
                    .role = session.account.role,
                    .token_id = session.rotation.token_id,
                    .device_id = session.device_id,
                    .issued_at = now,
                    .expires_at = now + terms.lifetimes.access},
          .refresh_token = std::move(refresh_token)};
}

// Without a new push token the known one stays.
void keep_device(transaction& tx, const account_id& account, const device& what, timestamp now) {
  tx.run("INSERT INTO devices AS d (account, device_id, platform, platform_id, os_version, app_version, device_model, "
         "push_token, registered_at, last_active_at) VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $9) "
         "ON CONFLICT (account, device_id) DO UPDATE SET platform = excluded.platform, "
         "platform_id = excluded.platform_id, os_version = excluded.os_version, app_version = excluded.app_version, "
         "device_model = excluded.device_model, push_token = coalesce(excluded.push_token, d.push_token), "
         "last_active_at = excluded.last_active_at",
         account, what.device_id, what.platform, what.platform_id, what.os_version, what.app_version, what.device_model,
         what.push_token, now);
}

// Killed right after the commit, the answer is lost: the caller repeats with the parent token and gets the same pair.
signed_in rotate(transaction& tx, const terms& terms, stored_session session, timestamp now) {
  auto& state = session.rotation;
  auto next = make_refresh_token(terms.keys, session.id, ++state.generation);
  state.token_id = to_string(uuid::random());
  tx.run("UPDATE sessions SET generation = $2, parent_hash = refresh_hash, refresh_hash = $3, token_id = $4, "
         "is_token_used = false, rotated_at = $5, expires_at = $6 WHERE id = $1::uuid",
         session.id, state.generation, hash_of(next), state.token_id, now,
         now + lifetime_of(terms, session.is_remembered));
  tx.run("UPDATE devices SET last_active_at = $3 WHERE account = $1::uuid AND device_id = $2", session.account.id,
         session.device_id, now);
  announce(tx, session.id);
  return answer(terms, session, std::move(next), now);
}

outcome<signed_in> repeat(const terms& terms, const stored_session& session, timestamp now) {
  auto token = repeat_refresh_token(terms.keys, session.id, session.rotation.generation, session.rotation.hash);
  if (!token) return invalid_refresh_token();
  return answer(terms, session, std::move(*token), now);
}

// --- codes

struct address_record {
  code_record code;
  resend_record resends;
};

/// The address's record, made if need be, locked until the transaction ends.
address_record lock_address(transaction& tx, const std::string& address, timestamp now) {
  auto row = *tx.first("INSERT INTO verification_codes AS v (address, started_at, failures, is_consumed, "
                       "resend_window_started_at, resends, last_resend_at) VALUES ($1, $2, 0, false, $2, 0, $2) "
                       "ON CONFLICT (address) DO UPDATE SET address = excluded.address RETURNING *",
                       address, now);
  return {.code = {.hash = get<std::optional<std::string>>(row["code_hash"]),
                   .started_at = get<timestamp>(row["started_at"]),
                   .failures = get<int>(row["failures"]),
                   .is_consumed = get<bool>(row["is_consumed"])},
          .resends = {.window_started_at = get<timestamp>(row["resend_window_started_at"]),
                      .count = get<int>(row["resends"]),
                      .last_at = get<timestamp>(row["last_resend_at"])}};
}

void keep_code(transaction& tx, const std::string& address, const code_record& record) {
  tx.run("UPDATE verification_codes SET code_hash = $2, started_at = $3, failures = $4, is_consumed = $5 "
         "WHERE address = $1",
         address, record.hash, record.started_at, record.failures, record.is_consumed);
}

void keep_resends(transaction& tx, const std::string& address, const resend_record& record) {
  tx.run("UPDATE verification_codes SET resend_window_started_at = $2, resends = $3, last_resend_at = $4 "
         "WHERE address = $1",
         address, record.window_started_at, record.count, record.last_at);
}

} // namespace

outcome<attempt> reserve_guess(transaction& tx, const terms& terms, const std::string& identifier, timestamp now) {
  auto made = attempt_on(tx, terms, identifier);
  if (auto wait = reserve(tx, made.key, terms.guesses, now); wait.count() > 0) return locked_out(wait);
  return made;
}

seconds reserve_mail(transaction& tx, const terms& terms, const std::string& address, timestamp now) {
  return reserve(tx, "mail:" + opaque(terms, "mail", address), terms.mails, now);
}

void give_back(transaction& tx, const std::string& key) {
  tx.run("UPDATE budgets SET minute_count = greatest(minute_count - 1, 0), hour_count = greatest(hour_count - 1, 0) "
         "WHERE key = $1",
         key);
}

// Killed right after the commit, the answer is lost: nobody knows this session's tokens, and it expires.
signed_in open(transaction& tx, const terms& terms, const opening& what, timestamp now) {
  stored_session session{
      .id = session_id::random(), .account = what.account, .rotation = {.token_id = to_string(uuid::random())}};
  if (what.device) {
    session.device_id = what.device->device_id;
    keep_device(tx, what.account.id, *what.device, now);
  }
  auto token = make_refresh_token(terms.keys, session.id, session.rotation.generation);
  tx.run("INSERT INTO sessions (id, account, device_id, address, user_agent, is_remembered, generation, refresh_hash, "
         "parent_hash, token_id, is_token_used, created_at, rotated_at, expires_at) "
         "VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, '', $9, false, $10, $10, $11)",
         session.id, what.account.id, session.device_id, what.origin.address, what.origin.user_agent, what.remember,
         session.rotation.generation, hash_of(token), session.rotation.token_id, now,
         now + lifetime_of(terms, what.remember));
  auto result = answer(terms, session, std::move(token), now);
  result.is_new = what.is_new;
  return result;
}

signed_in sign_in(transaction& tx, const terms& terms, const attempt& checked, const std::string& new_hash,
                  const sessions::sign_in& how, timestamp now) {
  give_back(tx, checked.key); // first the budget, then the account, as everywhere: no deadlocks
  std::optional<account> who;
  if (checked.credential) who = accounts::store::note_sign_in(tx, *checked.credential, new_hash, now);
  if (!who) fail(invalid_credentials());
  return open(tx, terms, {.account = *who, .device = how.device, .remember = how.remember, .origin = how.origin}, now);
}

outcome<signed_in> refresh(transaction& tx, const terms& terms, const refresh_token& token,
                           const std::optional<std::string>& device_id, timestamp now) {
  auto session = find_session(tx, token.session, "FOR UPDATE OF s");
  if (!session || !session->is_open(now) || !session->account.is_active) return invalid_refresh_token();
  if (device_id && session->device_id && *device_id != *session->device_id) return invalid_refresh_token();
  switch (judge(session->rotation, token.hash, now)) {
  case refresh_verdict::rotate:
    return rotate(tx, terms, std::move(*session), now);
  case refresh_verdict::repeat:
    return repeat(terms, *session, now);
  case refresh_verdict::replay:
    log::warning("sessions", "an old refresh token was replayed, its session is revoked",
                 {{"session", to_string(session->id)}, {"account", to_string(session->account.id)}});
    revoke(tx, session->id, now);
  }
  return invalid_refresh_token();
}

// Killed right after the commit: the other nodes hear of it, this one starts with an empty cache.
void revoke(transaction& tx, const session_id& session, timestamp now) {
  tx.run("UPDATE sessions SET revoked_at = $2 WHERE id = $1::uuid AND revoked_at IS NULL", session, now);
  announce(tx, session);
}

std::optional<session_view> view(transaction& tx, const session_id& id, timestamp now) {
  auto session = find_session(tx, id);
  if (!session || !session->is_open(now)) return std::nullopt;
  if (!session->account.is_active) fail(ec::forbidden, "Inactive user", "USER_INACTIVE");
  return session_view{.session = id,
                      .account = session->account,
                      .token_id = session->rotation.token_id,
                      .token_used = session->rotation.token_used,
                      .expires_at = session->expires_at};
}

void confirm_token(transaction& tx, const session_id& session, const std::string& token_id) {
  tx.run("UPDATE sessions SET is_token_used = true WHERE id = $1::uuid AND token_id = $2 AND NOT is_token_used",
         session, token_id);
}

// The mail is written with the code: killed right after the commit, the outbox sends it.
void issue_code(transaction& tx, const terms& terms, const account& account, timestamp now) {
  auto address = to_lower(*account.email);
  secret code{crypto::random_digits(6)};
  lock_address(tx, address, now);
  keep_code(tx, address, {.hash = code_hash(terms.keys, address, code), .started_at = now});
  outbox::store::enqueue(tx, outbox::mail_work{.to = *account.email, .locale = account.locale, .code = code}, now);
}

// Killed right after the commit, the answer is lost: the address is verified, and the password signs in.
outcome<signed_in> verify_code(transaction& tx, const terms& terms, const sessions::verify_code& command,
                               timestamp now) {
  auto address = to_lower(command.email);
  auto guess = attempt_on(tx, terms, address);
  if (auto wait = reserve(tx, guess.key, terms.guesses, now); wait.count() > 0) return codes_rest(wait);
  auto record = lock_address(tx, address, now).code;
  auto verdict = judge(record, code_matches(terms.keys, address, command.code, record.hash), now);
  record.is_consumed = record.is_consumed || verdict == code_verdict::right;
  keep_code(tx, address, record);
  if (verdict != code_verdict::right) return code_fault(verdict, record);
  give_back(tx, guess.key);
  auto account = accounts::store::verify_email(tx, address, now);
  if (!account) return code_fault(code_verdict::dead, record); // it was removed meanwhile
  return open(tx, terms, {.account = *account, .origin = command.origin}, now);
}

outcome<code_sent> resend_code(transaction& tx, const terms& terms, const std::string& email, timestamp now) {
  auto address = to_lower(email);
  auto record = lock_address(tx, address, now);
  auto result = count_resend(record.resends, now);
  if (auto wait = reserve_mail(tx, terms, address, now); wait.count() > 0) return mails_rest(wait);
  keep_resends(tx, address, record.resends);
  auto account = accounts::store::find_by_email(tx, address);
  if (account && !account->is_email_verified) issue_code(tx, terms, *account, now);
  else keep_code(tx, address, {.started_at = now}); // as a new code would: the tries count anew
  return result;
}

// Killed right after the commit, the answer is lost: nobody knows this ticket, and it expires.
void keep_ticket(transaction& tx, const session_id& session, const secret& ticket, timestamp expires_at,
                 timestamp now) {
  auto kept = tx.run("INSERT INTO tickets (hash, session, expires_at) SELECT $1, id, $3 FROM sessions "
                     "WHERE id = $2::uuid AND revoked_at IS NULL AND expires_at > $4::timestamptz",
                     hash_of(ticket), session, expires_at, now);
  if (kept.affected_rows() == 0) fail(ec::unauthenticated);
}

// Of parallel redemptions one deletes the row. Killed right after the commit: the caller needs another ticket.
std::optional<session_view> redeem_ticket(transaction& tx, const secret& ticket, timestamp now) {
  auto row = tx.first("DELETE FROM tickets WHERE hash = $1 RETURNING session, expires_at", hash_of(ticket));
  if (!row || get<timestamp>((*row)["expires_at"]) <= now) return std::nullopt;
  return view(tx, get<session_id>((*row)["session"]), now);
}

void forget_stale(transaction& tx, timestamp now) {
  using std::chrono::days, std::chrono::hours;
  tx.run("DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at < $1 LIMIT 1000)", now);
  tx.run("DELETE FROM budgets WHERE key IN (SELECT key FROM budgets WHERE last_at < $1 LIMIT 1000)", now - hours{1});
  tx.run("DELETE FROM verification_codes WHERE address IN (SELECT address FROM verification_codes "
         "WHERE started_at < $1 AND last_resend_at < $1 LIMIT 1000)",
         now - days{1});
  // Ended sessions stay for a while: people look for what they do not recognize.
  tx.run("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT 1000)", now - days{30});
}

} // namespace backstay::sessions::store
