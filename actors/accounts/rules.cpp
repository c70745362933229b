#include "actors/accounts/rules.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "embedded/passwords.hpp"

#include <algorithm>

namespace backstay::accounts {

namespace {

constexpr std::string_view special = "!@#$%^&*(),.?\":{}|<>-_=+[]\\;'/`~";

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }
bool is_login_character(char c) { return is_letter_or_digit(c) || c == '_'; }
bool is_special(char c) { return special.find(c) != std::string_view::npos; }
/// RFC 5322's atext: what a local part may hold without quotes, besides dots.
bool is_local_character(char c) {
  return is_letter_or_digit(c) || std::string_view{"!#$%&'*+-/=?^_`{|}~"}.find(c) != std::string_view::npos;
}

std::size_t count_of(std::string_view text, bool (*kind)(char)) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), kind));
}

/// Letters, digits, anything else: how many of these. What is not ASCII counts as a letter of another alphabet.
int kinds_in(std::string_view password) {
  auto is_letter = [](char c) { return is_lower(c) || is_upper(c) || (c & 0x80) != 0; };
  auto letters = count_of(password, is_letter), digits = count_of(password, is_digit);
  return (letters > 0) + (digits > 0) + (letters + digits < password.size());
}

/// Of UTF-8: all bytes but those that continue a character.
std::int64_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

std::string_view local_part(std::string_view email) { return email.substr(0, email.find('@')); }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end; (end = text.find(separator)) != std::string_view::npos; text.remove_prefix(end + 1))
    parts.push_back(text.substr(0, end));
  parts.push_back(text);
  return parts;
}

/// RFC 1123: letters, digits and inner hyphens.
bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_domain(std::string_view text) {
  auto labels = split(text, '.');
  return (labels.size() > 1 || to_lower(text) == "localhost") && std::all_of(labels.begin(), labels.end(), is_label);
}

bool is_local_part(std::string_view text) {
  auto atoms = split(text, '.');
  return text.size() <= 64 && std::all_of(atoms.begin(), atoms.end(), [](auto atom) {
           return !atom.empty() && std::all_of(atom.begin(), atom.end(), is_local_character);
         });
}

problem in_body(std::string field, std::string message, std::string type = "value_error") {
  return {{"body", std::move(field)}, std::move(message), std::move(type)};
}

const std::vector<std::string_view>& common_passwords() {
  static const auto list = split(embedded::passwords().front().content, '\n');
  return list;
}

} // namespace

bool is_common(std::string_view password) {
  // The list ends with an empty line, which no search may see: it would not be in order.
  auto& list = common_passwords();
  return !password.empty() && std::binary_search(list.begin(), std::prev(list.end()), to_lower(password));
}

std::vector<problem> password_problems(const secret& password, const std::string& email, strength demanded,
                                       const std::string& field) {
  std::vector<problem> found;
  auto complain = [&](std::string message, std::string type = "value_error") {
    found.push_back(in_body(field, std::move(message), std::move(type)));
  };
  auto& text = password.reveal();
  auto length = count_code_points(text), least = std::int64_t{demanded == strength::strong ? 12 : 8};
  if (length < least) complain("must have at least " + std::to_string(least) + " characters", "string_too_short");
  if (length > 128) complain("must have at most 128 characters", "string_too_long");
  auto local = local_part(email);
  if (local.size() >= 4 && to_lower(text).find(to_lower(local)) != std::string::npos)
    complain("must not contain the name in the e-mail address");
  if (is_common(text)) complain("is too common");
  if (demanded == strength::common) return found;
  // Whoever has all four has neither one repeated character nor digits only, which the mobile document forbids too.
  auto has = [&](bool (*kind)(char)) { return std::any_of(text.begin(), text.end(), kind); };
  if (!has(is_upper)) complain("must contain an upper case letter");
  if (!has(is_lower)) complain("must contain a lower case letter");
  if (!has(is_digit)) complain("must contain a digit");
  if (!has(is_special)) complain("must contain a special character, such as ! or #");
  return found;
}

void check_new_password(const secret& password, const std::string& email) {
  auto problems = password_problems(password, email, strength::common);
  if (kinds_in(password.reveal()) < 2)
    problems.push_back(in_body("password", "must have two of letters, digits and special characters"));
  if (problems.empty()) return;
  fault refusal{.code = ec::refused, .message = "The new password", .name = "PASSWORD_POLICY"};
  for (auto& each : problems) {
    each.location = {"body", "new_password"};
    refusal.message += (&each == &problems.front() ? " " : ", ") + each.message;
  }
  refusal.problems = std::move(problems);
  fail(std::move(refusal));
}

password_changed judge(const secret& password) {
  auto& text = password.reveal();
  auto length = count_code_points(text);
  int kinds = kinds_in(text);
  password_changed verdict;
  if (length >= 12 && kinds == 3) verdict.strength = password_strength::strong;
  else if (length >= 16 || (length >= 10 && kinds >= 2)) verdict.strength = password_strength::medium;
  if (length < 12) verdict.warnings.push_back("A longer password is safer: 12 characters or more.");
  if (kinds < 3) verdict.warnings.push_back("Letters, digits and special characters together are harder to guess.");
  return verdict;
}

std::vector<problem> problems_of(const register_account& command) {
  auto found = password_problems(command.password, command.email.value_or(""), command.password_strength);
  if (!command.login && !command.email) found.push_back(in_body("email", "is required", "missing"));
  if (command.login && !is_login(*command.login))
    found.push_back(in_body("login", "must have 3 to 50 of the characters a-z, A-Z, 0-9 and _", "value_error"));
  if (command.email && !is_email(*command.email))
    found.push_back(in_body("email", "is not an e-mail address", "value_error"));
  if (!is_locale(command.locale)) found.push_back(in_body("locale", "is not a locale such as en-EN"));
  if (command.tos_accepted == false) found.push_back(in_body("tos_accepted", "must be accepted"));
  return found;
}

std::vector<problem> problems_of(const change_account& command) {
  std::vector<problem> found;
  if (command.login && !is_login(*command.login))
    found.push_back(in_body("login", "must have 3 to 50 of the characters a-z, A-Z, 0-9 and _"));
  if (command.email && !is_email(*command.email)) found.push_back(in_body("email", "is not an e-mail address"));
  if (command.locale && !is_locale(*command.locale))
    found.push_back(in_body("locale", "is not a locale such as en-EN"));
  return found;
}

std::string purged_login(const account_id& id) {
  auto digits = to_string(id);
  std::replace(digits.begin(), digits.end(), '-', '_');
  return "deleted_" + digits;
}

bool is_email(std::string_view text) {
  auto parts = split(text, '@');
  return text.size() <= 254 && parts.size() == 2 && is_local_part(parts[0]) && is_domain(parts[1]);
}

bool is_login(std::string_view text) {
  return text.size() >= 3 && text.size() <= 50 && std::all_of(text.begin(), text.end(), is_login_character);
}

bool is_locale(std::string_view text) {
  return text.size() >= 2 && text.size() <= 10 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_login_character(c) || c == '-'; });
}

std::vector<std::string> logins_from(std::string_view email) {
  constexpr std::size_t room = 40; // of 50: an underscore and nine digits may follow
  std::string base{local_part(email).substr(0, room)};
  std::replace_if(
      base.begin(), base.end(), [](char c) { return !is_login_character(c); }, '_');
  auto with_digits = [&](int digits) { return base + '_' + crypto::random_digits(digits); };
  std::vector<std::string> logins;
  if (is_login(base)) logins.push_back(base);
  for (int digits : {4, 6, 9, 9}) logins.push_back(with_digits(digits));
  return logins;
}

std::optional<fault> refusal_to_act(const standing& who, permission needed) {
  if (!who.actor || !may(*who.actor, needed)) return fault{.code = ec::forbidden};
  if (*who.actor == role::super_admin || who.subject < *who.actor) return std::nullopt;
  return fault{
      .code = ec::forbidden, .message = "This account's role is not lower than yours.", .name = "ROLE_TOO_LOW"};
}

std::optional<fault> refusal_to_change_role(const standing& who, role wanted) {
  if (auto refusal = refusal_to_act(who, permission::roles_and_keys)) return refusal;
  if (!who.is_last_super_admin || wanted == role::super_admin) return std::nullopt;
  return fault{.code = ec::conflict,
               .message = "This is the last super_admin; make another one first.",
               .name = "LAST_SUPER_ADMIN"};
}

std::optional<fault> refusal_to_lock(const standing& who) {
  if (who.is_own)
    return fault{.code = ec::refused, .message = "You cannot lock your own account.", .name = "OWN_ACCOUNT"};
  return refusal_to_act(who, permission::manage);
}

} // namespace backstay::accounts
