#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"

namespace backstay::http::mobile {

namespace {

using monitoring::server;

template <class T>
constexpr auto of_node(const char* name, T panel::node::*member, rule limits = {}) {
  return field(
      name, [member](const server& s) { return s.node.*member; }, limits);
}

constexpr shape server_shape{
    of_node("uuid", &panel::node::id),
    of_node("id", &panel::node::id),
    of_node("name", &panel::node::name, example(R"("Frankfurt DE-1")")),
    of_node("address", &panel::node::address),
    of_node("port", &panel::node::port),
    of_node("country_code", &panel::node::country_code, example(R"("DE")")),
    field("status", &server::status, example(R"("online")")),
    of_node("is_connected", &panel::node::is_connected),
    field("is_available", [](const server& s) { return s.status == live::server_status::online; }),
    of_node("is_disabled", &panel::node::is_disabled),
    of_node("created_at", &panel::node::created_at),
    of_node("updated_at", &panel::node::updated_at),
    of_node("traffic_used_bytes", &panel::node::traffic_used_bytes),
    of_node("inbound_count", &panel::node::inbound_count),
    of_node("users_online", &panel::node::users_online),
};

constexpr shape server_status{
    of_node("uuid", &panel::node::id),
    field("status", &server::status, example(R"("online")")),
    of_node("is_connected", &panel::node::is_connected),
    of_node("users_online", &panel::node::users_online),
    field("last_checked_at", &server::checked_at),
};

constexpr shape received{field("status", [](const done&) { return std::string{"ok"}; })};

constexpr std::tuple endpoints{
    get<monitoring::list_servers>("/api/v1/servers", permission::server_read, bucket::general,
                                  "The VPN servers and how they are",
                                  answers(200, list_of(&monitoring::server_list::items, server_shape)),
                                  from_query("offset", &monitoring::list_servers::offset, between(0, 1'000'000)),
                                  from_query("limit", &monitoring::list_servers::limit, between(1, 500))),

    get<monitoring::get_server>("/api/v1/servers/{id}", permission::server_read, bucket::general, "One VPN server",
                                answers(200, server_shape), fails(404, "No such server"),
                                from_path("id", &monitoring::get_server::id)),

    get<monitoring::get_server>("/api/v1/servers/{id}/status", permission::server_read, bucket::general,
                                "How one VPN server is", answers(200, server_status), fails(404, "No such server"),
                                from_path("id", &monitoring::get_server::id)),
};

constexpr std::tuple webhooks{
    post<provisioning::receive_webhook>(
        "/api/v1/webhooks/remnawave", allow::anyone, bucket::none, "The panel tells of a change",
        answers(200, received), fails(401, "The signature is wrong, or its time is too far off"), body_up_to(1'048'576),
        from_raw_body(&provisioning::receive_webhook::body), from_headers(&provisioning::receive_webhook::headers)),
};

} // namespace

void add_servers(router& to, const domains& who) {
  add_endpoints(to, family, "Servers", who.monitoring, endpoints);
  add_endpoints(to, family, "Webhooks", who.provisioning, webhooks);
}

} // namespace backstay::http::mobile
