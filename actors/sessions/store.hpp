#pragma once

#include "actors/accounts/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/sessions/messages.hpp"
#include "actors/sessions/rules.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

/// Sessions and their refresh tokens, and the ways to them: passwords, mailed codes, tickets. Whatever ends or changes
/// a session is announced to every node by NOTIFY on `sessions`: "session:<id>" or "account:<id>".
namespace backstay::sessions::store {

/// Where mailed links lead, and for how long.
struct links {
  std::string app; ///< URL of the web app, without a slash at the end
  std::string api; ///< URL of this server, the same
  std::chrono::seconds magic_link{std::chrono::minutes{15}};
  std::chrono::seconds password_reset{std::chrono::hours{1}};
  std::chrono::seconds email_verification{std::chrono::hours{24}};
};

/// What the settings say about all this. Shared by every job, never changed.
struct terms {
  keyring keys;
  sessions::lifetimes lifetimes{};
  store::links links{};
  budgets::budget guesses = budgets::guess_budget;
  budgets::budget mails = budgets::mail_budget;
};
using terms_ptr = std::shared_ptr<const terms>;

/// A try that is about to be checked.
struct attempt {
  std::string key; ///< of the budget that it was taken from
  std::optional<accounts::store::credential> credential;
};

/// What somebody who guesses may be known by: a browser's cookie, a phone's id. Both may be claimed by anybody, and
/// count only where they have signed in to the account before.
struct familiarity {
  std::optional<known_device> browser;
  std::optional<std::string> device_id;
};

/// The budget that guesses at the account are taken from: that of the device, if it is known to the account, else the
/// one that all strangers share.
std::string budget_of(transaction& tx, const account_id& account, const familiarity& who);

/// Takes one guess from the budget of the account behind `identifier`, or, when there is none, of the identifier
/// itself, so that both look alike. The fault is `locked` (429 is up to those who ask for codes).
outcome<attempt> reserve_guess(transaction& tx, const terms& terms, const std::string& identifier, timestamp now,
                               const familiarity& who = {});

/// Takes one try from the budget of registrations and mails of an address. Returns for how long the next has to wait;
/// 0 if this one may go on.
std::chrono::seconds reserve_mail(transaction& tx, const terms& terms, const std::string& address, timestamp now);

struct opening {
  sessions::account account;
  std::optional<sessions::device> device;
  std::optional<std::string> device_id; ///< of a device that does not describe itself this time
  bool remember = false;
  backstay::origin origin;
  bool is_new = false;     ///< registered by this very request
  bool is_rotating = true; ///< its refresh token changes with each use
  std::string way;         ///< how they proved who they are, for the audit trail: "password", "magic_link"
  bool has_shown_second_factor = false;
  /// Its owner was asked just now, which counts as re-authentication: a password, a mailed code, an outside provider.
  /// Not what another session or a stored token opens: else whoever stole one could go on to what is sensitive.
  bool is_fresh = false;
};

/// How every sign-in ends, once the account is known: opens a session, and keeps what the device says about itself; or,
/// if the account has a second factor that was not shown yet, asks for that. Recorded in the audit trail.
/// Errors: `unauthenticated` when the account may not sign in.
signed_in open(transaction& tx, const terms& terms, const opening& what, timestamp now);

inline constexpr std::chrono::minutes second_step_lifetime{5};
inline constexpr int second_step_tries = 5;

/// The sign-in that waits for its second factor, found by what `open` gave as `second_step`. Counts the try; nothing if
/// it never was, was finished, has expired or was tried too often.
std::optional<opening> examine_second_step(transaction& tx, const terms& terms, const secret& second_step,
                                           timestamp now);

/// The second factor was right: uses `second_step` up and opens the session. Nothing if another did so first.
std::optional<signed_in> finish_second_step(transaction& tx, const terms& terms, const secret& second_step,
                                            opening what, timestamp now);

/// The second half of a sign-in, after the password of `attempt` was found right. The fault is `unauthenticated`: the
/// account changed meanwhile.
signed_in sign_in(transaction& tx, const terms& terms, const attempt& checked, const std::string& new_hash,
                  const sessions::sign_in& how, timestamp now);

/// Rotates, repeats or, on a replay, revokes, as `judge` says; refuses sessions that do not rotate. Parallel calls of
/// one session wait for each other.
outcome<signed_in> refresh(transaction& tx, const terms& terms, const refresh_token& token,
                           const sessions::refresh& how, timestamp now);

/// For how long a re-authentication lets its session do what is sensitive.
inline constexpr std::chrono::minutes reauthentication_lifetime{5};

/// The owner of the session has shown the password again.
void note_reauthentication(transaction& tx, const session_id& session, timestamp now);

/// Whether somebody signed in freshly or re-authenticated not long ago.
bool is_reauthenticated(transaction& tx, const session_id& session, timestamp now);

/// Records in the audit trail that somebody tried to get in by `way` and failed. What was typed as the identifier is
/// not recorded.
void record_failed(transaction& tx, const std::optional<account_id>& account, const std::string& way,
                   const origin& from, timestamp now);

/// Ends the session at its owner's wish, and records it. Nothing happens if it has ended already.
void sign_out(transaction& tx, const session_id& session, const origin& from, timestamp now);

/// Its sockets are closed. Returns whose session it was; nothing happens if it has ended already.
std::optional<account_id> revoke(transaction& tx, const session_id& session, timestamp now);

/// Lets a session last as if its newest token had been refreshed, and gives that token again: nobody else's copy of it
/// becomes old by that.
outcome<signed_in> prolong(transaction& tx, const terms& terms, const session_id& session, timestamp now);

/// The same, if it is an open one of the account; false if not.
bool revoke_own(transaction& tx, const account_id& account, const session_id& session, timestamp now);

/// Ends every session of the account, but for `except`, and closes their sockets. Returns how many were open. Whoever
/// stands at another node hears of it by NOTIFY; this node's cache is the caller's business.
std::int64_t revoke_all(transaction& tx, const account_id& account, const std::optional<session_id>& except,
                        timestamp now);

/// How long a device may go without signing in before what it keeps is worth nothing.
inline constexpr std::chrono::days device_credential_lifetime{180};

/// The fault is as the message says. What a device keeps also ends with its session (`revoke`, `revoke_all`) and with
/// the account's password (`accounts::store::set_password`).
device_enrolled enroll_device(transaction& tx, const terms& terms, const sessions::enroll_device& command,
                              timestamp now);

/// Made for a device, whether or not it is known.
device_challenge challenge_device(transaction& tx, const terms& terms, const std::string& device_id, timestamp now);

/// Checks what the device shows, and opens a session. To be committed also with a fault: the challenge is used up.
outcome<signed_in> sign_in_by_device(transaction& tx, const terms& terms, const sessions::sign_in_by_device& command,
                                     timestamp now);

/// Nothing if it ended or never was. Errors: `forbidden` when the account is deactivated.
std::optional<session_view> view(transaction& tx, const session_id& session, timestamp now);

void confirm_token(transaction& tx, const session_id& session, const std::string& token_id);

void note_seen(transaction& tx, const session_id& session, timestamp now);

/// The account's open sessions.
session_list list(transaction& tx, const sessions::list_sessions& wanted, timestamp now);

inline constexpr std::chrono::seconds session_token_lifetime{90};

/// Errors: `unauthenticated` when the session has ended.
void keep_session_token(transaction& tx, const terms& terms, const session_id& session, const session_token& made,
                        timestamp now);

/// Uses the token up and opens a session. Nothing if it is not there, expired, or the session that made it has ended.
std::optional<signed_in> exchange_session_token(transaction& tx, const terms& terms, const secret& token,
                                                const origin& from, timestamp now);

/// Makes a new code for `address`, which ends the old one, and its mail.
void issue_code(transaction& tx, const terms& terms, const std::string& address, const std::string& locale,
                timestamp now);

/// Tries the code of `command`; the right one verifies the address and opens a session.
outcome<signed_in> verify_code(transaction& tx, const terms& terms, const sessions::verify_code& command,
                               timestamp now);

/// The fault is `too_many`. An address that has no account waiting for its code gets no mail, but the same answer.
outcome<code_sent> resend_code(transaction& tx, const terms& terms, const std::string& address, timestamp now);

/// Errors: `unauthenticated` when the session has ended.
void keep_ticket(transaction& tx, const terms& terms, const session_id& session, const ticket& made, timestamp now);

/// Uses the ticket up. Nothing if it is not there, expired, or its session has ended.
std::optional<session_view> redeem_ticket(transaction& tx, const terms& terms, const secret& ticket, timestamp now);

/// Removes what no answer depends on any more; a limited number of rows a call.
void forget_stale(transaction& tx, timestamp now);

} // namespace backstay::sessions::store
