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

json describe_operation(const route& declared, json parameters, json properties, json required, json replies) {
  json operation{{"operationId", operation_id(declared)}, {"summary", declared.summary}, {"tags", {declared.tag}}};
  if (declared.idempotent)
    parameters.push_back({{"name", "Idempotency-Key"},
                          {"in", "header"},
                          {"schema", {{"type", "string"}, {"maxLength", 255}}},
                          {"description", "Makes a repeat of the same request give the same answer for 24 hours"}});
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (!properties.empty()) {
    auto media = media_type_of(properties);
    json schema{{"type", "object"}, {"properties", std::move(properties)}};
    bool is_required = !required.empty();
    if (is_required) schema["required"] = std::move(required);
    operation["requestBody"] = {{"required", is_required}, {"content", {{media, {{"schema", std::move(schema)}}}}}};
  }
  for (auto& [status, reply] : replies.items())
    if (status >= "400") reply = error_reply(reply["description"].get<std::string>().c_str());
  auto add_error = [&](const char* status, const char* text) {
    if (!replies.contains(status)) replies[status] = error_reply(text);
  };
  if (declared.needs.needs_session()) add_error("401", "Not signed in, or not any more");
  if (declared.needs.needed()) add_error("403", "The role lacks a permission");
  if (operation.contains("requestBody") || operation.contains("parameters"))
    add_error("422", "Some fields are not valid; `errors` names each");
  if (declared.bucket != bucket::none) add_error("429", "Too many requests; `Retry-After` says how long to wait");
  add_error("503", "Not executed; safe to repeat after `Retry-After`");
  operation["responses"] = std::move(replies);
  operation["security"] = declared.needs.needs_session()
                              ? json::array({{{"bearer", json::array()}}, {{"cookie", json::array()}}})
                              : json::array();
  return operation;
}

} // namespace backstay::http
