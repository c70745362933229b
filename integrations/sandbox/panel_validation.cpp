#include "integrations/sandbox/panel_validation.hpp"

#include "integrations/sandbox/values.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::sandbox {

namespace {

constexpr auto date_pattern =
    R"(/^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))T(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z||([+-](?:[01]\d|2[0-3]):[0-5]\d)))$/)";

answer refused(const json& errors) {
  return reply({{"statusCode", 400}, {"message", "Validation failed"}, {"errors", errors}}, 400);
}

std::string type_of(const json* value) {
  return value ? (value->is_null() ? "null" : value->type_name()) : "undefined";
}

/// The number as JavaScript prints it.
std::string print(double value) {
  return std::floor(value) == value ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(value);
}

bool is_uuid(const json& value) {
  if (!value.is_string()) return false;
  const auto text = lower_case(value.get<std::string>());
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::string_view("0123456789abcdef").find(text[i]) == std::string_view::npos)
      return false;
  }
  return true;
}

} // namespace

validation::validation(const json& subject) : subject_(subject) {
  if (subject.is_object()) return;
  wrong_type("object", {}, subject.is_null() ? nullptr : &subject);
  finish();
}

void validation::add(json error, const std::string& name, const std::string& message) {
  error["path"] = json::array();
  if (!name.empty()) error["path"].push_back(name);
  error["message"] = message;
  errors_.push_back(std::move(error));
}

void validation::wrong_type(const char* expected, const std::string& name, const json* value) {
  add({{"expected", expected}, {"code", "invalid_type"}}, name,
      std::string("Invalid input: expected ") + expected + ", received " + type_of(value));
}

void validation::fail(const std::string& name, const std::string& message) { add({{"code", "custom"}}, name, message); }

void validation::finish() const {
  if (!errors_.empty()) throw refusal(refused(errors_));
}

/// The value of a field that has to be checked further; none when it is absent or has been reported.
const json* validation::find(const char* name, const char* expected, may_be presence) {
  const auto found = subject_.find(name);
  const json* value = found == subject_.end() ? nullptr : &*found;
  if (!value && presence != may_be::required) return nullptr;
  if (value && value->is_null() && presence == may_be::absent_or_null) return nullptr;
  if (value && value->type_name() == std::string_view(expected)) return value;
  wrong_type(expected, name, value);
  return nullptr;
}

void validation::text(const char* name, std::size_t shortest, std::size_t longest, may_be presence) {
  const auto* value = find(name, "string", presence);
  if (!value) return;
  const auto size = value->get_ref<const std::string&>().size();
  if (size < shortest)
    add({{"origin", "string"}, {"code", "too_small"}, {"minimum", shortest}, {"inclusive", true}}, name,
        "Too small: expected string to have >=" + std::to_string(shortest) + " characters");
  if (size > longest)
    add({{"origin", "string"}, {"code", "too_big"}, {"maximum", longest}, {"inclusive", true}}, name,
        "Too big: expected string to have <=" + std::to_string(longest) + " characters");
}

void validation::characters(const char* name, std::string_view allowed, const char* pattern, const char* message) {
  const auto value = subject_.find(name);
  if (value == subject_.end() || !value->is_string()) return; // text() reports other types
  if (value->get_ref<const std::string&>().find_first_not_of(allowed) != std::string::npos)
    add({{"origin", "string"}, {"code", "invalid_format"}, {"format", "regex"}, {"pattern", pattern}}, name, message);
}

void validation::choice(const char* name, std::initializer_list<const char*> values) {
  const auto value = subject_.find(name);
  if (value == subject_.end() || std::find(values.begin(), values.end(), *value) != values.end()) return;
  std::string list;
  for (const auto* v : values) list += (list.empty() ? "\"" : "|\"") + std::string(v) + "\"";
  add({{"code", "invalid_value"}, {"values", values}}, name, "Invalid option: expected one of " + list);
}

void validation::number(const char* name, double least, may_be presence) {
  const auto* value = find(name, "number", presence);
  if (value && value->get<double>() < least)
    add({{"origin", "number"},
         {"code", "too_small"},
         {"minimum", static_cast<std::int64_t>(least)},
         {"inclusive", true}},
        name, "Too small: expected number to be >=" + print(least));
}

void validation::integer(const char* name, std::int64_t least, std::int64_t most, may_be presence,
                         const char* too_big) {
  const auto* value = find(name, "number", presence);
  if (!value) return;
  const auto number = value->get<double>();
  if (std::floor(number) != number)
    return add({{"expected", "int"}, {"format", "safeint"}, {"code", "invalid_type"}}, name,
               "Invalid input: expected int, received number");
  if (number < static_cast<double>(least))
    add({{"origin", "number"}, {"code", "too_small"}, {"minimum", least}, {"inclusive", true}}, name,
        "Too small: expected number to be >=" + std::to_string(least));
  if (number > static_cast<double>(most))
    add({{"origin", "number"}, {"code", "too_big"}, {"maximum", most}, {"inclusive", true}}, name,
        too_big ? too_big : "Too big: expected number to be <=" + std::to_string(most));
}

void validation::flag(const char* name) { find(name, "boolean", may_be::absent); }

void validation::email(const char* name) {
  const auto* value = find(name, "string", may_be::absent_or_null);
  if (!value) return;
  const auto& text = value->get_ref<const std::string&>();
  const auto at = text.find('@');
  if (at == 0 || at == std::string::npos || text.find('.', at) == std::string::npos)
    add({{"origin", "string"}, {"code", "invalid_format"}, {"format", "email"}}, name, "Invalid email address");
}

void validation::uuid(const char* name, may_be presence) {
  const auto* value = find(name, "string", presence);
  if (value && !is_uuid(*value))
    add({{"origin", "string"}, {"code", "invalid_format"}, {"format", "uuid"}}, name, "Invalid UUID");
}

void validation::uuids(const char* name) {
  const auto* value = find(name, "array", may_be::absent);
  if (value && !std::all_of(value->begin(), value->end(), is_uuid))
    add({{"origin", "string"}, {"code", "invalid_format"}, {"format", "uuid"}}, name, "Invalid UUID");
}

void validation::date(const char* name, may_be presence) {
  const auto* value = find(name, "string", presence);
  if (value && !parse_time(value->get_ref<const std::string&>()))
    add({{"origin", "string"}, {"code", "invalid_format"}, {"format", "datetime"}, {"pattern", date_pattern}}, name,
        "Invalid ISO datetime");
}

json numbers_of(const std::map<std::string, std::string>& query) {
  auto values = json::object();
  for (const auto& [name, value] : query) {
    const auto number = parse_integer(value);
    values[name] = number ? json(*number) : json(value);
  }
  return values;
}

} // namespace backstay::sandbox
