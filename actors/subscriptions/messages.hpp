#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/json_object.hpp"
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

/// When a plan's traffic limit begins anew: at midnight UTC, on Mondays, on the first of the month, on the day of the
/// month that the panel's user was made on.
enum class traffic_reset : std::uint8_t { never, daily, weekly, monthly, rolling };

/// For how long a plan is sold, and what that costs.
struct offer {
  int days = 30;
  std::vector<money> prices; ///< one a currency, before the discount; a currency without a price is not sold in
  int discount_percent = 0;  ///< 0–100, for everybody
  bool operator==(const offer&) const = default;
};

/// What a provider that keeps prices itself calls an offer: a Stripe price, a LemonSqueezy variant.
struct price_name {
  int days = 30;
  std::string provider, name;
  bool operator==(const price_name&) const = default;
};

struct plan {
  plan_id id;
  std::string name, description;
  std::vector<money> prices; ///< of the default period, its discount taken off: what is charged; one a currency
  int duration_days = 30;    ///< the default period
  std::optional<std::int64_t> traffic_limit_bytes; ///< none: unlimited
  std::optional<int> max_devices;
  std::vector<std::string> features;
  bool is_active = true;           ///< on sale
  std::int64_t number = 0;         ///< its integer id; given when it is stored
  std::string audience = "vpn";    ///< which product it is of: [a-z_]{1,30}
  std::optional<std::string> code; ///< how that product's programs call it, such as "professional"
  int position = 0;                ///< in lists, ascending
  bool is_popular = false;
  bool is_trial = false; ///< what a trial gives
  subscriptions::traffic_reset traffic_reset = traffic_reset::never;
  std::vector<offer> offers;           ///< ascending by days, the default period among them
  std::vector<price_name> price_names; ///< at most one an offer and provider
  json_object attributes;              ///< what only that product's programs read
  bool operator==(const plan&) const = default;
};

struct plan_list {
  std::vector<plan> items;
};

/// The plans of one product that are on sale, lowest position first.
struct list_plans {
  using reply = plan_list;
  std::string audience = "vpn";
};

struct plan_page {
  std::vector<plan> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// Every plan, also those that are off sale, by product and position: for administrators.
struct list_all_plans {
  using reply = plan_page;
  std::optional<std::string> audience; ///< none: of every product
  std::int64_t offset = 0, limit = 50;
};

/// Errors: `not_found`.
struct get_plan {
  using reply = plan;
  plan_id id;
};

/// Stores a new plan, or all of an old one anew. Who has bought it keeps what was bought. Audited.
/// Errors: `invalid` naming every field, `conflict` (the name, the code or a provider's name is another plan's),
/// `not_found`.
struct save_plan {
  using reply = plan;
  backstay::caller caller;
  backstay::origin origin;
  std::optional<plan_id> id;     ///< none: a new one
  std::optional<claim_id> claim; ///< of the Idempotency-Key: becomes the new plan's id
  std::string name, description;
  std::string audience = "vpn";
  std::optional<std::string> code;
  int position = 0;
  bool is_active = true, is_popular = false, is_trial = false;
  std::optional<std::int64_t> traffic_limit_bytes;
  subscriptions::traffic_reset traffic_reset = traffic_reset::never;
  std::optional<int> max_devices;
  std::vector<std::string> features;
  json_object attributes;
  int duration_days = 30;
  std::vector<offer> offers;
  std::vector<price_name> price_names;
};

/// Takes a plan off sale. What was sold of it stays. Idempotent, audited. Errors: `not_found`.
struct retire_plan {
  using reply = plan;
  backstay::caller caller;
  backstay::origin origin;
  plan_id id;
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

/// What a purchase would be to the buyer.
enum class step : std::uint8_t { first, renewal, upgrade, downgrade };

/// What a purchase costs and brings.
struct quote {
  plan_id plan;
  std::string plan_name;
  int days = 0;
  money list_price;         ///< with the offer's discount, before the buyer's own
  money price;              ///< what is charged
  int discount_percent = 0; ///< the buyer's own, all together, rounded down
  money price_a_month;      ///< rounded down
  subscriptions::step step = step::first;
  int carried_days = 0; ///< whole days of the new plan for what was not used of the old one
  timestamp starts_at, expires_at;
  bool operator==(const quote&) const = default;
};

/// Errors: `not_found` (no such plan on sale, or nothing to renew), `invalid` (not sold for so long, or in that
/// currency).
struct preview {
  using reply = quote;
  account_id account;
  std::optional<std::string> plan; ///< id, number or name; none: the plan that the account has (a renewal)
  std::optional<int> days;         ///< none: the default period
  std::string currency = "USD";
};

struct receipt {
  uuid id; ///< of the purchase; the ledger's cause
  subscription_id subscription;
  plan_id plan;
  std::string plan_name;
  int days = 0;
  money paid, balance; ///< what was paid, and what the wallet has now
  timestamp started_at, expires_at;
  std::optional<std::int64_t> traffic_limit_bytes;
  std::optional<int> max_devices;
};

/// Buys from the balance: a first plan, more of the same (renewal) or another one (upgrade and downgrade), in one
/// transaction. A repeat with the same claim is answered again and costs nothing.
/// Errors: as `preview`; `refused` named INSUFFICIENT_FUNDS with what is missing.
struct purchase {
  using reply = receipt;
  account_id account;
  std::optional<std::string> plan; ///< as in `preview`
  std::optional<int> days;
  std::string currency = "USD";
  std::optional<claim_id> claim; ///< of the Idempotency-Key
};

struct cancellation {
  timestamp effective_until, cancelled_at;
};

/// Ends it with the period: it is not renewed, and stays until then. Idempotent: the first time and reason stand.
/// Errors: `refused` named NO_ACTIVE_SUBSCRIPTION, `too_many` (3 an hour an account).
struct cancel {
  using reply = cancellation;
  account_id account;
  std::optional<std::string> reason, feedback;
};

/// Takes a cancellation back while the period runs. Renewing by itself needs a new consent (`set_autopay`).
/// Errors: `refused` named NO_ACTIVE_SUBSCRIPTION.
struct reactivate {
  using reply = subscription_view;
  account_id account;
};

/// How a subscription is renewed by itself.
struct autopay {
  bool is_on = false;
  std::optional<uuid> method; ///< a saved payment method, for what the balance does not cover; none: only the balance
  std::optional<int> days;    ///< none: the plan's default period
  std::string currency;       ///< empty while it was never switched on
};

/// The owner's consent to be charged before the end of each period, or its end. Switching on takes a cancellation back.
/// Errors: `refused` named NO_ACTIVE_SUBSCRIPTION, `invalid` (the plan is not sold so).
struct set_autopay {
  using reply = autopay;
  account_id account;
  bool on = false;
  std::optional<uuid> method;
  std::optional<int> days;
  std::string currency = "USD";
};

struct get_autopay {
  using reply = autopay;
  account_id account;
};

/// An account's trial, once ever.
struct trial {
  bool is_eligible = false, is_active = false;
  std::optional<timestamp> starts_at, ends_at; ///< none: it was never used
  int days_remaining = 0;
};

struct get_trial {
  using reply = trial;
  account_id account;
};

struct started_trial {
  timestamp ends_at;
  int days = 0;
  subscription_view subscription;
};

/// Errors: `refused` named TRIAL_USED, also after any subscription.
struct activate_trial {
  using reply = started_trial;
  account_id account;
};

using subscriptions_actor =
    caf::typed_actor<answers<list_plans>, answers<list_all_plans>, answers<get_plan>, answers<save_plan>,
                     answers<retire_plan>, answers<get_active>, answers<get_config>, answers<sync_panel_user>,
                     answers<forget_usage>, answers<preview>, answers<purchase>, answers<cancel>, answers<reactivate>,
                     answers<set_autopay>, answers<get_autopay>, answers<get_trial>, answers<activate_trial>>;

} // namespace backstay::subscriptions

template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::source>{"payment", "purchase", "trial",
                                                                                "promo",   "bonus",    "admin"};

template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::status>{"none", "active", "expired", "trial",
                                                                                "cancelled"};
template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::traffic_reset>{"never", "daily", "weekly",
                                                                                       "monthly", "rolling"};
template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::step>{"first", "renewal", "upgrade",
                                                                              "downgrade"};
