#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/sessions/messages.hpp"

#include <optional>
#include <string>
#include <vector>

/// The table of accounts. E-mail and login are unique without regard to case.
namespace backstay::accounts::store {

struct new_account {
  /// In the order in which they are tried; the first that is free is taken. At least one.
  std::vector<std::string> logins;
  std::optional<std::string> email;
  std::string password_hash;
  backstay::role role = backstay::role::viewer;
  bool is_active = false;
  bool is_email_verified = false;
  std::string locale = "en-EN";
  bool tos_accepted = false;
};

/// Errors: `conflict` named EMAIL_EXISTS or LOGIN_EXISTS.
sessions::account create(transaction& tx, const new_account& what, timestamp now);

/// Throws what `create` would throw now; saves the hashing of a password that nobody will have.
void check_free(transaction& tx, const std::optional<std::string>& email, const std::optional<std::string>& login);

std::optional<sessions::account> find(transaction& tx, const account_id& id);
std::optional<sessions::account> find_by_email(transaction& tx, const std::string& email);

/// What a password is checked against.
struct credential {
  account_id account;
  std::string password_hash;
  bool is_active = false;
  bool operator==(const credential&) const = default;
};

/// By e-mail if `identifier` has an @, else by login.
std::optional<credential> find_credential(transaction& tx, const std::string& identifier);

/// Notes that the password of `checked` was right and keeps `new_hash` if there is one. Nothing if the account was
/// deactivated or got another password since `checked` was read.
std::optional<sessions::account> note_sign_in(transaction& tx, const credential& checked, const std::string& new_hash,
                                              timestamp now);

/// The e-mail address belongs to the account's owner: active from now on. Announced to every node.
std::optional<sessions::account> verify_email(transaction& tx, const std::string& email, timestamp now);

/// What the account's password is checked against; empty text when it has none. Errors: `not_found`.
std::string password_hash_of(transaction& tx, const account_id& id);

/// Errors: `not_found`.
void set_password(transaction& tx, const account_id& id, const std::string& password_hash, timestamp now);

/// The same if the hash is still `expected`; false if somebody was faster.
bool replace_password(transaction& tx, const account_id& id, const std::string& expected,
                      const std::string& password_hash, timestamp now);

/// Errors: `not_found`.
profile profile_of(transaction& tx, const account_id& id);

/// Longest text of all preferences.
inline constexpr std::size_t most_preferences = 16 * 1024;

/// Makes the changes of `what`; its picture is given re-encoded, as `png`, and replaces the one before. Announced to
/// every node. Errors: `not_found`; `refused` for another e-mail address; `invalid` when the preferences become too
/// long.
profile update_profile(transaction& tx, const accounts::update_profile& what, const std::optional<std::string>& png,
                       timestamp now);

std::optional<avatar> find_avatar(transaction& tx, const std::string& name);

/// Announced to every node. Errors: `not_found`.
void set_role(transaction& tx, const account_id& id, role what);

} // namespace backstay::accounts::store
