#pragma once

#include <string>
#include <string_view>

namespace backstay {

/// A to Z become small; all other bytes stay, so UTF-8 stays whole.
inline std::string to_lower(std::string_view text) {
  std::string lower{text};
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

} // namespace backstay
