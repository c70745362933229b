#include "actors/kernel/id.hpp"

#include "actors/kernel/crypto.hpp"

namespace backstay {

namespace {

constexpr bool dash_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

} // namespace

uuid uuid::random() {
  uuid result;
  crypto::fill_random(result.bytes.data(), result.bytes.size());
  result.bytes[6] = (result.bytes[6] & 0x0f) | 0x40; // version 4
  result.bytes[8] = (result.bytes[8] & 0x3f) | 0x80; // RFC 9562 variant
  return result;
}

std::optional<uuid> uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  uuid result;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    int high = digit(text[at]), low = digit(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    result.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return result;
}

std::string to_string(const uuid& value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (dash_before(i)) text += '-';
    text += digits[value.bytes[i] >> 4];
    text += digits[value.bytes[i] & 15];
  }
  return text;
}

} // namespace backstay
