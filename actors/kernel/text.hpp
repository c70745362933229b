#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace backstay {

/// A to Z become small; all other bytes stay, so UTF-8 stays whole.
inline std::string to_lower(std::string_view text) {
  std::string lower{text};
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

/// a to z become capital, as above.
inline std::string to_upper(std::string_view text) {
  std::string upper{text};
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return upper;
}

/// Whether a locale such as "ru" or "ru-RU" (BCP 47) is Russian; whoever speaks anything else is written to in English.
inline bool is_russian(std::string_view locale) {
  auto is = [&](std::size_t at, char lower) { return locale.size() > at && (locale[at] | 0x20) == lower; };
  bool ends = locale.size() == 2 || (locale.size() > 2 && (locale[2] == '-' || locale[2] == '_'));
  return is(0, 'r') && is(1, 'u') && ends;
}

/// Everything but RFC 3986's unreserved characters as `%XX` (section 2.1), so that it may stand anywhere in a URL.
inline std::string percent_encode(std::string_view text) {
  constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (unreserved.find(c) != std::string_view::npos) encoded += c;
    else ((encoded += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  return encoded;
}

/// `a=1&b=2`: what stands in a URL behind its `?`, or in the body of a form.
inline std::string to_query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string query;
  for (auto& [name, value] : parameters) {
    if (!query.empty()) query += '&';
    (query += percent_encode(name)) += '=';
    query += percent_encode(value);
  }
  return query;
}

} // namespace backstay
