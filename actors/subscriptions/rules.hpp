#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/subscriptions/messages.hpp"
#include "actors/subscriptions/store.hpp"
#include "integrations/panel/messages.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Decisions about subscriptions: pure, callable from any thread.
namespace backstay::subscriptions::rules {

using store::order;
using store::period;

// ---- Entitlement

/// The periods after buying `bought` (stored ones as they are now, new ones with the id 0). `running`: those not over,
/// in their order, all of the plan `current`. The same plan goes on from its end; a trial of it ends when money is
/// paid. Another plan begins now: what was paid for and not used is carried into it (`carried_days`), first, and the
/// bought days follow; trial, promo and bonus days carry nothing. Never further than 100 years ahead.
std::vector<period> after_grant(std::vector<period> running, const std::optional<plan>& current, const order& bought,
                                timestamp now);

/// The periods after what is left of a cause was taken back, those behind it moved up.
std::vector<period> after_take_back(std::vector<period> running, source from, const std::string& cause, timestamp now);

/// What of a period's worth is not used yet, rounded down.
std::int64_t unused_worth(const period& of, timestamp now);

/// Whole days of `to` for `worth`, or for `left` (time) of `from` where `to` has no price in the worth's currency:
/// floor(worth / price a day). Without such a price the two plans' list prices in another currency decide, and days go
/// over one for one where there is none that both have, or `to` is free in it: there is no rate of exchange here that
/// both sides agreed to, and days that were paid for do not vanish.
int carried_days(const money& worth, std::chrono::microseconds left, const plan& from, const plan& to);

/// When the last of them ends; `otherwise` if there is none that ends later.
timestamp end_of(const std::vector<period>& periods, timestamp otherwise);

/// A trial stays one, whatever free days came on top, until something was paid; everything else is active.
status status_of(const std::vector<period>& periods, timestamp now);

/// Days that money was paid for.
bool is_paid(source from);

// ---- Prices

/// amount − floor(amount × percent / 100): what is left of `minor` ≥ 0 after a discount of 0–100 percent.
std::int64_t discounted(std::int64_t minor, int percent);

/// max(1, days / 30 rounded), a half to the even number.
int months(int days);

/// `what` sold for `days`, with the prices that everybody pays; none if it is not sold for so long.
std::optional<plan> for_days(const plan& what, int days);

/// The price in `currency`; none if it is not sold in it.
std::optional<money> price_in(const plan& what, const std::string& currency);

/// What buying `days` of `what` (none: its default) costs an account with discounts of its own, and brings; they are
/// percents, each taken off what the one before has left.
/// Errors: `invalid` naming `period_days` or `currency` when it is not sold so. A price of zero is one only if a
/// discount makes it so.
quote quote_for(const plan& what, std::optional<int> days, const std::string& currency,
                const std::vector<int>& own_discounts, const std::vector<period>& running,
                const std::optional<plan>& current, timestamp now);

/// Whatever breaks a rule that the fields alone do not show, each named.
std::vector<problem> problems_of(const plan& what);

// ---- The end

struct stage_start {
  std::chrono::hours before; ///< the end
  store::stage stage;
};

/// Three days, a day and an hour before the end it is tried to renew what renews itself, the rest is reminded of its
/// end; a day before the first of these that is announced. Latest first.
inline constexpr std::array stages{stage_start{std::chrono::hours{1}, store::stage::last},
                                   stage_start{std::chrono::hours{24}, store::stage::second},
                                   stage_start{std::chrono::hours{72}, store::stage::first},
                                   stage_start{std::chrono::hours{96}, store::stage::announced}};

/// The stage that a subscription is in that ends at `ends_at`; `expired` once the grace is over. None long before.
std::optional<store::stage> stage_at(timestamp ends_at, std::chrono::microseconds grace, timestamp now);

// ---- What is shown

/// A day that has begun counts; 0 once it is over.
int days_remaining(timestamp expires_at, timestamp now);

/// 0–100; 100 without a limit, or as long as nothing is known of the use.
double traffic_remaining_percent(std::optional<std::int64_t> limit, std::optional<std::int64_t> used);

/// A row as its owner sees it. `known`: what the panel knows of its user.
subscription_view view_of(const store::subscription& row, const std::optional<panel::user>& known, timestamp now);

/// What is shown as the status: past its end everything has expired; a user that the panel's operator disabled or
/// revoked counts as cancelled; LIMITED is active still (contract, mobile.json #14).
status shown_status(status stored, timestamp expires_at, const std::optional<panel::user>& known, timestamp now);

} // namespace backstay::subscriptions::rules
