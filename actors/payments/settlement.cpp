#include "actors/payments/settlement.hpp"

#include "actors/kernel/error.hpp"
#include "actors/notifications/store.hpp"
#include "actors/referrals/store.hpp"
#include "actors/subscriptions/store.hpp"

#include <algorithm>

namespace backstay::payments {

namespace {

using payment_provider::charge;
using subscriptions::plan;

money price_in(const plan& what, const std::string& currency) {
  auto price = std::find_if(what.prices.begin(), what.prices.end(),
                            [&](auto& price) { return price.currency == currency && price.minor > 0; });
  if (price == what.prices.end()) fail_field("currency", "The plan has no price in " + currency);
  return *price;
}

store::record draft(const create_payment& request, const account_id& account, const plan& what, timestamp now) {
  store::record row;
  row.id = payment_id::random();
  row.account = account;
  row.plan = what.id;
  row.plan_name = what.name;
  row.duration_days = what.duration_days;
  row.traffic_limit_bytes = what.traffic_limit_bytes;
  row.max_devices = what.max_devices;
  row.provider = request.provider;
  row.price = price_in(what, request.currency);
  row.claim = request.claim;
  row.created_at = row.tried_at = now;
  row.due_at = now + first_look;
  return row;
}

/// The claim's row is there already: an earlier try died, or nobody heard how it ended.
begun resume(transaction& tx, store::record row, timestamp now) {
  if (!row.external_id.empty()) return {row, begun::next::answer};
  row.state = state::created;
  row.tried_at = now;
  row.due_at = now + first_look;
  row.looks = 0;
  store::save(tx, row);
  return {row, begun::next::find};
}

account_id buyer_of(const create_payment& request) {
  auto account = request.account.value_or(request.caller.account);
  if (account != request.caller.account && !request.caller.may(permission::manage))
    fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
  return account;
}

} // namespace

begun begin(transaction& tx, const create_payment& request, timestamp now) {
  auto account = buyer_of(request);
  if (request.claim)
    if (auto row = store::lock_claimed(tx, *request.claim)) return resume(tx, *row, now);
  auto plan = subscriptions::store::find_plan(tx, request.plan);
  if (!plan) fail(ec::not_found, "Plan not found: " + request.plan, "PLAN_NOT_FOUND");
  auto row = draft(request, account, *plan, now);
  if (store::insert(tx, row)) return {row, begun::next::create};
  return resume(tx, store::lock_claimed(tx, *request.claim).value(), now);
}

void note_attempt(transaction& tx, const payment_id& id, state outcome, timestamp now) {
  auto row = store::lock(tx, id);
  if (!row || row->state != state::created) return; // the poller or a webhook knows better by now
  row->state = outcome;
  row->due_at = outcome == state::failed ? std::nullopt : std::optional{now + first_look};
  store::save(tx, *row);
}

namespace {

plan bought_plan(const store::record& row) {
  return {.id = row.plan,
          .name = row.plan_name,
          .prices = {row.price},
          .duration_days = row.duration_days,
          .traffic_limit_bytes = row.traffic_limit_bytes,
          .max_devices = row.max_devices};
}

/// Lock order: payment row (held already), account row (by `grant`), then the ledger's books.
void settle(transaction& tx, store::record& row, timestamp now) {
  subscriptions::store::grant(tx, row.account,
                              {bought_plan(row), row.price, subscriptions::source::payment, to_string(row.id)}, now);
  notifications::store::notify(
      tx, row.account,
      {live::notification_kind::payment_confirmed, "Payment received", row.plan_name + " is active", "/subscription"},
      now);
  referrals::store::reward(tx, row.account, row.id, row.price, now);
  auto transfers = bookings(row);
  // An unpaid row whose money is booked contradicts the one transaction of both: nothing is guessed, the ledger's
  // doctor shows it.
  if (wallet::store::post(tx, transfers, now) != transfers.size())
    fail(ec::internal, "the payment is booked but not paid");
  row.settled_at = now;
}

void put_before_a_person(store::record& row, const std::string& why) {
  if (row.review.find(why) != std::string::npos) return; // seen again
  row.review += (row.review.empty() ? "" : "; ") + why;
}

void take_identity(store::record& row, const charge& seen) {
  row.external_id = seen.external_id;
  if (!seen.url.empty()) row.payment_url = seen.url;
  if (seen.expires_at) row.expires_at = seen.expires_at;
}

/// The row keeps being watched in a new state.
void watch(store::record& row, state next, timestamp now) {
  row.state = next;
  row.looks = 0;
  row.due_at = next_look(row, now, 0.5);
}

void end(store::record& row, state last) {
  row.state = last;
  row.due_at.reset();
}

void take(transaction& tx, step what, store::record& row, const charge& seen, timestamp now) {
  if (what == step::hold || what == step::review) put_before_a_person(row, reason(row, seen));
  if (what != step::review) take_identity(row, seen);
  switch (what) {
  case step::await:
    return watch(row, state::pending, now);
  case step::expire:
    return watch(row, state::expired, now);
  case step::settle:
    settle(tx, row, now);
    return end(row, state::paid);
  case step::fail:
    return end(row, state::failed);
  case step::hold:
    return end(row, state::held);
  case step::refund:
    return end(row, state::refunded);
  case step::review:
  case step::nothing:
    return;
  }
}

} // namespace

std::optional<applied> apply(transaction& tx, const std::string& provider, const charge& seen, timestamp now) {
  auto row = store::lock_charged(tx, provider, seen.external_id, seen.payment);
  if (!row) return std::nullopt;
  auto what = decide(*row, seen);
  if (what != step::nothing) {
    take(tx, what, *row, seen, now);
    store::save(tx, *row);
  }
  return applied{what, *row};
}

void close(transaction& tx, const payment_id& id, timestamp looked_at) {
  auto row = store::lock(tx, id);
  if (!row || !row->due_at || looked_at < closing_time(*row)) return;
  row->state = state_at_closing(row->state).value_or(row->state);
  row->due_at.reset();
  store::save(tx, *row);
}

} // namespace backstay::payments
