#include "actors/accounts/recovery.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/codes/store.hpp"
#include "actors/outbox/store.hpp"
#include "actors/proofs/store.hpp"
#include "persistence/accounts.hpp"
#include "persistence/transaction.hpp"

namespace backstay::accounts::store {

namespace {

using outbox::mail_work;
using outbox::template_name;
using proofs::store::proof;
using proofs::store::purpose;
using sql::get;

/// The account behind an address, as far as mails depend on it.
struct addressee {
  account_id id;
  std::string locale;
  bool is_usable = false;   ///< may sign in
  bool is_verified = false; ///< the address is
  bool is_barred = false;   ///< locked or deleted: gets no mail, and no link or code helps
};

std::optional<addressee> find_addressee(transaction& tx, const std::string& email) {
  static const std::string statement = "SELECT id, locale, is_email_verified, " + usable("accounts") +
                                       " AS is_usable, locked_at IS NOT NULL OR deleted_at IS NOT NULL AS is_barred "
                                       "FROM accounts WHERE lower(email) = lower($1)";
  auto row = tx.first(statement, email);
  if (!row) return std::nullopt;
  return addressee{.id = get<account_id>((*row)["id"]),
                   .locale = get<std::string>((*row)["locale"]),
                   .is_usable = get<bool>((*row)["is_usable"]),
                   .is_verified = get<bool>((*row)["is_email_verified"]),
                   .is_barred = get<bool>((*row)["is_barred"])};
}

void admit_mail(transaction& tx, const terms& terms, const std::string& email, timestamp now) {
  auto wait = sessions::store::reserve_mail(tx, terms, email, now);
  if (wait.count() > 0) fail(sessions::mails_rest(wait));
}

/// A new link to `page`, which ends the account's older ones of that purpose; also where there is no account, or the
/// time would tell.
secret make_link(transaction& tx, const terms& terms, const std::string& page, const proof& what,
                 std::chrono::seconds lifetime, timestamp now) {
  proofs::store::withdraw(tx, what.purpose, what.account.value_or(account_id{}));
  auto token = proofs::store::make_secret();
  proofs::store::keep(tx, terms.keys, token, what, lifetime, now);
  return secret{page + token.reveal()};
}

/// The mail is written with its secrets: killed right after the commit, the outbox sends it.
void post(transaction& tx, bool is_wanted, const mail_work& what, timestamp now) {
  if (is_wanted) outbox::store::enqueue(tx, what, now);
  else outbox::store::enqueue_nothing(tx, what, now);
}

template <class T>
std::optional<account_id> id_if(bool condition, const std::optional<T>& found) {
  return condition ? std::optional{found->id} : std::nullopt;
}

[[noreturn]] void fail_invalid_token(const char* text) { fail(ec::refused, text, "INVALID_TOKEN"); }
constexpr const char* bad_reset_token = "Invalid or expired reset token";
constexpr const char* bad_magic_link = "Invalid or expired magic link token.";
constexpr const char* bad_verification_token = "Invalid or expired verification token";

const std::string& address_of(const proof& shown) { return shown.content.at("address"); }

/// The account that a mailed link was made for, if it still has the address and may be helped.
addressee addressee_of(transaction& tx, const proof& shown, const char* otherwise) {
  auto found = find_addressee(tx, address_of(shown));
  if (!found || found->id != shown.account || found->is_barred) fail_invalid_token(otherwise);
  return *found;
}

/// Whoever reads the mails of an address that nobody confirmed before takes the account over: whoever made it may have
/// been somebody else, who must not be left a way in. A second factor stays: it keeps out, but lets nobody in.
void evict_others(transaction& tx, const account_id& id, timestamp now) {
  tx.run("UPDATE accounts SET password_hash = '' WHERE id = $1::uuid", id);
  tx.run("DELETE FROM identities WHERE account = $1::uuid", id);
  tx.run("DELETE FROM device_credentials WHERE account = $1::uuid", id);
  sessions::store::revoke_all(tx, id, std::nullopt, now);
}

sessions::account prove_address(transaction& tx, const addressee& whose, const std::string& address, timestamp now) {
  if (!whose.is_verified) evict_others(tx, whose.id, now);
  auto account = verify_email(tx, address, now);
  if (!account) fail(ec::not_found); // gone within this transaction's sight
  return *account;
}

/// Nothing that was mailed or begun before the new password helps anybody any more.
void end_pending_proofs(transaction& tx, const account_id& id) {
  for (auto each : {purpose::password_reset, purpose::magic_link, purpose::second_step, purpose::session_token})
    proofs::store::withdraw(tx, each, id);
}

/// Killed right after the commit, the answer is lost: the new password signs in.
account_id finish_reset(transaction& tx, const addressee& whose, const std::string& address,
                        const accounts::reset_password& command, const std::string& new_hash, timestamp now) {
  auto problems = password_problems(command.new_password, address, command.password_strength, "new_password");
  if (!problems.empty()) fail({.code = ec::invalid, .problems = std::move(problems)});
  end_pending_proofs(tx, whose.id);
  prove_address(tx, whose, address, now);
  set_password(tx, whose.id, new_hash, now);
  sessions::store::revoke_all(tx, whose.id, std::nullopt, now);
  audit::store::record(tx,
                       {.action = "auth.password.reset",
                        .actor = whose.id,
                        .subject = whose.id,
                        .origin = command.origin,
                        .details = {{"way", command.token ? "link" : "code"}}},
                       now);
  outbox::store::enqueue(
      tx, mail_work{.to = address, .locale = whose.locale, .template_ = template_name::password_changed}, now);
  return whose.id;
}

outcome<account_id> reset_by_code(transaction& tx, const terms& terms, const accounts::reset_password& command,
                                  const std::string& new_hash, timestamp now) {
  auto& email = command.email.value();
  auto guess = sessions::store::reserve_guess(tx, terms, email, now);
  if (auto* rests = std::get_if<fault>(&guess)) return codes::fault_of_rest(rests->retry_after);
  auto checked = codes::store::check(tx, terms.keys, codes::purpose::password_reset, email, command.code.value(), now);
  if (auto* wrong = std::get_if<fault>(&checked)) return *wrong;
  budgets::store::give_back(tx, value_of(guess).key);
  auto whose = find_addressee(tx, email);
  if (!whose || !whose->is_usable) // it was removed or locked meanwhile
    return codes::fault_of(codes::verdict::dead, codes::purpose::password_reset, {});
  return finish_reset(tx, *whose, email, command, new_hash, now);
}

account_id reset_by_token(transaction& tx, const terms& terms, const accounts::reset_password& command,
                          const std::string& new_hash, timestamp now) {
  auto& token = command.token.value();
  auto shown = proofs::store::find(tx, terms.keys, purpose::password_reset, token, now);
  if (!shown) fail_invalid_token(bad_reset_token);
  // The code beside the link dies with it; its lock comes before that of the proof.
  codes::store::issue_none(tx, codes::purpose::password_reset, address_of(*shown), now);
  if (!proofs::store::redeem(tx, terms.keys, purpose::password_reset, token, now)) fail_invalid_token(bad_reset_token);
  auto whose = addressee_of(tx, *shown, bad_reset_token);
  if (!whose.is_usable) fail_invalid_token(bad_reset_token);
  return finish_reset(tx, whose, address_of(*shown), command, new_hash, now);
}

secret make_verification_link(transaction& tx, const terms& terms, const std::optional<account_id>& account,
                              const std::string& address, timestamp now) {
  return make_link(tx, terms, terms.links.api + "/v1/auth/verify-email/",
                   {purpose::email_verification, account, {{"address", address}}}, terms.links.email_verification, now);
}

} // namespace

void request_password_reset(transaction& tx, const terms& terms, const std::string& email, timestamp now) {
  admit_mail(tx, terms, email, now);
  auto whose = find_addressee(tx, email);
  bool is_wanted = whose && whose->is_usable;
  auto code = codes::store::issue(tx, terms.keys, codes::purpose::password_reset, email, now);
  auto link = make_link(tx, terms, terms.links.app + "/reset-password?token=",
                        {purpose::password_reset, id_if(is_wanted, whose), {{"address", email}}},
                        terms.links.password_reset, now);
  post(tx, is_wanted,
       {.to = email,
        .locale = whose ? whose->locale : "",
        .template_ = template_name::password_reset,
        .code = code,
        .link = link},
       now);
}

outcome<account_id> reset_password(transaction& tx, const terms& terms, const accounts::reset_password& command,
                                   const std::string& new_hash, timestamp now) {
  if (command.token) return reset_by_token(tx, terms, command, new_hash, now);
  return reset_by_code(tx, terms, command, new_hash, now);
}

void request_magic_link(transaction& tx, const terms& terms, const accounts::request_magic_link& command,
                        bool may_register, timestamp now) {
  auto& email = command.email;
  admit_mail(tx, terms, email, now);
  auto whose = find_addressee(tx, email);
  bool is_wanted = whose ? !whose->is_barred : may_register;
  auto link = make_link(
      tx, terms, terms.links.app + "/magic-link/verify?token=",
      {purpose::magic_link, id_if(whose && is_wanted, whose), {{"address", email}, {"locale", command.locale}}},
      terms.links.magic_link, now);
  post(tx, is_wanted,
       {.to = email,
        .locale = whose ? whose->locale : command.locale,
        .template_ = template_name::magic_link,
        .link = link},
       now);
}

// Killed right after the commit, the answer is lost: the link is used up, and its owner asks for another.
sessions::signed_in use_magic_link(transaction& tx, const terms& terms, const accounts::use_magic_link& command,
                                   bool may_register, timestamp now) {
  auto shown = proofs::store::redeem(tx, terms.keys, purpose::magic_link, command.token, now);
  if (!shown) fail_invalid_token(bad_magic_link);
  auto& address = address_of(*shown);
  sessions::store::opening opening{
      .device = command.device, .origin = command.origin, .way = "magic_link", .is_fresh = true};
  if (auto found = find_addressee(tx, address)) {
    // Made for somebody else, or for nobody while somebody registered meanwhile: the address decides.
    if (found->is_barred || (shown->account && *shown->account != found->id)) fail_invalid_token(bad_magic_link);
    opening.account = prove_address(tx, *found, address, now);
  } else {
    if (shown->account) fail_invalid_token(bad_magic_link); // its owner has another address now
    if (!may_register) fail(ec::forbidden, "Registration is disabled", "REGISTRATION_DISABLED");
    opening.account = create(tx,
                             {.logins = logins_from(address),
                              .email = address,
                              .is_active = true,
                              .is_email_verified = true,
                              .locale = shown->content.at("locale")},
                             now);
    opening.is_new = true;
  }
  return sessions::store::open(tx, terms, opening, now);
}

void request_verification_link(transaction& tx, const terms& terms, const std::string& email, timestamp now) {
  admit_mail(tx, terms, email, now);
  auto whose = find_addressee(tx, email);
  bool is_wanted = whose && !whose->is_verified && !whose->is_barred;
  auto link = make_verification_link(tx, terms, id_if(is_wanted, whose), email, now);
  post(tx, is_wanted,
       {.to = email, .locale = whose ? whose->locale : "", .template_ = template_name::verification_link, .link = link},
       now);
}

void send_verification_link(transaction& tx, const terms& terms, const sessions::account& to, timestamp now) {
  auto link = make_verification_link(tx, terms, to.id, to.email.value(), now);
  post(tx, true, {.to = *to.email, .locale = to.locale, .template_ = template_name::verification_link, .link = link},
       now);
}

// Killed right after the commit, the answer is lost: the address is verified, and the link says so again.
account_id use_verification_link(transaction& tx, const terms& terms, const accounts::use_verification_link& command,
                                 timestamp now) {
  constexpr int most_looks = 100;
  auto shown = proofs::store::examine(tx, terms.keys, purpose::email_verification, command.token, most_looks, now);
  if (!shown || !shown->account) fail_invalid_token(bad_verification_token);
  auto whose = addressee_of(tx, *shown, bad_verification_token);
  if (whose.is_verified) return whose.id;
  verify_email(tx, address_of(*shown), now);
  audit::store::record(
      tx, {.action = "auth.email.verified", .actor = whose.id, .subject = whose.id, .origin = command.origin}, now);
  return whose.id;
}

} // namespace backstay::accounts::store
