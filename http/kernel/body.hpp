#pragma once

#include "actors/kernel/error.hpp"
#include "http/kernel/message.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::http {

/// A file of a multipart body.
struct upload {
  std::string filename, content_type, bytes;
};

/// Names and texts, as a query or a form has them; the first of a name counts.
using text_fields = std::map<std::string, std::string, std::less<>>;

/// What an endpoint reads its message from, whatever the client sent it as.
struct body_content {
  nlohmann::json object;                            ///< an empty object when there is no JSON body
  std::optional<text_fields> form;                  ///< set for form and multipart bodies
  std::map<std::string, upload, std::less<>> files; ///< multipart only
};

/// Reads a body by its Content-Type (JSON when there is none). Throws `fault_error`: `malformed` for bad syntax,
/// invalid UTF-8, a duplicate name, more than 32 levels, a number out of range, or a type that is not understood.
body_content read_body(const request& in);

/// Throws `fault_error` (`malformed`) for a broken escape or invalid UTF-8.
text_fields read_form(std::string_view text);

} // namespace backstay::http
