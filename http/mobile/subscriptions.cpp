#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/subscription_shape.hpp"

#include <algorithm>

namespace backstay::http::mobile {

namespace {

using subscriptions::plan;
using subscriptions::status;

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

/// As it was after the cancellation, under the names that each client reads.
constexpr shape cancelled{
    field("status", [](const subscriptions::cancellation&) { return status::cancelled; }),
    field("effective_until", &subscriptions::cancellation::effective_until, "Access lasts until then"),
    field("message",
          [](const subscriptions::cancellation&) {
            return std::string{"Subscription cancelled. You retain access until the current period ends."};
          }),
    field("canceled_at", &subscriptions::cancellation::cancelled_at),
    field("cancelled_at", &subscriptions::cancellation::cancelled_at, "The same again"),
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

    post<subscriptions::cancel>("/api/v1/subscriptions/cancel", allow::signed_in, bucket::general,
                                "End my subscription with its period: it is not renewed",
                                answers(200, cancelled, "Again changes nothing"), fails(400, "NO_ACTIVE_SUBSCRIPTION"),
                                fails(429, "More than 3 an hour"), from_session(&subscriptions::cancel::account),
                                from_json("reason", &subscriptions::cancel::reason, length(0, 50)),
                                from_json("feedback", &subscriptions::cancel::feedback, length(0, 1000))),
};

} // namespace

void add_plans_and_subscriptions(router& to, const domains& who) {
  add_endpoints(to, family, "Subscriptions", who.subscriptions, endpoints);
}

} // namespace backstay::http::mobile
