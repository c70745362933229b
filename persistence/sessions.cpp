#include "actors/sessions/store.hpp"

#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/codes/store.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "actors/live/store.hpp"
#include "actors/outbox/store.hpp"
#include "actors/proofs/store.hpp"
#include "actors/sessions/devices.hpp"
#include "config/log.hpp"
#include "persistence/accounts.hpp"
#include "persistence/device_credentials.hpp"
#include "persistence/devices.hpp"
#include "persistence/transaction.hpp"

#include <algorithm>

namespace backstay::sessions::store {

namespace {

using accounts::store::account_columns;
using accounts::store::account_of;
using sql::get;
using std::chrono::seconds;

constexpr auto ticket_purpose = proofs::store::purpose::socket_ticket;
constexpr auto session_token_purpose = proofs::store::purpose::session_token;

/// What a socket of an ended session is told.
constexpr auto goodbye = "Session ended";

void announce(transaction& tx, const session_id& id) { tx.notify("sessions", "session:" + to_string(id)); }

bool has_signed_in(transaction& tx, const account_id& account, const std::string& device_id) {
  return tx.first("SELECT 1 FROM sessions WHERE account = $1::uuid AND device_id = $2 LIMIT 1", account, device_id)
      .has_value();
}

// For an unknown identifier the same is looked up in vain, so that both take equally long.
attempt attempt_on(transaction& tx, const terms& terms, const std::string& identifier, const familiarity& who) {
  auto credential = accounts::store::find_credential(tx, identifier);
  auto of_account = budget_of(tx, credential ? credential->account : account_id{}, who);
  auto key = credential ? std::move(of_account) : budgets::guesses_of_unknown(terms.keys, identifier);
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
  timestamp last_seen_at, expires_at;
  bool is_revoked = false;

  bool is_open(timestamp now) const { return !is_revoked && now < expires_at; }
};

std::optional<stored_session> find_session(transaction& tx, const session_id& id, const std::string& lock = {}) {
  static const std::string statement =
      "SELECT s.device_id, s.is_remembered, s.is_rotating, s.generation, "
      "s.refresh_hash, s.parent_hash, s.token_id, s.is_token_used, "
      "s.rotated_at, s.last_seen_at, s.expires_at, s.revoked_at IS NOT NULL AS is_revoked, " +
      account_columns("a") + " FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.id = $1::uuid ";
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
                        .last_seen_at = get<timestamp>((*row)["last_seen_at"]),
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
          .refresh_token = std::move(refresh_token),
          .session_expires_at = session.expires_at};
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
  accounts::store::lock_row(tx, what.account.id);
  stored_session session{.id = session_id::random(),
                         .account = what.account,
                         .device_id = what.device_id,
                         .rotation = {.token_id = to_string(uuid::random())},

                         .expires_at = now + lifetime_of(terms, what.remember)};
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
         session.rotation.generation, hash_of(token), session.rotation.token_id, now, session.expires_at,
         what.is_rotating, what.is_fresh ? std::optional{now} : std::nullopt);
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
  session.expires_at = now + lifetime_of(terms, session.is_remembered);
  tx.run("UPDATE sessions SET generation = $2, parent_hash = refresh_hash, refresh_hash = $3, token_id = $4, "
         "is_token_used = false, rotated_at = $5, last_seen_at = $5, expires_at = $6 WHERE id = $1::uuid",
         session.id, state.generation, hash_of(next), state.token_id, now, session.expires_at);
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

std::string budget_of(transaction& tx, const account_id& account, const familiarity& who) {
  if (who.browser && who.browser->account == account)
    return budgets::guesses_of(account, "browser:" + to_string(who.browser->device));
  if (who.device_id && has_signed_in(tx, account, *who.device_id))
    return budgets::guesses_of(account, "device:" + *who.device_id);
  return budgets::guesses_of(account);
}

outcome<attempt> reserve_guess(transaction& tx, const terms& terms, const std::string& identifier, timestamp now,
                               const familiarity& who) {
  auto made = attempt_on(tx, terms, identifier, who);
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

void record_failed(transaction& tx, const std::optional<account_id>& account, const std::string& way,
                   const origin& from, timestamp now) {
  audit::store::record(tx,
                       {.action = "auth.login.failed",
                        .subject = account,
                        .origin = from,
                        .result = audit::result::failure,
                        .details = {{"way", way}}},
                       now);
}

outcome<signed_in> refresh(transaction& tx, const terms& terms, const refresh_token& token,
                           const sessions::refresh& how, timestamp now) {
  auto session = find_session(tx, token.session, "FOR UPDATE OF s");
  if (!session || !session->is_open(now) || !session->account.is_active || !session->is_rotating)
    return invalid_refresh_token();
  if (how.device_id && session->device_id && *how.device_id != *session->device_id) return invalid_refresh_token();
  switch (judge(session->rotation, token.hash, now)) {
  case refresh_verdict::rotate:
    return rotate(tx, terms, std::move(*session), now);
  case refresh_verdict::repeat:
    return repeat(terms, *session, now);
  case refresh_verdict::replay:
    log::warning("sessions", "an old refresh token was replayed, its session is revoked",
                 {{"session", to_string(session->id)}, {"account", to_string(session->account.id)}});
    revoke(tx, session->id, now);
    audit::store::record(tx,
                         {.action = "security.token.invalid",
                          .subject = session->account.id,
                          .origin = how.origin,
                          .result = audit::result::denied,
                          .resource = "session:" + to_string(session->id),
                          .details = {{"cause", "an old refresh token was replayed"}}},
                         now);
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

// Killed right after the commit, the answer is lost: the session lasts longer, and the caller asks again.
outcome<signed_in> prolong(transaction& tx, const terms& terms, const session_id& id, timestamp now) {
  auto session = find_session(tx, id, "FOR UPDATE OF s");
  if (!session || !session->is_open(now) || !session->account.is_active || !session->is_rotating)
    return invalid_refresh_token();
  session->expires_at = now + lifetime_of(terms, session->is_remembered);
  tx.run("UPDATE sessions SET expires_at = $2, last_seen_at = $3 WHERE id = $1::uuid", id, session->expires_at, now);
  announce(tx, id);
  return repeat(terms, *session, now);
}

void sign_out(transaction& tx, const session_id& session, const origin& from, timestamp now) {
  auto account = revoke(tx, session, now);
  if (!account) return;
  audit::store::record(tx,
                       {.action = "auth.logout",
                        .actor = account,
                        .subject = account,
                        .origin = from,
                        .resource = "session:" + to_string(session)},
                       now);
}

// Killed right after the commit: the other nodes hear of it, this one starts with an empty cache.
std::optional<account_id> revoke(transaction& tx, const session_id& session, timestamp now) {
  auto ended = tx.first("WITH ended AS (UPDATE sessions SET revoked_at = $2 WHERE id = $1::uuid "
                        "AND revoked_at IS NULL RETURNING account, device_id), "
                        "forgotten AS (DELETE FROM device_credentials c USING ended e "
                        "WHERE c.account = e.account AND c.device_id = e.device_id) SELECT account FROM ended",
                        session, now);
  if (!ended) return std::nullopt;
  live::store::append(tx, get<account_id>((*ended)["account"]), live::force_disconnect{goodbye, session}, now);
  announce(tx, session);
  return get<account_id>((*ended)["account"]);
}

bool revoke_own(transaction& tx, const account_id& account, const session_id& session, timestamp now) {
  auto found = find_session(tx, session, "FOR UPDATE OF s");
  if (!found || found->account.id != account || !found->is_open(now)) return false;
  revoke(tx, session, now);
  return true;
}

std::int64_t revoke_all(transaction& tx, const account_id& account, const std::optional<session_id>& except,
                        timestamp now) {
  // Sign-ins hold the account's row until they commit: those that are under way are ended too.
  accounts::store::lock_row(tx, account);
  auto ended = tx.run("UPDATE sessions SET revoked_at = $3 WHERE account = $1::uuid AND id IS DISTINCT FROM $2::uuid "
                      "AND revoked_at IS NULL AND expires_at > $3::timestamptz",
                      account, except, now);
  tx.run("DELETE FROM device_credentials WHERE account = $1::uuid "
         "AND device_id IS DISTINCT FROM (SELECT device_id FROM sessions WHERE id = $2::uuid)",
         account, except);
  accounts::store::announce(tx, account);
  live::store::append(tx, account, live::force_disconnect{goodbye, std::nullopt, except}, now);
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
                      .last_seen_at = session->last_seen_at,
                      .expires_at = session->expires_at};
}

void confirm_token(transaction& tx, const session_id& session, const std::string& token_id) {
  tx.run("UPDATE sessions SET is_token_used = true WHERE id = $1::uuid AND token_id = $2 AND NOT is_token_used",
         session, token_id);
}

// Not announced: the other nodes only tell it a little more often.
void note_seen(transaction& tx, const session_id& session, timestamp now) {
  tx.run("UPDATE sessions SET last_seen_at = $2 WHERE id = $1::uuid AND last_seen_at < $2::timestamptz", session, now);
}

session_list list(transaction& tx, const sessions::list_sessions& wanted, timestamp now) {
  auto rows = tx.run(
      "SELECT s.id, s.address, s.user_agent, s.created_at, s.last_seen_at, d.device_model, d.platform, "
      "EXISTS (SELECT 1 FROM sessions e WHERE e.account = s.account AND e.created_at < s.created_at) AND NOT EXISTS "
      "(SELECT 1 FROM sessions e WHERE e.account = s.account AND e.created_at < s.created_at AND "
      "(e.address = s.address OR e.user_agent = s.user_agent OR e.device_id = s.device_id)) AS is_suspicious "
      "FROM sessions s LEFT JOIN devices d ON d.account = s.account AND d.device_id = s.device_id "
      "WHERE s.account = $1::uuid AND s.revoked_at IS NULL AND s.expires_at > $2::timestamptz "
      "ORDER BY s.last_seen_at DESC, s.id LIMIT $3::bigint OFFSET $4::bigint",
      wanted.caller.account, now, wanted.page_size, (wanted.page - 1) * wanted.page_size);
  auto open = tx.first("SELECT count(*) FROM sessions WHERE account = $1::uuid AND revoked_at IS NULL "
                       "AND expires_at > $2::timestamptz",
                       wanted.caller.account, now);
  session_list found{.total = get<std::int64_t>((*open)[0]), .page = wanted.page, .page_size = wanted.page_size};
  for (auto row : rows) {
    found.items.push_back({.id = get<session_id>(row["id"]),
                           .device_name = get<std::optional<std::string>>(row["device_model"]),
                           .platform = get<std::optional<platform>>(row["platform"]),
                           .address = get<std::string>(row["address"]),
                           .user_agent = get<std::string>(row["user_agent"]),
                           .created_at = get<timestamp>(row["created_at"]),
                           .last_seen_at = get<timestamp>(row["last_seen_at"]),
                           .is_suspicious = get<bool>(row["is_suspicious"])});
    found.items.back().is_current = found.items.back().id == wanted.caller.session;
  }
  return found;
}

// The mail is written with the code: killed right after the commit, the outbox sends it.
void issue_code(transaction& tx, const terms& terms, const std::string& address, const std::string& locale,
                timestamp now) {
  auto code = codes::store::issue(tx, terms.keys, codes::purpose::verification, address, now);
  outbox::store::enqueue(tx, outbox::mail_work{.to = address, .locale = locale, .code = code}, now);
}

namespace {

/// The account that `command` confirms the address of.
account verify_address(transaction& tx, const sessions::verify_code& command, timestamp now) {
  auto account = accounts::store::verify_email(tx, command.email, now);
  if (account) return *account;
  // The code is right, so this tells nobody else anything: it belongs to a new address that somebody waits for.
  if (!command.caller) fail(ec::forbidden, "Sign in to confirm a new address", "SIGN_IN_REQUIRED");
  account = accounts::store::confirm_pending_email(tx, command.caller->account, command.email, now);
  if (!account) fail(ec::forbidden, "This is not the address that your account waits for", "SIGN_IN_REQUIRED");
  audit::store::record(
      tx, {.action = "auth.email.changed", .actor = account->id, .subject = account->id, .origin = command.origin},
      now);
  return *account;
}

/// In which language to write to an address that waits for its code; nothing where none does.
std::optional<std::string> locale_of_waiting(transaction& tx, const std::string& email) {
  auto row = tx.first("SELECT locale FROM accounts WHERE deleted_at IS NULL AND locked_at IS NULL AND "
                      "((lower(email) = lower($1) AND NOT is_email_verified) OR lower(pending_email) = lower($1)) "
                      "ORDER BY lower(email) = lower($1) DESC NULLS LAST LIMIT 1",
                      email);
  return row ? std::optional{get<std::string>((*row)[0])} : std::nullopt;
}

} // namespace

// Killed right after the commit, the answer is lost: the address is verified, and the password signs in.
outcome<signed_in> verify_code(transaction& tx, const terms& terms, const sessions::verify_code& command,
                               timestamp now) {
  auto guess = attempt_on(tx, terms, command.email, {.browser = command.origin.known_device});
  if (auto wait = budgets::store::take(tx, guess.key, terms.guesses, now); wait.count() > 0)
    return codes::fault_of_rest(wait);
  auto checked = codes::store::check(tx, terms.keys, codes::purpose::verification, command.email, command.code, now);
  if (auto* wrong = std::get_if<fault>(&checked)) {
    auto account = guess.credential ? std::optional{guess.credential->account} : std::nullopt;
    record_failed(tx, account, "mailed_code", command.origin, now);
    return *wrong;
  }
  budgets::store::give_back(tx, guess.key);
  auto account = verify_address(tx, command, now);
  return open(tx, terms, {.account = account, .origin = command.origin, .way = "mailed_code", .is_fresh = true}, now);
}

outcome<code_sent> resend_code(transaction& tx, const terms& terms, const std::string& email, timestamp now) {
  if (auto wait = reserve_mail(tx, terms, email, now); wait.count() > 0) return mails_rest(wait);
  auto left = codes::store::count_resend(tx, codes::purpose::verification, email, now);
  auto code = codes::store::issue(tx, terms.keys, codes::purpose::verification, email, now);
  auto locale = locale_of_waiting(tx, email);
  outbox::mail_work mail{.to = email, .locale = locale.value_or(""), .code = code};
  if (locale) outbox::store::enqueue(tx, mail, now);
  else outbox::store::enqueue_nothing(tx, mail, now);
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

// Killed right after the commit, the answer is lost: nobody knows this token, and it expires.
void keep_session_token(transaction& tx, const terms& terms, const session_id& session, const session_token& made,
                        timestamp now) {
  auto holder = find_session(tx, session);
  if (!holder || !holder->is_open(now)) fail(ec::unauthenticated);
  proofs::store::keep(tx, terms.keys, made.value,
                      {session_token_purpose, holder->account.id, {{"session", to_string(session)}}},
                      session_token_lifetime, now);
}

// Killed right after the commit, the answer is lost: another token is needed, and the session that nobody knows
// expires.
std::optional<signed_in> exchange_session_token(transaction& tx, const terms& terms, const secret& token,
                                                const origin& from, timestamp now) {
  auto proof = proofs::store::redeem(tx, terms.keys, session_token_purpose, token, now);
  if (!proof) return std::nullopt;
  auto maker = view(tx, session_id::parse(proof->content.at("session")).value(), now);
  if (!maker) return std::nullopt;
  return open(tx, terms, {.account = maker->account, .origin = from, .way = "session_token"}, now);
}

void forget_stale(transaction& tx, timestamp now) {
  proofs::store::forget_expired(tx, now);
  budgets::store::forget_stale(tx, now);
  codes::store::forget_stale(tx, now);
  forget_stale_push_tokens(tx, now);
  tx.run("DELETE FROM device_credentials WHERE id IN "
         "(SELECT id FROM device_credentials WHERE last_used_at < $1 LIMIT 1000)",
         now - device_credential_lifetime);
  // Ended sessions stay for a while: people look for what they do not recognize.
  tx.run("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT 1000)",
         now - std::chrono::days{30});
}

} // namespace backstay::sessions::store
