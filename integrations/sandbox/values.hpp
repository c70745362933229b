#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace backstay::sandbox {

/// Time as the fakes keep it: UTC, in milliseconds.
using instant = std::chrono::sys_time<std::chrono::milliseconds>;

/// `2026-12-22T12:50:51.000Z` (RFC 3339).
std::string format_time(instant time);

/// Reads an ISO 8601 date with time: seconds and fraction optional; `Z`, an offset, or none, which is UTC.
/// Years 1970 to 9999; anything else is none.
std::optional<instant> parse_time(std::string_view text);

/// A decimal whole number that fills the text and fits.
std::optional<long long> parse_integer(std::string_view text);

/// A random version 4 UUID (RFC 9562).
std::string random_uuid();

/// Random letters and digits, as short ids, passwords and hashes are made of.
std::string random_token(std::size_t length);

/// The 32 bytes of HMAC-SHA256.
std::string hmac_sha256(std::string_view key, std::string_view message);

/// The same in lower-case hexadecimal.
std::string hmac_sha256_hex(std::string_view key, std::string_view message);

/// The 32 bytes of SHA-256.
std::string sha256(std::string_view message);

/// MD5 and SHA-1 in lower-case hexadecimal.
std::string md5_hex(std::string_view message);
std::string sha1_hex(std::string_view message);

/// Base64 with padding (RFC 4648, 4).
std::string base64(std::string_view bytes);

/// With the other alphabet and without padding (RFC 4648, 5).
std::string base64url(std::string_view bytes);

/// Resolves `%XX`, and `+` as a space where it stands for one; what is not well-formed stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// Everything but RFC 3986's unreserved characters as `%XX`.
std::string percent_encode(std::string_view text);

/// The names and values of a query, or of a form's body.
std::map<std::string, std::string> parse_form(std::string_view text);

/// Text as it may stand in HTML, inside quotes too.
std::string escape_html(std::string_view text);

/// ASCII only; other bytes stay.
std::string lower_case(std::string_view text);

/// Equal, in a time that does not tell where two texts of one length differ.
bool same_secret(std::string_view a, std::string_view b);

} // namespace backstay::sandbox
