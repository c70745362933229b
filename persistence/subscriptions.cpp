#include "actors/subscriptions/store.hpp"

#include "actors/live/store.hpp"
#include "actors/outbox/store.hpp"
#include "actors/subscriptions/rules.hpp"
#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

namespace backstay::subscriptions::store {

namespace {

using nlohmann::json;

const std::string select_plans =
    "SELECT id, name, description, duration_days, traffic_limit_bytes, max_devices, features, is_active, "
    "(SELECT coalesce(jsonb_agg(jsonb_build_array(currency, minor) ORDER BY currency), '[]') "
    "FROM plan_prices WHERE plan_id = plans.id) AS prices FROM plans ";

plan read_plan(const pqxx::row& row) {
  plan what{.id = sql::get<plan_id>(row["id"]),
            .name = sql::get<std::string>(row["name"]),
            .description = sql::get<std::string>(row["description"]),
            .duration_days = sql::get<int>(row["duration_days"]),
            .traffic_limit_bytes = sql::get<std::optional<std::int64_t>>(row["traffic_limit_bytes"]),
            .max_devices = sql::get<std::optional<int>>(row["max_devices"]),
            .features = json::parse(row["features"].c_str()),
            .is_active = sql::get<bool>(row["is_active"])};
  for (auto& price : json::parse(row["prices"].c_str())) what.prices.push_back({price.at(1), price.at(0)});
  return what;
}

std::optional<plan> first_plan(const std::optional<pqxx::row>& row) {
  return row ? std::optional{read_plan(*row)} : std::nullopt;
}

subscription read_subscription(const pqxx::row& row) {
  return {.id = sql::get<subscription_id>(row["id"]),
          .account = sql::get<account_id>(row["account_id"]),
          .account_number = sql::get<std::int64_t>(row["number"]),
          .plan = sql::get<plan_id>(row["plan_id"]),
          .plan_name = sql::get<std::string>(row["plan_name"]),
          .status = sql::get<subscriptions::status>(row["status"]),
          .started_at = sql::get<timestamp>(row["started_at"]),
          .expires_at = sql::get<timestamp>(row["expires_at"]),
          .traffic_limit_bytes = sql::get<std::optional<std::int64_t>>(row["traffic_limit_bytes"]),
          .max_devices = sql::get<std::optional<int>>(row["max_devices"]),
          .auto_renew = sql::get<bool>(row["auto_renew"]),
          .version = sql::get<std::int64_t>(row["version"]),
          .synced_version = sql::get<std::int64_t>(row["synced_version"])};
}

/// Not FOR UPDATE: rows that merely refer to the account may be written meanwhile.
void lock_account(transaction& tx, const account_id& account) {
  if (!tx.first("SELECT 1 FROM accounts WHERE id = $1::uuid FOR NO KEY UPDATE", account))
    fail(ec::not_found, "Account not found");
}

std::optional<rules::standing> find_standing(transaction& tx, const account_id& account) {
  auto current = find_current(tx, account);
  if (!current) return std::nullopt;
  auto plan = first_plan(tx.first(select_plans + "WHERE id = $1::uuid", current->plan));
  return rules::standing{plan.value(), current->status, current->started_at, current->expires_at};
}

void announce(transaction& tx, const subscription& changed, timestamp now) {
  outbox::store::enqueue(tx, outbox::panel_work{changed.account}, now,
                         "panel " + to_string(changed.account) + " " + std::to_string(changed.version));
  live::store::append(tx, changed.account, live::subscription_updated{changed.id, std::string{name_of(changed.status)}},
                      now);
}

} // namespace

std::vector<plan> list_plans(transaction& tx) {
  std::vector<plan> plans;
  for (auto row : tx.run(select_plans + "WHERE is_active ORDER BY position, name")) plans.push_back(read_plan(row));
  return plans;
}

std::optional<plan> find_plan(transaction& tx, const std::string& id_or_name) {
  if (auto id = plan_id::parse(id_or_name))
    return first_plan(tx.first(select_plans + "WHERE is_active AND id = $1::uuid", *id));
  return first_plan(tx.first(select_plans + "WHERE is_active AND lower(name) = lower($1)", id_or_name));
}

// Killed before the commit: nothing was bought; after it: the outbox tells the panel, the stored event the sockets.
subscription grant(transaction& tx, const account_id& account, const order& ordered, timestamp now) {
  auto& what = ordered.plan;
  lock_account(tx, account);
  auto granted = rules::period_after(find_standing(tx, account), what, now);
  tx.run("INSERT INTO subscriptions (id, account_id, plan_id, status, started_at, expires_at, traffic_limit_bytes, "
         "max_devices, updated_at) VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5::timestamptz, $6::timestamptz, "
         "$7::bigint, $8::int, $9::timestamptz) "
         "ON CONFLICT (account_id) DO UPDATE SET plan_id = excluded.plan_id, status = excluded.status, "
         "started_at = excluded.started_at, expires_at = excluded.expires_at, "
         "traffic_limit_bytes = excluded.traffic_limit_bytes, max_devices = excluded.max_devices, "
         "version = subscriptions.version + 1, updated_at = excluded.updated_at",
         subscription_id::random(), account, what.id, status::active, granted.started_at, granted.expires_at,
         what.traffic_limit_bytes, what.max_devices, now);
  auto current = find_current(tx, account).value();
  announce(tx, current, now);
  return current;
}

std::optional<subscription> find_current(transaction& tx, const account_id& account) {
  auto row = tx.first("SELECT subscriptions.*, accounts.number, plans.name AS plan_name, "
                      "coalesce(panel_users.synced_version, 0) AS synced_version "
                      "FROM subscriptions JOIN accounts ON accounts.id = account_id JOIN plans ON plans.id = plan_id "
                      "LEFT JOIN panel_users USING (account_id) WHERE account_id = $1::uuid",
                      account);
  return row ? std::optional{read_subscription(*row)} : std::nullopt;
}

std::optional<panel_link> find_panel_link(transaction& tx, const account_id& account) {
  auto row = tx.first("SELECT number, email, short_uuid, subscription_url FROM accounts "
                      "LEFT JOIN panel_users ON account_id = accounts.id WHERE accounts.id = $1::uuid",
                      account);
  if (!row) return std::nullopt;
  return panel_link{sql::get<std::int64_t>((*row)["number"]), sql::get<std::optional<std::string>>((*row)["email"]),
                    sql::get<std::optional<std::string>>((*row)["short_uuid"]),
                    sql::get<std::optional<std::string>>((*row)["subscription_url"])};
}

// Killed before the commit: the outbox row is repeated, and with it the idempotent call.
void save_panel_link(transaction& tx, const account_id& account, const std::string& short_uuid,
                     const std::string& subscription_url, std::int64_t version, timestamp now) {
  tx.run("INSERT INTO panel_users (account_id, short_uuid, subscription_url, synced_version) "
         "VALUES ($1::uuid, $2, $3, $4::bigint) ON CONFLICT (account_id) DO UPDATE SET "
         "short_uuid = excluded.short_uuid, subscription_url = excluded.subscription_url, "
         "synced_version = excluded.synced_version",
         account, short_uuid, subscription_url, version);
  auto current = find_current(tx, account);
  if (current && current->version != version) outbox::store::enqueue(tx, outbox::panel_work{account}, now);
}

void insert_plan(transaction& tx, const plan& what, int position) {
  tx.run(
      "INSERT INTO plans (id, name, description, duration_days, traffic_limit_bytes, max_devices, features, "
      "is_active, position) VALUES ($1::uuid, $2, $3, $4::int, $5::bigint, $6::int, $7::jsonb, $8::boolean, $9::int)",
      what.id, what.name, what.description, what.duration_days, what.traffic_limit_bytes, what.max_devices,
      json(what.features).dump(), what.is_active, position);
  for (auto& price : what.prices)
    tx.run("INSERT INTO plan_prices (plan_id, currency, minor) VALUES ($1::uuid, $2, $3::bigint)", what.id,
           price.currency, price.minor);
}

bool has_plans(transaction& tx) { return sql::get<bool>((*tx.first("SELECT EXISTS (SELECT FROM plans)"))[0]); }

} // namespace backstay::subscriptions::store
