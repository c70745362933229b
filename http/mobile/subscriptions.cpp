#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"

#include <algorithm>

namespace backstay::http::mobile {

namespace {

using subscriptions::plan;
using subscriptions::status;
using subscriptions::subscription_view;

std::optional<std::int64_t> gigabytes(const plan& p) {
  return p.traffic_limit_bytes ? std::optional{*p.traffic_limit_bytes / (std::int64_t{1} << 30)} : std::nullopt;
}

std::string duration_name(const plan& p) {
  if (p.duration_days >= 3650) return "lifetime";
  if (p.duration_days >= 300) return "yearly";
  return p.duration_days >= 80 ? "quarterly" : "monthly";
}

/// For clients with room for only one price: dollars where there are any.
money first_price(const plan& p) {
  auto in_dollars = std::find_if(p.prices.begin(), p.prices.end(), [](auto& each) { return each.currency == "USD"; });
  if (in_dollars != p.prices.end()) return *in_dollars;
  return p.prices.empty() ? money{0, "USD"} : p.prices.front();
}

constexpr shape price{
    field(
        "amount", [](const money& m) { return m; }, example("9.99")),
    field("currency", &money::currency, example(R"("USD")")),
};

constexpr shape plan_shape{
    field("uuid", &plan::id),
    field("id", &plan::id),
    field("name", &plan::name, example(R"("Premium Monthly")")),
    field("description", &plan::description),
    field("price", first_price, example("9.99")),
    field(
        "currency", [](const plan& p) { return first_price(p).currency; }, example(R"("USD")")),
    field("prices", &plan::prices, price, "One a currency; create a payment in one of these"),
    field("duration", duration_name, example(R"("monthly")")),
    field("durationDays", &plan::duration_days),
    field("duration_days", &plan::duration_days),
    field("dataLimitGb", gigabytes, rule{}, "null: unlimited"),
    field("traffic_limit_gb", gigabytes),
    field("maxDevices", &plan::max_devices),
    field("max_devices", &plan::max_devices),
    field("features", &plan::features),
    field("isActive", &plan::is_active),
};

/// Shown only while there is a subscription: the app takes their absence for "none".
template <class T>
constexpr auto if_any(const char* name, T subscription_view::*member) {
  return optional_field(name, member);
}

constexpr shape active_subscription{
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

constexpr shape config{
    field("config", &subscriptions::connection_config::config, "What VPN clients import"),
    field("subscriptionUrl", &subscriptions::connection_config::subscription_url),
    field("subscription_url", &subscriptions::connection_config::subscription_url),
};

constexpr std::tuple endpoints{
    get<subscriptions::list_plans>("/api/v1/plans", allow::anyone, bucket::general, "The plans on sale",
                                   answers(200, list_of(&subscriptions::plan_list::items, plan_shape))),

    get<subscriptions::get_active>("/api/v1/subscriptions/active", allow::signed_in, bucket::general,
                                   "My subscription, with traffic as the panel knows it",
                                   answers(200, active_subscription),
                                   from_session(&subscriptions::get_active::account)),

    get<subscriptions::get_config>(
        "/api/v1/subscriptions/config/{user_uuid}", allow::signed_in, bucket::general,
        "How to connect: my own configuration", answers(200, config), fails(404, "Another's, or not provisioned yet"),
        from_session(&subscriptions::get_config::caller), from_path("user_uuid", &subscriptions::get_config::account)),
};

} // namespace

void add_plans_and_subscriptions(router& to, const domains& who) {
  add_endpoints(to, family, "Subscriptions", who.subscriptions, endpoints);
}

} // namespace backstay::http::mobile
