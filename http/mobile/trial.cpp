#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/subscription_shape.hpp"

namespace backstay::http::mobile {

namespace {

using subscriptions::activate_trial;
using subscriptions::get_trial;
using subscriptions::started_trial;
using subscriptions::trial;

constexpr shape trial_status{
    field("is_trial_active", &trial::is_active),
    field("trial_start", &trial::starts_at),
    field("trial_end", &trial::ends_at),
    field("days_remaining", &trial::days_remaining),
    field("is_eligible", &trial::is_eligible, "Never had a subscription of any kind"),
    field("trial_used", [](const trial& t) { return t.starts_at.has_value(); }),
};

std::string announce(const started_trial& t) {
  return "Trial activated successfully. Expires in " + std::to_string(t.days) + (t.days == 1 ? " day." : " days.");
}

constexpr shape started{
    field("activated", [](const started_trial&) { return true; }),
    field("trial_end", &started_trial::ends_at),
    field("message", announce, example(R"("Trial activated successfully. Expires in 3 days.")")),
    field("subscription", &started_trial::subscription, active_subscription),
};

constexpr std::tuple endpoints{
    post<activate_trial>("/api/v1/trial/activate", allow::signed_in, bucket::general,
                         "Start my trial: once, and only before any subscription", answers(200, started),
                         fails(400, "TRIAL_USED"), from_session(&activate_trial::account)),
    get<get_trial>("/api/v1/trial/status", allow::signed_in, bucket::general, "My trial", answers(200, trial_status),
                   from_session(&get_trial::account)),
};

} // namespace

void add_trial(router& to, const domains& who) {
  add_endpoints(to, family, "Subscriptions", who.subscriptions, endpoints);
}

} // namespace backstay::http::mobile
