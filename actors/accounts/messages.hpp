#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/json_object.hpp"
#include "actors/kernel/message.hpp"
#include "actors/sessions/messages.hpp"
#include "actors/subscriptions/messages.hpp"

#include <caf/typed_actor.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

/// Who somebody is: the one account store of all API families.
namespace backstay::accounts {

template <class T>
void admitted(const T&);

/// How a registration ends; which endpoint asks for which is the contract's ruling 5.
enum class welcome : std::uint8_t {
  verify_first,   ///< inactive until the e-mailed code is confirmed (active at once without an e-mail); no session
  sign_in_at_once ///< active, signed in, and a verification mail is sent
};

/// What is mailed to a new address for its owner to confirm it by.
enum class confirmation : std::uint8_t { code, link };

/// What a new password must have, beyond the common policy (contract's ruling 5).
enum class strength : std::uint8_t {
  common,     ///< nothing
  four_kinds, ///< an upper and a lower case letter, a digit and a special character
  strong,     ///< these, and 12 characters
};

struct registered {
  sessions::account account;
  std::optional<sessions::signed_in> session; ///< with `sign_in_at_once`
};

/// Errors: `invalid` (password policy, field rules), `conflict` (e-mail or login taken), `forbidden`
/// (registration is switched off).
struct register_account {
  using reply = registered;
  std::optional<std::string> login; ///< 3–50 of [a-zA-Z0-9_]; derived from the e-mail's local part when absent
  std::optional<std::string> email;
  secret password;
  std::string locale = "en-EN";
  std::optional<bool> tos_accepted;
  std::optional<sessions::device> device;
  accounts::welcome welcome = welcome::verify_first;
  accounts::confirmation confirmation = confirmation::code;
  strength password_strength = strength::common;
  std::optional<std::string> display_name;
  std::optional<std::string> referral_code; ///< of whoever invited; one that does not count is ignored
  backstay::origin origin;
};

struct get_account {
  using reply = sessions::account;
  account_id account;
};

// --- what operators do

/// An account as an operator sees it.
struct account_record {
  sessions::account account;
  std::optional<timestamp> locked_at; ///< by an operator, until one unlocks it
  std::optional<std::string> lock_reason;
  std::optional<timestamp> deleted_at; ///< by its owner
  bool operator==(const account_record&) const = default;
};

struct record_page {
  std::vector<account_record> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// A minus means descending.
enum class account_order : std::uint8_t {
  newest,
  oldest,
  seen_last,
  seen_first,
  login,
  login_descending,
  email,
  email_descending,
};

/// Whatever is given must fit. Accounts without the value that they are ordered by come last.
struct list_accounts {
  using reply = record_page;
  std::optional<std::string> text; ///< the id or the number, or part of e-mail, login or name in whatever case
  std::optional<backstay::role> role;
  std::optional<bool> locked, verified, deleted, second_factor;
  account_order order = account_order::newest;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

struct session_record {
  session_id id;
  std::optional<std::string> device_id;
  std::string address, user_agent;
  timestamp created_at, last_seen_at, expires_at;
};

struct device_record {
  std::string device_id;
  sessions::platform platform{};
  std::string device_model, os_version, app_version;
  timestamp registered_at, last_active_at;
};

struct identity_record {
  std::string provider, subject;
  std::optional<std::string> username, email;
  timestamp linked_at;
};

/// All that we know of how somebody gets in.
struct account_details {
  account_record record;
  std::vector<session_record> sessions; ///< open ones, newest first, at most 100
  std::vector<device_record> devices;   ///< last used first, at most 100
  std::vector<identity_record> identities;
  std::optional<timestamp> second_factor_since;
  std::int64_t recovery_codes_left = 0;
  std::int64_t guesses = 0;            ///< wrong passwords and codes within the hour
  std::chrono::seconds guesses_rest{}; ///< for how long no further guess is admitted
};

/// Errors: `not_found`.
struct get_account_details {
  using reply = account_details;
  account_id account;
};

// Whoever is not a super_admin acts only on accounts of a lower role: `forbidden` named ROLE_TOO_LOW. A refusal is
// recorded in the audit trail, like the act. All of it takes effect at once, on other nodes within a second.

/// Errors: `not_found`; `conflict` named LAST_SUPER_ADMIN.
struct change_role {
  using reply = account_record;
  backstay::caller caller;
  account_id account;
  backstay::role role{};
  backstay::origin origin;
};

/// Nobody signs in to a locked account; its sessions and sockets end. Locking it again replaces the reason.
/// Errors: `not_found`; `refused` named OWN_ACCOUNT.
struct lock_account {
  using reply = account_record;
  backstay::caller caller;
  account_id account;
  std::string reason;
  backstay::origin origin;
};

/// Also ends the rest after too many wrong guesses. Errors: `not_found`.
struct unlock_account {
  using reply = account_record;
  backstay::caller caller;
  account_id account;
  backstay::origin origin;
};

struct sessions_ended {
  std::int64_t count = 0;
};

/// Signs the account out everywhere. Errors: `not_found`.
struct end_sessions {
  using reply = sessions_ended;
  backstay::caller caller;
  account_id account;
  backstay::origin origin;
};

/// An account with what other domains know of it.
struct overview {
  sessions::account account;
  std::optional<std::string> telegram_username;
  std::optional<subscriptions::subscription_view> subscription; ///< nothing while that domain cannot be asked
};

struct get_overview {
  using reply = overview;
  account_id account;
};

// What is mailed. The answers tell nothing of the address: known, unknown, unverified and locked ones are one in text,
// headers and time (contract's ruling 10). Errors of the requests: `too_many` named RATE_LIMITED.

/// A code and a link that set a new password, if there is an account that may sign in.
struct request_password_reset {
  using reply = done;
  std::string email;
};

/// By the code that was mailed to `email`, or by the token of the link. Ends every session of the account and all that
/// was mailed before. Errors: `invalid` (password policy); with a code those of `sessions::verify_code`; with a token
/// `refused` named INVALID_TOKEN.
struct reset_password {
  using reply = done;
  std::optional<std::string> email;
  std::optional<secret> code, token;
  secret new_password;
  strength password_strength = strength::strong;
  backstay::origin origin;
};

/// A link that signs in; for an address without an account it makes one, where registration is enabled.
struct request_magic_link {
  using reply = done;
  std::string email;
  std::string locale = "en-EN"; ///< of the mail, and of the account, where there is none yet
};

/// Signs in by the token of a link, once. Whoever reads the mail owns the address: if it was not verified before, it is
/// now, and what others may have prepared goes: sessions, password, linked accounts, device credentials.
/// Errors: `refused` named INVALID_TOKEN; `forbidden` named REGISTRATION_DISABLED.
struct use_magic_link {
  using reply = sessions::signed_in;
  secret token;
  std::optional<sessions::device> device;
  backstay::origin origin;
};

/// A link that confirms the address, if there is an account that waits for it.
struct request_verification_link {
  using reply = done;
  std::string email;
};

/// May be repeated: links are opened twice, by people and by mail scanners. Errors: `refused` named INVALID_TOKEN.
struct use_verification_link {
  using reply = done;
  secret token;
  backstay::origin origin;
};

/// Changes what is given. A new e-mail address waits as `pending_email` until its mailed code is shown by
/// `sessions::verify_code`; the account's own again ends the waiting.
/// Errors: `conflict` named EMAIL_EXISTS or LOGIN_EXISTS; `invalid`; `too_many` named RATE_LIMITED.
struct change_account {
  using reply = sessions::account;
  backstay::caller caller;
  std::optional<std::string> login, email, display_name, locale;
  std::optional<notifications::preferences> notification_preferences; ///< of the kinds that are named
  backstay::origin origin;
};

/// Signed out everywhere at once, what is personal goes later (setting `accounts.purge_after`).
/// Errors: `forbidden` named INVALID_PASSWORD, SECOND_FACTOR_REQUIRED or INVALID_CODE; `locked`; `conflict` named
/// LAST_SUPER_ADMIN.
struct delete_account {
  using reply = done;
  backstay::caller caller;
  bool asks_for_proof = false; ///< the password, if the account has one, and the second factor, if it has one
  secret password;
  std::optional<secret> code;
  backstay::origin origin;
};

/// What somebody tells about themselves.
struct profile {
  sessions::account account;
  json_object preferences;
};

struct get_profile {
  using reply = profile;
  account_id account;
};

/// What is not set stays; what is set to nothing is removed. Errors: `refused` when `email` is not the present one;
/// what `imaging` says of the picture.
struct update_profile {
  using reply = profile;
  backstay::caller caller;
  std::optional<std::optional<std::string>> display_name, bio, avatar_url;
  std::optional<json_object> preferences; ///< its members replace those of the same name
  std::optional<std::string> email;
  std::optional<std::string> picture; ///< an image file: becomes the avatar
};

/// A picture as it is served, under a name that nobody can guess.
struct avatar {
  std::string png;
};

/// Errors: `not_found`.
struct get_avatar {
  using reply = avatar;
  std::string name; ///< "<32 hex digits>.png"
};

enum class password_strength : std::uint8_t { weak, medium, strong };

struct password_changed {
  password_strength strength = password_strength::weak;
  std::vector<std::string> warnings; ///< what would make it better
};

/// Ends all other sessions of the account. Errors: `refused` named WRONG_PASSWORD, NO_PASSWORD or PASSWORD_POLICY
/// (with problems); `locked` after too many guesses.
struct change_password {
  using reply = password_changed;
  backstay::caller caller;
  secret current_password, new_password;
  backstay::origin origin;
};

using accounts_actor = caf::typed_actor<
    // Creates an account; the mail with its code goes out through the outbox.
    answers<register_account>,
    // One account by its id; `not_found`.
    answers<get_account>,
    // The same with Telegram's name and the subscription.
    answers<get_overview>, answers<request_password_reset>, answers<reset_password>, answers<request_magic_link>,
    answers<use_magic_link>, answers<request_verification_link>, answers<use_verification_link>,
    answers<change_account>, answers<delete_account>,

    // Operators search, look, and act.
    answers<list_accounts>, answers<get_account_details>, answers<change_role>, answers<lock_account>,
    answers<unlock_account>, answers<end_sessions>,

    // What somebody tells about themselves, and changes of it.
    answers<get_profile>, answers<update_profile>, answers<get_avatar>,
    // A new password for the old one.
    answers<change_password>>;

} // namespace backstay::accounts

template <>
inline constexpr std::array backstay::names_of<backstay::accounts::account_order>{
    "-created_at", "created_at", "-last_login_at", "last_login_at", "login", "-login", "email", "-email"};

template <>
inline constexpr std::array backstay::names_of<backstay::accounts::password_strength>{"weak", "medium", "strong"};
