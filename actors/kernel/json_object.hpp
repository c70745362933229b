#pragma once

#include <string>

namespace backstay {

/// A JSON object that only clients understand: kept and handed out as it came, never looked into by a domain.
struct json_object {
  std::string text = "{}"; ///< valid JSON in UTF-8, without U+0000
  bool operator==(const json_object&) const = default;
};

} // namespace backstay
