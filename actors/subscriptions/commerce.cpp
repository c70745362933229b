#include "actors/subscriptions/commerce.hpp"

#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/promotions/store.hpp"
#include "actors/subscriptions/rules.hpp"
#include "actors/wallet/store.hpp"

namespace backstay::subscriptions {

namespace {

using store::subscription;

[[noreturn]] void fail_without_subscription() {
  fail(ec::refused, "There is no active subscription", "NO_ACTIVE_SUBSCRIPTION");
}

/// The plan that is asked for, on sale; without a name the account's own, for a renewal.
plan find_wanted(transaction& tx, const account_id& account, const std::optional<std::string>& name) {
  auto current = name ? std::nullopt : store::find_current(tx, account);
  auto found = name      ? store::find_plan(tx, *name)
               : current ? store::find_plan(tx, to_string(current->plan))
                         : std::nullopt;
  if (!found) fail(ec::not_found, name ? "Plan not found: " + *name : "There is nothing to renew", "PLAN_NOT_FOUND");
  return *found;
}

std::optional<plan> plan_of(transaction& tx, const std::optional<subscription>& current) {
  return current ? store::find_any_plan(tx, current->plan) : std::nullopt;
}

/// The account stays locked, so that what is decided about its subscription still holds when it is written.
subscription lock_running(transaction& tx, const account_id& account, timestamp now) {
  store::lock_account(tx, account);
  auto current = store::find_current(tx, account);
  if (!current || current->expires_at <= now) fail_without_subscription();
  return *current;
}

receipt receipt_of(transaction& tx, const account_id& account, const store::period& bought) {
  auto current = store::find_current(tx, account).value();
  auto what = store::find_any_plan(tx, bought.plan).value();
  auto& currency = bought.paid.currency;
  return {.id = uuid::parse(bought.cause).value(),
          .subscription = current.id,
          .plan = what.id,
          .plan_name = what.name,
          .days = bought.days,
          .paid = bought.paid,
          .balance = {wallet::store::balance_of(tx, account, currency), currency},
          .started_at = current.started_at,
          .expires_at = current.expires_at,
          .traffic_limit_bytes = current.traffic_limit_bytes,
          .max_devices = current.max_devices};
}

} // namespace

quote price(transaction& tx, const account_id& account, const plan& what, std::optional<int> days,
            const std::string& currency, timestamp now) {
  auto current = plan_of(tx, store::find_current(tx, account));
  auto own = promotions::store::discount_of(tx, account, now);
  return rules::quote_for(what, days, currency, {own.group_percent, own.offer_percent},
                          store::list_periods(tx, account, now), current, now);
}

quote perform(transaction& tx, const preview& asked, timestamp now) {
  return price(tx, asked.account, find_wanted(tx, asked.account, asked.plan), asked.days, asked.currency, now);
}

// The ledger's books are locked last, as everywhere; a short balance rolls the grant back, and gives the offer back
// that was used up.
receipt buy(transaction& tx, const account_id& account, const wish& wanted, timestamp now) {
  auto cost = price(tx, account, wanted.what, wanted.days, wanted.currency, now);
  promotions::store::use_discount(tx, account, now);
  auto id = to_string(wanted.id);
  store::grant(tx, account, {rules::for_days(wanted.what, cost.days).value(), cost.price, source::purchase, id}, now);
  if (cost.price.minor > 0) wallet::store::spend(tx, account, cost.price, {wallet::cause_kind::purchase, id}, now);
  return receipt_of(tx, account, store::find_period(tx, source::purchase, id).value());
}

receipt perform(transaction& tx, const purchase& wanted, timestamp now) {
  store::lock_account(tx, wanted.account);
  auto id = wanted.claim ? uuid{*wanted.claim} : uuid::random();
  if (auto bought = store::find_period(tx, source::purchase, to_string(id)))
    return receipt_of(tx, wanted.account, *bought);
  auto what = find_wanted(tx, wanted.account, wanted.plan);
  return buy(tx, wanted.account, {what, wanted.days, wanted.currency, id}, now);
}

namespace {

/// Whoever cancels and comes back over and over is slowed down (contract, mobile.json #15).
constexpr budgets::budget cancellations{.per_minute = 3, .per_hour = 3};

void take_from_budget(transaction& tx, const account_id& account, timestamp now) {
  auto wait = budgets::store::take(tx, "cancel:account:" + to_string(account), cancellations, now);
  if (wait.count() == 0) return;
  auto text = "Rate limit exceeded. Try again in " + std::to_string(wait.count()) + " seconds.";
  fail({.code = ec::too_many, .message = text, .retry_after = wait});
}

} // namespace

cancellation perform(transaction& tx, const cancel& wanted, timestamp now) {
  take_from_budget(tx, wanted.account, now); // given back by the rollback where there is nothing to cancel
  auto current = lock_running(tx, wanted.account, now);
  if (current.status == status::cancelled) return {current.expires_at, current.cancelled_at.value_or(now)};
  current.status = status::cancelled;
  current.cancelled_at = now;
  current.autopay.is_on = false;
  store::save_terms(tx, current, wanted.reason, wanted.feedback, now);
  return {current.expires_at, now};
}

namespace {

/// As it was before it was cancelled.
void take_cancellation_back(transaction& tx, subscription& current, timestamp now) {
  current.status = rules::status_of(store::list_periods(tx, current.account, now), now);
  current.cancelled_at.reset();
}

} // namespace

subscription_view perform(transaction& tx, const reactivate& wanted, timestamp now) {
  auto current = lock_running(tx, wanted.account, now);
  if (current.status == status::cancelled) {
    take_cancellation_back(tx, current, now);
    store::save_terms(tx, current, {}, {}, now);
  }
  return rules::view_of(current, {}, now);
}

autopay perform(transaction& tx, const set_autopay& wanted, timestamp now) {
  auto current = lock_running(tx, wanted.account, now);
  current.autopay.is_on = current.auto_renew = wanted.on;
  if (wanted.on) {
    auto what = find_wanted(tx, wanted.account, std::nullopt);
    price(tx, wanted.account, what, wanted.days, wanted.currency, now); // refused now rather than at the end
    current.autopay = {true, wanted.method, wanted.days, wanted.currency};
    take_cancellation_back(tx, current, now);
  }
  store::save_terms(tx, current, {}, {}, now);
  return current.autopay;
}

trial perform(transaction& tx, const get_trial& asked, timestamp now) {
  auto used = store::find_trial(tx, asked.account);
  if (!used) return {.is_eligible = !store::find_current(tx, asked.account)};
  return {.is_active = used->ends_at > now,
          .starts_at = used->starts_at,
          .ends_at = used->ends_at,
          .days_remaining = rules::days_remaining(used->ends_at, now)};
}

// Of parallel tries the first one makes the subscription that the others find: they wait for the account's row.
started_trial perform(transaction& tx, const activate_trial& wanted, const plan& terms, timestamp now) {
  store::lock_account(tx, wanted.account);
  if (store::find_current(tx, wanted.account))
    fail(ec::refused, "A trial is for accounts that never had a subscription, once", "TRIAL_USED");
  auto what = store::find_trial_plan(tx, terms);
  auto given = store::grant(tx, wanted.account, {what, {}, source::trial, to_string(wanted.account)}, now);
  return {given.expires_at, what.duration_days, rules::view_of(given, {}, now)};
}

namespace {

plan plan_of(const save_plan& wanted) {
  return {.id = wanted.id      ? *wanted.id
                : wanted.claim ? plan_id{*wanted.claim}
                               : plan_id::random(),
          .name = wanted.name,
          .description = wanted.description,
          .duration_days = wanted.duration_days,
          .traffic_limit_bytes = wanted.traffic_limit_bytes,
          .max_devices = wanted.max_devices,
          .features = wanted.features,
          .is_active = wanted.is_active,
          .audience = wanted.audience,
          .code = wanted.code,
          .position = wanted.position,
          .is_popular = wanted.is_popular,
          .is_trial = wanted.is_trial,
          .traffic_reset = wanted.traffic_reset,
          .offers = wanted.offers,
          .price_names = wanted.price_names,
          .attributes = wanted.attributes};
}

template <class Command>
void record(transaction& tx, const char* action, const Command& by, const plan& what, timestamp now) {
  audit::store::record(tx,
                       {.action = action,
                        .actor = by.caller.account,
                        .origin = by.origin,
                        .resource = "plan:" + to_string(what.id),
                        .details = {{"name", what.name}}},
                       now);
}

} // namespace

plan perform(transaction& tx, const save_plan& wanted, timestamp now) {
  auto what = plan_of(wanted);
  if (auto found = rules::problems_of(what); !found.empty()) fail({.code = ec::invalid, .problems = std::move(found)});
  auto before = store::find_any_plan(tx, what.id);
  if (wanted.id && !before) fail(ec::not_found, "Plan not found", "PLAN_NOT_FOUND");
  if (!wanted.id && before) return *before; // made by an earlier try under this claim
  store::save_plan(tx, what);
  record(tx, wanted.id ? "plan.update" : "plan.create", wanted, what, now);
  return store::find_any_plan(tx, what.id).value();
}

plan perform(transaction& tx, const retire_plan& wanted, timestamp now) {
  auto what = store::find_any_plan(tx, wanted.id);
  if (!what) fail(ec::not_found, "Plan not found", "PLAN_NOT_FOUND");
  if (!what->is_active) return *what;
  what->is_active = false;
  store::save_plan(tx, *what);
  record(tx, "plan.retire", wanted, *what, now);
  return *what;
}

} // namespace backstay::subscriptions
