#include "actors/identities/store.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/audit/store.hpp"
#include "actors/identities/rules.hpp"
#include "actors/proofs/store.hpp"
#include "persistence/accounts.hpp"
#include "persistence/transaction.hpp"

#include <limits>

namespace backstay::identities::store {

namespace {

using proofs::store::purpose;
using sessions::account;
using sql::get;

constexpr auto sealed_for = "oauth journey";

using accounts::store::announce;

void record(transaction& tx, const char* action, const account_id& who, provider which, const origin& from,
            timestamp now) {
  audit::store::record(tx,
                       {.action = action,
                        .actor = who,
                        .subject = who,
                        .origin = from,
                        .resource = "identity:" + std::string{name_of(which)}},
                       now);
}

// ---- journeys: names and values of a one-time proof

std::map<std::string, std::string> content_of(const terms& terms, const journey& what) {
  std::map<std::string, std::string> content{{"provider", std::string{name_of(what.provider)}},
                                             {"redirect_uri", what.redirect_uri},
                                             {"state", terms.keys.seal(sealed_for, what.state)},
                                             {"verifier", terms.keys.seal(sealed_for, what.verifier)},
                                             {"nonce", what.nonce}};
  if (what.caller) content["session"] = to_string(what.caller->session);
  return content;
}

journey journey_of(const terms& terms, const proofs::store::proof& kept, const secret& state) {
  auto& content = kept.content;
  return {.provider = from_name<provider>(content.at("provider")).value(),
          .redirect_uri = content.at("redirect_uri"),
          .state = state,
          .verifier = terms.keys.open(sealed_for, content.at("verifier")),
          .nonce = content.at("nonce")};
}

// ---- accounts

/// Two first sign-ins of one person at a time would make two accounts, of which one could never be entered.
void serialize(transaction& tx, provider which, const std::string& subject) {
  tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
         "identity:" + std::string{name_of(which)} + ":" + subject);
}

std::optional<account> note_sign_in(transaction& tx, const account_id& id, timestamp now) {
  static const std::string statement = "UPDATE accounts SET last_login_at = $2 WHERE id = $1::uuid RETURNING " +
                                       accounts::store::account_columns("accounts");
  auto row = tx.first(statement, id, now);
  return row ? std::optional{accounts::store::account_of(*row)} : std::nullopt;
}

/// Nothing that looks like no address, or is longer than one may be.
std::optional<std::string> email_of(const oauth::person& who) {
  return who.email && accounts::is_email(*who.email) ? who.email : std::nullopt;
}

/// The account with the person's e-mail address, if both sides have verified it.
std::optional<account_id> find_by_email(transaction& tx, const arrival& who) {
  auto email = email_of(who.person);
  auto found = email ? accounts::store::find_by_email(tx, *email) : std::nullopt;
  if (!found) return std::nullopt;
  if (!who.person.is_email_verified || !found->is_email_verified)
    fail(ec::conflict, "An account has this e-mail address. Sign in to it and link the provider there.",
         "EMAIL_EXISTS");
  return found->id;
}

account create_account(transaction& tx, const arrival& who, timestamp now) {
  if (!who.may_register) fail(ec::forbidden, "Registration is disabled", "REGISTRATION_DISABLED");
  auto email = who.person.is_email_verified ? email_of(who.person) : std::nullopt;
  return accounts::store::create(tx,
                                 {.logins = accounts::logins_from(login_source(who.provider, who.person)),
                                  .email = email,
                                  .password_hash = "",
                                  .is_active = true,
                                  .is_email_verified = email.has_value(),
                                  .display_name = who.person.name},
                                 now);
}

/// The account that the arrival belongs to from now on, and whether it is new.
std::pair<account_id, bool> settle(transaction& tx, const arrival& who, timestamp now) {
  serialize(tx, who.provider, who.person.subject);
  if (auto known = find_account(tx, who.provider, who.person.subject)) return {*known, false};
  auto joined = find_by_email(tx, who);
  auto id = joined ? *joined : create_account(tx, who, now).id;
  link(tx, id, who.provider, who.person, who.origin, now);
  if (!joined && who.referral_code) {
    auto device_id = who.device ? std::optional{who.device->device_id} : std::nullopt;
    referrals::store::join(tx, who.referral_terms, {id, device_id, who.origin}, *who.referral_code, now);
  }
  return {id, !joined};
}

} // namespace

// Killed right after the commit, the answer is lost: nobody knows the state, and it expires.
void keep_journey(transaction& tx, const terms& terms, const journey& what, timestamp now) {
  auto account = what.caller ? std::optional{what.caller->account} : std::nullopt;
  proofs::store::keep(tx, terms.keys, what.state, {purpose::oauth_state, account, content_of(terms, what)},
                      journey_lifetime, now);
}

std::optional<journey> examine_journey(transaction& tx, const terms& terms, provider which,
                                       const std::optional<account_id>& account, const secret& state, timestamp now) {
  auto kept = proofs::store::examine(tx, terms.keys, purpose::oauth_state, state, journey_tries, now);
  if (!kept || kept->account != account || kept->content.at("provider") != name_of(which)) return std::nullopt;
  return journey_of(terms, *kept, state);
}

std::optional<secret> newest_state(transaction& tx, const terms& terms, provider which, const caller& who,
                                   timestamp now) {
  auto kept =
      proofs::store::find_newest(tx, purpose::oauth_state, who.account,
                                 {{"provider", std::string{name_of(which)}}, {"session", to_string(who.session)}}, now);
  return kept ? std::optional{terms.keys.open(sealed_for, kept->content.at("state"))} : std::nullopt;
}

bool finish_journey(transaction& tx, const terms& terms, const secret& state, timestamp now) {
  return proofs::store::redeem(tx, terms.keys, purpose::oauth_state, state, now).has_value();
}

std::optional<account_id> find_account(transaction& tx, provider which, const std::string& subject) {
  auto row = tx.first("SELECT account FROM identities WHERE provider = $1 AND subject = $2", which, subject);
  return row ? std::optional{get<account_id>((*row)[0])} : std::nullopt;
}

// Killed right after the commit, the answer is lost: the next sign-in finds the account.
sessions::signed_in sign_in(transaction& tx, const terms& terms, const arrival& who, timestamp now) {
  auto [id, is_new] = settle(tx, who, now);
  auto account = note_sign_in(tx, id, now).value();
  return sessions::store::open(tx, terms,
                               {.account = account,
                                .device = who.device,
                                .origin = who.origin,
                                .is_new = is_new,
                                .way = who.way,
                                .is_fresh = true},
                               now);
}

// The unique constraints decide, also between parallel links. Killed right after the commit: linked, and a repeat says
// so too.
void link(transaction& tx, const account_id& account, provider which, const oauth::person& who, const origin& from,
          timestamp now) {
  auto added = tx.run("INSERT INTO identities (provider, subject, account, username, email, linked_at) "
                      "VALUES ($1, $2, $3::uuid, $4, $5, $6) ON CONFLICT DO NOTHING",
                      which, who.subject, account, who.username, email_of(who), now);
  if (added.affected_rows() == 0) {
    auto holder = find_account(tx, which, who.subject);
    if (holder == account) return;
    if (holder) fail(ec::conflict, "This identity is linked to another account.", "IDENTITY_TAKEN");
    fail(ec::conflict, "Another identity of this provider is linked. Unlink it first.", "PROVIDER_ALREADY_LINKED");
  }
  record(tx, "identity.link", account, which, from, now);
  announce(tx, account);
}

// Of parallel unlinks, one decides after the other: the account's row is locked. Killed right after the commit:
// unlinked, and a repeat says so too.
void unlink(transaction& tx, const account_id& account, provider which, const origin& from, timestamp now) {
  auto row = tx.first("SELECT password_hash <> '' AS has_password FROM accounts WHERE id = $1::uuid FOR NO KEY UPDATE",
                      account);
  if (!row) fail(ec::not_found);
  auto removed = tx.run("DELETE FROM identities WHERE account = $1::uuid AND provider = $2", account, which);
  if (removed.affected_rows() == 0) return;
  auto others = tx.first("SELECT 1 FROM identities WHERE account = $1::uuid LIMIT 1", account);
  if (!get<bool>((*row)["has_password"]) && !others)
    fail(ec::conflict, "This is the only way into the account. Set a password or link another provider first.",
         "LAST_WAY_IN");
  record(tx, "identity.unlink", account, which, from, now);
  announce(tx, account);
}

// It may have been noted with an older key. Killed right after the commit, whoever brought it needs another.
bool note_widget(transaction& tx, const terms& terms, const std::string& hash, timestamp end, timestamp now) {
  const secret shown{hash};
  constexpr int any = std::numeric_limits<int>::max();
  if (proofs::store::examine(tx, terms.keys, purpose::telegram_widget, shown, any, now)) return false;
  auto lifetime = std::chrono::ceil<std::chrono::seconds>(end - now) + std::chrono::seconds{1};
  return proofs::store::keep(tx, terms.keys, shown, {purpose::telegram_widget, std::nullopt, {}}, lifetime, now);
}

// Killed right after the commit, the answer is lost: nobody knows the link, and it expires.
void keep_login_link(transaction& tx, const terms& terms, const secret& token, std::int64_t telegram_id,
                     const std::optional<caller>& maker, const origin& from, timestamp now) {
  auto id = find_account(tx, provider::telegram, std::to_string(telegram_id));
  auto account = id ? accounts::store::find(tx, *id) : std::nullopt;
  if (account && maker && account->role > maker->role) fail(ec::forbidden);
  proofs::store::keep(tx, terms.keys, token,
                      {purpose::telegram_login, id, {{"telegram_id", std::to_string(telegram_id)}}},
                      login_link_lifetime, now);
  audit::store::record(tx,
                       {.action = "auth.login_link.create",
                        .actor = maker ? std::optional{maker->account} : std::nullopt,
                        .subject = id,
                        .origin = from,
                        .resource = "telegram:" + std::to_string(telegram_id)},
                       now);
}

// Killed right after the commit, the answer is lost: the person asks the bot for another link.
sessions::signed_in sign_in_by_link(transaction& tx, const terms& terms, const secret& token, const origin& from,
                                    timestamp now) {
  auto proof = proofs::store::redeem(tx, terms.keys, purpose::telegram_login, token, now);
  if (!proof) fail(ec::unauthenticated, "Invalid or expired login token", "INVALID_LOGIN_TOKEN");
  auto holder = find_account(tx, provider::telegram, proof->content.at("telegram_id"));
  if (!holder || holder != proof->account)
    fail(ec::unauthenticated, "User not found for this Telegram account", "USER_NOT_FOUND");
  auto account = note_sign_in(tx, *holder, now).value();
  if (!account.is_active) fail(ec::unauthenticated, "Account is deactivated", "USER_INACTIVE");
  return sessions::store::open(tx, terms,
                               {.account = account, .origin = from, .way = "telegram_link", .is_fresh = true}, now);
}

} // namespace backstay::identities::store
