#include "actors/payments/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "persistence/transaction.hpp"

namespace backstay::payments::store {

namespace {

/// What `read` expects of a row.
const std::string columns =
    "id, account_id, claim_id, purpose, plan_id, plan_name, duration_days, traffic_limit_bytes, max_devices, "
    "traffic_reset, amount, currency, fee, provider, method, saves_method, saved_method, external_id, url, expires_at, "
    "state, is_fulfilled, "
    "review, paid_amount, paid_currency, refunded, refund_at, created_at, tried_at, settled_at, due_at, looks";

std::optional<money> read_paid(const pqxx::row& row) {
  auto minor = sql::get<std::optional<std::int64_t>>(row["paid_amount"]);
  return minor ? std::optional{money{*minor, sql::get<std::string>(row["paid_currency"])}} : std::nullopt;
}

record read(const pqxx::row& row) {
  record what;
  what.id = sql::get<payment_id>(row["id"]);
  what.account = sql::get<std::optional<account_id>>(row["account_id"]);
  what.claim = sql::get<std::optional<claim_id>>(row["claim_id"]);
  what.purpose = sql::get<payments::purpose>(row["purpose"]);
  what.plan = sql::get<std::optional<plan_id>>(row["plan_id"]);
  what.plan_name = sql::get<std::optional<std::string>>(row["plan_name"]).value_or("");
  what.duration_days = sql::get<std::optional<int>>(row["duration_days"]).value_or(0);
  what.traffic_limit_bytes = sql::get<std::optional<std::int64_t>>(row["traffic_limit_bytes"]);
  what.max_devices = sql::get<std::optional<int>>(row["max_devices"]);
  what.traffic_reset = sql::get<subscriptions::traffic_reset>(row["traffic_reset"]);
  what.price = {sql::get<std::int64_t>(row["amount"]), sql::get<std::string>(row["currency"])};
  what.fee = sql::get<std::int64_t>(row["fee"]);
  what.provider = sql::get<std::string>(row["provider"]);
  what.method = sql::get<std::string>(row["method"]);
  what.saves_method = sql::get<bool>(row["saves_method"]);
  what.saved_method = sql::get<std::optional<saved_method_id>>(row["saved_method"]);
  what.external_id = sql::get<std::optional<std::string>>(row["external_id"]).value_or("");
  what.payment_url = sql::get<std::string>(row["url"]);
  what.expires_at = sql::get<std::optional<timestamp>>(row["expires_at"]);
  what.state = sql::get<payments::state>(row["state"]);
  what.is_fulfilled = sql::get<bool>(row["is_fulfilled"]);
  what.review = sql::get<std::string>(row["review"]);
  what.paid = read_paid(row);
  what.refunded = sql::get<std::int64_t>(row["refunded"]);
  what.refund_at = sql::get<std::optional<timestamp>>(row["refund_at"]);
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

std::optional<std::int64_t> minor_of(const std::optional<money>& amount) {
  return amount ? std::optional{amount->minor} : std::nullopt;
}
std::optional<std::string> currency_of(const std::optional<money>& amount) {
  return amount ? std::optional{amount->currency} : std::nullopt;
}

} // namespace

bool insert(transaction& tx, const record& what) {
  try {
    auto rows = tx.run(
        "INSERT INTO payments (id, account_id, claim_id, purpose, plan_id, plan_name, duration_days, "
        "traffic_limit_bytes, max_devices, amount, currency, fee, provider, method, saves_method, saved_method, "
        "external_id, url, expires_at, state, review, paid_amount, paid_currency, created_at, tried_at, due_at, "
        "traffic_reset) "
        "VALUES ($1::uuid, $2::uuid, $3::uuid, $4, $5::uuid, $6, $7::int, $8::bigint, $9::int, $10::bigint, $11, "
        "$12::bigint, $13, $14, $15::boolean, $16::uuid, $17, $18, $19::timestamptz, $20, $21, $22::bigint, $23, "
        "$24::timestamptz, $25::timestamptz, $26::timestamptz, $27) ON CONFLICT DO NOTHING",
        what.id, what.account, what.claim, what.purpose, what.plan, unless_empty(what.plan_name),
        what.plan ? std::optional{what.duration_days} : std::nullopt, what.traffic_limit_bytes, what.max_devices,
        what.price.minor, what.price.currency, what.fee, what.provider, what.method, what.saves_method,
        what.saved_method, unless_empty(what.external_id), what.payment_url, what.expires_at, what.state, what.review,
        minor_of(what.paid), currency_of(what.paid), what.created_at, what.tried_at, what.due_at, what.traffic_reset);
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
  tx.run(
      "UPDATE payments SET external_id = $2, url = $3, expires_at = $4::timestamptz, state = $5, review = $6, "
      "tried_at = $7::timestamptz, settled_at = $8::timestamptz, due_at = $9::timestamptz, looks = $10::int, "
      "account_id = $11::uuid, amount = $12::bigint, currency = $13, fee = $14::bigint, is_fulfilled = $15::boolean, "
      "paid_amount = $16::bigint, paid_currency = $17, refunded = $18::bigint, refund_at = $19::timestamptz "
      "WHERE id = $1::uuid",
      what.id, unless_empty(what.external_id), what.payment_url, what.expires_at, what.state, what.review,
      what.tried_at, what.settled_at, what.due_at, what.looks, what.account, what.price.minor, what.price.currency,
      what.fee, what.is_fulfilled, minor_of(what.paid), currency_of(what.paid), what.refunded, what.refund_at);
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

payment_page search(transaction& tx, const search_payments& wanted) {
  const std::string matching =
      "FROM payments WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR provider = $2) "
      "AND ($3::boolean IS NULL OR (review <> '') = $3::boolean) "
      "AND ($4::uuid IS NULL OR account_id = $4::uuid)";
  payment_page page{{}, 0, wanted.offset, wanted.limit};
  auto total = tx.first("SELECT count(*) " + matching, wanted.state, wanted.provider, wanted.review, wanted.account);
  page.total = sql::get<std::int64_t>((*total)[0]);
  for (auto row :
       tx.run("SELECT " + columns + " " + matching + " ORDER BY created_at DESC, id LIMIT $5::bigint OFFSET $6::bigint",
              wanted.state, wanted.provider, wanted.review, wanted.account, wanted.limit, wanted.offset))
    page.items.push_back(read(row));
  return page;
}

namespace {

buyer read_buyer(const std::optional<pqxx::row>& row) {
  if (!row) fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
  return {sql::get<std::optional<std::string>>((*row)["email"]).value_or(""), sql::get<std::string>((*row)["locale"])};
}

} // namespace

buyer lock_buyer(transaction& tx, const account_id& account) {
  return read_buyer(tx.first("SELECT email, locale FROM accounts WHERE id = $1::uuid FOR NO KEY UPDATE", account));
}

buyer find_buyer(transaction& tx, const account_id& account) {
  return read_buyer(tx.first("SELECT email, locale FROM accounts WHERE id = $1::uuid", account));
}

// ---- Saved methods

namespace {

constexpr auto sealing = "saved payment method", fingerprints = "saved payment method's id";
const std::string method_columns = "id, provider, method, title, is_default, created_at";

saved_method read_method(const pqxx::row& row) {
  return {.id = sql::get<saved_method_id>(row["id"]),
          .provider = sql::get<std::string>(row["provider"]),
          .method = sql::get<std::string>(row["method"]),
          .title = sql::get<std::string>(row["title"]),
          .is_default = sql::get<bool>(row["is_default"]),
          .created_at = sql::get<timestamp>(row["created_at"])};
}

} // namespace

void save_method(transaction& tx, const keyring& keys, const account_id& account, const saved_method& what,
                 const std::string& external_id) {
  std::vector<std::string> known;
  for (auto& each : keys.sign_by_each(fingerprints, external_id)) known.push_back(crypto::to_hex(each));
  tx.run("INSERT INTO saved_payment_methods (id, account, provider, method, fingerprint, sealed_id, title, created_at, "
         "is_default) SELECT $1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8::timestamptz, "
         "NOT EXISTS (SELECT FROM saved_payment_methods WHERE account = $2::uuid) "
         "WHERE NOT EXISTS (SELECT FROM saved_payment_methods WHERE account = $2::uuid AND provider = $3 "
         "AND fingerprint = ANY($9::text[]))",
         what.id, account, what.provider, what.method, known.front(), keys.seal(sealing, secret{external_id}),
         what.title, what.created_at, known);
}

std::vector<saved_method> list_methods(transaction& tx, const account_id& account) {
  std::vector<saved_method> methods;
  for (auto row : tx.run("SELECT " + method_columns +
                             " FROM saved_payment_methods WHERE account = $1::uuid "
                             "ORDER BY is_default DESC, created_at DESC, id",
                         account))
    methods.push_back(read_method(row));
  return methods;
}

std::optional<std::pair<saved_method, std::string>> find_method(transaction& tx, const keyring& keys,
                                                                const account_id& account, const saved_method_id& id) {
  auto row = tx.first("SELECT " + method_columns +
                          ", sealed_id FROM saved_payment_methods WHERE account = $1::uuid AND id = $2::uuid",
                      account, id);
  if (!row) return std::nullopt;
  return std::pair{read_method(*row), keys.open(sealing, sql::get<std::string>((*row)["sealed_id"])).reveal()};
}

// Killed before the commit: it is still there; after it: a repeat finds none.
bool remove_method(transaction& tx, const account_id& account, const saved_method_id& id) {
  lock_buyer(tx, account);
  auto removed = tx.run("DELETE FROM saved_payment_methods WHERE account = $1::uuid AND id = $2::uuid", account, id);
  if (removed.affected_rows() == 0) return false;
  tx.run("UPDATE saved_payment_methods SET is_default = true WHERE id = (SELECT id FROM saved_payment_methods "
         "WHERE account = $1::uuid ORDER BY is_default DESC, created_at DESC, id LIMIT 1)",
         account);
  return true;
}

} // namespace backstay::payments::store
