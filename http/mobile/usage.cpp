#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"

namespace backstay::http::mobile {

namespace {

using provisioning::usage_view;

constexpr shape usage{
    field("bandwidth_used_bytes", &usage_view::used_bytes),
    field("bandwidth_limit_bytes", &usage_view::limit_bytes, "0: unlimited"),
    field("connections_active", &usage_view::devices, "Devices that are registered"),
    field("connections_limit", &usage_view::max_devices, example("5"), "0: unlimited"),
    field("period_start", &usage_view::period_start, "Since when the traffic is counted"),
    field("period_end", &usage_view::period_end),
    field("last_connection_at", &usage_view::last_connection_at),
};

constexpr std::tuple endpoints{
    get<provisioning::get_usage>("/api/v1/users/usage-stats", allow::signed_in, bucket::general,
                                 "What I have used of my traffic and devices", answers(200, usage),
                                 from_session(&provisioning::get_usage::account)),
};

} // namespace

void add_usage(router& to, const domains& who) {
  add_endpoints(to, family, "Subscriptions", who.provisioning, endpoints);
}

} // namespace backstay::http::mobile
