#include "actors/payments/settlement.hpp"

#include "actors/audit/store.hpp"
#include "actors/identities/store.hpp"
#include "actors/kernel/error.hpp"
#include "actors/notifications/store.hpp"
#include "actors/payments/wording.hpp"
#include "actors/referrals/store.hpp"
#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"

#include <algorithm>

namespace backstay::payments {

namespace {

using payment_provider::charge;
using payment_provider::charge_state;
using payment_provider::create_charge;
using subscriptions::plan;
using wallet::cause_kind;

// ---- What is asked of a buyer

money price_in(const plan& what, const std::string& currency) {
  auto price = std::find_if(what.prices.begin(), what.prices.end(),
                            [&](auto& price) { return price.currency == currency && price.minor > 0; });
  if (price == what.prices.end()) fail_field("currency", "The plan has no price in " + currency);
  return *price;
}

plan plan_named(transaction& tx, const std::string& id_or_name) {
  auto plan = subscriptions::store::find_plan(tx, id_or_name);
  if (!plan) fail(ec::not_found, "Plan not found: " + id_or_name, "PLAN_NOT_FOUND");
  return *plan;
}

/// A row for money by that method, on its terms. `amount_field` is where the caller said how much.
store::record draft(const payment_provider::method& method, const account_id& account, const money& price,
                    const std::string& amount_field, timestamp now) {
  check_takes(method, price, amount_field);
  store::record row;
  row.id = payment_id::random();
  row.account = account;
  row.purpose = purpose::top_up;
  row.provider = method.provider;
  row.method = method.id;
  row.price = price;
  row.fee = fee_of(price, method.fee);
  row.created_at = row.tried_at = now;
  row.due_at = now + first_look;
  return row;
}

void set_plan(store::record& row, const plan& what) {
  row.purpose = purpose::plan;
  row.plan = what.id;
  row.plan_name = what.name;
  row.duration_days = what.duration_days;
  row.traffic_limit_bytes = what.traffic_limit_bytes;
  row.max_devices = what.max_devices;
  row.traffic_reset = what.traffic_reset;
}

void set_consent(store::record& row, bool saves_method, const payment_provider::method& method) {
  if (saves_method && !method.saves) fail_field("save_payment_method", method.title + " cannot be charged again");
  row.saves_method = saves_method;
}

account_id buyer_of(const create_payment& request) {
  auto account = request.account.value_or(request.caller.account);
  if (account != request.caller.account && !request.caller.may(permission::manage))
    fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
  return account;
}

store::record draft(transaction& tx, const terms& by, const create_payment& request, timestamp now) {
  auto& method = find_method(by.methods, request.payment_method);
  auto plan = plan_named(tx, request.plan);
  auto row = draft(method, buyer_of(request), price_in(plan, request.currency), "plan_id", now);
  set_plan(row, plan);
  set_consent(row, request.saves_method, method);
  return row;
}

store::record draft(transaction&, const terms& by, const create_top_up& request, timestamp now) {
  auto& method = find_method(by.methods, request.payment_method);
  auto row = draft(method, request.caller.account, request.amount, "amount", now);
  set_consent(row, request.saves_method, method);
  return row;
}

store::record draft(transaction& tx, const terms& by, const charge_saved& request, timestamp now) {
  auto saved = store::find_method(tx, by.keys, request.account, request.method);
  if (!saved) fail(ec::not_found, "Payment method not found", "PAYMENT_METHOD_NOT_FOUND");
  auto row = draft(find_method(by.methods, saved->first.method), request.account, request.price, "price", now);
  set_plan(row, plan_named(tx, request.plan));
  row.duration_days = request.days;
  row.saved_method = request.method;
  return row;
}

/// The claim's row is there already: an earlier try died, or nobody heard how it ended.
begun resume(transaction& tx, const terms& by, store::record row, timestamp now) {
  if (!row.external_id.empty()) return {row, begun::next::answer};
  row.state = state::created;
  row.tried_at = now;
  row.due_at = now + first_look;
  row.looks = 0;
  store::save(tx, row);
  return {row, begun::next::find, order_of(tx, by, row)};
}

template <class Request>
begun begin_row(transaction& tx, const terms& by, const Request& request, timestamp now) {
  if (request.claim)
    if (auto row = store::lock_claimed(tx, *request.claim)) return resume(tx, by, *row, now);
  auto row = draft(tx, by, request, now);
  row.claim = request.claim;
  if (store::insert(tx, row)) return {row, begun::next::create, order_of(tx, by, row)};
  return resume(tx, by, store::lock_claimed(tx, request.claim.value()).value(), now);
}

} // namespace

begun begin(transaction& tx, const terms& by, const create_payment& request, timestamp now) {
  return begin_row(tx, by, request, now);
}
begun begin(transaction& tx, const terms& by, const create_top_up& request, timestamp now) {
  return begin_row(tx, by, request, now);
}
begun begin(transaction& tx, const terms& by, const charge_saved& request, timestamp now) {
  return begin_row(tx, by, request, now);
}

create_charge order_of(transaction& tx, const terms& by, const store::record& row) {
  auto buyer = store::find_buyer(tx, row.account.value());
  create_charge order{.payment = row.id,
                      .price = row.total(),
                      .description = wording::description(row, buyer.locale),
                      .method = row.method,
                      .email = buyer.email,
                      .saves_method = row.saves_method};
  auto joint = by.return_url.find('?') == std::string::npos ? "?" : "&";
  if (!by.return_url.empty()) order.return_url = by.return_url + joint + "payment=" + to_string(row.id);
  if (!row.saved_method) return order;
  auto saved = store::find_method(tx, by.keys, *row.account, *row.saved_method);
  if (!saved) fail(ec::not_found, "Payment method not found", "PAYMENT_METHOD_NOT_FOUND");
  order.saved_method = saved->second;
  return order;
}

void note_attempt(transaction& tx, const payment_id& id, state outcome, timestamp now) {
  auto row = store::lock(tx, id);
  if (!row || row->state != state::created) return; // the poller or a webhook knows better by now
  row->state = outcome;
  row->due_at = outcome == state::failed ? std::nullopt : std::optional{now + first_look};
  store::save(tx, *row);
}

namespace {

// ---- Money that came, and money that went back

plan bought_plan(const store::record& row) {
  return {.id = row.plan.value(),
          .name = row.plan_name,
          .prices = {row.price},
          .duration_days = row.duration_days,
          .traffic_limit_bytes = row.traffic_limit_bytes,
          .max_devices = row.max_devices,
          .traffic_reset = row.traffic_reset};
}

/// The payment's money, and what the provider got on top for us, from the provider's book. A row that is not paid and
/// whose money is booked contradicts the one transaction of both: nothing is guessed, the ledger's doctor shows it.
void book(transaction& tx, const store::record& row, timestamp now) {
  referrals::store::reward(tx, *row.account, row.id, row.price, now); // locks its rows before the books
  auto id = to_string(row.id);
  auto till = wallet::provider(row.provider);
  if (!wallet::store::credit(tx, *row.account, till, row.price, {cause_kind::payment, id}, now))
    fail(ec::internal, "the payment is booked but not paid");
  const wallet::transfer fee{{cause_kind::fee, id}, till, wallet::revenue(), {row.fee, row.price.currency}};
  if (row.fee > 0) wallet::store::post(tx, fee, now);
}

/// Buys the plan, if the wallet covers it: a debt may have eaten what came.
void fulfil(transaction& tx, store::record& row, timestamp now) {
  if (row.purpose != purpose::plan) return;
  if (wallet::store::balance_of(tx, *row.account, row.price.currency) < row.price.minor) return;
  auto id = to_string(row.id);
  wallet::store::spend(tx, *row.account, row.price, {cause_kind::purchase, id}, now);
  subscriptions::store::grant(tx, *row.account, {bought_plan(row), row.price, subscriptions::source::payment, id}, now);
  row.is_fulfilled = true;
}

void keep_method(transaction& tx, const terms& by, const store::record& row, const charge& seen, timestamp now) {
  if (!seen.saved || !row.saves_method) return;
  saved_method kept{.id = saved_method_id::random(),
                    .provider = row.provider,
                    .method = row.method,
                    .title = seen.saved->title,
                    .created_at = now};
  store::save_method(tx, by.keys, *row.account, kept, seen.saved->id);
}

void end(store::record& row, state last) {
  row.state = last;
  row.due_at.reset();
}

/// Lock order: payment row (held already), account row, then money. `grant` comes after money, but whoever writes a
/// subscription waits for its account first.
void settle(transaction& tx, const terms& by, store::record& row, const charge& seen, timestamp now) {
  auto buyer = store::lock_buyer(tx, *row.account);
  keep_method(tx, by, row, seen, now);
  book(tx, row, now);
  fulfil(tx, row, now);
  notifications::store::notify(tx, *row.account, wording::settled(row, buyer.locale), now);
  row.settled_at = now;
  end(row, state::paid);
}

/// The same backwards. What the account has spent meanwhile, it owes.
void reverse(transaction& tx, store::record& row, timestamp now) {
  store::lock_buyer(tx, *row.account);
  referrals::store::reverse(tx, row.id, now);
  auto id = to_string(row.id);
  auto till = wallet::provider(row.provider);
  if (row.is_fulfilled) {
    subscriptions::store::take_back(tx, *row.account, subscriptions::source::payment, id, now);
    wallet::store::undo_purchase(tx, id, now);
  }
  wallet::store::take_back(tx, *row.account, till, row.price, {cause_kind::refund, id}, now);
  const wallet::transfer fee{
      {cause_kind::reversal, "fee " + id}, wallet::revenue(), till, {row.fee, row.price.currency}};
  if (row.fee > 0) wallet::store::post(tx, fee, now);
}

void put_before_a_person(store::record& row, const std::string& why) {
  row.review += (row.review.empty() ? "" : "; ") + why;
}

/// Nothing is left to decide or to ask about.
void end_refunded(store::record& row) {
  row.refunded = refundable(row).minor;
  row.refund_at.reset();
  row.review.clear();
  end(row, state::refunded);
}

/// What came, less what went back already.
money kept_of(const charge& seen) { return {seen.price.minor - seen.refunded, seen.price.currency}; }

// ---- From a charge to its row

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

void hold(store::record& row, const charge& seen) {
  put_before_a_person(row, reason(row, seen));
  row.paid = kept_of(seen);
  row.refunded = seen.refunded;
  end(row, state::held);
}

void take(transaction& tx, const terms& by, step what, store::record& row, const charge& seen, timestamp now) {
  if (what != step::review) take_identity(row, seen);
  switch (what) {
  case step::await:
    return watch(row, state::pending, now);
  case step::expire:
    return watch(row, state::expired, now);
  case step::settle:
    return settle(tx, by, row, seen, now);
  case step::fail:
    return end(row, state::failed);
  case step::hold:
    return hold(row, seen);
  case step::reverse:
    reverse(tx, row, now);
    return end_refunded(row);
  case step::refund:
    return end_refunded(row);
  case step::review:
    put_before_a_person(row, reason(row, seen));
    row.refunded = seen.refunded;
    return;
  case step::surplus:
  case step::nothing:
    return;
  }
}

/// Money that came without a row of its own.
store::record row_for(const std::string& provider, const std::string& method, const charge& seen, timestamp now) {
  store::record row;
  row.id = payment_id::random();
  row.purpose = purpose::top_up;
  row.provider = provider;
  row.method = method;
  row.price = seen.price;
  row.external_id = seen.external_id;
  row.created_at = row.tried_at = now;
  return row;
}

/// A donor chooses by himself when to pay and how much: a row for whoever has his Telegram id. Of several who see the
/// charge at once, one inserts it, and the others wait for that one's end.
std::optional<store::record> take_in(transaction& tx, const terms& by, const std::string& provider, const charge& seen,
                                     timestamp now) {
  if (!seen.payer || seen.state != charge_state::paid) return std::nullopt;
  auto method = std::find_if(by.methods.begin(), by.methods.end(), [&](auto& m) { return m.provider == provider; });
  auto row = row_for(provider, method == by.methods.end() ? provider : method->id, seen, now);
  row.account = identities::store::find_account(tx, identities::provider::telegram, std::to_string(*seen.payer));
  store::insert(tx, row);
  return store::lock_charged(tx, provider, seen.external_id, std::nullopt);
}

applied set_aside(transaction& tx, const store::record& first, const charge& seen, timestamp now) {
  auto row = row_for(first.provider, first.method, seen, now);
  row.account = first.account;
  row.state = state::held;
  row.paid = kept_of(seen);
  row.review = "paid a second time, after payment " + to_string(first.id);
  store::insert(tx, row);
  return {step::surplus, row};
}

} // namespace

std::optional<applied> apply(transaction& tx, const terms& by, const std::string& provider, const charge& seen,
                             timestamp now) {
  auto row = store::lock_charged(tx, provider, seen.external_id, seen.payment);
  if (!row) row = take_in(tx, by, provider, seen, now);
  if (!row) return std::nullopt;
  auto what = decide(*row, seen);
  if (what == step::surplus) return set_aside(tx, *row, seen, now);
  if (what != step::nothing) {
    take(tx, by, what, *row, seen, now);
    store::save(tx, *row);
  }
  return applied{what, *row};
}

void close(transaction& tx, const payment_id& id, timestamp looked_at) {
  auto row = store::lock(tx, id);
  if (!row || !row->due_at || looked_at < closing_time(*row)) return;
  if (row->refund_at) put_before_a_person(*row, "the provider did not confirm the refund");
  row->refund_at.reset();
  row->state = state_at_closing(row->state).value_or(row->state);
  row->due_at.reset();
  store::save(tx, *row);
}

void give_up(transaction& tx, const payment_id& id) {
  auto row = store::lock(tx, id);
  auto closed = row ? state_at_closing(row->state) : std::nullopt;
  if (closed != state::failed) return; // somebody knows better by now
  put_before_a_person(*row, "the provider never told whether it made the charge");
  end(*row, state::failed);
  store::save(tx, *row);
}

namespace {

// ---- What operators decide

store::record lock_for(transaction& tx, const payment_id& id) {
  auto row = store::lock(tx, id);
  if (!row) fail(ec::not_found, "Payment not found", "PAYMENT_NOT_FOUND");
  return *row;
}

template <class Request>
void record(transaction& tx, const char* action, const store::record& row, const Request& request,
            const std::string& how, timestamp now) {
  auto amount = refundable(row);
  audit::store::record(
      tx,
      {.action = action,
       .actor = request.caller.account,
       .subject = row.account,
       .origin = request.origin,
       .resource = "payment:" + to_string(row.id),
       .details = {{"how", how}, {"amount", to_decimal(amount) + " " + amount.currency}, {"note", request.note}}},
      now);
}

/// Whose a held payment is, by the row or else by whoever decides.
account_id owner_of(const store::record& row, const resolve_payment& request) {
  if (row.account && request.account && row.account != request.account)
    fail_field("account", "The payment is another account's");
  if (!row.account && !request.account) fail_field("account", "Nobody is known as the payer: say whose it is");
  return row.account ? *row.account : *request.account;
}

/// What was really paid becomes the price.
void credit_held(transaction& tx, store::record& row, const resolve_payment& request, timestamp now) {
  if (row.state != state::held) fail(ec::refused, "Only a held payment can be credited", "NOT_HELD");
  row.account = owner_of(row, request);
  row.price = row.paid.value();
  row.fee = 0;
  auto buyer = store::lock_buyer(tx, *row.account);
  book(tx, row, now);
  notifications::store::notify(tx, *row.account, wording::settled(row, buyer.locale), now);
  row.settled_at = now;
  end(row, state::paid);
}

} // namespace

refunding begin_refund(transaction& tx, const terms& by, const refund_payment& request, timestamp now) {
  auto row = lock_for(tx, request.id);
  if (row.state == state::refunded) return {row};
  if (row.state != state::paid && row.state != state::held)
    fail(ec::refused, "Only what was paid can be given back", "NOT_PAID");
  bool is_first_try = !row.refund_at;
  record(tx, "payment.refund", row, request, request.at_provider ? "at the provider" : "by hand", now);
  if (request.at_provider) {
    row.refund_at = row.refund_at.value_or(now);
    row.looks = 0;
    row.due_at = now + first_look;
  } else {
    charge gone{.external_id = row.external_id, .state = charge_state::refunded, .price = refundable(row)};
    take(tx, by, decide(row, gone), row, gone, now);
  }
  store::save(tx, row);
  return {row, request.at_provider, is_first_try};
}

void end_refund(transaction& tx, const payment_id& id) {
  auto row = store::lock(tx, id);
  if (!row || !row->refund_at) return;
  row->refund_at.reset();
  row->due_at.reset();
  store::save(tx, *row);
}

store::record resolve(transaction& tx, const resolve_payment& request, timestamp now) {
  auto row = lock_for(tx, request.id);
  bool is_credited = row.state == state::paid && row.paid;
  if (request.as == resolution::credit && is_credited) return row;
  if (request.as == resolution::credit) credit_held(tx, row, request, now);
  else if (row.review.empty()) fail(ec::refused, "Nobody has to look at this payment", "NOT_IN_REVIEW");
  row.review.clear();
  store::save(tx, row);
  record(tx, "payment.resolve", row, request, std::string{name_of(request.as)}, now);
  return row;
}

} // namespace backstay::payments
