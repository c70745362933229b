#include "actors/wallet/store.hpp"

#include "actors/wallet/rules.hpp"
#include "persistence/transaction.hpp"

#include <map>
#include <set>

namespace backstay::wallet::store {

namespace {

using positions = std::set<position>;

positions positions_of(const std::vector<transfer>& transfers) {
  positions all;
  for (auto& each : transfers) all.insert({source_of(each), target_of(each)});
  return all;
}

/// One array a column, as `unnest` takes them.
struct columns {
  std::vector<std::string> kinds, owners, currencies;
  explicit columns(const positions& all) {
    for (auto& each : all) {
      kinds.emplace_back(name_of(each.book.kind));
      owners.push_back(each.book.owner);
      currencies.push_back(each.currency);
    }
  }
};

/// Books as they stand, in currencies that nobody else moves money in until the transaction ends.
struct ledger {
  std::map<position, std::int64_t> ids; ///< of those that exist
  open_books balances;
};

/// Waits for whoever moves money in these currencies, in the order of their names.
void lock_currencies(transaction& tx, const positions& books) {
  std::set<std::string> currencies;
  for (auto& each : books) currencies.insert(each.currency);
  tx.run("SELECT pg_advisory_xact_lock(hashtextextended('ledger ' || currency, 0)) FROM unnest($1::text[]) AS currency",
         std::vector<std::string>(currencies.begin(), currencies.end()));
}

ledger open(transaction& tx, const positions& books) {
  lock_currencies(tx, books);
  ledger opened;
  columns wanted{books};
  for (auto row :
       tx.run("SELECT id, balance, kind, owner, currency FROM ledger_books JOIN unnest($1::text[], $2::text[], "
              "$3::text[]) AS wanted (kind, owner, currency) USING (kind, owner, currency)",
              wanted.kinds, wanted.owners, wanted.currencies)) {
    position which{{sql::get<book_kind>(row["kind"]), sql::get<std::string>(row["owner"])},
                   sql::get<std::string>(row["currency"])};
    opened.ids[which] = sql::get<std::int64_t>(row["id"]);
    opened.balances[which] = sql::get<std::int64_t>(row["balance"]);
  }
  return opened;
}

void add_missing(transaction& tx, ledger& opened, positions books) {
  std::erase_if(books, [&](auto& each) { return opened.ids.contains(each); });
  if (books.empty()) return;
  columns missing{books};
  for (auto row :
       tx.run("INSERT INTO ledger_books (kind, owner, currency) SELECT * FROM unnest($1::text[], $2::text[], "
              "$3::text[]) RETURNING id, kind, owner, currency",
              missing.kinds, missing.owners, missing.currencies))
    opened.ids[{{sql::get<book_kind>(row["kind"]), sql::get<std::string>(row["owner"])},
                sql::get<std::string>(row["currency"])}] = sql::get<std::int64_t>(row["id"]);
}

/// The causes of `transfers` that are booked already.
std::set<cause> booked(transaction& tx, const std::vector<transfer>& transfers) {
  std::vector<cause_kind> kinds;
  std::vector<std::string> ids;
  for (auto& each : transfers) kinds.push_back(each.cause.kind), ids.push_back(each.cause.id);
  std::set<cause> known;
  for (auto row : tx.run("SELECT cause_kind, cause_id FROM ledger_transfers JOIN unnest($1::text[], $2::text[]) "
                         "AS wanted (cause_kind, cause_id) USING (cause_kind, cause_id)",
                         kinds, ids))
    known.insert({sql::get<cause_kind>(row[0]), sql::get<std::string>(row[1])});
  return known;
}

/// One statement for all of them. Entries and balances follow from the rows of the causes, so that not even a defect
/// books one twice.
void write(transaction& tx, ledger& opened, const std::vector<transfer>& transfers, timestamp now) {
  if (transfers.empty()) return;
  add_missing(tx, opened, positions_of(transfers));
  std::vector<cause_kind> kinds;
  std::vector<std::string> causes;
  std::vector<std::int64_t> from, to, amounts;
  for (auto& each : transfers) {
    kinds.push_back(each.cause.kind);
    causes.push_back(each.cause.id);
    from.push_back(opened.ids.at(source_of(each)));
    to.push_back(opened.ids.at(target_of(each)));
    amounts.push_back(each.amount.minor);
  }
  auto rows = tx.run(
      "WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) "
      "  WITH ORDINALITY AS given (cause_kind, cause_id, source, target, amount, number)), "
      "fresh AS (INSERT INTO ledger_transfers (cause_kind, cause_id, created_at) "
      "  SELECT cause_kind, cause_id, $6::timestamptz FROM given ORDER BY number "
      "  ON CONFLICT DO NOTHING RETURNING id, cause_kind, cause_id), "
      "sides AS (SELECT fresh.id, side.book_id, side.amount FROM fresh JOIN given USING (cause_kind, cause_id) "
      "  CROSS JOIN LATERAL (VALUES (source, -given.amount), (target, given.amount)) AS side (book_id, amount)), "
      "moved AS (UPDATE ledger_books SET balance = balance + change.amount FROM "
      "  (SELECT book_id, sum(amount)::bigint AS amount FROM sides GROUP BY book_id) AS change WHERE id = book_id) "
      "INSERT INTO ledger_entries (transfer_id, book_id, amount) SELECT id, book_id, amount FROM sides",
      kinds, causes, from, to, amounts, now);
  // Only a transfer of the same cause in another currency at the same moment can do this.
  if (static_cast<std::size_t>(rows.affected_rows()) != 2 * transfers.size())
    fail(ec::unavailable, "this cause is being booked elsewhere", "DATABASE_BUSY");
}

/// Those of `transfers` that `judge` let pass.
std::vector<transfer> new_ones(const std::vector<transfer>& transfers,
                               const std::vector<outcome<transferred>>& outcomes) {
  std::vector<transfer> fresh;
  for (std::size_t i = 0; i < transfers.size(); ++i)
    if (outcomes[i] == outcome<transferred>{transferred{true}}) fresh.push_back(transfers[i]);
  return fresh;
}

/// All or none of `transfers`; returns how many were new.
std::size_t book_all(transaction& tx, ledger& opened, const std::set<cause>& known,
                     const std::vector<transfer>& transfers, timestamp now) {
  auto outcomes = judge(opened.balances, known, transfers);
  for (auto& each : outcomes) value_of(each);
  auto fresh = new_ones(transfers, outcomes);
  write(tx, opened, fresh, now);
  return fresh.size();
}

/// Books `what` and the change of the account's debt that goes with it: both of which `plan` makes of the balances.
template <class Plan>
bool post_with_debt(transaction& tx, const transfer& what, const account_id& account, timestamp now, Plan plan) {
  check(what);
  auto opened = open(tx, {source_of(what), target_of(what), {debt_of(account), what.amount.currency}});
  if (!booked(tx, {what}).empty()) return false;
  return book_all(tx, opened, {}, plan(opened.balances), now) > 0;
}

} // namespace

// Killed after any statement of these functions: the transaction ends with the connection, and nothing of it remains.
std::vector<outcome<transferred>> post_each(transaction& tx, const std::vector<transfer>& transfers, timestamp now) {
  for (auto& each : transfers) check(each);
  tx.run("SELECT set_config('synchronous_commit', 'off', true)");
  auto opened = open(tx, positions_of(transfers));
  auto outcomes = judge(opened.balances, booked(tx, transfers), transfers);
  write(tx, opened, new_ones(transfers, outcomes), now);
  return outcomes;
}

// A commit waits for the log up to its own record, and only if it has written to it.
void secure(transaction& tx) { tx.run("SELECT pg_logical_emit_message(true, 'backstay', 'secured')"); }

std::size_t post(transaction& tx, const std::vector<transfer>& transfers, timestamp now) {
  for (auto& each : transfers) check(each);
  auto opened = open(tx, positions_of(transfers));
  return book_all(tx, opened, booked(tx, transfers), transfers, now);
}

bool post(transaction& tx, const transfer& what, timestamp now) { return post(tx, std::vector{what}, now) == 1; }

bool credit(transaction& tx, const account_id& account, const book& from, const money& amount, const cause& why,
            timestamp now) {
  transfer what{why, from, wallet_of(account), amount};
  return post_with_debt(tx, what, account, now, [&](open_books& books) {
    return paying_debt(what, -books[{debt_of(account), amount.currency}]);
  });
}

bool spend(transaction& tx, const account_id& account, const money& amount, const cause& why, timestamp now) {
  return post(tx, {why, wallet_of(account), revenue(), amount}, now);
}

bool undo_purchase(transaction& tx, const std::string& id, timestamp now) {
  auto row = tx.first("SELECT b.owner, b.currency, -e.amount AS amount FROM ledger_transfers t "
                      "JOIN ledger_entries e ON e.transfer_id = t.id JOIN ledger_books b ON b.id = e.book_id "
                      "WHERE t.cause_kind = $1 AND t.cause_id = $2 AND b.kind = $3",
                      cause_kind::purchase, id, book_kind::wallet);
  if (!row) return false;
  book buyer{book_kind::wallet, sql::get<std::string>((*row)["owner"])};
  money amount{sql::get<std::int64_t>((*row)["amount"]), sql::get<std::string>((*row)["currency"])};
  return post(tx, {{cause_kind::reversal, id}, revenue(), buyer, amount}, now);
}

bool take_back(transaction& tx, const account_id& account, const book& to, const money& amount, const cause& why,
               timestamp now) {
  transfer what{why, wallet_of(account), to, amount};
  return post_with_debt(tx, what, account, now, [&](open_books& books) {
    return lending(what, books[{wallet_of(account), amount.currency}]);
  });
}

std::int64_t balance(transaction& tx, const book& which, const std::string& currency) {
  auto row = tx.first("SELECT balance FROM ledger_books WHERE kind = $1 AND owner = $2 AND currency = $3", which.kind,
                      which.owner, currency);
  return row ? sql::get<std::int64_t>((*row)["balance"]) : 0;
}

std::int64_t balance_of(transaction& tx, const account_id& account, const std::string& currency) {
  return balance(tx, wallet_of(account), currency);
}

std::int64_t owed_by(transaction& tx, const account_id& account, const std::string& currency) {
  return -balance(tx, debt_of(account), currency);
}

holdings balances(transaction& tx, const account_id& account) {
  holdings found;
  for (auto row :
       tx.run("SELECT currency, coalesce(sum(balance) FILTER (WHERE kind = 'wallet'), 0)::bigint AS balance, "
              "coalesce(-sum(balance) FILTER (WHERE kind = 'debt'), 0)::bigint AS owed FROM ledger_books "
              "WHERE kind IN ('wallet', 'debt') AND owner = $1 GROUP BY currency ORDER BY currency",
              account)) {
    auto currency = sql::get<std::string>(row["currency"]);
    found.items.push_back(
        {{sql::get<std::int64_t>(row["balance"]), currency}, {sql::get<std::int64_t>(row["owed"]), currency}});
  }
  return found;
}

statement list(transaction& tx, const list_transfers& wanted) {
  const std::string of_wallets =
      " FROM ledger_books w JOIN ledger_entries e ON e.book_id = w.id "
      "JOIN ledger_transfers t ON t.id = e.transfer_id WHERE w.kind = 'wallet' AND w.owner = $1 "
      "AND ($2::text IS NULL OR t.cause_kind = $2) AND ($3::text IS NULL OR w.currency = $3) ";
  statement page{{}, 0, wanted.offset, wanted.limit};
  page.total = sql::get<std::int64_t>(
      (*tx.first("SELECT count(*)" + of_wallets, wanted.account, wanted.kind, wanted.currency))[0]);
  for (auto row :
       tx.run("SELECT line.*, b.kind, b.owner FROM (SELECT t.id, t.cause_kind, t.cause_id, t.created_at, e.amount, "
              "w.currency, w.id AS book_id" +
                  of_wallets +
                  "ORDER BY t.id DESC OFFSET $4::bigint LIMIT $5::bigint) AS line "
                  "JOIN ledger_entries o ON o.transfer_id = line.id AND o.book_id <> line.book_id "
                  "JOIN ledger_books b ON b.id = o.book_id ORDER BY line.id DESC",
              wanted.account, wanted.kind, wanted.currency, wanted.offset, wanted.limit))
    page.items.push_back({{sql::get<cause_kind>(row["cause_kind"]), sql::get<std::string>(row["cause_id"])},
                          {sql::get<std::int64_t>(row["amount"]), sql::get<std::string>(row["currency"])},
                          {sql::get<book_kind>(row["kind"]), sql::get<std::string>(row["owner"])},
                          sql::get<timestamp>(row["created_at"])});
  return page;
}

namespace {

// Each check selects (rule, subject, detail) of what breaks it; $1 are the names of the known causes.
constexpr auto checks = {
    R"(SELECT 'balance_differs', concat_ws(' ', b.kind, b.owner, b.currency),
              format('balance %s, entries %s', b.balance, coalesce(sum(e.amount), 0))
       FROM ledger_books b LEFT JOIN ledger_entries e ON e.book_id = b.id
       GROUP BY b.id HAVING b.balance <> coalesce(sum(e.amount), 0) ORDER BY b.id)",

    R"(SELECT CASE kind WHEN 'wallet' THEN 'wallet_below_zero' ELSE 'debt_above_zero' END,
              concat_ws(' ', kind, owner, currency), format('balance %s', balance)
       FROM ledger_books WHERE (kind = 'wallet' AND balance < 0) OR (kind = 'debt' AND balance > 0) ORDER BY id)",

    R"(SELECT 'currency_not_balanced', currency, format('all balances sum to %s', sum(balance))
       FROM ledger_books GROUP BY currency HAVING sum(balance) <> 0 ORDER BY currency)",

    R"(SELECT 'transfer_not_balanced', format('transfer %s %s', t.cause_kind, t.cause_id),
              format('%s entries of %s currencies sum to %s', count(e.*), count(DISTINCT b.currency),
                     coalesce(sum(e.amount), 0))
       FROM ledger_transfers t LEFT JOIN ledger_entries e ON e.transfer_id = t.id LEFT JOIN ledger_books b ON b.id = e.book_id
       GROUP BY t.id
       HAVING count(e.*) <> 2 OR count(DISTINCT b.currency) <> 1 OR coalesce(sum(e.amount), 0) <> 0 ORDER BY t.id)",

    R"(SELECT 'unknown_cause', format('transfer %s %s', cause_kind, cause_id), 'nobody books this kind'
       FROM ledger_transfers WHERE cause_kind <> ALL ($1::text[]) ORDER BY id)",

    // A settled payment: provider → wallet, of its amount. Once it is refunded: the way back, too.
    R"(WITH expected AS (
         SELECT p.id, side.* FROM payments p
         LEFT JOIN ledger_transfers booked ON booked.cause_kind = 'payment' AND booked.cause_id = p.id::text
         CROSS JOIN LATERAL (VALUES
           ('payment', 'provider', p.provider, p.currency, -p.amount),
           ('payment', 'wallet', p.account_id::text, p.currency, p.amount),
           ('refund', 'wallet', p.account_id::text, p.currency, -p.amount),
           ('refund', 'provider', p.provider, p.currency, p.amount)
         ) AS side (cause, kind, owner, currency, amount)
         WHERE (p.settled_at IS NOT NULL OR booked.id IS NOT NULL) AND (side.cause = 'payment' OR p.state = 'refunded'))
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
       WHERE t.cause_kind = 'payment' AND coalesce(p.state NOT IN ('paid', 'refunded'), true) ORDER BY t.id)",

    R"(SELECT 'refunded_without_payment', format('transfer %s %s', t.cause_kind, t.cause_id),
              coalesce('the payment is ' || p.state, 'there is no such payment')
       FROM ledger_transfers t LEFT JOIN payments p ON p.id::text = t.cause_id
       WHERE t.cause_kind = 'refund' AND p.state IS DISTINCT FROM 'refunded' AND EXISTS (
         SELECT FROM ledger_entries e JOIN ledger_books b ON b.id = e.book_id
         WHERE e.transfer_id = t.id AND b.kind = 'provider')
       ORDER BY t.id)",

    // What was bought directly stands with its payment and falls with it.
    R"(SELECT 'purchase_differs', format('payment %s', p.id),
              format('it is %s and %s, its purchase is %s', p.state, CASE WHEN p.is_fulfilled THEN 'fulfilled' ELSE 'not fulfilled' END,
                     CASE WHEN t.id IS NULL THEN 'not booked' WHEN undone.id IS NULL THEN 'booked' ELSE 'undone' END)
       FROM payments p LEFT JOIN ledger_transfers t ON t.cause_kind = 'purchase' AND t.cause_id = p.id::text
       LEFT JOIN ledger_transfers undone ON undone.cause_kind = 'reversal' AND undone.cause_id = p.id::text
       WHERE p.is_fulfilled <> (t.id IS NOT NULL)
          OR (p.is_fulfilled AND p.state = 'refunded') <> (undone.id IS NOT NULL) ORDER BY p.id)",
};

} // namespace

std::vector<discrepancy> audit(transaction& tx) {
  std::string statement;
  for (auto check : checks) statement += (statement.empty() ? "(" : " UNION ALL (") + std::string{check} + ")";
  std::vector<std::string> known(names_of<cause_kind>.begin(), names_of<cause_kind>.end());
  std::vector<discrepancy> found;
  for (auto row : tx.run(statement, known))
    found.push_back({sql::get<std::string>(row[0]), sql::get<std::string>(row[1]), sql::get<std::string>(row[2])});
  return found;
}

} // namespace backstay::wallet::store
