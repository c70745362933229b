#include "actors/promotions/store.hpp"

#include "actors/kernel/text.hpp"
#include "persistence/transaction.hpp"

namespace backstay::promotions::store {

namespace {

using sql::get;
template <class T>
using maybe = std::optional<T>;

[[noreturn]] void fail_exists() { fail(ec::conflict, "There is a code of this name already.", "PROMO_EXISTS"); }

maybe<money> money_of(const pqxx::row& row) {
  auto minor = get<maybe<std::int64_t>>(row["amount"]);
  return minor ? maybe<money>{{*minor, get<std::string>(row["currency"])}} : std::nullopt;
}

promo_code read(const pqxx::row& row) {
  return {.id = get<uuid>(row["id"]),
          .code = get<std::string>(row["code"]),
          .benefit = {.kind = get<promo_kind>(row["kind"]),
                      .amount = money_of(row),
                      .days = get<maybe<int>>(row["days"]),
                      .plan = get<maybe<plan_id>>(row["plan_id"]),
                      .traffic_bytes = get<maybe<std::int64_t>>(row["traffic_bytes"]),
                      .group = get<maybe<std::string>>(row["group_name"]),
                      .percent = get<maybe<int>>(row["percent"]),
                      .hours = get<maybe<int>>(row["hours"])},
          .limits = {.max_uses = get<maybe<std::int64_t>>(row["max_uses"]),
                     .valid_from = get<maybe<timestamp>>(row["valid_from"]),
                     .valid_until = get<maybe<timestamp>>(row["valid_until"]),
                     .is_active = get<bool>(row["is_active"]),
                     .is_for_first_purchase = get<bool>(row["is_for_first_purchase"])},
          .uses = get<std::int64_t>(row["uses"]),
          .created_at = get<timestamp>(row["created_at"]),
          .updated_at = get<timestamp>(row["updated_at"])};
}

maybe<promo_code> first(const maybe<pqxx::row>& row) { return row ? maybe<promo_code>{read(*row)} : std::nullopt; }

maybe<std::int64_t> minor_of(const maybe<money>& amount) {
  return amount ? maybe<std::int64_t>{amount->minor} : std::nullopt;
}
maybe<std::string> currency_of(const maybe<money>& amount) {
  return amount ? maybe<std::string>{amount->currency} : std::nullopt;
}

/// Runs `statement` with all that may change of a code as $1 to $16, and `more` from $17 on.
template <class... More>
pqxx::result run_with(transaction& tx, const std::string& statement, const promo_code& what, const More&... more) {
  auto& brings = what.benefit;
  auto& limits = what.limits;
  return tx.run(statement, what.id, what.code, brings.kind, minor_of(brings.amount), currency_of(brings.amount),
                brings.days, brings.plan, brings.traffic_bytes, brings.group, brings.percent, brings.hours,
                limits.max_uses, limits.valid_from, limits.valid_until, limits.is_active, limits.is_for_first_purchase,
                more...);
}

} // namespace

// ---- Discounts

discount discount_of(transaction& tx, const account_id& account, timestamp now) {
  auto row =
      tx.first("SELECT group_name, group_percent, "
               "CASE WHEN offer_until <= $2::timestamptz THEN 0 ELSE offer_percent END AS offer_percent, "
               "CASE WHEN offer_until > $2::timestamptz AND offer_percent > 0 THEN offer_until END AS offer_until "
               "FROM discounts WHERE account_id = $1::uuid",
               account, now);
  if (!row) return {};
  return {.group = get<std::string>((*row)["group_name"]),
          .group_percent = get<int>((*row)["group_percent"]),
          .offer_percent = get<int>((*row)["offer_percent"]),
          .offer_until = get<maybe<timestamp>>((*row)["offer_until"])};
}

// Killed before the commit: the purchase was not made, and the offer stands.
discount use_discount(transaction& tx, const account_id& account, timestamp now) {
  auto found = discount_of(tx, account, now);
  tx.run("UPDATE discounts SET offer_percent = 0, offer_until = NULL WHERE account_id = $1::uuid", account);
  return found;
}

// Killed before the commit, like the next three: the code was not used.
void join_group(transaction& tx, const account_id& account, const std::string& group, int percent) {
  tx.run("INSERT INTO discounts (account_id, group_name, group_percent) VALUES ($1::uuid, $2, $3::int) "
         "ON CONFLICT (account_id) DO UPDATE SET group_name = excluded.group_name, "
         "group_percent = excluded.group_percent",
         account, group, percent);
}

void offer(transaction& tx, const account_id& account, int percent, const maybe<timestamp>& until) {
  tx.run("INSERT INTO discounts (account_id, offer_percent, offer_until) VALUES ($1::uuid, $2::int, $3::timestamptz) "
         "ON CONFLICT (account_id) DO UPDATE SET offer_percent = excluded.offer_percent, "
         "offer_until = excluded.offer_until",
         account, percent, until);
}

void add_traffic(transaction& tx, const account_id& account, std::int64_t bytes, timestamp now) {
  tx.run("UPDATE subscriptions SET traffic_limit_bytes = traffic_limit_bytes + $2::bigint WHERE account_id = $1::uuid "
         "AND expires_at > $3::timestamptz",
         account, bytes, now);
}

// ---- Activations

void note_use(transaction& tx, const promo_code& what, const account_id& account, timestamp now) {
  auto& brings = what.benefit;
  tx.run("INSERT INTO promo_code_uses (promo_code_id, account_id, used_at, amount, currency, days, percent) "
         "VALUES ($1::uuid, $2::uuid, $3, $4::bigint, $5, $6::int, $7::int)",
         what.id, account, now, minor_of(brings.amount), currency_of(brings.amount), brings.days, brings.percent);
  tx.run("UPDATE promo_codes SET uses = uses + 1 WHERE id = $1::uuid", what.id);
}

maybe<promo_code> lock(transaction& tx, const std::string& code) {
  return first(tx.first("SELECT * FROM promo_codes WHERE code = $1 AND deleted_at IS NULL FOR UPDATE", code));
}

record find_record(transaction& tx, const account_id& account, const uuid& code, timestamp now) {
  auto row = *tx.first("SELECT coalesce(bool_or(promo_code_id = $2::uuid), false) AS has_used, "
                       "count(*) FILTER (WHERE used_at > $3::timestamptz) AS uses_today, "
                       "EXISTS (SELECT FROM ledger_books b JOIN ledger_entries e ON e.book_id = b.id "
                       "JOIN ledger_transfers t ON t.id = e.transfer_id WHERE b.kind = 'wallet' "
                       "AND b.owner = $1::uuid::text AND t.cause_kind = 'purchase') AS has_purchased "
                       "FROM promo_code_uses WHERE account_id = $1::uuid",
                       account, code, now - std::chrono::hours{24});
  return {get<bool>(row["has_used"]), get<std::int64_t>(row["uses_today"]), get<bool>(row["has_purchased"])};
}

// ---- Administration

// Killed right after the commit, the answer is lost: a repeat with the same key finds the row by its claim.
promo_code insert(transaction& tx, const promo_code& what, const maybe<claim_id>& claim) {
  auto rows =
      run_with(tx,
               "INSERT INTO promo_codes (id, code, kind, amount, currency, days, plan_id, traffic_bytes, "
               "group_name, percent, hours, max_uses, valid_from, valid_until, is_active, "
               "is_for_first_purchase, claim_id, created_at, updated_at) VALUES ($1::uuid, $2, $3, $4::bigint, "
               "$5, $6::int, $7::uuid, $8::bigint, $9, $10::int, $11::int, $12::bigint, $13, $14, $15::boolean, "
               "$16::boolean, $17::uuid, $18, $18) ON CONFLICT DO NOTHING RETURNING *",
               what, claim, what.created_at);
  if (!rows.empty()) return read(rows[0]);
  auto made = first(tx.first("SELECT * FROM promo_codes WHERE claim_id = $1::uuid", claim));
  if (!made) fail_exists();
  return *made;
}

// Killed right after the commit: changed; a repeat changes nothing more.
promo_code update(transaction& tx, const promo_code& what) {
  auto before =
      first(tx.first("SELECT * FROM promo_codes WHERE id = $1::uuid AND deleted_at IS NULL FOR UPDATE", what.id));
  if (!before) fail(ec::not_found);
  if (what.limits.max_uses && *what.limits.max_uses < before->uses)
    fail_field("max_uses", "must not be below the uses there have been");
  try {
    return read(
        run_with(tx,
                 "UPDATE promo_codes SET code = $2, kind = $3, amount = $4::bigint, currency = $5, days = "
                 "$6::int, plan_id = $7::uuid, traffic_bytes = $8::bigint, group_name = $9, percent = $10::int, "
                 "hours = $11::int, max_uses = $12::bigint, valid_from = $13, valid_until = $14, "
                 "is_active = $15::boolean, is_for_first_purchase = $16::boolean, updated_at = $17 "
                 "WHERE id = $1::uuid RETURNING *",
                 what, what.updated_at)[0]);
  } catch (const pqxx::unique_violation&) {
    fail_exists(); // which ends the transaction, spoilt as it is
  }
}

// Killed right after the commit: gone; a repeat does not find it.
promo_code remove(transaction& tx, const uuid& id, timestamp now) {
  auto gone = first(tx.first("UPDATE promo_codes SET deleted_at = $2 WHERE id = $1::uuid AND deleted_at IS NULL "
                             "RETURNING *",
                             id, now));
  if (!gone) fail(ec::not_found);
  return *gone;
}

maybe<promo_code> find(transaction& tx, const uuid& id) {
  return first(tx.first("SELECT * FROM promo_codes WHERE id = $1::uuid AND deleted_at IS NULL", id));
}

promo_code_page list(transaction& tx, const list_promo_codes& wanted) {
  static const std::string found = "FROM promo_codes WHERE deleted_at IS NULL "
                                   "AND ($1::text IS NULL OR strpos(code, $1) > 0) AND ($2::text IS NULL OR kind = $2) "
                                   "AND ($3::boolean IS NULL OR is_active = $3) ";
  auto part = wanted.text ? maybe<std::string>{to_upper(*wanted.text)} : std::nullopt;
  promo_code_page page{{}, 0, wanted.offset, wanted.limit};
  page.total = get<std::int64_t>(tx.run("SELECT count(*) " + found, part, wanted.kind, wanted.is_active)[0][0]);
  for (auto row : tx.run("SELECT * " + found + "ORDER BY created_at DESC, id LIMIT $4::bigint OFFSET $5::bigint", part,
                         wanted.kind, wanted.is_active, wanted.limit, wanted.offset))
    page.items.push_back(read(row));
  return page;
}

use_page list_uses(transaction& tx, const promotions::list_uses& wanted) {
  auto code = find(tx, wanted.id);
  if (!code) fail(ec::not_found);
  use_page page{{}, code->uses, wanted.offset, wanted.limit};
  for (auto row : tx.run("SELECT u.*, a.login FROM promo_code_uses u JOIN accounts a ON a.id = u.account_id "
                         "WHERE u.promo_code_id = $1::uuid ORDER BY u.used_at DESC, u.account_id "
                         "LIMIT $2::bigint OFFSET $3::bigint",
                         wanted.id, wanted.limit, wanted.offset))
    page.items.push_back({.account = get<account_id>(row["account_id"]),
                          .login = get<std::string>(row["login"]),
                          .used_at = get<timestamp>(row["used_at"]),
                          .amount = money_of(row),
                          .days = get<maybe<int>>(row["days"]),
                          .percent = get<maybe<int>>(row["percent"])});
  return page;
}

} // namespace backstay::promotions::store
