#pragma once

#include "config/secret.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// Thin names over OpenSSL and libsodium. Thread-safe. Bytes travel in `std::string`.
namespace backstay::crypto {

/// From the operating system's generator (libsodium).
void fill_random(void* target, std::size_t size);
std::string random_bytes(std::size_t size);
/// Uniform over 0 … 10^digits − 1, zero-padded. 1 ≤ digits ≤ 9.
std::string random_digits(int digits);

std::string sha256(std::string_view data);
/// HMAC-SHA256 (RFC 2104).
std::string hmac(std::string_view key, std::string_view data);

/// Encrypted and authenticated under a key of 32 bytes (libsodium's secretbox), with its nonce in front.
std::string seal(const secret& key, const secret& text);
/// Nothing if it is damaged, or another key's.
std::optional<secret> open(const secret& key, std::string_view sealed);

std::string to_hex(std::string_view data);
/// Base64 with padding (RFC 4648 section 4).
std::string to_base64(std::string_view data);
/// Base64url without padding (RFC 4648 section 5).
std::string to_base64url(std::string_view data);
/// Empty when `text` is not unpadded base64url.
std::optional<std::string> from_base64url(std::string_view text);

/// Compares without telling by its time where the first difference is; different lengths are unequal at once.
bool equal(std::string_view a, std::string_view b);

} // namespace backstay::crypto
