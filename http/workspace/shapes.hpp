#pragma once

#include "actors/sessions/messages.hpp"
#include "http/kernel/shape.hpp"

#include <optional>
#include <string>

/// What several tables of this family show.
namespace backstay::http::workspace {

/// Everybody is on the free tier until the workspace's own subscriptions are sold.
inline std::string tier_of(const sessions::account&) { return "free"; }
inline std::nullopt_t no_subscription(const sessions::account&) { return std::nullopt; }

/// An account with its subscription, flat.
inline constexpr shape subscriber{
    field("id", &sessions::account::number, example("42")),
    field("email", [](const sessions::account& a) { return a.email.value_or(""); }),
    field("tier", tier_of, example(R"("free")")),
    field("subscription_status", no_subscription),
    field("subscription_id", no_subscription),
    field("renews_at", no_subscription),
    field("ends_at", no_subscription),
};

inline constexpr auto subscriber_profile =
    extend(subscriber, field("username", &sessions::account::login),
           field("display_name", &sessions::account::display_name), field("avatar_url", &sessions::account::avatar_url),
           field("is_admin", [](const sessions::account& a) { return a.role >= role::admin; }),
           field("created_at", &sessions::account::created_at));

} // namespace backstay::http::workspace
