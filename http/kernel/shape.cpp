#include "http/kernel/shape.hpp"

namespace backstay::http {

bool check_number(std::int64_t value, const rule& limits, complaints& bad) {
  if (value < limits.low) {
    bad.add("Input should be greater than or equal to " + std::to_string(limits.low), "greater_than_equal");
    return false;
  }
  if (value > limits.high) {
    bad.add("Input should be less than or equal to " + std::to_string(limits.high), "less_than_equal");
    return false;
  }
  return true;
}

bool check_text(std::string_view value, const rule& limits, complaints& bad) {
  auto size = static_cast<std::int64_t>(count_code_points(value));
  if (value.find('\0') != std::string_view::npos) {
    bad.add("Input should not contain NUL", "value_error");
    return false;
  }
  if (size < limits.low) {
    bad.add("String should have at least " + std::to_string(limits.low) + " characters", "string_too_short");
    return false;
  }
  if (size > limits.high) {
    bad.add("String should have at most " + std::to_string(limits.high) + " characters", "string_too_long");
    return false;
  }
  if (limits.accepts && !limits.accepts(value)) {
    bad.add(std::string{"Input should be "} + limits.expectation, "string_pattern_mismatch");
    return false;
  }
  return true;
}

bool has_nul(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().find('\0') != std::string::npos;
  if (!value.is_structured()) return false;
  for (auto& [name, inner] : value.items())
    if (name.find('\0') != std::string::npos || has_nul(inner)) return true;
  return false;
}

bool check_size(std::size_t items, const rule& limits, complaints& bad) {
  auto size = static_cast<std::int64_t>(items);
  if (size >= limits.low && size <= limits.high) return true;
  bad.add("List should have between " + std::to_string(std::max<std::int64_t>(limits.low, 0)) + " and " +
              std::to_string(limits.high) + " items",
          size < limits.low ? "too_short" : "too_long");
  return false;
}

void describe_rule(json& schema, const rule& limits) {
  struct words {
    const char *type, *low, *high;
  };
  constexpr words known[] = {
      {"integer", "minimum", "maximum"}, {"string", "minLength", "maxLength"}, {"array", "minItems", "maxItems"}};
  for (auto& [type, low, high] : known) {
    if (schema["type"] != type) continue;
    if (limits.low != rule{}.low) schema[low] = limits.low;
    if (limits.high != rule{}.high) schema[high] = limits.high;
  }
  if (limits.format) schema["format"] = limits.format;
  if (limits.pattern) schema["pattern"] = limits.pattern;
  if (limits.example) schema["examples"] = json::array({json::parse(limits.example)});
}

} // namespace backstay::http
