#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/message.hpp"
#include "actors/notifications/messages.hpp"
#include "config/secret.hpp"

#include <caf/typed_actor.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// How somebody proves who they are, and for how long we believe it.
namespace backstay::sessions {

template <class T>
void admitted(const T&);

/// An account as its owner sees it.
struct account {
  account_id id;
  std::int64_t number = 0; ///< the integer that some API families show instead of the id
  std::string login;
  std::optional<std::string> email;
  std::optional<std::string> pending_email; ///< wanted instead; signs in and gets mail once it is confirmed
  backstay::role role = role::viewer;
  bool is_active = false; ///< may sign in: confirmed, neither locked nor deleted
  bool is_email_verified = false;
  bool has_password = false;
  bool has_second_factor = false;
  std::vector<std::string> linked_providers; ///< whose accounts sign in to this one, in alphabetical order
  std::optional<std::int64_t> telegram_id;
  std::optional<std::string> display_name, bio, avatar_url;
  std::string locale;
  notifications::preferences notification_preferences;
  timestamp created_at, updated_at;
  std::optional<timestamp> last_login_at;
  bool operator==(const account&) const = default;
};

enum class platform : std::uint8_t { ios, android };

/// The phone that signs in, as its app describes it.
struct device {
  std::string device_id; ///< UUID made by the app
  sessions::platform platform = platform::ios;
  std::string platform_id, os_version, app_version, device_model;
  std::optional<std::string> push_token;
  bool operator==(const device&) const = default;
};

/// What an access token says; `http/policy/access_token` signs and reads it.
struct access_grant {
  account_id account;
  session_id session;
  backstay::role role = role::viewer;
  std::string token_id; ///< `jti`: one per refresh generation
  std::optional<std::string> device_id;
  timestamp issued_at, expires_at;
  bool operator==(const access_grant&) const = default;
};

/// A session as authentication needs it; cached by `http/policy/session_cache`, invalidated by account or session.
struct session_view {
  session_id session;
  sessions::account account;
  std::string token_id;    ///< of the newest access token
  bool token_used = false; ///< that token has been seen (contract's ruling 6)
  timestamp last_seen_at;  ///< to within `seen_precision`
  timestamp expires_at;
  bool operator==(const session_view&) const = default;
};

/// How a sign-in ends, whatever the way: with a session, or with the demand for the second factor.
struct signed_in {
  sessions::account account;
  access_grant grant;
  secret refresh_token;
  timestamp session_expires_at; ///< unless it is refreshed until then
  bool is_new = false;          ///< registered by this very request
  /// The account has a second factor, and there is no session yet: to be shown with a code within 5 minutes. Grant and
  /// refresh token are empty then.
  std::optional<secret> second_step;
};

/// Errors: `unauthenticated` for unknown user, wrong password, inactive or unverified account alike;
/// `locked` and `too_many` with `retry_after`; `overloaded`.
struct sign_in {
  using reply = signed_in;
  std::string identifier; ///< login or e-mail, without regard to case
  secret password;
  std::optional<sessions::device> device;
  bool remember = false; ///< refresh for 30 days instead of 7
  backstay::origin origin;
};

/// Confirms the address of an account, or the new address that the caller's account waits for: that only for somebody
/// who is signed in, or a slip of the pen would give the account to a stranger.
/// Errors: `refused` named OTP_INVALID, OTP_NOT_FOUND, OTP_EXPIRED or ALREADY_VERIFIED with `attempts_remaining`
/// in the details; `too_many` named OTP_EXHAUSTED; `forbidden` named SIGN_IN_REQUIRED.
struct verify_code {
  using reply = signed_in;
  std::string email;
  secret code; ///< 6 digits
  std::optional<backstay::caller> caller;
  backstay::origin origin;
};

struct code_sent {
  std::int64_t resends_remaining = 0;
  std::optional<timestamp> next_resend_available_at;
};

/// A new code ends the old one. Known, unknown and verified addresses get the same answer.
struct resend_code {
  using reply = code_sent;
  std::string email;
};

/// With a token: rotates (contract's ruling 6). Without one: lets the `session` of a browser's cookie last longer.
/// Errors: `unauthenticated`, and then the session may have been revoked.
struct refresh {
  using reply = signed_in;
  std::optional<secret> token;
  std::optional<session_id> session;
  std::optional<std::string> device_id;
  backstay::origin origin;
};

/// Ends the session that the token belongs to, or without one that of a browser's cookie; silent for an unknown one.
struct sign_out {
  using reply = done;
  std::optional<secret> token;
  std::optional<session_id> session;
  backstay::origin origin;
};

/// Ends the caller's own session.
struct leave {
  using reply = done;
  backstay::caller caller;
  backstay::origin origin;
};

struct signed_out {
  std::int64_t sessions = 0; ///< that were open
};

/// Ends every session of the caller's account, this one too.
struct sign_out_everywhere {
  using reply = signed_out;
  backstay::caller caller;
  backstay::origin origin;
};

/// A device as its owner sees it.
struct device_view {
  std::string device_id, name;
  std::string platform;               ///< "ios", "android", or what the app called it; empty: unknown
  std::optional<std::string> address; ///< of its newest session
  timestamp registered_at;
  timestamp last_active_at;
  bool is_current = false; ///< the caller's session is on it
};

struct device_list {
  std::vector<device_view> items;
};

/// The newest activity first.
struct list_devices {
  using reply = device_list;
  backstay::caller caller;
  std::int64_t page = 1, per_page = 100;
};

/// A device that only has a name; a session that had no device is on this one from now on.
struct add_device {
  using reply = device_view;
  backstay::caller caller;
  std::string device_id, name, os;
};

/// A phone as its app describes it; the same for a session without a device.
struct register_device {
  using reply = device_view;
  backstay::caller caller;
  std::optional<sessions::device> device;
};

/// Ends its sessions, and forgets it with its push token. Errors: `not_found`.
struct remove_device {
  using reply = done;
  backstay::caller caller;
  std::string device_id;
  backstay::origin origin;
};

/// Where to push to. One token a device, one device a token. Without a device id: the session's device, or one that
/// stands for the session.
struct keep_push_token {
  using reply = done;
  backstay::caller caller;
  secret token;
  sessions::platform platform = sessions::platform::ios;
  std::optional<std::string> device_id;
};

/// Errors: `unauthenticated` when it ended or never was.
struct get_session {
  using reply = session_view;
  session_id session;
};

/// The access token `token_id` has been used: from now on its parent refresh token counts as stolen if replayed.
struct confirm_token {
  using reply = done;
  session_id session;
  std::string token_id;
};

/// How fresh `last_seen_at` is kept.
inline constexpr std::chrono::minutes seen_precision{5};

/// Somebody was seen in that session.
struct note_seen {
  using reply = done;
  session_id session;
};

/// A session as the owner of the account sees it.
struct session_summary {
  session_id id;
  std::optional<std::string> device_name; ///< the phone's model; nothing for a browser
  std::optional<sessions::platform> platform;
  std::string address, user_agent; ///< of the sign-in
  timestamp created_at, last_seen_at;
  /// Began where no earlier session of the account did: another device, address and program.
  bool is_suspicious = false;
  bool is_current = false; ///< the one that asks
};

struct session_list {
  std::vector<session_summary> items;
  std::int64_t total = 0, page = 1, page_size = 20;
};

/// The open sessions of the caller's account, the one last seen first.
struct list_sessions {
  using reply = session_list;
  backstay::caller caller;
  std::int64_t page = 1, page_size = 20;
};

/// Ends one session of the caller's account, also the current one. Errors: `not_found` for another's or an ended one.
struct revoke_session {
  using reply = done;
  backstay::caller caller;
  session_id session;
  backstay::origin origin;
};

/// Signs another browser in, once.
struct session_token {
  secret value;
  timestamp expires_at;
};

struct create_session_token {
  using reply = session_token;
  backstay::caller caller;
};

/// Errors: `refused` named TOKEN_MISSING; `gone` when the token was used or has expired, or the session that made it
/// has ended.
struct exchange_session_token {
  using reply = signed_in;
  std::optional<secret> token;
  backstay::origin origin;
};

struct ticket {
  secret value; ///< 32 hex digits, single use
  std::chrono::seconds lifetime{30};
};

/// A ticket opens one WebSocket.
struct create_ticket {
  using reply = ticket;
  backstay::caller caller;
};

/// Errors: `forbidden` when it was never issued, was used, or has expired.
struct redeem_ticket {
  using reply = session_view;
  secret ticket;
};

struct device_enrolled {
  credential_id credential;
  secret token;
  timestamp expires_at; ///< if it is not used before
};

/// Lets the device sign in without a password: with the token, or, when it gives a key, by signing challenges. Ends
/// what this device had before. Errors: `invalid` for a key that is none, or a session that is another device's.
struct enroll_device {
  using reply = device_enrolled;
  backstay::caller caller;
  std::string device_id;
  std::optional<std::string> public_key; ///< P-256, SubjectPublicKeyInfo in base64
  backstay::origin origin;
};

struct device_challenge {
  secret value; ///< 43 characters, single use; they are what is signed
  std::chrono::seconds lifetime{120};
};

/// For any device, known or not.
struct challenge_device {
  using reply = device_challenge;
  std::string device_id;
};

/// Errors: `unauthenticated` when nothing of it is known, or it was revoked, has expired or is another device's.
struct sign_in_by_device {
  using reply = signed_in;
  std::string device_id;
  std::optional<secret> token;
  std::optional<credential_id> credential; ///< instead of the token, where there is a key
  std::optional<secret> challenge;
  std::optional<std::string> signature; ///< of the challenge: ECDSA with SHA-256, DER in base64
  backstay::origin origin;
};

using sessions_actor =
    caf::typed_actor<answers<sign_in>, answers<verify_code>, answers<resend_code>, answers<refresh>, answers<sign_out>,
                     answers<get_session>, answers<confirm_token>, answers<create_ticket>, answers<redeem_ticket>,
                     answers<leave>, answers<sign_out_everywhere>, answers<list_devices>, answers<add_device>,
                     answers<register_device>, answers<remove_device>, answers<keep_push_token>, answers<enroll_device>,
                     answers<challenge_device>, answers<sign_in_by_device>, answers<note_seen>, answers<list_sessions>,
                     answers<revoke_session>, answers<create_session_token>, answers<exchange_session_token>>;

} // namespace backstay::sessions

template <>
inline constexpr std::array backstay::names_of<backstay::sessions::platform>{"ios", "android"};
