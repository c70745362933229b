#include "http/kernel/endpoint.hpp"

namespace backstay::http {

std::string_view input::placeholder(std::string_view name) const {
  // The aliases of a path have the same placeholders in the same order: the documented path names them.
  std::size_t index = 0;
  std::string_view path = declared.paths.front();
  for (auto open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1), ++index)
    if (path.substr(open + 1, path.find('}', open) - open - 1) == name) return x.placeholders.at(index);
  return {};
}

namespace {

std::string operation_id(const route& declared) {
  std::string name = to_lower(declared.method);
  for (char c : declared.paths.front()) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
    else if (!name.ends_with('_')) name += '_';
  }
  while (name.ends_with('_')) name.pop_back();
  return name;
}

json error_reply(const char* description) {
  return {{"description", description},
          {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
}

/// Files come in a form only; all else is documented as JSON.
const char* media_type_of(const json& properties) {
  bool has_file =
      std::any_of(properties.begin(), properties.end(), [](auto& each) { return each.contains("contentMediaType"); });
  return has_file ? "multipart/form-data" : "application/json";
}

} // namespace

void operation_description::add_parameter(part::source from, const char* name, json schema, const char* doc) {
  constexpr const char* places[] = {"path", "query", "header"};
  json one{{"name", name}, {"in", places[static_cast<int>(from)]}, {"schema", std::move(schema)}};
  if (from == part::source::path) one["required"] = true;
  if (*doc) one["description"] = doc;
  parameters_.push_back(std::move(one));
}

void operation_description::add_field(std::string_view names, const json& schema, const char* doc, bool may_miss) {
  bool alternatives = names.find('|') != names.npos;
  if (!may_miss && !alternatives) required_.push_back(names);
  while (!names.empty()) {
    auto name = names.substr(0, names.find('|'));
    auto& field = fields_[std::string{name}] = schema;
    if (*doc) field["description"] = doc;
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
}

void operation_description::add_file(const char* name, const char* doc, bool may_miss) {
  add_field(name, {{"type", "string"}, {"contentMediaType", "application/octet-stream"}}, doc, may_miss);
}

void operation_description::add_reply(int status, const char* doc, json content) {
  auto& reply = replies_[std::to_string(status)] = {{"description", doc}};
  if (!content.empty()) reply["content"] = std::move(content);
}

json operation_description::finish(const route& declared) && {
  json operation{{"operationId", operation_id(declared)}, {"summary", declared.summary}, {"tags", {declared.tag}}};
  if (declared.idempotent)
    parameters_.push_back({{"name", "Idempotency-Key"},
                           {"in", "header"},
                           {"schema", {{"type", "string"}, {"maxLength", 255}}},
                           {"description", "Makes a repeat of the same request give the same answer for 24 hours"}});
  if (!parameters_.empty()) operation["parameters"] = std::move(parameters_);
  if (!fields_.empty()) {
    auto media = media_type_of(fields_);
    json schema{{"type", "object"}, {"properties", std::move(fields_)}};
    bool is_required = !required_.empty();
    if (is_required) schema["required"] = std::move(required_);
    operation["requestBody"] = {{"required", is_required}, {"content", {{media, {{"schema", std::move(schema)}}}}}};
  }
  for (auto& [status, reply] : replies_.items())
    if (status >= "400") reply = error_reply(reply["description"].get<std::string>().c_str());
  auto add_error = [&](const char* status, const char* text) {
    if (!replies_.contains(status)) replies_[status] = error_reply(text);
  };
  if (declared.needs.needs_session()) add_error("401", "Not signed in, or not any more");
  if (declared.needs.needed()) add_error("403", "The role lacks a permission");
  if (operation.contains("requestBody") || operation.contains("parameters"))
    add_error("422", "Some fields are not valid; `errors` names each");
  if (declared.bucket != bucket::none) add_error("429", "Too many requests; `Retry-After` says how long to wait");
  add_error("503", "Not executed; safe to repeat after `Retry-After`");
  operation["responses"] = std::move(replies_);
  operation["security"] = declared.needs.needs_session()
                              ? json::array({{{"bearer", json::array()}}, {{"cookie", json::array()}}})
                              : json::array();
  return operation;
}

} // namespace backstay::http
