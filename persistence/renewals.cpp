#include "actors/live/store.hpp"
#include "actors/subscriptions/rules.hpp"
#include "actors/subscriptions/store.hpp"
#include "persistence/transaction.hpp"

namespace backstay::subscriptions::store {

// Killed before the commit: nothing has changed; after it: the stored event tells the sockets. The panel need not know.
void save_terms(transaction& tx, const subscription& what, const std::optional<std::string>& reason,
                const std::optional<std::string>& feedback, timestamp now) {
  auto& autopay = what.autopay;
  auto currency = autopay.currency.empty() ? std::nullopt : std::optional{autopay.currency};
  tx.run("UPDATE subscriptions SET status = $2, cancelled_at = $3::timestamptz, cancel_reason = $4, "
         "cancel_feedback = $5, auto_renew = $6::boolean, renewal_method = $7::uuid, renewal_days = $8::int, "
         "renewal_currency = $9, renewal_agreed_at = CASE WHEN $6::boolean THEN $10::timestamptz ELSE "
         "renewal_agreed_at END, updated_at = $10::timestamptz WHERE id = $1::uuid",
         what.id, what.status, what.cancelled_at, reason, feedback, autopay.is_on, autopay.method, autopay.days,
         currency, now);
  live::store::append(tx, what.account, live::subscription_updated{what.id, std::string{name_of(what.status)}}, now);
}

namespace {

/// `rules::stage_at` in SQL, of the row's end at $1 with the grace $2 in microseconds; null long before the end.
std::string current_stage() {
  auto text = std::string{"CASE WHEN $1::timestamptz >= expires_at + $2::bigint * interval '1 microsecond' THEN "} +
              "'" + std::string{name_of(stage::expired)} + "'";
  for (auto& each : rules::stages)
    text += " WHEN expires_at - $1::timestamptz <= interval '" + std::to_string(each.before.count()) +
            " hours' THEN '" + std::string{name_of(each.stage)} + "'";
  return text + " END";
}

} // namespace

std::vector<account_id> list_due(transaction& tx, timestamp now, std::chrono::microseconds grace, int limit) {
  // Whatever ended a month ago unnoticed is not worth a notice any more.
  static const std::string statement =
      "SELECT account_id FROM (SELECT id, account_id, expires_at, " + current_stage() +
      " AS stage FROM subscriptions WHERE expires_at > $1::timestamptz - $2::bigint * interval '1 microsecond' "
      "- interval '30 days' AND expires_at <= $1::timestamptz + interval '" +
      std::to_string(rules::stages.back().before.count()) +
      " hours') s WHERE NOT EXISTS (SELECT FROM subscription_stages t WHERE t.subscription_id = s.id "
      "AND t.ends_at = s.expires_at AND t.stage = s.stage) ORDER BY expires_at LIMIT $3::int";
  std::vector<account_id> due;
  for (auto row : tx.run(statement, now, grace.count(), limit)) due.push_back(sql::get<account_id>(row[0]));
  return due;
}

std::optional<claim_id> begin_stage(transaction& tx, const subscription& whose, stage which, timestamp now) {
  auto row = tx.first("INSERT INTO subscription_stages (subscription_id, ends_at, stage, outcome, claim_id, at) "
                      "VALUES ($1::uuid, $2::timestamptz, $3, $4, $5::uuid, $6::timestamptz) ON CONFLICT DO NOTHING "
                      "RETURNING claim_id",
                      whose.id, whose.expires_at, which, stage_outcome::told, claim_id::random(), now);
  return row ? std::optional{sql::get<claim_id>((*row)[0])} : std::nullopt;
}

void end_stage(transaction& tx, const claim_id& which, stage_outcome how) {
  tx.run("UPDATE subscription_stages SET outcome = $2 WHERE claim_id = $1::uuid", which, how);
}

std::string find_locale(transaction& tx, const account_id& account) {
  auto row = tx.first("SELECT locale FROM accounts WHERE id = $1::uuid", account);
  return row ? sql::get<std::string>((*row)[0]) : std::string{};
}

} // namespace backstay::subscriptions::store
