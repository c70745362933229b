#include "actors/payments/rules.hpp"

#include "actors/kernel/error.hpp"

#include <algorithm>

namespace backstay::payments {

namespace {

using payment_provider::charge;
using payment_provider::charge_state;
using payment_provider::method;
using namespace std::chrono_literals;

bool is_settled(state s) { return s == state::paid || s == state::refunded || s == state::held; }

/// A create whose answer was lost, and that was repeated, can leave two charges for one row.
bool is_another_charge(const store::record& ours, const charge& seen) {
  return !ours.external_id.empty() && ours.external_id != seen.external_id;
}

step on_paid(const store::record& ours, const charge& seen) {
  bool is_as_asked = ours.account && seen.price == ours.total() && seen.refunded == 0;
  if (!is_settled(ours.state)) return is_as_asked ? step::settle : step::hold;
  if (is_another_charge(ours, seen)) return step::surplus;
  bool went_back = ours.state != state::refunded && seen.refunded > ours.refunded;
  return went_back ? step::review : step::nothing;
}

step on_refunded(const store::record& ours) {
  if (ours.state == state::paid) return step::reverse;
  return ours.state == state::refunded ? step::nothing : step::refund;
}

bool is_open(state s) { return s == state::created || s == state::unknown || s == state::pending; }

std::string text_of(const money& amount) { return to_decimal(amount) + " " + amount.currency; }

} // namespace

step decide(const store::record& ours, const charge& seen) {
  if (seen.state == charge_state::paid) return on_paid(ours, seen);
  if (is_another_charge(ours, seen)) return step::nothing;
  switch (seen.state) {
  case charge_state::refunded:
    return on_refunded(ours);
  case charge_state::expired:
    return is_open(ours.state) ? step::expire : step::nothing;
  case charge_state::failed:
    return is_open(ours.state) ? step::fail : step::nothing;
  default:
    bool is_news = ours.state == state::created || ours.state == state::unknown || ours.state == state::failed;
    return is_news ? step::await : step::nothing;
  }
}

std::string reason(const store::record& ours, const charge& seen) {
  if (seen.refunded > 0)
    return text_of({seen.refunded, seen.price.currency}) + " of " + text_of(seen.price) + " went back at the provider";
  if (!ours.account) return "paid by nobody we know, Telegram id " + std::to_string(seen.payer.value_or(0));
  return "paid " + text_of(seen.price) + " instead of " + text_of(ours.total());
}

charge best_of(const std::vector<charge>& charges) {
  auto worth = [](const charge& one) {
    return (one.state == charge_state::paid) * 2 + (one.state == charge_state::pending);
  };
  return *std::max_element(charges.begin(), charges.end(), [&](auto& a, auto& b) { return worth(a) < worth(b); });
}

const method& find_method(const std::vector<method>& methods, const std::string& id) {
  auto found = std::find_if(methods.begin(), methods.end(), [&](auto& each) { return each.id == id; });
  if (found == methods.end()) fail_field("payment_method", "No such payment method");
  return *found;
}

void check_takes(const method& by, const money& amount, const std::string& amount_field) {
  if (!by.enabled) fail_field("payment_method", by.title + " is switched off");
  std::string taken;
  for (auto& currency : by.currencies) taken += (taken.empty() ? "" : ", ") + currency;
  if (std::find(by.currencies.begin(), by.currencies.end(), amount.currency) == by.currencies.end())
    fail_field("currency", by.title + " takes " + taken);
  if (amount.minor < by.minimum || amount.minor > by.maximum)
    fail_field(amount_field, by.title + " takes " + to_decimal({by.minimum, amount.currency}) + " to " +
                                 text_of({by.maximum, amount.currency}));
}

std::int64_t fee_of(const money& amount, int rate) {
  constexpr std::int64_t whole = 10'000;
  // In two parts, so that no product is too large.
  return amount.minor / whole * rate + (amount.minor % whole * rate + whole / 2) / whole;
}

bool may_pay(const std::optional<store::record>& ours, const std::string& provider, const money& asked) {
  return ours && ours->provider == provider && is_open(ours->state) && ours->total() == asked;
}

money refundable(const store::record& ours) { return ours.paid.value_or(ours.total()); }

bool is_certainly_not_executed(ec code) {
  return code == ec::unavailable || code == ec::overloaded || code == ec::restarting || code == ec::refused ||
         code == ec::invalid;
}

bool is_not_supported(const fault& what) { return what.code == ec::refused && what.name == "NOT_SUPPORTED"; }

bool is_trouble(const fault& what) {
  return what.code == ec::unavailable || what.code == ec::timeout ||
         (what.code == ec::upstream && what.name == "UPSTREAM_DOWN");
}

bool is_plausible_id(const std::string& id) {
  return !id.empty() && id.size() <= 100 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

namespace {

/// Where the provider names no end, a day: what the providers give an invoice by default.
timestamp end_of(const payment& ours) { return ours.expires_at.value_or(ours.created_at + 24h); }

bool awaits_provider(state s) { return s == state::created || s == state::unknown; }

std::chrono::seconds pause_after(const store::record& ours, timestamp now) {
  bool is_watched = !awaits_provider(ours.state) && !ours.refund_at;
  if (is_watched && now >= end_of(ours)) return 1h;
  auto doublings = std::clamp(ours.looks, 0, 10);
  return std::min<std::chrono::seconds>(5s * (1 << doublings), 10min);
}

} // namespace

timestamp closing_time(const store::record& ours) {
  if (ours.refund_at) return *ours.refund_at + watch_after_expiry;
  return awaits_provider(ours.state) ? ours.tried_at + safe_time : end_of(ours) + watch_after_expiry;
}

timestamp next_look(const store::record& ours, timestamp now, double jitter) {
  auto pause = std::chrono::microseconds{pause_after(ours, now)};
  auto due = now + std::chrono::microseconds{static_cast<std::int64_t>(pause.count() * (0.75 + jitter / 2))};
  auto closing = closing_time(ours);
  return now < closing ? std::min(due, closing) : due;
}

std::optional<state> state_at_closing(state now) {
  if (awaits_provider(now)) return state::failed;
  return now == state::pending ? std::optional{state::expired} : std::nullopt;
}

} // namespace backstay::payments
