#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/json_object.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"
#include "config/secret.hpp"
#include "http/kernel/text.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Shapes: how our structs look in JSON. One declaration reads, validates, writes and documents.
///
///     constexpr shape device{
///       field("device_id", &sessions::device::device_id, length(36, 36), "UUID made by the app"),
///       field("platform", &sessions::device::platform)};
///
/// A field's value is a member, or, in answers only, what a function makes of the struct. Its type decides its JSON
/// type; `std::optional` may be null or missing; a nested struct needs its own shape; a map from an enumeration is an
/// object with its names as keys.
namespace backstay::http {

using json = nlohmann::json;

class access_tokens;

/// What a field's function may use beside the struct.
struct rendering {
  const access_tokens& tokens;
  std::string_view public_url = {}; ///< of this server, for links
};

/// Limits of one value. Text is measured in code points, lists in items.
struct rule {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
  bool (*accepts)(std::string_view) = nullptr; ///< for text, after the length
  const char* expectation = nullptr;           ///< what `accepts` wants, for people
  const char* format = nullptr;                ///< JSON Schema `format`
  const char* pattern = nullptr;               ///< JSON Schema `pattern`
  const char* example = nullptr;               ///< shown in the document; a JSON literal
  bool takes_integers = false;                 ///< for text: some clients send the digits as a JSON number
  bool takes_numbers = false;                  ///< the same for decimals; the number's shortest text is read

  constexpr rule like(const char* json_literal) const {
    auto copy = *this;
    copy.example = json_literal;
    return copy;
  }
  constexpr rule or_integer() const {
    auto copy = *this;
    copy.takes_integers = true;
    return copy;
  }
  constexpr rule or_number() const {
    auto copy = or_integer();
    copy.takes_numbers = true;
    return copy;
  }
};

constexpr rule anything{};
constexpr rule length(std::int64_t low, std::int64_t high) { return {.low = low, .high = high}; }
constexpr rule between(std::int64_t low, std::int64_t high) { return {.low = low, .high = high}; }
constexpr rule example(const char* json_literal) { return anything.like(json_literal); }

namespace detail {

template <class T>
struct unwrapped {
  using type = T;
  static constexpr bool optional = false, list = false;
};
template <class T>
struct unwrapped<std::optional<T>> {
  using type = T;
  static constexpr bool optional = true, list = false;
};
template <class T>
struct unwrapped<std::vector<T>> {
  using type = T;
  static constexpr bool optional = false, list = true;
};

template <class T>
inline constexpr bool is_map = false;
template <named_enum Key, class T>
inline constexpr bool is_map<std::map<Key, T>> = true;

template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<id<Tag>> = true;
template <>
inline constexpr bool is_id<uuid> = true;

template <class T>
inline constexpr bool is_text = std::is_same_v<T, std::string> || std::is_same_v<T, secret>;

} // namespace detail

template <class... Fields>
struct shape;

template <class T>
inline constexpr bool is_shape = false;
template <class... Fields>
inline constexpr bool is_shape<shape<Fields...>> = true;

/// One member of a JSON object. `Get` is a pointer to a member or a function of the struct.
template <class Get, class Detail>
struct field_declaration {
  const char* name;
  Get get;
  Detail detail; ///< a rule, or the shape of a nested struct
  const char* doc;
  bool leave_out = false; ///< an empty optional is left out instead of written as null

  template <class Owner>
  decltype(auto) value(const Owner& owner, const rendering& with) const {
    if constexpr (std::is_invocable_v<Get, const Owner&, const rendering&>) return get(owner, with);
    else return std::invoke(get, owner);
  }
  template <class Owner>
  using value_type = std::remove_cvref_t<decltype(std::declval<const field_declaration&>().value(
      std::declval<const Owner&>(), std::declval<const rendering&>()))>;
};

template <class Get>
constexpr auto field(const char* name, Get get, rule limits = {}, const char* doc = "") {
  return field_declaration<Get, rule>{name, get, limits, doc};
}
template <class Get>
constexpr auto field(const char* name, Get get, const char* doc) {
  return field_declaration<Get, rule>{name, get, {}, doc};
}
template <class Get, class... Fields>
constexpr auto field(const char* name, Get get, shape<Fields...> nested, const char* doc = "") {
  return field_declaration<Get, shape<Fields...>>{name, get, nested, doc};
}
/// Written only when there is a value.
template <class Get, class Detail = rule>
constexpr auto optional_field(const char* name, Get get, Detail detail = {}, const char* doc = "") {
  return field_declaration<Get, Detail>{name, get, detail, doc, true};
}

template <class... Fields>
struct shape {
  std::tuple<Fields...> fields;
  constexpr shape(Fields... all) : fields{all...} {}
};

/// The fields of `base` and some more.
template <class... Base, class... More>
constexpr auto extend(const shape<Base...>& base, More... more) {
  return std::apply([&](auto... fields) { return shape<Base..., More...>{fields..., more...}; }, base.fields);
}

/// `{"message": text}`, whatever the reply.
constexpr auto says(const char* text) {
  return shape{field("message", [text](const auto&) { return std::string{text}; })};
}

/// The fields of a part, in an answer that has the whole part or nothing of it: `part` is an optional member whose
/// `form` this is. Without it, and where they are empty themselves, they are left out.
template <class Owner, class Part, class... Fields>
constexpr auto fields_of(std::optional<Part> Owner::*part, const shape<Fields...>& form) {
  auto lift = [part](auto inner) {
    using value = typename decltype(inner)::template value_type<Part>;
    using lifted = std::conditional_t<detail::unwrapped<value>::optional, value, std::optional<value>>;
    auto get = [part, inner](const Owner& owner, const rendering& with) -> lifted {
      return owner.*part ? lifted{inner.value(*(owner.*part), with)} : lifted{};
    };
    return field_declaration<decltype(get), decltype(inner.detail)>{inner.name, get, inner.detail, inner.doc, true};
  };
  return std::apply([&](auto... fields) { return shape{lift(fields)...}; }, form.fields);
}

/// A reply that is a bare JSON array: the items of one member.
template <class Get, class... Fields>
struct bare_list {
  Get items;
  shape<Fields...> item;
};
template <class Get, class... Fields>
constexpr auto list_of(Get items, shape<Fields...> item) {
  return bare_list<Get, Fields...>{items, item};
}

/// A reply that has one of two forms: `first` where `takes_first(reply)`.
template <class Choose, class First, class Second>
struct chosen_form {
  Choose takes_first;
  First first;
  Second second;
};
template <class Choose, class First, class Second>
constexpr auto either(Choose takes_first, First first, Second second) {
  return chosen_form<Choose, First, Second>{takes_first, first, second};
}

// ---- writing ---------------------------------------------------------------------------------------------------

template <class T, class... Fields>
void write_object(std::string& out, const T& value, const shape<Fields...>& form, const rendering& with);

template <class T, class Detail>
void write_value(std::string& out, const T& value, const Detail& detail, const rendering& with) {
  using kind = detail::unwrapped<T>;
  if constexpr (kind::optional) {
    value ? write_value(out, *value, detail, with) : void(out += "null");
  } else if constexpr (kind::list) {
    out += '[';
    for (bool first = true; auto& item : value) {
      if (!std::exchange(first, false)) out += ',';
      write_value(out, item, detail, with);
    }
    out += ']';
  } else if constexpr (detail::is_map<T>) {
    out += '{';
    for (bool first = true; auto& [key, item] : value) {
      if (!std::exchange(first, false)) out += ',';
      append_json_string(out, name_of(key));
      out += ':';
      write_value(out, item, detail, with);
    }
    out += '}';
  } else if constexpr (is_shape<Detail>) {
    write_object(out, value, detail, with);
  } else if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    char digits[32];
    auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    out.append(digits, end);
  } else if constexpr (std::is_same_v<T, money>) {
    out += to_decimal(value);
  } else if constexpr (std::is_same_v<T, timestamp>) {
    append_json_string(out, to_rfc3339(value));
  } else if constexpr (std::is_same_v<T, secret>) {
    append_json_string(out, value.reveal());
  } else if constexpr (detail::is_id<T>) {
    append_json_string(out, to_string(value));
  } else if constexpr (named_enum<T>) {
    append_json_string(out, name_of(value));
  } else if constexpr (std::is_same_v<T, std::nullopt_t>) {
    out += "null";
  } else if constexpr (std::is_same_v<T, json_object>) {
    out += value.text;
  } else {
    append_json_string(out, value);
  }
}

template <class T, class... Fields>
void write_object(std::string& out, const T& value, const shape<Fields...>& form, const rendering& with) {
  out += '{';
  bool first = true;
  auto write = [&](const auto& field) {
    const auto& content = field.value(value, with);
    if constexpr (detail::unwrapped<std::remove_cvref_t<decltype(content)>>::optional)
      if (field.leave_out && !content) return;
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, field.name);
    out += ':';
    write_value(out, content, field.detail, with);
  };
  std::apply([&](const auto&... fields) { (write(fields), ...); }, form.fields);
  out += '}';
}

template <class T, class... Fields>
std::string to_json_text(const T& value, const shape<Fields...>& form, const rendering& with) {
  std::string out;
  write_object(out, value, form, with);
  return out;
}
template <class T, class Get, class... Fields>
std::string to_json_text(const T& value, const bare_list<Get, Fields...>& form, const rendering& with) {
  std::string out;
  write_value(out, std::invoke(form.items, value), form.item, with);
  return out;
}

template <class T, class Choose, class First, class Second>
std::string to_json_text(const T& value, const chosen_form<Choose, First, Second>& form, const rendering& with) {
  return std::invoke(form.takes_first, value) ? to_json_text(value, form.first, with)
                                              : to_json_text(value, form.second, with);
}

// ---- reading ---------------------------------------------------------------------------------------------------

/// Collects every broken field of one request, in the words that phones know (pydantic's types).
class complaints {
public:
  explicit complaints(std::vector<std::string> location) : location_(std::move(location)) {}

  void add(std::string message, std::string type) {
    problems_->push_back({location_, std::move(message), std::move(type)});
  }
  complaints inside(std::string name) const {
    auto copy = *this;
    copy.location_.push_back(std::move(name));
    return copy;
  }
  /// The same list, at another place from the root: "path", "query", "header", "body".
  complaints in(std::string root) const {
    auto copy = *this;
    copy.location_ = {std::move(root)};
    return copy;
  }
  std::vector<problem>& all() { return *problems_; }

private:
  std::vector<std::string> location_;
  std::shared_ptr<std::vector<problem>> problems_ = std::make_shared<std::vector<problem>>();
};

bool check_number(std::int64_t value, const rule& limits, complaints& bad);
bool check_text(std::string_view value, const rule& limits, complaints& bad);
bool check_size(std::size_t items, const rule& limits, complaints& bad);
/// What PostgreSQL cannot keep: U+0000 in a name or a text.
bool has_nul(const json& value);

/// Text of a path, query, header or form: the type decides how it is read.
template <class T>
void read_text(std::string_view text, T& target, const rule& limits, complaints bad) {
  using kind = detail::unwrapped<T>;
  if constexpr (kind::optional) {
    read_text(text, target.emplace(), limits, bad);
  } else if constexpr (detail::is_text<T>) {
    if (!is_utf8(text)) return bad.add("Input should be valid UTF-8", "string_unicode");
    if (check_text(text, limits, bad)) target = T{std::string{text}};
  } else if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "1") target = true;
    else if (text == "false" || text == "0") target = false;
    else bad.add("Input should be a valid boolean", "bool_parsing");
  } else if constexpr (std::is_integral_v<T>) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), target);
    if (error != std::errc{} || end != text.data() + text.size())
      return bad.add("Input should be a valid integer", "int_parsing");
    check_number(target, limits, bad);
  } else if constexpr (detail::is_id<T>) {
    if (auto parsed = T::parse(text)) target = *parsed;
    else bad.add("Input should be a valid UUID", "uuid_parsing");
  } else if constexpr (std::is_same_v<T, timestamp>) {
    if (auto parsed = from_rfc3339(text)) target = *parsed;
    else bad.add("Input should be a date and time as in RFC 3339", "datetime_parsing");
  } else if constexpr (std::is_same_v<T, json_object>) {
    bad.add("Input should be an object, in a JSON body", "dict_type");
  } else {
    static_assert(named_enum<T>, "no way to read this type from text");
    if (auto parsed = from_name<T>(text)) return void(target = *parsed);
    std::string names;
    for (auto name : names_of<T>) names += names.empty() ? name : std::string{", "} + name;
    bad.add("Input should be one of: " + names, "enum");
  }
}

template <class T, class... Fields>
void read_object(const json& from, T& target, const shape<Fields...>& form, complaints bad);

template <class T, class Detail>
void read_json(const json& from, T& target, const Detail& detail, complaints bad) {
  using kind = detail::unwrapped<T>;
  if constexpr (kind::optional) {
    read_json(from, target.emplace(), detail, bad);
  } else if constexpr (kind::list) {
    if (!from.is_array()) return bad.add("Input should be a list", "list_type");
    if constexpr (!is_shape<Detail>)
      if (!check_size(from.size(), detail, bad)) return;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if constexpr (is_shape<Detail>) read_json(from[i], target.emplace_back(), detail, bad.inside(std::to_string(i)));
      else read_json(from[i], target.emplace_back(), anything, bad.inside(std::to_string(i)));
    }
  } else if constexpr (detail::is_map<T>) {
    if (!from.is_object()) return bad.add("Input should be an object", "dict_type");
    for (auto& [name, item] : from.items()) {
      typename T::key_type key{};
      read_text(name, key, anything, bad.inside(name));
      if (from_name<typename T::key_type>(name)) read_json(item, target[key], detail, bad.inside(name));
    }
  } else if constexpr (is_shape<Detail>) {
    read_object(from, target, detail, bad);
  } else if constexpr (std::is_same_v<T, json_object>) {
    if (!from.is_object()) return bad.add("Input should be an object", "dict_type");
    if (has_nul(from)) return bad.add("Input should not contain NUL", "value_error");
    target.text = from.dump();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_boolean()) return bad.add("Input should be a valid boolean", "bool_type");
    target = from.template get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!from.is_number_integer()) return bad.add("Input should be a valid integer", "int_type");
    if (from.is_number_unsigned() && from.template get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
      return bad.add("Input is too large", "less_than_equal");
    auto value = from.template get<std::int64_t>();
    if (!std::in_range<T>(value)) return bad.add("Input is out of range", "less_than_equal");
    if (check_number(value, detail, bad)) target = static_cast<T>(value);
  } else {
    bool is_text_too = from.is_number_integer() ? detail.takes_integers : from.is_number() && detail.takes_numbers;
    if (is_text_too) return read_text(from.dump(), target, detail, bad);
    if (!from.is_string()) return bad.add("Input should be a valid string", "string_type");
    read_text(from.template get_ref<const std::string&>(), target, detail, bad);
  }
}

/// Reads one member of a JSON object; missing and null are the same.
template <class T, class Detail>
void read_member(const json& object, const char* name, T& target, const Detail& detail, complaints bad) {
  auto found = object.find(name);
  if (found != object.end() && !found->is_null()) return read_json(*found, target, detail, bad.inside(name));
  if constexpr (!detail::unwrapped<T>::optional) bad.inside(name).add("Field required", "missing");
}

template <class T, class... Fields>
void read_object(const json& from, T& target, const shape<Fields...>& form, complaints bad) {
  if (!from.is_object()) return bad.add("Input should be an object", "dict_type");
  std::apply(
      [&](const auto&... fields) { (read_member(from, fields.name, target.*fields.get, fields.detail, bad), ...); },
      form.fields);
}

// ---- describing ------------------------------------------------------------------------------------------------

void describe_rule(json& schema, const rule& limits);

template <class Owner, class... Fields>
json schema_of(const shape<Fields...>& form);

/// JSON Schema 2020-12 of one value, as OpenAPI 3.1 uses it.
template <class T, class Detail>
json schema_of_value(const Detail& detail) {
  using kind = detail::unwrapped<T>;
  if constexpr (kind::optional) {
    auto inner = schema_of_value<typename kind::type>(detail);
    if (inner.contains("type") && inner["type"].is_string()) inner["type"] = json::array({inner["type"], "null"});
    if (inner.contains("enum")) inner["enum"].push_back(nullptr);
    return inner;
  } else if constexpr (kind::list) {
    json schema{{"type", "array"}};
    if constexpr (is_shape<Detail>) {
      schema["items"] = schema_of_value<typename kind::type>(detail);
    } else {
      schema["items"] = schema_of_value<typename kind::type>(anything);
      describe_rule(schema, detail); // a list's rule counts its items
    }
    return schema;
  } else if constexpr (detail::is_map<T>) {
    return {{"type", "object"},
            {"propertyNames", {{"enum", names_of<typename T::key_type>}}},
            {"additionalProperties", schema_of_value<typename T::mapped_type>(detail)}};
  } else if constexpr (is_shape<Detail>) {
    return schema_of<T>(detail);
  } else {
    json schema = json::object();
    if constexpr (std::is_same_v<T, bool>) schema["type"] = "boolean";
    else if constexpr (std::is_integral_v<T>) schema["type"] = "integer";
    else if constexpr (std::is_same_v<T, std::nullopt_t>) schema["type"] = "null";
    else if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, money>) schema["type"] = "number";
    else if constexpr (std::is_same_v<T, json_object>) schema["type"] = "object";
    else schema["type"] = "string";
    if constexpr (detail::is_id<T>) schema["format"] = "uuid";
    if constexpr (std::is_same_v<T, timestamp>) schema["format"] = "date-time";
    if constexpr (named_enum<T>) schema["enum"] = names_of<T>;
    describe_rule(schema, detail);
    return schema;
  }
}

template <class Owner, class... Fields>
json schema_of(const shape<Fields...>& form) {
  json properties = json::object(), required = json::array();
  auto describe = [&]<class Field>(const Field& field) {
    using value = typename Field::template value_type<Owner>;
    auto schema = schema_of_value<value>(field.detail);
    if (*field.doc) schema["description"] = field.doc;
    properties[field.name] = std::move(schema);
    if (!field.leave_out && !detail::unwrapped<value>::optional) required.push_back(field.name);
  };
  std::apply([&](const auto&... fields) { (describe(fields), ...); }, form.fields);
  json schema{{"type", "object"}, {"properties", properties}};
  if (!required.empty()) schema["required"] = required;
  return schema;
}
template <class Owner, class Get, class... Fields>
json schema_of(const bare_list<Get, Fields...>& form) {
  using items = std::remove_cvref_t<std::invoke_result_t<Get, const Owner&>>;
  return schema_of_value<items>(form.item);
}
template <class Owner, class Choose, class First, class Second>
json schema_of(const chosen_form<Choose, First, Second>& form) {
  return {{"oneOf", json::array({schema_of<Owner>(form.first), schema_of<Owner>(form.second)})}};
}

} // namespace backstay::http
