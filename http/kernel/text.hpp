#pragma once

#include "actors/kernel/text.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// The letters of HTTP and JSON: escaping, decoding, comparing.
namespace backstay::http {

/// Appends `text` as a JSON string with its quotes (RFC 8259 section 7). `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// Percent-decoding (RFC 3986 section 2.1), `+` as a space when `form` is set. Empty for a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool form);

/// Is it well-formed UTF-8 (RFC 3629)?
bool is_utf8(std::string_view text);

/// Code points in well-formed UTF-8.
std::size_t count_code_points(std::string_view text);

/// ASCII letters only.
bool equal_ignoring_case(std::string_view a, std::string_view b);

std::string_view trim(std::string_view text);

} // namespace backstay::http
