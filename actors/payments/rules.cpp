#include "actors/payments/rules.hpp"

#include "actors/kernel/error.hpp"

#include <algorithm>

namespace backstay::payments {

namespace {

using payment_provider::charge;
using payment_provider::charge_state;
using namespace std::chrono_literals;

bool is_settled(state s) { return s == state::paid || s == state::refunded || s == state::held; }

/// A create whose answer was lost, and that was repeated, can leave two charges for one row.
bool is_another_charge(const store::record& ours, const charge& seen) {
  return !ours.external_id.empty() && ours.external_id != seen.external_id;
}

step on_paid(const store::record& ours, const charge& seen) {
  if (is_settled(ours.state)) return is_another_charge(ours, seen) ? step::review : step::nothing;
  return seen.price == ours.price ? step::settle : step::hold;
}

step on_refunded(const store::record& ours) {
  if (ours.state == state::paid) return step::review;
  return is_settled(ours.state) ? step::nothing : step::refund;
}

bool is_open(state s) { return s == state::created || s == state::unknown || s == state::pending; }

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
  if (seen.state == charge_state::refunded) return "refunded at the provider after it was settled";
  if (is_settled(ours.state)) return "paid a second time, as charge " + seen.external_id;
  return "paid " + to_decimal(seen.price) + " " + seen.price.currency + " instead of " + to_decimal(ours.price) + " " +
         ours.price.currency;
}

charge best_of(const std::vector<charge>& charges) {
  auto worth = [](const charge& one) {
    return (one.state == charge_state::paid) * 2 + (one.state == charge_state::pending);
  };
  return *std::max_element(charges.begin(), charges.end(), [&](auto& a, auto& b) { return worth(a) < worth(b); });
}

std::vector<wallet::transfer> bookings(const payment& what) {
  using wallet::cause_kind;
  auto id = to_string(what.id);
  auto buyer = wallet::wallet_of(what.account);
  return {{{cause_kind::payment, id}, wallet::provider(what.provider), buyer, what.price},
          {{cause_kind::purchase, id}, buyer, wallet::revenue(), what.price}};
}

bool is_certainly_not_executed(ec code) {
  return code == ec::unavailable || code == ec::overloaded || code == ec::restarting;
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
  if (!awaits_provider(ours.state) && now >= end_of(ours)) return 1h;
  auto doublings = std::clamp(ours.looks, 0, 10);
  return std::min<std::chrono::seconds>(5s * (1 << doublings), 10min);
}

} // namespace

timestamp closing_time(const store::record& ours) {
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
