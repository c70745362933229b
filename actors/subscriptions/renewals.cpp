#include "actors/subscriptions/renewals.hpp"

#include "actors/subscriptions/commerce.hpp"
#include "actors/subscriptions/notices.hpp"
#include "actors/subscriptions/rules.hpp"
#include "actors/wallet/store.hpp"

namespace backstay::subscriptions {

namespace {

using store::stage;
using store::stage_outcome;
using store::subscription;

/// One subscription at one stage.
struct moment {
  transaction& tx;
  subscription whose;
  stage which;
  claim_id claim;
  std::string locale;
  timestamp now;

  void tell(const notices::notice& what) const { notifications::store::notify(tx, whose.account, what, now); }
};

stage_outcome remind(const moment& at) {
  // An hour before the end the reminder of the day before is fresh enough.
  if (at.which == stage::first || at.which == stage::second)
    at.tell(notices::ends_soon(at.whose.plan_name, at.whose.expires_at, at.locale));
  return stage_outcome::told;
}

/// What the next period costs; none if the plan is not sold so any more.
std::optional<quote> next_price(const moment& at, const std::optional<plan>& what) {
  if (!what) return std::nullopt;
  auto& terms = at.whose.autopay;
  try {
    return price(at.tx, at.whose.account, *what, terms.days, terms.currency, at.now);
  } catch (const fault_error&) {
    return std::nullopt;
  }
}

stage_outcome renew(const moment& at, const plan& what, const quote& cost) {
  auto& terms = at.whose.autopay;
  auto balance = wallet::store::balance_of(at.tx, at.whose.account, terms.currency);
  if (balance < cost.price.minor) {
    at.tell(notices::short_of(cost, {cost.price.minor - balance, terms.currency}, at.whose.expires_at, at.locale));
    return stage_outcome::short_;
  }
  // Somebody else may spend it in this very moment: then all of this is rolled back, and done anew.
  auto bought = buy(at.tx, at.whose.account, {what, cost.days, terms.currency, at.claim}, at.now);
  at.tell(notices::renewed(bought, at.locale));
  return stage_outcome::renewed;
}

bool renews_itself(const subscription& whose) { return whose.autopay.is_on && whose.status == status::active; }

stage_outcome act(const moment& at) {
  if (at.which == stage::expired) {
    at.tell(notices::expired(at.whose.plan_name, at.locale));
    return stage_outcome::told;
  }
  if (!renews_itself(at.whose)) return remind(at);
  auto what = store::find_plan(at.tx, to_string(at.whose.plan));
  auto cost = next_price(at, what);
  if (!cost) return remind(at);
  if (at.which != stage::announced) return renew(at, *what, *cost);
  at.tell(notices::announced(*cost, at.whose.expires_at, at.locale));
  return stage_outcome::told;
}

} // namespace

std::optional<advance> advance_renewal(transaction& tx, const account_id& account, std::chrono::microseconds grace,
                                       timestamp now) {
  store::lock_account(tx, account);
  auto current = store::find_current(tx, account);
  auto which = current ? rules::stage_at(current->expires_at, grace, now) : std::nullopt;
  auto claim = which ? store::begin_stage(tx, *current, *which, now) : std::nullopt;
  if (!claim) return std::nullopt;
  auto how = act({tx, *current, *which, *claim, store::find_locale(tx, account), now});
  store::end_stage(tx, *claim, how);
  return advance{*which, how};
}

} // namespace backstay::subscriptions
