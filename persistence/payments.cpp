#include "actors/payments/store.hpp"

#include "persistence/transaction.hpp"

namespace backstay::payments::store {

namespace {

/// What `read` expects of a row.
const std::string columns = "id, account_id, claim_id, plan_id, plan_name, duration_days, traffic_limit_bytes, "
                            "max_devices, amount, currency, provider, external_id, url, expires_at, state, review, "
                            "created_at, tried_at, settled_at, due_at, looks";

record read(const pqxx::row& row) {
  record what;
  what.id = sql::get<payment_id>(row["id"]);
  what.account = sql::get<account_id>(row["account_id"]);
  what.claim = sql::get<std::optional<claim_id>>(row["claim_id"]);
  what.plan = sql::get<plan_id>(row["plan_id"]);
  what.plan_name = sql::get<std::string>(row["plan_name"]);
  what.duration_days = sql::get<int>(row["duration_days"]);
  what.traffic_limit_bytes = sql::get<std::optional<std::int64_t>>(row["traffic_limit_bytes"]);
  what.max_devices = sql::get<std::optional<int>>(row["max_devices"]);
  what.price = {sql::get<std::int64_t>(row["amount"]), sql::get<std::string>(row["currency"])};
  what.provider = sql::get<std::string>(row["provider"]);
  what.external_id = sql::get<std::optional<std::string>>(row["external_id"]).value_or("");
  what.payment_url = sql::get<std::string>(row["url"]);
  what.expires_at = sql::get<std::optional<timestamp>>(row["expires_at"]);
  what.state = sql::get<payments::state>(row["state"]);
  what.review = sql::get<std::string>(row["review"]);
  what.created_at = sql::get<timestamp>(row["created_at"]);
  what.tried_at = sql::get<timestamp>(row["tried_at"]);
  what.settled_at = sql::get<std::optional<timestamp>>(row["settled_at"]);
  what.due_at = sql::get<std::optional<timestamp>>(row["due_at"]);
  what.looks = sql::get<int>(row["looks"]);
  return what;
}

std::optional<record> read(const std::optional<pqxx::row>& row) {
  return row ? std::optional{read(*row)} : std::nullopt;
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional{text};
}

} // namespace

bool insert(transaction& tx, const record& what) {
  try {
    auto rows =
        tx.run("INSERT INTO payments (" + columns +
                   ") VALUES ($1::uuid, $2::uuid, $3::uuid, $4::uuid, $5, $6::int, "
                   "$7::bigint, $8::int, $9::bigint, $10, $11, $12, $13, $14::timestamptz, $15, $16, $17::timestamptz, "
                   "$18::timestamptz, $19::timestamptz, $20::timestamptz, $21::int) ON CONFLICT (claim_id) DO NOTHING",
               what.id, what.account, what.claim, what.plan, what.plan_name, what.duration_days,
               what.traffic_limit_bytes, what.max_devices, what.price.minor, what.price.currency, what.provider,
               unless_empty(what.external_id), what.payment_url, what.expires_at, what.state, what.review,
               what.created_at, what.tried_at, what.settled_at, what.due_at, what.looks);
    return rows.affected_rows() == 1;
  } catch (const pqxx::foreign_key_violation&) {
    // The plan was read in this transaction; only the account may be missing.
    fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
  }
}

std::optional<record> lock_claimed(transaction& tx, const claim_id& claim) {
  return read(tx.first("SELECT " + columns + " FROM payments WHERE claim_id = $1::uuid FOR UPDATE", claim));
}

std::optional<record> lock(transaction& tx, const payment_id& id) {
  return read(tx.first("SELECT " + columns + " FROM payments WHERE id = $1::uuid FOR UPDATE", id));
}

std::optional<record> lock_charged(transaction& tx, const std::string& provider, const std::string& external_id,
                                   const std::optional<payment_id>& carried) {
  auto known = read(tx.first("SELECT " + columns + " FROM payments WHERE provider = $1 AND external_id = $2 FOR UPDATE",
                             provider, external_id));
  if (known || !carried) return known;
  return read(tx.first("SELECT " + columns + " FROM payments WHERE provider = $1 AND id = $2::uuid FOR UPDATE",
                       provider, *carried));
}

void save(transaction& tx, const record& what) {
  tx.run("UPDATE payments SET external_id = $2, url = $3, expires_at = $4::timestamptz, state = $5, review = $6, "
         "tried_at = $7::timestamptz, settled_at = $8::timestamptz, due_at = $9::timestamptz, looks = $10::int "
         "WHERE id = $1::uuid",
         what.id, unless_empty(what.external_id), what.payment_url, what.expires_at, what.state, what.review,
         what.tried_at, what.settled_at, what.due_at, what.looks);
}

std::optional<record> find(transaction& tx, const std::string& id, const std::optional<account_id>& owner) {
  return read(tx.first("SELECT " + columns +
                           " FROM payments WHERE (id = $1::uuid OR external_id = $2) "
                           "AND ($3::uuid IS NULL OR account_id = $3::uuid) ORDER BY created_at DESC LIMIT 1",
                       payment_id::parse(id), id, owner));
}

bool take_look(transaction& tx, const payment_id& id, timestamp now, std::chrono::seconds pause) {
  auto rows = tx.run("UPDATE payments SET checked_at = $2::timestamptz "
                     "WHERE id = $1::uuid AND (checked_at IS NULL OR checked_at <= $3::timestamptz)",
                     id, now, now - pause);
  return rows.affected_rows() == 1;
}

std::vector<record> take_due(transaction& tx, timestamp now, timestamp lease_until, int limit) {
  auto rows = tx.run("UPDATE payments SET due_at = $2::timestamptz, checked_at = $1::timestamptz, looks = looks + 1 "
                     "WHERE id = ANY(ARRAY(SELECT id FROM payments WHERE due_at <= $1::timestamptz "
                     "ORDER BY due_at LIMIT $3::int FOR UPDATE SKIP LOCKED)) RETURNING " +
                         columns,
                     now, lease_until, limit);
  std::vector<record> due;
  for (auto row : rows) due.push_back(read(row));
  return due;
}

void schedule(transaction& tx, const std::vector<std::pair<payment_id, timestamp>>& due) {
  std::vector<payment_id> ids;
  std::vector<timestamp> times;
  for (auto& [id, time] : due) ids.push_back(id), times.push_back(time);
  tx.run("UPDATE payments SET due_at = next.due_at FROM unnest($1::uuid[], $2::timestamptz[]) AS next (id, due_at) "
         "WHERE payments.id = next.id AND payments.due_at IS NOT NULL",
         ids, times);
}

payment_page list(transaction& tx, const account_id& account, std::int64_t offset, std::int64_t limit) {
  payment_page page{{}, 0, offset, limit};
  page.total =
      sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM payments WHERE account_id = $1::uuid", account))[0]);
  for (auto row : tx.run("SELECT " + columns +
                             " FROM payments WHERE account_id = $1::uuid "
                             "ORDER BY created_at DESC, id LIMIT $2::bigint OFFSET $3::bigint",
                         account, limit, offset))
    page.items.push_back(read(row));
  return page;
}

} // namespace backstay::payments::store
