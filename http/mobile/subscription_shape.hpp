#pragma once

#include "actors/subscriptions/messages.hpp"
#include "http/kernel/shape.hpp"

/// A subscription as this family shows it.
namespace backstay::http::mobile {

using subscriptions::subscription_view;

/// Shown only while there is a subscription: the app takes their absence for "none".
template <class T>
constexpr auto if_any(const char* name, T subscription_view::*member) {
  return optional_field(name, member);
}

inline constexpr shape active_subscription{
    field("subscription_uuid", &subscription_view::id),
    field("plan_name", &subscription_view::plan_name, example(R"("Premium Monthly")")),
    field("status", &subscription_view::status, example(R"("active")")),
    field("started_at", &subscription_view::started_at),
    field("expires_at", &subscription_view::expires_at),
    field("traffic_limit_bytes", &subscription_view::traffic_limit_bytes, rule{}, "null: unlimited"),
    field("used_traffic_bytes", &subscription_view::used_traffic_bytes),
    field("auto_renew", &subscription_view::auto_renew),
    field("days_remaining", &subscription_view::days_remaining),
    field("traffic_remaining_percent", &subscription_view::traffic_remaining_percent, example("80.0")),
    if_any("id", &subscription_view::id),
    if_any("plan_id", &subscription_view::plan),
    optional_field("user_id",
                   [](const subscription_view& s) { return s.id ? std::optional{s.account} : std::nullopt; }),
    if_any("start_date", &subscription_view::started_at),
    if_any("end_date", &subscription_view::expires_at),
    if_any("traffic_used_bytes", &subscription_view::used_traffic_bytes),
    if_any("max_devices", &subscription_view::max_devices),
};

} // namespace backstay::http::mobile
