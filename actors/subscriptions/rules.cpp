#include "actors/subscriptions/rules.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace backstay::subscriptions::rules {

namespace {

using std::chrono::days;

constexpr days furthest{36500};

using prices = std::pair<std::int64_t, std::int64_t>;

std::optional<prices> prices_in_common_currency(const plan& one, const plan& other) {
  for (auto& price : one.prices)
    for (auto& counterpart : other.prices)
      if (price.currency == counterpart.currency) return prices{price.minor, counterpart.minor};
  return std::nullopt;
}

int whole_days(timestamp from, timestamp to) { return static_cast<int>(std::chrono::floor<days>(to - from).count()); }

int days_left_of_value(const standing& current, const plan& bought, timestamp now) {
  if (current.status == status::trial) return 0; // nothing was paid for them
  return carried_days(whole_days(now, current.expires_at), current.plan, bought);
}

} // namespace

period period_after(const std::optional<standing>& current, const plan& bought, timestamp now) {
  auto until = [&](timestamp moment) { return std::min(moment, now + furthest); };
  bool runs = current && current->expires_at > now;
  if (!runs) return {now, until(now + days{bought.duration_days})};
  if (current->plan.id == bought.id)
    return {current->started_at, until(current->expires_at + days{bought.duration_days})};
  return {now, until(now + days{bought.duration_days} + days{days_left_of_value(*current, bought, now)})};
}

int carried_days(int left, const plan& from, const plan& to) {
  auto common = prices_in_common_currency(from, to);
  if (!common || common->second == 0) return left;
  // A double has 53 bits, these products may have 125.
  __extension__ using wide = __int128;
  wide value = wide{left} * common->first * to.duration_days;
  wide price = wide{common->second} * from.duration_days;
  return static_cast<int>(std::min<wide>(value / price, furthest.count()));
}

int days_remaining(timestamp expires_at, timestamp now) {
  return std::max(0, static_cast<int>(std::chrono::ceil<days>(expires_at - now).count()));
}

double traffic_remaining_percent(std::optional<std::int64_t> limit, std::optional<std::int64_t> used) {
  if (!limit || *limit <= 0 || !used) return 100;
  auto share = static_cast<double>(*limit - *used) / static_cast<double>(*limit);
  return std::clamp(share * 100, 0.0, 100.0);
}

status shown_status(status stored, timestamp expires_at, const std::optional<panel::user>& known, timestamp now) {
  if (expires_at <= now) return status::expired;
  if (known && (known->status == panel::user_status::disabled || known->is_revoked)) return status::cancelled;
  return stored;
}

std::string panel_username(std::int64_t account_number) { return "bs_" + std::to_string(account_number); }

} // namespace backstay::subscriptions::rules
