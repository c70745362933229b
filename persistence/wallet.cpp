#include "actors/wallet/store.hpp"

#include "actors/wallet/rules.hpp"
#include "persistence/transaction.hpp"

#include <map>
#include <set>
#include <tuple>

namespace backstay::wallet::store {

namespace {

/// A book of one currency, in the order in which books are locked.
using key = std::tuple<std::string, std::string, std::string>;

key key_of(const book& which, const std::string& currency) {
  return {std::string{name_of(which.kind)}, which.owner, currency};
}

/// The ids of the books that `transfers` touch, opened where they are new and locked until the transaction ends.
std::map<key, std::int64_t> lock_books(transaction& tx, const std::vector<transfer>& transfers) {
  std::map<key, std::int64_t> books;
  for (auto& each : transfers)
    for (auto& side : {each.from, each.to}) books.emplace(key_of(side, each.amount.currency), 0);
  for (auto& [key, id] : books) {
    auto& [kind, owner, currency] = key;
    tx.run("INSERT INTO ledger_books (kind, owner, currency) SELECT $1, $2, $3 "
           "WHERE NOT EXISTS (SELECT FROM ledger_books WHERE kind = $1 AND owner = $2 AND currency = $3) "
           "ON CONFLICT DO NOTHING",
           kind, owner, currency);
    auto row = tx.first("SELECT id FROM ledger_books WHERE kind = $1 AND owner = $2 AND currency = $3 FOR UPDATE", kind,
                        owner, currency);
    id = sql::get<std::int64_t>((*row)["id"]);
  }
  return books;
}

/// One statement: the cause's row decides whether the entries and balances follow.
bool move(transaction& tx, const transfer& what, std::int64_t from, std::int64_t to, timestamp now) {
  auto rows = tx.run(
      "WITH fresh AS (INSERT INTO ledger_transfers (cause_kind, cause_id, created_at) VALUES ($1, $2, $3::timestamptz) "
      "  ON CONFLICT DO NOTHING RETURNING id), "
      "sides (book_id, amount) AS (VALUES ($4::bigint, -($6::bigint)), ($5::bigint, $6::bigint)), "
      "moved AS (UPDATE ledger_books SET balance = balance + sides.amount FROM sides, fresh WHERE ledger_books.id = "
      "sides.book_id) "
      "INSERT INTO ledger_entries (transfer_id, book_id, amount) SELECT fresh.id, sides.book_id, sides.amount "
      "FROM fresh, sides",
      what.cause_kind, what.cause_id, now, from, to, what.amount.minor);
  return rows.affected_rows() > 0;
}

} // namespace

// Killed after any of these statements: the transaction ends with the connection, and nothing of it remains.
std::size_t post(transaction& tx, const std::vector<transfer>& transfers, timestamp now) {
  for (auto& each : transfers) check(each);
  auto books = lock_books(tx, transfers);
  std::size_t fresh = 0;
  try {
    for (auto& each : transfers) {
      auto& currency = each.amount.currency;
      fresh += move(tx, each, books.at(key_of(each.from, currency)), books.at(key_of(each.to, currency)), now);
    }
  } catch (const pqxx::check_violation&) {
    // The only CHECK that an update of a balance can break. The transaction is spoilt, and `fail` ends it.
    fail(ec::refused, "Insufficient funds", "INSUFFICIENT_FUNDS");
  }
  return fresh;
}

bool post(transaction& tx, const transfer& what, timestamp now) { return post(tx, std::vector{what}, now) == 1; }

std::int64_t balance(transaction& tx, const book& which, const std::string& currency) {
  auto row = tx.first("SELECT balance FROM ledger_books WHERE kind = $1 AND owner = $2 AND currency = $3", which.kind,
                      which.owner, currency);
  return row ? sql::get<std::int64_t>((*row)["balance"]) : 0;
}

namespace {

// Each check selects (rule, subject, detail) of what breaks it.
constexpr auto checks = {
    R"(SELECT 'balance_differs', concat_ws(' ', b.kind, b.owner, b.currency),
              format('balance %s, entries %s', b.balance, coalesce(sum(e.amount), 0))
       FROM ledger_books b LEFT JOIN ledger_entries e ON e.book_id = b.id
       GROUP BY b.id HAVING b.balance <> coalesce(sum(e.amount), 0) ORDER BY b.id)",

    R"(SELECT 'wallet_in_debt', concat_ws(' ', kind, owner, currency), format('balance %s', balance)
       FROM ledger_books WHERE kind = 'wallet' AND balance < 0 ORDER BY id)",

    R"(SELECT 'currency_not_balanced', currency, format('all balances sum to %s', sum(balance))
       FROM ledger_books GROUP BY currency HAVING sum(balance) <> 0 ORDER BY currency)",

    R"(SELECT 'transfer_not_balanced', format('transfer %s %s', t.cause_kind, t.cause_id),
              format('%s entries of %s currencies sum to %s', count(e.*), count(DISTINCT b.currency),
                     coalesce(sum(e.amount), 0))
       FROM ledger_transfers t LEFT JOIN ledger_entries e ON e.transfer_id = t.id LEFT JOIN ledger_books b ON b.id = e.book_id
       GROUP BY t.id
       HAVING count(e.*) <> 2 OR count(DISTINCT b.currency) <> 1 OR coalesce(sum(e.amount), 0) <> 0 ORDER BY t.id)",

    // What each paid payment must have: provider → wallet and wallet → revenue, of its amount.
    R"(WITH expected AS (
         SELECT p.id, cause.kind AS cause, side.* FROM payments p
         CROSS JOIN (VALUES ('payment'), ('purchase')) AS cause (kind)
         CROSS JOIN LATERAL (VALUES
           (CASE cause.kind WHEN 'payment' THEN 'provider' ELSE 'wallet' END,
            CASE cause.kind WHEN 'payment' THEN p.provider ELSE p.account_id::text END, p.currency, -p.amount),
           (CASE cause.kind WHEN 'payment' THEN 'wallet' ELSE 'revenue' END,
            CASE cause.kind WHEN 'payment' THEN p.account_id::text ELSE '' END, p.currency, p.amount)
         ) AS side (kind, owner, currency, amount)
         WHERE p.state = 'paid')
       SELECT 'payment_not_booked', format('payment %s', x.id), format('no %s entry of %s %s in book %s %s', x.cause,
              x.amount, x.currency, x.kind, x.owner)
       FROM expected x WHERE NOT EXISTS (
         SELECT FROM ledger_transfers t JOIN ledger_entries e ON e.transfer_id = t.id JOIN ledger_books b ON b.id = e.book_id
         WHERE t.cause_kind = x.cause AND t.cause_id = x.id::text AND b.kind = x.kind AND b.owner = x.owner
           AND b.currency = x.currency AND e.amount = x.amount)
       ORDER BY x.id, x.cause, x.amount)",

    R"(SELECT 'booked_without_payment', format('transfer %s %s', t.cause_kind, t.cause_id),
              coalesce('the payment is ' || p.state, 'there is no such payment')
       FROM ledger_transfers t LEFT JOIN payments p ON p.id::text = t.cause_id
       WHERE t.cause_kind = 'payment' AND p.state IS DISTINCT FROM 'paid' ORDER BY t.id)",
};

} // namespace

std::vector<discrepancy> audit(transaction& tx) {
  std::string statement;
  for (auto check : checks) statement += (statement.empty() ? "(" : " UNION ALL (") + std::string{check} + ")";
  std::vector<discrepancy> found;
  for (auto row : tx.run(statement))
    found.push_back({sql::get<std::string>(row[0]), sql::get<std::string>(row[1]), sql::get<std::string>(row[2])});
  return found;
}

} // namespace backstay::wallet::store
