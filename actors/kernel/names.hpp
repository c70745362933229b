#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

namespace backstay {

/// The snake_case names of an enumeration's values 0, 1, 2, …, as the database and JSON know them.
/// Specialized next to the enumeration; a value without a name does not exist.
template <class Enum>
inline constexpr std::array<const char*, 0> names_of{};

template <class Enum>
concept named_enum = std::is_enum_v<Enum> && names_of<Enum>
.size() > 0;

template <named_enum Enum>
constexpr std::string_view name_of(Enum value) {
  return names_of<Enum>[static_cast<std::size_t>(value)];
}

template <named_enum Enum>
constexpr std::optional<Enum> from_name(std::string_view name) {
  for (std::size_t i = 0; i < names_of<Enum>.size(); ++i)
    if (name == names_of<Enum>[i]) return static_cast<Enum>(i);
  return std::nullopt;
}

} // namespace backstay
