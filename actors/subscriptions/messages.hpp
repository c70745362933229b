#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"

#include <caf/typed_actor.hpp>

#include <optional>
#include <string>
#include <vector>

/// What can be bought and what an account is entitled to. The panel only carries it out.
namespace backstay::subscriptions {

template <class T>
void admitted(const T&);

struct plan {
  plan_id id;
  std::string name, description;
  std::vector<money> prices; ///< one a currency
  int duration_days = 30;
  std::optional<std::int64_t> traffic_limit_bytes; ///< none: unlimited
  std::optional<int> max_devices;
  std::vector<std::string> features;
  bool is_active = true;
  bool operator==(const plan&) const = default;
};

struct plan_list {
  std::vector<plan> items;
};

/// The plans on sale, cheapest position first.
struct list_plans {
  using reply = plan_list;
};

enum class status : std::uint8_t { none, active, expired, trial, cancelled };

/// Why an account is entitled to some days.
enum class source : std::uint8_t { payment, purchase, trial, promo, bonus, admin };

/// An account's subscription with what the panel knows of its use.
struct subscription_view {
  std::optional<subscription_id> id;
  std::optional<plan_id> plan;
  account_id account;
  std::optional<std::string> plan_name;
  subscriptions::status status = status::none;
  std::optional<timestamp> started_at, expires_at;
  std::optional<std::int64_t> traffic_limit_bytes, used_traffic_bytes;
  std::optional<int> max_devices;
  bool auto_renew = false;
  int days_remaining = 0;
  double traffic_remaining_percent = 0; ///< 0–100; 100 when unlimited
};

/// Traffic comes from the panel, at most 45 s old; when the panel is away the last known state is shown.
struct get_active {
  using reply = subscription_view;
  account_id account;
};

struct connection_config {
  std::string config; ///< the text that VPN clients import
  std::optional<std::string> subscription_url;
};

/// Errors: `not_found` for another's account (unless the caller may manage) or without a panel user; `unavailable`.
struct get_config {
  using reply = connection_config;
  backstay::caller caller;
  account_id account;
};

/// Makes the panel's user say what our row says: creates, extends, re-enables. Idempotent; asked by the outbox.
/// Errors: `unavailable`, `timeout`, `upstream`: repeat later.
struct sync_panel_user {
  using reply = done;
  account_id account;
};

/// The panel's user of that name has changed: what is remembered of its traffic is out of date.
struct forget_usage {
  using reply = done;
  std::string username;
};

using subscriptions_actor = caf::typed_actor<answers<list_plans>, answers<get_active>, answers<get_config>,
                                             answers<sync_panel_user>, answers<forget_usage>>;

} // namespace backstay::subscriptions

template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::source>{"payment", "purchase", "trial",
                                                                                "promo",   "bonus",    "admin"};

template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::status>{"none", "active", "expired", "trial",
                                                                                "cancelled"};
