#include "integrations/json.hpp"

#include "integrations/call.hpp"

namespace backstay::integrations {

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json parse(std::string_view text, ec blame) {
  auto value = json::parse(text, nullptr, false);
  if (value.is_discarded()) fail_outside(blame, "not JSON");
  return value;
}

fields::fields(const json& object, ec blame) : object_(&object), blame_(blame) {
  if (!object.is_object()) fail_outside(blame, "not a JSON object");
}

bool fields::has(const char* name) const {
  const auto found = object_->find(name);
  return found != object_->end() && !found->is_null();
}

fields fields::in(const char* name) const { return fields{find(name), blame_}; }

std::optional<fields> fields::find_in(const char* name) const {
  const auto found = object_->find(name);
  return found != object_->end() && found->is_object() ? std::optional{fields{*found, blame_}} : std::nullopt;
}

std::vector<fields> fields::each(const char* name) const {
  const auto& list = find(name);
  if (!list.is_array()) refuse(name);
  std::vector<fields> items;
  items.reserve(list.size());
  for (const auto& item : list) items.emplace_back(item, blame_);
  return items;
}

const json& fields::find(const char* name) const {
  const auto found = object_->find(name);
  if (found == object_->end()) refuse(name);
  return *found;
}

void fields::refuse(const char* name) const {
  fail_outside(blame_, "field " + std::string{name} + " is missing or of another type");
}

std::string fields::text(const char* name) const {
  const auto& value = find(name);
  if (!value.is_string()) refuse(name);
  return value.get_ref<const std::string&>();
}

bool fields::flag(const char* name) const {
  const auto& value = find(name);
  if (!value.is_boolean()) refuse(name);
  return value.get<bool>();
}

std::int64_t fields::integer(const char* name) const {
  const auto& value = find(name);
  if (!value.is_number_integer()) refuse(name);
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > most) refuse(name);
  return value.get<std::int64_t>();
}

timestamp fields::moment(const char* name) const {
  const auto read = from_rfc3339(text(name));
  if (!read) refuse(name);
  return *read;
}

} // namespace backstay::integrations
