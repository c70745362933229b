#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// JSON that comes from outside is read field by field, each with the type that its provider documents.
namespace backstay::integrations {

using json = nlohmann::json;

/// Compact text. What is not UTF-8 is replaced: nothing that came from elsewhere makes this throw.
std::string dump(const json& value);

/// Reads a text; one that is not JSON ends the operation by `blame`.
json parse(std::string_view text, ec blame = ec::upstream);

/// The fields of a JSON object that outlives this view. A field that is missing or of another type ends the operation
/// by `blame`.
class fields {
public:
  explicit fields(const json& object, ec blame = ec::upstream);

  /// T: `std::string`, `bool`, `int`, `std::int64_t`, `timestamp` (from RFC 3339 text), or `std::optional` of these,
  /// where null and a missing field are none.
  template <class T>
  T get(const char* name) const;

  bool has(const char* name) const;
  /// Ends the operation because of what is in a field.
  [[noreturn]] void refuse(const char* name) const;
  /// The object in a field.
  fields in(const char* name) const;
  /// The same; none where there is nothing, or something else.
  std::optional<fields> find_in(const char* name) const;
  /// The objects of the list in a field.
  std::vector<fields> each(const char* name) const;

private:
  template <class T>
  struct is_optional : std::false_type {};
  template <class T>
  struct is_optional<std::optional<T>> : std::true_type {};

  const json& find(const char* name) const;
  std::string text(const char* name) const;
  bool flag(const char* name) const;
  std::int64_t integer(const char* name) const;
  timestamp moment(const char* name) const;

  const json* object_;
  ec blame_;
};

template <class T>
T fields::get(const char* name) const {
  if constexpr (is_optional<T>::value) return has(name) ? T{get<typename T::value_type>(name)} : std::nullopt;
  else if constexpr (std::is_same_v<T, std::string>) return text(name);
  else if constexpr (std::is_same_v<T, bool>) return flag(name);
  else if constexpr (std::is_same_v<T, timestamp>) return moment(name);
  else {
    const auto value = integer(name);
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) refuse(name);
    return static_cast<T>(value);
  }
}

} // namespace backstay::integrations
