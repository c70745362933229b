#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/subscriptions/messages.hpp"
#include "integrations/panel/messages.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// Decisions about subscriptions: pure, callable from any thread.
namespace backstay::subscriptions::rules {

/// What an account has when it buys.
struct standing {
  subscriptions::plan plan; ///< as it is now; it may be off sale
  subscriptions::status status = status::none;
  timestamp started_at, expires_at;
};

struct period {
  timestamp started_at, expires_at;
  bool operator==(const period&) const = default;
};

/// From when to when an account is entitled after buying `bought`: the same plan goes on from its end while it runs;
/// another one begins now, with what is left of the old one added (`carried_days`). Never further than 100 years ahead.
period period_after(const std::optional<standing>& current, const plan& bought, timestamp now);

/// Whole days of `from` as days of `to`: floor(unused value / new price a day), by the prices in a currency that both
/// have; day for day where they have none, or the new plan is free.
int carried_days(int days, const plan& from, const plan& to);

/// A day that has begun counts; 0 once it is over.
int days_remaining(timestamp expires_at, timestamp now);

/// 0–100; 100 without a limit, or as long as nothing is known of the use.
double traffic_remaining_percent(std::optional<std::int64_t> limit, std::optional<std::int64_t> used);

/// What is shown as the status: past its end everything has expired; a user that the panel's operator disabled or
/// revoked counts as cancelled; LIMITED is active still (contract, mobile.json #14).
status shown_status(status stored, timestamp expires_at, const std::optional<panel::user>& known, timestamp now);

/// The account's name at the panel: `bs_<number>`.
std::string panel_username(std::int64_t account_number);

} // namespace backstay::subscriptions::rules
