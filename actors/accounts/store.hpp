#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/accounts/rules.hpp"
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
  std::optional<std::string> display_name = {};
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

/// Notes that the owner was recognized otherwise. Nothing if the account may not sign in.
std::optional<sessions::account> note_sign_in(transaction& tx, const account_id& account, timestamp now);

/// The e-mail address belongs to the account's owner: active from now on. Announced to every node.
std::optional<sessions::account> verify_email(transaction& tx, const std::string& email, timestamp now);

/// The address that the account waited for is its own from now on, and what was mailed to the old one is worth nothing.
/// The old one is told. Nothing if the account does not wait for `email`. Errors: `conflict` named EMAIL_EXISTS.
std::optional<sessions::account> confirm_pending_email(transaction& tx, const account_id& id, const std::string& email,
                                                       timestamp now);

/// Changes what is given, but for the e-mail address. Announced to every node.
/// Errors: `conflict` named LOGIN_EXISTS, `not_found`.
sessions::account change(transaction& tx, const change_account& what, timestamp now);

/// `email` waits for its code from now on; nothing: none does. Announced to every node.
/// Errors: `conflict` named EMAIL_EXISTS when it is another's.
sessions::account set_pending_email(transaction& tx, const account_id& id, const std::optional<std::string>& email);

/// The name that the account has at Telegram.
std::optional<std::string> telegram_username_of(transaction& tx, const account_id& id);

/// Nobody signs in to it from now on. Errors: `not_found`.
void mark_deleted(transaction& tx, const account_id& id, timestamp now);

/// Removes what is personal of some accounts that were deleted before `moment`, a limited number a call; payments and
/// ledger stay. Returns how many.
std::int64_t purge_deleted_before(transaction& tx, timestamp moment, timestamp now);

/// What the account's password is checked against; empty text when it has none. Errors: `not_found`.
std::string password_hash_of(transaction& tx, const account_id& id);

/// Ends what devices keep to sign in with. Announced to every node. Errors: `not_found`.
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

// --- for operators

record_page list(transaction& tx, const list_accounts& wanted);

std::optional<account_record> find_record(transaction& tx, const account_id& id);

/// All but the counts of guesses, which the budgets keep.
std::optional<account_details> find_details(transaction& tx, const account_id& id, timestamp now);

/// Nothing if there is no account `subject`.
std::optional<standing> find_standing(transaction& tx, const account_id& actor, const account_id& subject);

/// Whoever changes roles waits here for those who do so too, until their transactions end: the last two super_admins
/// cannot demote each other.
void lock_super_admins(transaction& tx);

/// Locks the account, or replaces the reason. Announced to every node.
void lock(transaction& tx, const account_id& id, const std::string& reason, timestamp now);

/// Announced to every node.
void unlock(transaction& tx, const account_id& id, timestamp now);

} // namespace backstay::accounts::store
