#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"

namespace backstay::http::mobile {

namespace {

using provisioning::config_profile;
using provisioning::create_template;
using provisioning::template_view;

constexpr shape profile{
    field("uuid", &config_profile::id),
    field("name", &config_profile::name, example(R"("Mobile Optimized")")),
    field("profileType", &config_profile::kind, example(R"("clash")")),
    field("content", &config_profile::content, "JSON for xray_json and singbox, else YAML"),
    field("isDefault", &config_profile::is_default),
    field(
        "description", [](const config_profile&) { return std::nullopt; }, "The panel has none"),
};

constexpr shape made{
    field("uuid", &template_view::id),
    field("name", &template_view::name),
    field("templateType", &template_view::type, example(R"("v2ray")")),
    field("hostUuid", &template_view::host),
    field("inboundTag", &template_view::inbound_tag),
    field("flow", &template_view::flow),
    field("configData", &template_view::config),
};

constexpr std::tuple endpoints{
    get<provisioning::list_profiles>("/api/v1/config-profiles", allow::signed_in, bucket::general,
                                     "What clients' configurations are made from",
                                     answers(200, list_of(&provisioning::profile_list::items, profile)),
                                     fails(502, "The panel has not answered yet")),

    post<create_template>(
        "/api/v1/subscriptions", permission::manage, bucket::general, "Make a template of clients' configurations",
        answers(200, made), fails(409, "TEMPLATE_EXISTS: of that name and type"), fails(502, "The panel refuses"),
        from_session(&create_template::caller), from_origin(&create_template::origin),
        from_json("name", &create_template::name, length(1, 100),
                  "2 or more letters, digits, spaces, dashes and underscores; not Default"),
        from_json("template_type", &create_template::type, length(1, 50).like(R"("v2ray")"),
                  "xray_json (or v2ray, xray), mihomo (or clash_meta), stash, clash or singbox"),
        from_json("host_uuid", &create_template::host, length(0, 255)),
        from_json("inbound_tag", &create_template::inbound_tag, length(0, 100)),
        from_json("flow", &create_template::flow, length(0, 50)),
        from_json("config_data", &create_template::config, anything, "What the template says; the panel's own without"),
        from_idempotency_key(&create_template::claim)),
};

} // namespace

void add_templates(router& to, const domains& who) {
  add_endpoints(to, family, "Subscriptions", who.provisioning, endpoints);
}

} // namespace backstay::http::mobile
