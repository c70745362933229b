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

/// a to z become capital, as above.
inline std::string to_upper(std::string_view text) {
  std::string upper{text};
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return upper;
}

} // namespace backstay
