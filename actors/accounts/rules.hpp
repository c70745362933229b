#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/kernel/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What may be registered: no actor, no SQL, no clock.
namespace backstay::accounts {

/// Every rule that the fields break; empty if all is well.
std::vector<problem> problems_of(const register_account& command);

/// What is wrong with a new password: 8–128 characters, not containing the local part of `email` (if that has 4
/// characters or more), not one of the common ones (NIST SP 800-63B, 5.1.1.2; contract's ruling 5), and what `demanded`
/// asks for beyond. `field` is its name in the body.
std::vector<problem> password_problems(const secret& password, const std::string& email, strength demanded,
                                       const std::string& field = "password");

/// Every rule that the new values break; empty if all is well.
std::vector<problem> problems_of(const change_account& command);

/// The login of an account whose owner is forgotten: nobody can register it, for it is taken.
std::string purged_login(const account_id& id);

/// Where a password is changed, it also has two of: letters, digits, anything else (console's password policy).
/// Throws `refused` named PASSWORD_POLICY, whose text and problems say all that is wrong.
void check_new_password(const secret& password, const std::string& email);

/// How good a password is that breaks no rule, and what would make it better.
password_changed judge(const secret& password);

/// Whether `password`, in whatever case, is in the list of common ones.
bool is_common(std::string_view password);

/// The common shape of addresses: `local@domain` in ASCII, at most 254 characters (RFC 5321), no quoted local part,
/// a domain with a dot or `localhost`.
bool is_email(std::string_view text);

/// 3–50 of [a-zA-Z0-9_].
bool is_login(std::string_view text);

/// 2–10 of [a-zA-Z0-9_-]: "en", "ru-RU".
bool is_locale(std::string_view text);

/// Logins for somebody who named none, to be tried in this order: from the local part of the e-mail address, then the
/// same with more and more random digits.
std::vector<std::string> logins_from(std::string_view email);

/// What a decision of an operator about an account depends on.
struct standing {
  std::optional<role> actor; ///< the operator's, as the database has it now; nothing: may no longer sign in
  role subject = role::viewer;
  bool is_own = false;              ///< operator and account are the same
  bool is_last_super_admin = false; ///< of those who may sign in
};

/// Why `who` may not act on the account; nothing if they may. Whoever is not a super_admin acts only on lower roles.
/// A session may believe for a second more than the database does, hence the permission is asked again.
std::optional<fault> refusal_to_act(const standing& who, permission needed);

/// The same for giving the account another role. Nobody raises himself: only a super_admin may raise at all.
std::optional<fault> refusal_to_change_role(const standing& who, role wanted);

/// The same for locking it: nobody locks himself out.
std::optional<fault> refusal_to_lock(const standing& who);

} // namespace backstay::accounts
