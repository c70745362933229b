#pragma once

#include "actors/kernel/error.hpp"
#include "http/kernel/message.hpp"

#include <string>
#include <string_view>

namespace backstay::http {

/// What an API family does differently. Everything else is common to all of them.
struct dialect {
  const char* name;
  /// Errors repeat their text in a member "message", which is all that clients show: for broken fields it names them.
  bool message_member = false;
  bool locks_with_429 = false; ///< too many wrong guesses are 429 instead of 423
};

/// The status that a fault is answered with.
int status_of(const fault& what);

/// The contract's ruling 3: `{"detail", "error": {"code", "message", "details"}, "request_id"}`, for broken fields
/// also `"errors"`; with WWW-Authenticate (RFC 9110 section 11.6.1) and Retry-After where they belong.
response render_error(const fault& what, std::string_view request_id, const dialect& family);

/// The same shape for what only HTTP knows: a wrong method, a URL that is too long.
response render_refusal(int status, const char* code, const char* text, std::string_view request_id);

} // namespace backstay::http
