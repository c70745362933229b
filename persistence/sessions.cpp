#include "actors/sessions/store.hpp"

#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/codes/store.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "actors/outbox/store.hpp"
#include "actors/proofs/store.hpp"
#include "config/log.hpp"
#include "persistence/accounts.hpp"
#include "persistence/device_credentials.hpp"
#include "persistence/transaction.hpp"

#include <algorithm>

namespace backstay::sessions::store {

namespace {

using accounts::store::account_columns;
using accounts::store::account_of;
using sql::get;
using std::chrono::seconds;

constexpr auto ticket_purpose = proofs::store::purpose::socket_ticket;

void announce(transaction& tx, const session_id& id) { tx.notify("sessions", "session:" + to_string(id)); }

attempt attempt_on(transaction& tx, const terms& terms, const std::string& identifier) {
  auto credential = accounts::store::find_credential(tx, identifier);
  auto key =
      credential ? budgets::guesses_of(credential->account) : budgets::guesses_of_unknown(terms.keys, identifier);
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
  bool is_rotating = true;
  sessions::rotation rotation;
  timestamp expires_at;
  bool is_revoked = false;

  bool is_open(timestamp now) const { return !is_revoked && now < expires_at; }
};

std::optional<stored_session> find_session(transaction& tx, const session_id& id, const std::string& lock = {}) {
  static const std::string statement = "SELECT s.device_id, s.is_remembered, s.is_rotating, s.generation, "
                                       "s.refresh_hash, s.parent_hash, s.token_id, s.is_token_used, "
                                       "s.rotated_at, s.expires_at, s.revoked_at IS NOT NULL AS is_revoked, " +
                                       account_columns("a") +
                                       " FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.id = $1::uuid ";
  auto row = tx.first(statement + lock, id);
  if (!row) return std::nullopt;
  return stored_session{.id = id,
                        .account = account_of(*row),
                        .device_id = get<std::optional<std::string>>((*row)["device_id"]),
                        .is_remembered = get<bool>((*row)["is_remembered"]),
                        .is_rotating = get<bool>((*row)["is_rotating"]),
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

// A sign-in that waits for its second factor is kept as names and values.

std::map<std::string, std::string> content_of(const opening& what) {
  std::map<std::string, std::string> content{{"remember", what.remember ? "1" : ""},
                                             {"is_new", what.is_new ? "1" : ""},
                                             {"is_rotating", what.is_rotating ? "1" : ""},
                                             {"is_fresh", what.is_fresh ? "1" : ""},
                                             {"way", what.way}};
  if (what.device_id) content["device_id"] = *what.device_id;
  if (!what.device) return content;
  auto& device = *what.device;
  content["device_id"] = device.device_id;
  content.insert({{"platform", std::string{name_of(device.platform)}},
                  {"platform_id", device.platform_id},
                  {"os_version", device.os_version},
                  {"app_version", device.app_version},
                  {"device_model", device.device_model}});
  if (device.push_token) content["push_token"] = *device.push_token;
  return content;
}

opening opening_of(const proofs::store::proof& proof, account who) {
  auto text = [&](const char* name) {
    auto found = proof.content.find(name);
    return found == proof.content.end() ? std::string{} : found->second;
  };
  opening what{.account = std::move(who),
               .remember = !text("remember").empty(),
               .is_new = !text("is_new").empty(),
               .is_rotating = !text("is_rotating").empty(),
               .way = text("way"),
               .is_fresh = !text("is_fresh").empty()};
  if (!text("device_id").empty()) what.device_id = text("device_id");
  if (text("platform").empty()) return what;
  what.device = device{.device_id = text("device_id"),
                       .platform = from_name<platform>(text("platform")).value(),
                       .platform_id = text("platform_id"),
                       .os_version = text("os_version"),
                       .app_version = text("app_version"),
                       .device_model = text("device_model")};
  if (!text("push_token").empty()) what.device->push_token = text("push_token");
  return what;
}

// Killed right after the commit, the answer is lost: the first step has to be done again.
signed_in ask_second_step(transaction& tx, const terms& terms, const opening& what, timestamp now) {
  auto shown = proofs::store::make_secret();
  proofs::store::keep(tx, terms.keys, shown, {proofs::store::purpose::second_step, what.account.id, content_of(what)},
                      second_step_lifetime, now);
  return {.account = what.account, .is_new = what.is_new, .second_step = std::move(shown)};
}

// Killed right after the commit, the answer is lost: nobody knows this session's tokens, and it expires.
signed_in open_session(transaction& tx, const terms& terms, const opening& what, timestamp now) {
  stored_session session{.id = session_id::random(),
                         .account = what.account,
                         .device_id = what.device_id,
                         .rotation = {.token_id = to_string(uuid::random())}};
  if (what.device) {
    session.device_id = what.device->device_id;
    keep_device(tx, what.account.id, *what.device, now);
  } else if (what.device_id) {
    note_device(tx, what.account.id, *what.device_id, now);
  }
  auto token = make_refresh_token(terms.keys, session.id, session.rotation.generation);
  tx.run("INSERT INTO sessions (id, account, device_id, address, user_agent, is_remembered, generation, refresh_hash, "
         "parent_hash, token_id, is_token_used, is_rotating, created_at, rotated_at, last_seen_at, expires_at, "
         "reauthenticated_at) "
         "VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, '', $9, false, $12, $10, $10, $10, $11, $13)",
         session.id, what.account.id, session.device_id, what.origin.address, what.origin.user_agent, what.remember,
         session.rotation.generation, hash_of(token), session.rotation.token_id, now,
         now + lifetime_of(terms, what.remember), what.is_rotating, what.is_fresh ? std::optional{now} : std::nullopt);
  audit::store::record(tx,
                       {.action = "auth.login.success",
                        .actor = what.account.id,
                        .subject = what.account.id,
                        .origin = what.origin,
                        .resource = "session:" + to_string(session.id),
                        .details = {{"way", what.way}}},
                       now);
  auto result = answer(terms, session, std::move(token), now);
  result.is_new = what.is_new;
  return result;
}

// Killed right after the commit, the answer is lost: the caller repeats with the parent token and gets the same pair.
signed_in rotate(transaction& tx, const terms& terms, stored_session session, timestamp now) {
  auto& state = session.rotation;
  auto next = make_refresh_token(terms.keys, session.id, ++state.generation);
  state.token_id = to_string(uuid::random());
  tx.run("UPDATE sessions SET generation = $2, parent_hash = refresh_hash, refresh_hash = $3, token_id = $4, "
         "is_token_used = false, rotated_at = $5, last_seen_at = $5, expires_at = $6 WHERE id = $1::uuid",
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

} // namespace

outcome<attempt> reserve_guess(transaction& tx, const terms& terms, const std::string& identifier, timestamp now) {
  auto made = attempt_on(tx, terms, identifier);
  if (auto wait = budgets::store::take(tx, made.key, terms.guesses, now); wait.count() > 0) return locked_out(wait);
  return made;
}

seconds reserve_mail(transaction& tx, const terms& terms, const std::string& address, timestamp now) {
  return budgets::store::take(tx, budgets::mails_to(terms.keys, address), terms.mails, now);
}

signed_in open(transaction& tx, const terms& terms, const opening& what, timestamp now) {
  if (!what.account.is_active) fail(invalid_credentials());
  bool needs_second_step = what.account.has_second_factor && !what.has_shown_second_factor;
  return needs_second_step ? ask_second_step(tx, terms, what, now) : open_session(tx, terms, what, now);
}

std::optional<opening> examine_second_step(transaction& tx, const terms& terms, const secret& second_step,
                                           timestamp now) {
  auto proof =
      proofs::store::examine(tx, terms.keys, proofs::store::purpose::second_step, second_step, second_step_tries, now);
  if (!proof) return std::nullopt;
  auto account = accounts::store::find(tx, proof->account.value());
  if (!account) return std::nullopt;
  return opening_of(*proof, std::move(*account));
}

// Killed right after the commit, the answer is lost: the first step has to be done again.
std::optional<signed_in> finish_second_step(transaction& tx, const terms& terms, const secret& second_step,
                                            opening what, timestamp now) {
  if (!proofs::store::redeem(tx, terms.keys, proofs::store::purpose::second_step, second_step, now))
    return std::nullopt;
  what.has_shown_second_factor = true;
  return open(tx, terms, what, now);
}

signed_in sign_in(transaction& tx, const terms& terms, const attempt& checked, const std::string& new_hash,
                  const sessions::sign_in& how, timestamp now) {
  budgets::store::give_back(tx, checked.key); // first the budget, then the account, as everywhere: no deadlocks
  std::optional<account> who;
  if (checked.credential) who = accounts::store::note_sign_in(tx, *checked.credential, new_hash, now);
  if (!who) fail(invalid_credentials());
  return open(tx, terms,
              {.account = *who,
               .device = how.device,
               .remember = how.remember,
               .origin = how.origin,
               .way = "password",
               .is_fresh = true},
              now);
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

// Killed right after the commit, the answer is lost: the caller shows the password once more.
void note_reauthentication(transaction& tx, const session_id& session, timestamp now) {
  tx.run("UPDATE sessions SET reauthenticated_at = $2 WHERE id = $1::uuid AND revoked_at IS NULL", session, now);
}

bool is_reauthenticated(transaction& tx, const session_id& session, timestamp now) {
  return tx
      .first("SELECT 1 FROM sessions WHERE id = $1::uuid AND revoked_at IS NULL AND reauthenticated_at > $2", session,
             now - reauthentication_lifetime)
      .has_value();
}

// Killed right after the commit: the other nodes hear of it, this one starts with an empty cache.
void revoke(transaction& tx, const session_id& session, timestamp now) {
  tx.run("WITH ended AS (UPDATE sessions SET revoked_at = $2 WHERE id = $1::uuid AND revoked_at IS NULL "
         "RETURNING account, device_id) DELETE FROM device_credentials c USING ended e "
         "WHERE c.account = e.account AND c.device_id = e.device_id",
         session, now);
  announce(tx, session);
}

std::int64_t revoke_all(transaction& tx, const account_id& account, const std::optional<session_id>& except,
                        timestamp now) {
  // Sign-ins hold the account's row until they commit: those that are under way are ended too.
  tx.run("SELECT 1 FROM accounts WHERE id = $1::uuid FOR NO KEY UPDATE", account);
  auto ended = tx.run("UPDATE sessions SET revoked_at = $3 WHERE account = $1::uuid AND id IS DISTINCT FROM $2::uuid "
                      "AND revoked_at IS NULL AND expires_at > $3::timestamptz",
                      account, except, now);
  tx.run("DELETE FROM device_credentials WHERE account = $1::uuid "
         "AND device_id IS DISTINCT FROM (SELECT device_id FROM sessions WHERE id = $2::uuid)",
         account, except);
  tx.notify("sessions", "account:" + to_string(account));
  return static_cast<std::int64_t>(ended.affected_rows());
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
  auto code = codes::store::issue(tx, terms.keys, codes::purpose::verification, *account.email, now);
  outbox::store::enqueue(tx, outbox::mail_work{.to = *account.email, .locale = account.locale, .code = code}, now);
}

// Killed right after the commit, the answer is lost: the address is verified, and the password signs in.
outcome<signed_in> verify_code(transaction& tx, const terms& terms, const sessions::verify_code& command,
                               timestamp now) {
  auto guess = attempt_on(tx, terms, command.email);
  if (auto wait = budgets::store::take(tx, guess.key, terms.guesses, now); wait.count() > 0)
    return codes::fault_of_rest(wait);
  auto checked = codes::store::check(tx, terms.keys, codes::purpose::verification, command.email, command.code, now);
  if (auto* wrong = std::get_if<fault>(&checked)) return *wrong;
  budgets::store::give_back(tx, guess.key);
  auto account = accounts::store::verify_email(tx, command.email, now);
  if (!account) fail(invalid_credentials()); // it was removed meanwhile
  return open(tx, terms, {.account = *account, .origin = command.origin, .way = "mailed_code", .is_fresh = true}, now);
}

outcome<code_sent> resend_code(transaction& tx, const terms& terms, const std::string& email, timestamp now) {
  if (auto wait = reserve_mail(tx, terms, email, now); wait.count() > 0) return mails_rest(wait);
  auto left = codes::store::count_resend(tx, codes::purpose::verification, email, now);
  auto account = accounts::store::find_by_email(tx, email);
  if (account && !account->is_email_verified) issue_code(tx, terms, *account, now);
  else codes::store::issue_none(tx, codes::purpose::verification, email, now);
  return code_sent{.resends_remaining = left.count, .next_resend_available_at = left.next_at};
}

// Killed right after the commit, the answer is lost: nobody knows this ticket, and it expires.
void keep_ticket(transaction& tx, const terms& terms, const session_id& session, const ticket& made, timestamp now) {
  auto holder = find_session(tx, session);
  if (!holder || !holder->is_open(now)) fail(ec::unauthenticated);
  proofs::store::keep(tx, terms.keys, made.value,
                      {ticket_purpose, holder->account.id, {{"session", to_string(session)}}}, made.lifetime, now);
}

// Killed right after the commit: the caller needs another ticket.
std::optional<session_view> redeem_ticket(transaction& tx, const terms& terms, const secret& ticket, timestamp now) {
  auto proof = proofs::store::redeem(tx, terms.keys, ticket_purpose, ticket, now);
  return proof ? view(tx, session_id::parse(proof->content.at("session")).value(), now) : std::nullopt;
}

void forget_stale(transaction& tx, timestamp now) {
  proofs::store::forget_expired(tx, now);
  budgets::store::forget_stale(tx, now);
  codes::store::forget_stale(tx, now);
  tx.run("DELETE FROM device_credentials WHERE id IN "
         "(SELECT id FROM device_credentials WHERE last_used_at < $1 LIMIT 1000)",
         now - device_credential_lifetime);
  // Ended sessions stay for a while: people look for what they do not recognize.
  tx.run("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT 1000)",
         now - std::chrono::days{30});
}

} // namespace backstay::sessions::store
