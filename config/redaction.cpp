#include "config/redaction.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace backstay::log {

namespace {

constexpr std::string_view stars = "***";
constexpr std::size_t longest_harmless = 6;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

bool is_end_of_value(char c) {
  return static_cast<unsigned char>(c) <= ' ' || std::string_view{"&;,\"'()<>}]"}.find(c) != std::string_view::npos;
}

bool is_token68(char c) { return is_word(c) || std::string_view{".~+/="}.find(c) != std::string_view::npos; }

/// The end of the characters from `begin` on that `belongs` accepts.
template <class Belongs>
std::size_t skip(std::string_view text, std::size_t begin, Belongs belongs) {
  while (begin < text.size() && belongs(text[begin])) ++begin;
  return begin;
}

/// Replaces [begin, end) and returns where the text goes on.
std::size_t hide(std::string& text, std::size_t begin, std::size_t end) {
  text.replace(begin, end - begin, stars);
  return begin + stars.size();
}

void hide_value(std::string& text, const std::string& value) {
  if (value.size() <= longest_harmless) return;
  for (auto at = text.find(value); at != text.npos; at = text.find(value, at)) at = hide(text, at, at + value.size());
}

void hide_schemes(std::string& text) {
  for (std::string_view scheme : {"bearer ", "basic "}) {
    const auto same = [](char left, char right) { return lower(left) == right; };
    for (std::size_t at = 0;;) {
      const auto found =
          std::search(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), scheme.begin(), scheme.end(), same);
      if (found == text.end()) break;
      at = static_cast<std::size_t>(found - text.begin()) + scheme.size();
      const auto end = skip(text, at, is_token68);
      if (end > at) at = hide(text, at, end);
    }
  }
}

/// A JSON web token: two or three parts of base64url with dots between; the first is an object, so it begins with `{"`.
void hide_web_tokens(std::string& text) {
  for (auto at = text.find("eyJ"); at != text.npos; at = text.find("eyJ", at)) {
    const auto end = skip(text, at, [](char c) { return is_word(c) || c == '.'; });
    const auto first_dot = text.find('.', at);
    at = first_dot < end ? hide(text, at, end) : end;
  }
}

/// `name=value`, `name: value` and `"name":"value"`.
void hide_named(std::string& text) {
  for (auto at = text.find_first_of("=:"); at != text.npos; at = text.find_first_of("=:", at)) {
    auto end_of_name = at++;
    while (end_of_name > 0 && std::string_view{" \"'"}.find(text[end_of_name - 1]) != std::string_view::npos)
      --end_of_name;
    auto name = end_of_name;
    while (name > 0 && is_word(text[name - 1])) --name;
    if (!is_sensitive(std::string_view{text}.substr(name, end_of_name - name))) continue;
    const auto value = skip(text, at, [](char c) { return c == ' ' || c == '"' || c == '\''; });
    // A quoted value may hold spaces; it ends with its quote.
    const char quote = value > at ? text[value - 1] : ' ';
    const auto end = quote == ' ' ? skip(text, value, [](char c) { return !is_end_of_value(c); })
                                  : std::min(text.find(quote, value), text.size());
    if (end > value) at = hide(text, value, end);
  }
}

/// `://user:password@`
void hide_user_of_urls(std::string& text) {
  for (auto at = text.find("://"); at != text.npos; at = text.find("://", at)) {
    at += 3;
    const auto end = skip(text, at, [](char c) { return c != '/' && !is_end_of_value(c); });
    const auto sign = text.rfind('@', end);
    if (sign != text.npos && sign > at && sign < end) at = hide(text, at, sign);
  }
}

} // namespace

bool is_sensitive(std::string_view name) {
  constexpr std::array<std::string_view, 13> endings{
      "password", "passwd",  "pwd",           "secret", "token",     "ticket",       "apikey",
      "api_key",  "api-key", "authorization", "cookie", "signature", "recovery_code"};
  const auto ends_name = [&](std::string_view ending) {
    return name.size() >= ending.size() &&
           std::equal(ending.begin(), ending.end(), name.end() - static_cast<std::ptrdiff_t>(ending.size()),
                      [](char left, char right) { return left == lower(right); });
  };
  return std::any_of(endings.begin(), endings.end(), ends_name);
}

std::string redacted(std::string_view text, std::span<const secret> values) {
  std::string result{text};
  for (const auto& value : values) hide_value(result, value.reveal());
  hide_user_of_urls(result);
  hide_schemes(result);
  hide_web_tokens(result);
  hide_named(result);
  return result;
}

} // namespace backstay::log
