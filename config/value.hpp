#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Between what a source wrote and what a setting holds.
namespace backstay::config {

/// A value from a source without types: the environment or the command line. Items of a list are separated by commas.
struct plain_text {
  std::string_view characters;
};

/// A TOML value that no setting can take.
struct unusable {
  std::string_view what; ///< With its article, such as "a date".
};

/// A value as a source wrote it.
using written = std::variant<plain_text, bool, std::int64_t, std::string, std::vector<std::string>, unusable>;

/// Sets one setting. Returns what is wrong with the value, in words that never show a secret, and then leaves the
/// setting as it was.
std::optional<std::string> assign(const declaration& row, settings& values, const written& value);

/// The value of a setting as TOML writes it; a secret that is set shows as `"***"`.
std::string toml_literal(const member& value);

/// The type of a setting for people: "integer", "duration", …
std::string_view type_name(const member& value);

/// A duration in its largest whole unit, such as "15m"; units are ms, s, m, h and d.
std::string duration_text(milliseconds duration);

/// The opposite, for one whole number and one unit. Nothing if it is neither or does not fit in 64 bits.
std::optional<milliseconds> parse_duration(std::string_view text);

/// The limits of a setting for people, such as "1..64" or "`json`, `text`"; empty where there are none.
std::string bounds_text(const declaration& row);

} // namespace backstay::config
