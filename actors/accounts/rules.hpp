#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/kernel/error.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What may be registered: no actor, no SQL, no clock.
namespace backstay::accounts {

/// Every rule that the fields break; empty if all is well.
std::vector<problem> problems_of(const register_account& command);

/// What is wrong with a new password: 8–128 characters, not containing the local part of `email` (if that has 4
/// characters or more), not one of the common ones (NIST SP 800-63B, 5.1.1.2; contract's ruling 5). A `strong` one has
/// 12 or more, and an upper and a lower case letter, a digit and a special character among them.
std::vector<problem> password_problems(const secret& password, const std::string& email, bool strong);

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

/// Logins for somebody who named none, to be tried in this order: from the local part of the e-mail address, then the
/// same with more and more random digits.
std::vector<std::string> logins_from(std::string_view email);

} // namespace backstay::accounts
