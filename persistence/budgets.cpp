#include "actors/budgets/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "persistence/transaction.hpp"

#include <algorithm>

namespace backstay::budgets {

namespace {

using std::chrono::seconds;

std::string opaque(const keyring& keys, std::string_view purpose, std::string_view text) {
  return crypto::to_hex(keys.sign(purpose, to_lower(text)));
}

// One statement decides and counts, so that parallel tries, also on other nodes, cannot overdraw a budget.
// Killed before the answer is out: the try is counted although nothing was checked.
bool take_one(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  static const std::string minute_over =
      "(CASE WHEN b.minute_count >= $3::bigint THEN b.last_at + $5::bigint * interval '1 second' "
      "ELSE b.minute_started_at + interval '1 minute' END <= $2::timestamptz)";
  static const std::string hour_over = "(b.hour_started_at + interval '1 hour' <= $2::timestamptz)";
  static const std::string statement =
      "INSERT INTO budgets AS b (key, minute_started_at, minute_count, hour_started_at, hour_count, last_at) "
      "VALUES ($1, $2::timestamptz, 1, $2::timestamptz, 1, $2::timestamptz) ON CONFLICT (key) DO UPDATE SET "
      "minute_started_at = CASE WHEN " +
      minute_over +
      " THEN $2::timestamptz ELSE b.minute_started_at END, "
      "minute_count = CASE WHEN " +
      minute_over +
      " THEN 1 ELSE b.minute_count + 1 END, "
      "hour_started_at = CASE WHEN " +
      hour_over +
      " THEN $2::timestamptz ELSE b.hour_started_at END, "
      "hour_count = CASE WHEN " +
      hour_over +
      " THEN 1 ELSE b.hour_count + 1 END, "
      "last_at = $2::timestamptz "
      "WHERE (b.minute_count < $3::bigint OR " +
      minute_over + ") AND (b.hour_count < $4::bigint OR " + hour_over +
      ") "
      "RETURNING 1";
  return tx.first(statement, key, now, from.per_minute, from.per_hour, from.pause.count()).has_value();
}

/// For how long an exhausted budget has to rest; 0 if it is not exhausted.
seconds rest_of(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  auto row = tx.first("SELECT ceil(extract(epoch FROM greatest("
                      "CASE WHEN minute_count >= $3::bigint THEN last_at + $5::bigint * interval '1 second' END, "
                      "CASE WHEN hour_count >= $4::bigint THEN hour_started_at + interval '1 hour' END) "
                      "- $2::timestamptz))::bigint FROM budgets WHERE key = $1",
                      key, now, from.per_minute, from.per_hour, from.pause.count());
  auto wait = row ? sql::get<std::optional<std::int64_t>>((*row)[0]) : std::nullopt;
  return seconds{std::max<std::int64_t>(wait.value_or(0), 0)};
}

} // namespace

std::string guesses_of(const account_id& account, std::string_view device) {
  auto key = "guess:account:" + to_string(account);
  return device.empty() ? key : key + ":" + std::string{device};
}

std::string guesses_of_unknown(const keyring& keys, std::string_view identifier) {
  return "guess:identifier:" + opaque(keys, "guess", identifier);
}

std::string mails_to(const keyring& keys, std::string_view address) { return "mail:" + opaque(keys, "mail", address); }

namespace store {

seconds take(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  return take_one(tx, key, from, now) ? seconds{0} : std::max(rest_of(tx, key, from, now), seconds{1});
}

void give_back(transaction& tx, const std::string& key) {
  tx.run("UPDATE budgets SET minute_count = greatest(minute_count - 1, 0), hour_count = greatest(hour_count - 1, 0) "
         "WHERE key = $1",
         key);
}

tally look(transaction& tx, const std::string& key, const budget& from, timestamp now) {
  auto row = tx.first("SELECT hour_count FROM budgets WHERE key = $1 AND hour_started_at + interval '1 hour' > "
                      "$2::timestamptz",
                      key, now);
  return {row ? sql::get<std::int64_t>((*row)[0]) : 0, rest_of(tx, key, from, now)};
}

// Killed right after the commit: the budget is full.
void refill(transaction& tx, const std::string& key) {
  tx.run("DELETE FROM budgets WHERE key = $1::text OR starts_with(key, $1::text || ':')", key);
}

void forget_stale(transaction& tx, timestamp now) {
  tx.run("DELETE FROM budgets WHERE key IN (SELECT key FROM budgets WHERE last_at < $1 LIMIT 1000)",
         now - std::chrono::hours{1});
}

} // namespace store
} // namespace backstay::budgets
