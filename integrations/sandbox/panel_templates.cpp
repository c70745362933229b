#include "integrations/sandbox/panel_templates.hpp"

#include "integrations/sandbox/panel_validation.hpp"
#include "integrations/sandbox/values.hpp"

#include <algorithm>

namespace backstay::sandbox {

namespace {

using may_be = validation::may_be;

constexpr auto reserved_name = "Default";
constexpr std::string_view name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- \t\r\n\f\v";

bool is_json(const json& type) { return type == "XRAY_JSON" || type == "SINGBOX"; }

json first_content(const std::string& type) {
  if (type == "XRAY_JSON")
    return {{"log", {{"loglevel", "warning"}}}, {"inbounds", json::array()}, {"outbounds", json::array()}};
  return {{"log", {{"level", "warn"}}}, {"inbounds", json::array()}, {"outbounds", json::array()}};
}

constexpr auto first_yaml = "mode: rule\nproxies: # LEAVE THIS LINE!\nrules:\n  - MATCH,PROXY\n";

json make_template(const std::string& name, const std::string& type, std::size_t position) {
  json made{{"uuid", random_uuid()}, {"viewPosition", position}, {"name", name},
            {"templateType", type},  {"templateJson", nullptr},  {"encodedTemplateYaml", nullptr}};
  if (is_json(type)) made["templateJson"] = first_content(type);
  else made["encodedTemplateYaml"] = base64(first_yaml);
  return made;
}

void check_name_field(validation& v, may_be presence) {
  v.text("name", 2, 255, presence);
  v.characters("name", name_characters, R"(/^[A-Za-z0-9_\s-]+$/)",
               "Name can only contain letters, numbers, underscores, dashes and spaces");
}

answer ok(const json& response, int status = 200) { return reply({{"response", response}}, status); }

} // namespace

panel_templates::panel_templates(refusal_maker refuse) : refuse_(std::move(refuse)) {
  for (const auto* type : {"XRAY_JSON", "MIHOMO", "STASH", "CLASH", "SINGBOX"})
    all_.push_back(make_template(reserved_name, type, all_.size() + 1));
}

void panel_templates::declare(routes& table, fake& of, std::function<void()> changed) {
  const std::string root = "/api/subscription-templates";
  const auto changing = [changed = std::move(changed)](auto handle) {
    return [changed, handle](const call& c) {
      changed();
      return handle(c);
    };
  };
  table.api(of, "GET", root, [this](const call&) { return list(); });
  table.api(of, "GET", root + "/{uuid}", [this](const call& c) { return ok(*at(c, c.parameters.at("uuid"))); });
  table.api(of, "POST", root, changing([this](const call& c) { return add(c); }));
  table.api(of, "PATCH", root, changing([this](const call& c) { return change(c); }));
  table.api(of, "DELETE", root + "/{uuid}", changing([this](const call& c) { return remove(c); }));
}

json::iterator panel_templates::at(const call& c, const std::string& uuid) {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const json& each) { return each["uuid"] == uuid; });
  if (found == all_.end()) refuse_(c, 404, "Subscription template not found", "A170");
  return found;
}

void panel_templates::check_name(const call& c, const std::string& name, const std::string& type,
                                 const std::string& except) const {
  if (name == reserved_name) refuse_(c, 400, "This name is reserved. Please use a different name.", "A172");
  const bool is_taken = std::any_of(all_.begin(), all_.end(), [&](const json& each) {
    return each["name"] == name && each["templateType"] == type && each["uuid"] != except;
  });
  if (is_taken) refuse_(c, 400, "Template name already exists for this type", "A176");
}

/// Without the content, as the document says.
answer panel_templates::list() const {
  auto shown = all_;
  for (auto& each : shown) each["templateJson"] = each["encodedTemplateYaml"] = nullptr;
  return ok({{"total", shown.size()}, {"templates", shown}});
}

answer panel_templates::add(const call& c) {
  const auto body = json::parse(c.body);
  validation v(body);
  check_name_field(v, may_be::required);
  v.text("templateType", 0, 64, may_be::required);
  v.choice("templateType", {"XRAY_JSON", "XRAY_BASE64", "MIHOMO", "STASH", "CLASH", "SINGBOX"});
  v.finish();
  const auto name = body["name"].get<std::string>(), type = body["templateType"].get<std::string>();
  check_name(c, name, type, {});
  if (type == "XRAY_BASE64") refuse_(c, 400, "Template type not allowed", "A180");
  all_.push_back(make_template(name, type, all_.size() + 1));
  return ok(all_.back(), 201);
}

answer panel_templates::change(const call& c) {
  const auto body = json::parse(c.body);
  validation v(body);
  v.uuid("uuid", may_be::required);
  check_name_field(v, may_be::absent);
  v.text("encodedTemplateYaml", 0, 1'000'000);
  if (body.contains("templateJson") && !body["templateJson"].is_object())
    v.fail("templateJson", "Invalid input: expected object");
  v.finish();
  auto& found = *at(c, body["uuid"].get<std::string>());
  const bool has_json = body.contains("templateJson"), has_yaml = body.contains("encodedTemplateYaml");
  if (body.contains("name"))
    check_name(c, body["name"].get<std::string>(), found["templateType"].get<std::string>(),
               found["uuid"].get<std::string>());
  if (has_json && !is_json(found["templateType"]))
    refuse_(c, 400, "Template JSON is not allowed for YAML template", "A173");
  if (has_yaml && is_json(found["templateType"]))
    refuse_(c, 400, "Template YAML is not allowed for JSON template", "A174");
  for (const auto* member : {"name", "templateJson", "encodedTemplateYaml"})
    if (body.contains(member)) found[member] = body[member];
  return ok(found);
}

answer panel_templates::remove(const call& c) {
  const auto found = at(c, c.parameters.at("uuid"));
  if ((*found)["name"] == reserved_name) refuse_(c, 400, "Reserved template cannot be deleted", "A178");
  all_.erase(found);
  return {204};
}

} // namespace backstay::sandbox
