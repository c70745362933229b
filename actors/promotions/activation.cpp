#include "actors/promotions/activation.hpp"

#include "actors/kernel/text.hpp"
#include "actors/promotions/rules.hpp"
#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"

namespace backstay::promotions {

namespace {

using subscriptions::plan;
using subscriptions::source;

/// One code, one account, one effect.
std::string cause_of(const promo_code& code, const account_id& account) {
  return to_string(code.id) + " " + to_string(account);
}

/// The plan that an account has or had, also if it is off sale; else what the code says; else the first on sale.
plan plan_for(transaction& tx, const std::optional<subscriptions::store::subscription>& current, const benefit& what) {
  auto id = current ? std::optional{current->plan} : what.plan;
  if (id)
    if (auto found = subscriptions::store::find_any_plan(tx, *id)) return *found;
  auto on_sale = subscriptions::store::list_plans(tx);
  if (on_sale.empty()) fail(ec::refused, "There is no plan whose days the code could bring.", "NO_PLAN");
  return on_sale.front();
}

/// Days of the plan that runs change its end only, so that more traffic is added to the subscription; else it comes
/// with the plan's.
timestamp give_days(transaction& tx, const promo_code& code, const account_id& account, timestamp now) {
  auto& brings = code.benefit;
  auto what = plan_for(tx, subscriptions::store::find_current(tx, account), brings);
  what.duration_days = *brings.days;
  if (brings.traffic_bytes) store::add_traffic(tx, account, *brings.traffic_bytes, now);
  if (brings.traffic_bytes && what.traffic_limit_bytes) *what.traffic_limit_bytes += *brings.traffic_bytes;
  return subscriptions::store::grant(tx, account, {what, {}, source::promo, cause_of(code, account)}, now).expires_at;
}

/// A trial like the one without a code: once an account, and never after anything else.
timestamp give_trial(transaction& tx, const promo_code& code, const account_id& account, timestamp now) {
  if (subscriptions::store::find_current(tx, account))
    fail(ec::refused, "A trial is for accounts that never had a subscription.", "TRIAL_USED");
  auto what = plan_for(tx, std::nullopt, code.benefit);
  what.duration_days = *code.benefit.days;
  return subscriptions::store::grant(tx, account, {what, {}, source::trial, to_string(account)}, now).expires_at;
}

/// One offer at a time: another one would end it unused.
std::optional<timestamp> give_offer(transaction& tx, const promo_code& code, const account_id& account, timestamp now) {
  if (store::discount_of(tx, account, now).offer_percent > 0)
    fail(ec::conflict, "You have a discount already; use it first.", "DISCOUNT_RUNNING");
  auto until = offer_until(code.benefit, now);
  store::offer(tx, account, *code.benefit.percent, until);
  return until;
}

void give_money(transaction& tx, const promo_code& code, const account_id& account, timestamp now) {
  wallet::store::credit(tx, account, wallet::rewards(), *code.benefit.amount,
                        {wallet::cause_kind::promo, cause_of(code, account)}, now);
}

/// Days before money: books are locked last.
activation give(transaction& tx, const promo_code& code, const account_id& account, timestamp now) {
  activation given{.benefit = code.benefit};
  switch (code.benefit.kind) {
  case promo_kind::balance:
    give_money(tx, code, account, now);
    break;
  case promo_kind::days:
    given.expires_at = give_days(tx, code, account, now);
    break;
  case promo_kind::balance_and_days:
    given.expires_at = give_days(tx, code, account, now);
    give_money(tx, code, account, now);
    break;
  case promo_kind::trial:
    given.expires_at = give_trial(tx, code, account, now);
    break;
  case promo_kind::group:
    store::join_group(tx, account, *code.benefit.group, *code.benefit.percent);
    break;
  case promo_kind::discount:
    given.offer_until = give_offer(tx, code, account, now);
    break;
  }
  return given;
}

} // namespace

activation use(transaction& tx, const account_id& account, const std::string& typed, timestamp now) {
  subscriptions::store::lock_account(tx, account);
  auto code = store::lock(tx, to_upper(typed));
  if (!code) fail(ec::not_found, "There is no such code.", "PROMO_NOT_FOUND");
  check(*code, store::find_record(tx, account, code->id, now), now);
  store::note_use(tx, *code, account, now);
  return give(tx, *code, account, now);
}

} // namespace backstay::promotions
