#include "integrations/sandbox/values.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdexcept>

namespace backstay::sandbox {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    throw std::runtime_error("no randomness");
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += {hex_digits[byte >> 4], hex_digits[byte & 15]};
  return text;
}

std::string digest(const EVP_MD* algorithm, std::string_view message) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(message.data(), message.size(), bytes, &size, algorithm, nullptr);
  return {reinterpret_cast<const char*>(bytes), size};
}

/// Reads a text from left to right; after a failure everything fails.
class scanner {
public:
  explicit scanner(std::string_view text) : rest_(text) {}

  bool skip(char expected) { return ok_ = ok_ && !rest_.empty() && rest_.front() == expected && drop(1); }

  bool at(char c) const { return ok_ && !rest_.empty() && rest_.front() == c; }

  int digits(std::size_t count, int least, int most) {
    int value = 0;
    ok_ = ok_ && rest_.size() >= count;
    for (std::size_t i = 0; ok_ && i < count; ++i) {
      ok_ = is_digit(rest_[i]);
      value = value * 10 + (rest_[i] - '0');
    }
    ok_ = ok_ && value >= least && value <= most && drop(count);
    return value;
  }

  /// The digits after a decimal point, as thousandths.
  int thousandths() {
    int value = 0, place = 100;
    ok_ = ok_ && !rest_.empty() && is_digit(rest_.front());
    for (; ok_ && !rest_.empty() && is_digit(rest_.front()); place /= 10, drop(1))
      value += (rest_.front() - '0') * place;
    return value;
  }

  bool finished() const { return ok_ && rest_.empty(); }

private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  bool drop(std::size_t count) {
    rest_.remove_prefix(count);
    return true;
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::chrono::minutes scan_offset(scanner& text) {
  if (text.at('Z')) text.skip('Z');
  if (!text.at('+') && !text.at('-')) return {};
  const int sign = text.at('-') ? -1 : 1;
  text.skip(sign < 0 ? '-' : '+');
  const std::chrono::hours hours(text.digits(2, 0, 23));
  text.skip(':');
  return sign * (hours + std::chrono::minutes(text.digits(2, 0, 59)));
}

int hex_value(char c) {
  const auto at = hex_digits.find(lower_case({&c, 1}));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

} // namespace

std::string format_time(instant time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<instant> parse_time(std::string_view text) {
  using namespace std::chrono;
  scanner in(text);
  const year y(in.digits(4, 1970, 9999));
  in.skip('-');
  const month m(static_cast<unsigned>(in.digits(2, 1, 12)));
  in.skip('-');
  const year_month_day date(y, m, day(static_cast<unsigned>(in.digits(2, 1, 31))));
  in.skip('T');
  milliseconds time = hours(in.digits(2, 0, 23));
  in.skip(':');
  time += minutes(in.digits(2, 0, 59));
  if (in.at(':') && in.skip(':')) time += seconds(in.digits(2, 0, 59));
  if (in.at('.') && in.skip('.')) time += milliseconds(in.thousandths());
  time -= scan_offset(in);
  if (!in.finished() || !date.ok()) return std::nullopt;
  return sys_days(date) + time;
}

std::optional<long long> parse_integer(std::string_view text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string random_uuid() {
  auto bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  auto text = hex(bytes);
  for (const auto at : {20, 16, 12, 8}) text.insert(static_cast<std::size_t>(at), 1, '-');
  return text;
}

std::string random_token(std::size_t length) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  auto text = random_bytes(length);
  for (auto& c : text) c = alphabet[static_cast<unsigned char>(c) % alphabet.size()];
  return text;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(message.data()),
       message.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string hmac_sha256_hex(std::string_view key, std::string_view message) { return hex(hmac_sha256(key, message)); }

std::string sha256(std::string_view message) { return digest(EVP_sha256(), message); }
std::string md5_hex(std::string_view message) { return hex(digest(EVP_md5(), message)); }
std::string sha1_hex(std::string_view message) { return hex(digest(EVP_sha1(), message)); }

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const auto size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string base64url(std::string_view bytes) {
  auto text = base64(bytes);
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (escaped) {
      decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (unreserved.find(c) != std::string_view::npos) encoded += c;
    else encoded += '%' + hex({&c, 1});
  }
  return encoded;
}

std::map<std::string, std::string> parse_form(std::string_view text) {
  std::map<std::string, std::string> values;
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    const auto value = pair.substr(std::min(equals + 1, pair.size()));
    if (equals > 0) values[percent_decode(pair.substr(0, equals), true)] = percent_decode(value, true);
  }
  return values;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    case '\'':
      escaped += "&#39;";
      break;
    default:
      escaped += c;
    }
  }
  return escaped;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (auto& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return lower;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace backstay::sandbox
