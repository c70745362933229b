#pragma once

#include "actors/kernel/database.hpp"
#include "actors/subscriptions/messages.hpp"

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
  bool auto_renew = false;
  std::int64_t version = 0; ///< grows with every change; `synced_version` is what the panel has been told
  std::int64_t synced_version = 0;
};

std::vector<plan> list_plans(transaction& tx);
/// By id or, without regard to case, by name; only plans on sale.
std::optional<plan> find_plan(transaction& tx, const std::string& id_or_name);

/// Days of a plan that an account gets.
struct order {
  subscriptions::plan plan; ///< as it was on sale; `duration_days` are granted
  money paid;               ///< what was really paid for them: nothing for a trial, a promo code or a bonus
  source from = source::payment;
  std::string cause; ///< such as a payment's id; `from` and `cause` together are granted once
};

/// Entitles `account` to the plan for its duration: a new subscription, or the same plan's end moved on (from its end
/// when it still runs, else from now); another plan takes its place (`rules::period_after`). To be called in the
/// transaction that takes the money; writes the outbox row for the panel and tells the sockets. Locks the account's row
/// first, so that two payments add up. Errors: `not_found` (no such account).
subscription grant(transaction& tx, const account_id& account, const order& what, timestamp now);

std::optional<subscription> find_current(transaction& tx, const account_id& account);

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

/// For the demo data of an empty database.
void insert_plan(transaction& tx, const plan& what, int position);
bool has_plans(transaction& tx);

} // namespace backstay::subscriptions::store
