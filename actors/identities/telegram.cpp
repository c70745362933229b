#include "actors/identities/telegram.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"

#include <charconv>

namespace backstay::identities::telegram {

namespace {

/// A whole decimal number above zero.
std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

fields fields_of(const widget& shown) {
  fields all;
  auto add = [&](const char* name, const std::optional<std::string>& value) {
    if (value) all[name] = *value;
  };
  add("id", shown.id);
  add("first_name", shown.first_name);
  add("last_name", shown.last_name);
  add("username", shown.username);
  add("photo_url", shown.photo_url);
  add("auth_date", shown.auth_date);
  return all;
}

/// `name=value` of each but the hash, in the order of their names, one a line.
std::string check_string(const fields& all) {
  std::string text;
  for (auto& [name, value] : all) {
    if (name == "hash") continue;
    if (!text.empty()) text += '\n';
    text.append(name).append("=").append(value);
  }
  return text;
}

std::string text_of(const fields& all, const char* name) {
  auto found = all.find(name);
  return found == all.end() ? std::string{} : found->second;
}

timestamp moment_of(std::int64_t seconds) { return timestamp{std::chrono::seconds{seconds}}; }

/// Seconds since 1970 in which a timestamp does not overflow.
constexpr std::int64_t latest_second = 1LL << 40;

verdict check(const fields& shown, const std::string& hash, const std::string& key, timestamp now) {
  if (!crypto::equal(crypto::to_hex(crypto::hmac(key, check_string(shown))), hash)) return verdict::forged;
  auto signed_at = number_in(text_of(shown, "auth_date"));
  if (!signed_at || *signed_at > latest_second || moment_of(*signed_at) > now + clock_difference)
    return verdict::forged;
  return now - moment_of(*signed_at) > longest_age ? verdict::stale : verdict::valid;
}

std::optional<std::string> full_name(const std::string& first, const std::optional<std::string>& last) {
  auto name = last && !last->empty() ? first + " " + *last : first;
  return name.empty() ? std::nullopt : std::optional{name};
}

} // namespace

verdict check_widget(const widget& shown, const secret& bot_token, timestamp now) {
  auto found = check(fields_of(shown), shown.hash, crypto::sha256(bot_token.reveal()), now);
  return shown.id && number_in(*shown.id) ? found : verdict::forged;
}

verdict check_mini_app(const fields& shown, const secret& bot_token, timestamp now) {
  return check(shown, text_of(shown, "hash"), crypto::hmac("WebAppData", bot_token.reveal()), now);
}

timestamp end_of(const widget& shown) { return moment_of(number_in(*shown.auth_date).value()) + longest_age; }

oauth::person person_of(const widget& shown) {
  return {.subject = std::to_string(number_in(*shown.id).value()),
          .username = shown.username,
          .name = full_name(shown.first_name.value_or(""), shown.last_name)};
}

oauth::person person_of(const telegram_user& user) {
  return {.subject = std::to_string(user.id),
          .username = user.username,
          .name = full_name(user.first_name, user.last_name)};
}

std::string bot_id(const secret& bot_token) { return bot_token.reveal().substr(0, bot_token.reveal().find(':')); }

// `origin` is what the contract documents; the page itself goes back to `return_to`.
std::string authorize_url(const std::string& url, const secret& bot_token, const std::string& redirect_uri,
                          const secret& state) {
  return url + "/auth?" +
         to_query({{"bot_id", bot_id(bot_token)},
                   {"origin", redirect_uri},
                   {"return_to", redirect_uri},
                   {"request_access", "write"},
                   {"state", state.reveal()}});
}

} // namespace backstay::identities::telegram
