#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/json_object.hpp"
#include "actors/kernel/message.hpp"
#include "actors/sessions/messages.hpp"

#include <caf/typed_actor.hpp>

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
  bool strong_password = false; ///< the endpoint demands ≥ 12 characters of four kinds, beyond the common policy
  backstay::origin origin;
};

struct get_account {
  using reply = sessions::account;
  account_id account;
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
    // What somebody tells about themselves, and changes of it.
    answers<get_profile>, answers<update_profile>, answers<get_avatar>,
    // A new password for the old one.
    answers<change_password>>;

} // namespace backstay::accounts

template <>
inline constexpr std::array backstay::names_of<backstay::accounts::password_strength>{"weak", "medium", "strong"};
