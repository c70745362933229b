#include "http/websocket/handshake.hpp"

#include <algorithm>
#include <array>
#include <openssl/evp.h>
#include <stdexcept>

namespace backstay::websocket {

namespace {

constexpr std::array<handshake::field, 1> allow_get{{{"Allow", "GET"}}};
constexpr std::array<handshake::field, 1> upgrade_required{{{"Upgrade", "websocket"}}};
constexpr std::array<handshake::field, 2> version_required{{{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}}};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

// Whether a comma-separated list holds a token. "websocket/13" is another protocol (RFC 9110 section 7.8), so no match.
bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    auto comma = list.find(',');
    if (equals_ignoring_case(trim(list.substr(0, comma)), token)) return true;
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
  return false;
}

// 16 bytes in base64: 22 characters and two of padding.
bool is_key(std::string_view key) {
  auto is_base64 = [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_base64);
}

} // namespace

handshake check_handshake(std::string_view method, bool http_1_1, const header_lookup& header) {
  auto refuse = [](int status, std::string_view problem, std::span<const handshake::field> fields = {}) {
    return handshake{status, {}, problem, fields};
  };
  if (method != "GET") return refuse(405, "A WebSocket is opened with GET.", allow_get);
  if (!http_1_1) return refuse(400, "A WebSocket is opened with HTTP/1.1.");
  if (!has_token(header("upgrade"), "websocket"))
    return refuse(426, "This address speaks WebSocket: send Upgrade: websocket.", upgrade_required);
  if (!has_token(header("connection"), "upgrade")) return refuse(400, "The Connection header must contain Upgrade.");
  if (trim(header("sec-websocket-version")) != "13")
    return refuse(426, "Only version 13 of the WebSocket protocol is spoken here.", version_required);
  auto field = header("sec-websocket-key");
  auto key = trim(field);
  if (!is_key(key)) return refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64.");
  return {101, accept_value(key), {}, {}};
}

std::string accept_value(std::string_view key) {
  auto salted = std::string{key} + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, 20> digest;
  unsigned size = 0;
  if (EVP_Digest(salted.data(), salted.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    throw std::runtime_error("SHA-1 is not available");
  std::array<unsigned char, 29> text; // 28 characters and the terminator that OpenSSL writes
  EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(digest.size()));
  return {reinterpret_cast<const char*>(text.data()), text.size() - 1};
}

} // namespace backstay::websocket
