#include "actors/subscriptions/store.hpp"

#include "actors/live/store.hpp"
#include "actors/outbox/store.hpp"
#include "actors/subscriptions/rules.hpp"
#include "persistence/transaction.hpp"

namespace backstay::subscriptions::store {

namespace {

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
          .traffic_reset = sql::get<traffic_reset>(row["traffic_reset"]),
          .traffic_since = sql::get<std::optional<timestamp>>(row["traffic_since"]),
          .auto_renew = sql::get<bool>(row["auto_renew"]),
          .cancelled_at = sql::get<std::optional<timestamp>>(row["cancelled_at"]),
          .autopay = {.is_on = sql::get<bool>(row["auto_renew"]),
                      .method = sql::get<std::optional<uuid>>(row["renewal_method"]),
                      .days = sql::get<std::optional<int>>(row["renewal_days"]),
                      .currency = sql::get<std::optional<std::string>>(row["renewal_currency"]).value_or("")},
          .version = sql::get<std::int64_t>(row["version"]),
          .synced_version = sql::get<std::int64_t>(row["synced_version"])};
}

const std::string select_periods = "SELECT id, plan_id, source, cause, carried_from, days, starts_at, ends_at, paid, "
                                   "worth, currency FROM subscription_periods ";

period read_period(const pqxx::row& row) {
  auto currency = sql::get<std::string>(row["currency"]);
  return {.id = sql::get<std::int64_t>(row["id"]),
          .plan = sql::get<plan_id>(row["plan_id"]),
          .from = sql::get<source>(row["source"]),
          .cause = sql::get<std::string>(row["cause"]),
          .carried_from = sql::get<std::optional<std::int64_t>>(row["carried_from"]),
          .days = sql::get<int>(row["days"]),
          .starts_at = sql::get<timestamp>(row["starts_at"]),
          .ends_at = sql::get<timestamp>(row["ends_at"]),
          .paid = {sql::get<std::int64_t>(row["paid"]), currency},
          .worth = {sql::get<std::int64_t>(row["worth"]), currency}};
}

void save(transaction& tx, const account_id& account, const std::vector<period>& periods, timestamp now) {
  for (auto& each : periods)
    if (each.id != 0)
      tx.run("UPDATE subscription_periods SET starts_at = $2::timestamptz, ends_at = $3::timestamptz, "
             "worth = $4::bigint WHERE id = $1::bigint",
             each.id, each.starts_at, each.ends_at, each.worth.minor);
    else
      tx.run("INSERT INTO subscription_periods (account_id, plan_id, source, cause, carried_from, days, starts_at, "
             "ends_at, paid, worth, currency, granted_at) VALUES ($1::uuid, $2::uuid, $3, $4, $5::bigint, $6::int, "
             "$7::timestamptz, $8::timestamptz, $9::bigint, $10::bigint, $11, $12::timestamptz)",
             account, each.plan, each.from, each.cause, each.carried_from, each.days, each.starts_at, each.ends_at,
             each.paid.minor, each.worth.minor, each.paid.currency, now);
}

void announce(transaction& tx, const subscription& changed, timestamp now) {
  outbox::store::enqueue(tx, outbox::panel_work{changed.account}, now,
                         "panel " + to_string(changed.account) + " " + std::to_string(changed.version));
  live::store::append(tx, changed.account, live::subscription_updated{changed.id, std::string{name_of(changed.status)}},
                      now);
}

/// The subscription as an order leaves it.
subscription with_order(const std::optional<subscription>& current, const order& what,
                        const std::vector<period>& periods, timestamp now) {
  bool goes_on = current && current->plan == what.plan.id && current->expires_at > now;
  bool is_paid = rules::is_paid(what.from);
  auto next = current.value_or(subscription{.id = subscription_id::random()});
  // A trial that was ended by this order leaves nothing of before.
  if (!goes_on || periods.back().starts_at == now) next.started_at = now;
  next.expires_at = periods.back().ends_at;
  next.plan = what.plan.id;
  if (goes_on && !is_paid) return next;
  next.status = rules::status_of(periods, now);
  next.traffic_limit_bytes = what.plan.traffic_limit_bytes;
  next.max_devices = what.plan.max_devices;
  next.traffic_reset = what.plan.traffic_reset;
  next.traffic_since = now;
  next.cancelled_at.reset();
  return next;
}

subscription save(transaction& tx, const account_id& account, const subscription& next, timestamp now) {
  tx.run(
      "INSERT INTO subscriptions (id, account_id, plan_id, status, started_at, expires_at, traffic_limit_bytes, "
      "max_devices, traffic_reset, cancelled_at, updated_at, traffic_since) VALUES ($1::uuid, $2::uuid, $3::uuid, $4, "
      "$5::timestamptz, $6::timestamptz, $7::bigint, $8::int, $9, $10::timestamptz, $11::timestamptz, "
      "$12::timestamptz) "
      "ON CONFLICT (account_id) DO UPDATE SET plan_id = excluded.plan_id, status = excluded.status, "
      "started_at = excluded.started_at, expires_at = excluded.expires_at, "
      "traffic_limit_bytes = excluded.traffic_limit_bytes, max_devices = excluded.max_devices, "
      "traffic_reset = excluded.traffic_reset, cancelled_at = excluded.cancelled_at, "
      "traffic_since = excluded.traffic_since, version = subscriptions.version + 1, updated_at = excluded.updated_at",
      next.id, account, next.plan, next.status, next.started_at, next.expires_at, next.traffic_limit_bytes,
      next.max_devices, next.traffic_reset, next.cancelled_at, now, next.traffic_since);
  auto saved = find_current(tx, account).value();
  announce(tx, saved, now);
  return saved;
}

} // namespace

// Not FOR UPDATE: rows that merely refer to the account may be written meanwhile.
void lock_account(transaction& tx, const account_id& account) {
  if (!tx.first("SELECT 1 FROM accounts WHERE id = $1::uuid FOR NO KEY UPDATE", account))
    fail(ec::not_found, "Account not found");
}

std::vector<period> list_periods(transaction& tx, const account_id& account, timestamp now) {
  std::vector<period> periods;
  for (auto row : tx.run(select_periods + "WHERE account_id = $1::uuid AND ends_at > $2::timestamptz ORDER BY "
                                          "starts_at, ends_at, id",
                         account, now))
    periods.push_back(read_period(row));
  return periods;
}

std::optional<period> find_period(transaction& tx, source from, const std::string& cause) {
  auto row = tx.first(select_periods + "WHERE source = $1 AND cause = $2 AND carried_from IS NULL", from, cause);
  return row ? std::optional{read_period(*row)} : std::nullopt;
}

namespace {

/// Whoever comes second may have looked at its clock first: nothing happens before what it follows.
timestamp not_before(const std::optional<subscription>& current, timestamp now) {
  return current ? std::max(now, current->started_at) : now;
}

} // namespace

// Killed before the commit: nothing was bought; after it: the outbox tells the panel, the stored event the sockets.
subscription grant(transaction& tx, const account_id& account, const order& ordered, timestamp now) {
  lock_account(tx, account);
  auto current = find_current(tx, account);
  if (find_period(tx, ordered.from, ordered.cause)) return current.value();
  now = not_before(current, now);
  auto plan = current ? find_any_plan(tx, current->plan) : std::nullopt;
  auto periods = rules::after_grant(list_periods(tx, account, now), plan, ordered, now);
  save(tx, account, periods, now);
  return save(tx, account, with_order(current, ordered, periods, now), now);
}

std::optional<period> find_trial(transaction& tx, const account_id& account) {
  auto row = tx.first(select_periods + "WHERE account_id = $1::uuid AND source = 'trial' ORDER BY id LIMIT 1", account);
  return row ? std::optional{read_period(*row)} : std::nullopt;
}

// Killed before the commit: nothing was taken back, and whoever asked asks again; after it: as with `grant`.
bool take_back(transaction& tx, const account_id& account, source from, const std::string& cause, timestamp now) {
  lock_account(tx, account);
  auto current = find_current(tx, account);
  now = not_before(current, now);
  tx.run("UPDATE subscription_periods SET taken_back_at = coalesce(taken_back_at, $4::timestamptz) "
         "WHERE account_id = $1::uuid AND source = $2 AND cause = $3",
         account, from, cause, now);
  auto running = list_periods(tx, account, now);
  auto periods = rules::after_take_back(running, from, cause, now);
  if (periods == running) return false;
  save(tx, account, periods, now);
  current->expires_at = rules::end_of(periods, now);
  if (current->status != status::cancelled) current->status = rules::status_of(periods, now);
  save(tx, account, *current, now);
  return true;
}

namespace {

// Each check selects (rule, subject, detail) of what breaks it.
constexpr auto checks = {
    R"(SELECT 'payment_without_period', 'payment ' || p.id, 'is paid, and no days were granted for it'
       FROM payments p WHERE p.state = 'paid' AND p.is_fulfilled AND NOT EXISTS (
         SELECT FROM subscription_periods s WHERE s.source = 'payment' AND s.cause = p.id::text
           AND s.account_id = p.account_id) ORDER BY p.id)",

    R"(SELECT 'period_without_payment', 'period ' || s.id, 'payment ' || s.cause || coalesce(' is ' || p.state, ' is missing')
       FROM subscription_periods s LEFT JOIN payments p ON p.id::text = s.cause
       WHERE s.source = 'payment' AND s.taken_back_at IS NULL AND p.state IS DISTINCT FROM 'paid' ORDER BY s.id)",

    R"(SELECT 'period_without_booking', 'period ' || s.id, 'purchase ' || s.cause || ' is not in the ledger'
       FROM subscription_periods s WHERE s.source = 'purchase' AND s.paid > 0 AND NOT EXISTS (
         SELECT FROM ledger_transfers t WHERE t.cause_kind = 'purchase' AND t.cause_id = s.cause) ORDER BY s.id)",

    R"(SELECT 'worth_more_than_paid', source || ' ' || cause, format('%s, paid %s', sum(worth), sum(paid))
       FROM subscription_periods GROUP BY source, cause HAVING sum(worth) > sum(paid) ORDER BY source, cause)",

    R"(SELECT 'end_differs', 'subscription ' || s.id, format('ends %s, its periods %s', s.expires_at, max(p.ends_at))
       FROM subscriptions s LEFT JOIN subscription_periods p USING (account_id)
       GROUP BY s.id HAVING s.expires_at IS DISTINCT FROM max(p.ends_at) ORDER BY s.id)",

    R"(SELECT 'another_plan_at_the_end', 'period ' || p.id, 'its plan is not that of subscription ' || s.id
       FROM subscriptions s JOIN subscription_periods p USING (account_id)
       WHERE p.ends_at = s.expires_at AND p.starts_at < p.ends_at AND p.plan_id <> s.plan_id
         AND NOT EXISTS (SELECT FROM subscription_periods q WHERE q.account_id = p.account_id
                           AND q.starts_at = q.ends_at AND q.ends_at = s.expires_at) ORDER BY p.id)",

    R"(SELECT 'periods_overlap', 'period ' || id, format('begins %s, the one before ends %s', starts_at, before)
       FROM (SELECT id, starts_at, lag(ends_at) OVER (PARTITION BY account_id ORDER BY starts_at, ends_at, id) AS before
             FROM subscription_periods WHERE starts_at < ends_at) p WHERE starts_at < before ORDER BY id)",
};

} // namespace

std::vector<std::string> audit(transaction& tx) {
  std::string statement;
  for (auto check : checks) statement += (statement.empty() ? "(" : " UNION ALL (") + std::string{check} + ")";
  std::vector<std::string> found;
  for (auto row : tx.run(statement))
    found.push_back(sql::get<std::string>(row[0]) + ": " + sql::get<std::string>(row[1]) + ": " +
                    sql::get<std::string>(row[2]));
  return found;
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

} // namespace backstay::subscriptions::store
