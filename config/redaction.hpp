#pragma once

#include "config/secret.hpp"

#include <span>
#include <string>
#include <string_view>

/// The log's last line of defence: code that never logs a secret is the first.
namespace backstay::log {

/// True for the name of a field that holds a secret: "password", "refresh_token", "Authorization", …
bool is_sensitive(std::string_view name);

/// The text with `***` in place of everything that looks like a credential: the given values (of more than six
/// characters), what follows "Bearer" or "Basic" (RFC 9110, 11.4), JSON web tokens, the value after a sensitive name
/// and `=` or `:`, and user and password in a URL.
std::string redacted(std::string_view text, std::span<const secret> values);

} // namespace backstay::log
