#pragma once

#include "actors/kernel/database.hpp"
#include "actors/subscriptions/messages.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace backstay::subscriptions::store {

/// Our row: one a living subscription of an account.
struct subscription {
  subscription_id id;
  account_id account;
  std::int64_t account_number = 0;
  plan_id plan;
  std::string plan_name;
  subscriptions::status status = status::none;
  timestamp started_at, expires_at;
  std::optional<std::int64_t> traffic_limit_bytes;
  std::optional<int> max_devices;
  subscriptions::traffic_reset traffic_reset = traffic_reset::never;
  std::optional<timestamp> traffic_since; ///< when the last period began for which the whole limit was sold
  bool auto_renew = false;
  std::optional<timestamp> cancelled_at; ///< with the status `cancelled`: when the owner ended it
  subscriptions::autopay autopay;
  std::int64_t version = 0; ///< grows with every change; `synced_version` is what the panel has been told
  std::int64_t synced_version = 0;
};

// ---- Plans (persistence/plans.cpp)

/// Those of one product that are on sale and have a price, lowest position first.
std::vector<plan> list_plans(transaction& tx, const std::string& audience = "vpn");
/// All there are, also those off sale.
plan_page list_all_plans(transaction& tx, const subscriptions::list_all_plans& wanted);
/// By id, by number or, without regard to case, by name; only plans on sale.
std::optional<plan> find_plan(transaction& tx, const std::string& which);
/// Whether on sale or not.
std::optional<plan> find_any_plan(transaction& tx, const plan_id& id);

/// Writes all of a plan but its number, new or not. Errors: `conflict` named PLAN_NAME_TAKEN, PLAN_CODE_TAKEN or
/// PRICE_NAME_TAKEN.
void save_plan(transaction& tx, const plan& what);

/// The plan that a trial gives: the one on sale that is flagged so, else one that is called "Trial", off sale, made at
/// its first use, with the given terms.
plan find_trial_plan(transaction& tx, const plan& otherwise);

/// For the demo data of an empty database: the default period as the only offer.
void insert_plan(transaction& tx, const plan& what, int position);
bool has_plans(transaction& tx);

// ---- Entitlement

/// Days of a plan that an account gets.
struct order {
  /// As it was on sale: `duration_days` are granted, and `prices` say what they cost everybody, so that what is left of
  /// another plan is never worth more because of the buyer's own discount.
  subscriptions::plan plan;
  money paid; ///< what was really paid for them: nothing for a trial, a promo code or a bonus
  source from = source::payment;
  std::string cause; ///< such as a payment's id; `from` and `cause` together are granted once
};

/// A stretch of time that one cause has brought.
struct period {
  std::int64_t id = 0; ///< 0: not stored yet
  plan_id plan;
  source from = source::payment;
  std::string cause;
  std::optional<std::int64_t> carried_from; ///< the stretch of which this is the rest
  int days = 0;                             ///< as granted; 0 if carried
  timestamp starts_at, ends_at;
  money paid;  ///< as granted; 0 if carried
  money worth; ///< what of the money paid for this cause this stretch stands for
  bool operator==(const period&) const = default;
};

/// Those that are not over at `now`, in their order.
std::vector<period> list_periods(transaction& tx, const account_id& account, timestamp now);

/// What a cause has brought as it was granted, whatever became of it.
std::optional<period> find_period(transaction& tx, source from, const std::string& cause);

/// The account's row stays locked until the transaction ends, so that whatever entitles or charges it comes one after
/// the other. Errors: `not_found` (no such account).
void lock_account(transaction& tx, const account_id& account);

/// Entitles `account` to the plan for its duration: a new subscription, or the same plan's end moved on (from its end
/// when it still runs, else from now); another plan takes its place (`rules::after_grant`). To be called in the
/// transaction that takes the money; writes the outbox row for the panel and tells the sockets. Locks the account's row
/// first, so that two payments add up. Nothing happens when the cause was granted already. Free days of the plan that
/// runs change its end only: neither its limits nor a cancellation, nor do they make a trial more than one.
/// Errors: `not_found` (no such account).
subscription grant(transaction& tx, const account_id& account, const order& what, timestamp now);

/// The account's trial, the first of all; none if it never had one.
std::optional<period> find_trial(transaction& tx, const account_id& account);

/// Takes back what is left of the days that a cause has brought, also where they were carried into another plan; later
/// stretches move up, and with nothing left the subscription ends now. Panel and sockets are told. False, and nothing
/// changes, when there is nothing left or nothing was granted. Idempotent. Errors: `not_found` (no such account).
bool take_back(transaction& tx, const account_id& account, source from, const std::string& cause, timestamp now);

/// Proves the entitlements, or says line by line what is off: each fulfilled payment has its period, each period of a
/// payment has a paid payment (unless it was taken back) and each of a purchase its booking, a cause's stretches are
/// worth no more than was paid, and a subscription ends with its periods, which do not overlap. One statement, so that
/// all may change meanwhile. Reads everything: for `backstay doctor subscriptions`, not for requests.
std::vector<std::string> audit(transaction& tx);

std::optional<subscription> find_current(transaction& tx, const account_id& account);

/// The account's name at the panel: `bs_<number>`.
std::string panel_username(std::int64_t account_number);

/// What the panel has to know about an account, and what we know of the panel's user.
struct panel_link {
  std::int64_t account_number = 0;
  std::optional<std::string> email;
  std::optional<std::string> short_uuid, subscription_url;
};
std::optional<panel_link> find_panel_link(transaction& tx, const account_id& account);
/// `version`: of the subscription that the panel has just been told. Has it moved on meanwhile, then another outbox row
/// is written: whichever call reached the panel last, in the end it says what our row says.
void save_panel_link(transaction& tx, const account_id& account, const std::string& short_uuid,
                     const std::string& subscription_url, std::int64_t version, timestamp now);

// ---- What its owner decides, and what is done at its end (persistence/renewals.cpp)

/// Writes status, cancellation and autopay of a locked account's subscription, and tells the sockets.
void save_terms(transaction& tx, const subscription& what, const std::optional<std::string>& reason,
                const std::optional<std::string>& feedback, timestamp now);

/// One of the moments around a subscription's end at which something is done.
enum class stage : std::uint8_t { announced, first, second, last, expired };

/// What was done.
enum class stage_outcome : std::uint8_t { told, renewed, short_, charging, failed };

/// Accounts whose subscription has come to a stage that is not done yet; the soonest end first.
std::vector<account_id> list_due(transaction& tx, timestamp now, std::chrono::microseconds grace, int limit);

/// The claim of the purchase that belongs to this stage; none when it was done already. To be called with the account
/// locked.
std::optional<claim_id> begin_stage(transaction& tx, const subscription& whose, stage which, timestamp now);
void end_stage(transaction& tx, const claim_id& which, stage_outcome how);

/// What language to write to an account in; empty: unknown.
std::string find_locale(transaction& tx, const account_id& account);

} // namespace backstay::subscriptions::store

template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::store::stage>{"announced", "first", "second",
                                                                                      "last", "expired"};
template <>
inline constexpr std::array backstay::names_of<backstay::subscriptions::store::stage_outcome>{
    "told", "renewed", "short", "charging", "failed"};
