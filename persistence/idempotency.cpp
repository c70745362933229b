#include "actors/idempotency/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "persistence/transaction.hpp"

namespace backstay::idempotency::store {

namespace {

std::optional<stored_answer> answer_of(const pqxx::row& row) {
  if (row["status"].is_null()) return std::nullopt;
  return stored_answer{sql::get<int>(row["status"]), sql::get<std::string>(row["answer"])};
}

} // namespace

record claim(transaction& tx, const claim_key& what, const claim_id& fresh, timestamp now, timestamp lease_until,
             timestamp expires_at) {
  auto hash = crypto::to_hex(what.body_hash); // raw bytes do not fit into a text column
  auto taken = tx.first(
      "INSERT INTO idempotency_keys AS k (account_id, route, key, claim_id, body_hash, lease_until, expires_at) "
      "VALUES ($1::uuid, $2, $3, $4::uuid, $5, $6::timestamptz, $7::timestamptz) "
      "ON CONFLICT (account_id, route, key) DO UPDATE SET lease_until = excluded.lease_until, "
      "  body_hash = excluded.body_hash, "
      "  claim_id = CASE WHEN k.expires_at <= $8::timestamptz THEN excluded.claim_id ELSE k.claim_id END, "
      "  expires_at = CASE WHEN k.expires_at <= $8::timestamptz THEN excluded.expires_at ELSE k.expires_at END, "
      "  status = NULL, answer = NULL "
      "WHERE k.expires_at <= $8::timestamptz "
      "  OR (k.status IS NULL AND k.lease_until <= $8::timestamptz AND k.body_hash = excluded.body_hash) "
      "RETURNING claim_id",
      what.account, what.route, what.key, fresh, hash, lease_until, expires_at, now);
  if (taken) return {sql::get<claim_id>((*taken)["claim_id"]), true, true, lease_until, std::nullopt};
  // Not taken, but locked by the statement above until this transaction ends, so it is there to be read.
  auto row = tx.first("SELECT claim_id, body_hash, lease_until, status, answer FROM idempotency_keys "
                      "WHERE account_id = $1::uuid AND route = $2 AND key = $3",
                      what.account, what.route, what.key);
  return {sql::get<claim_id>((*row)["claim_id"]), false, sql::get<std::string>((*row)["body_hash"]) == hash,
          sql::get<timestamp>((*row)["lease_until"]), answer_of(*row)};
}

void keep_answer(transaction& tx, const claim_id& claim, const stored_answer& answer, timestamp expires_at) {
  tx.run("UPDATE idempotency_keys SET status = $2::int, answer = $3, expires_at = $4::timestamptz "
         "WHERE claim_id = $1::uuid AND status IS NULL",
         claim, answer.status, answer.body, expires_at);
}

void release(transaction& tx, const claim_id& claim, timestamp now) {
  tx.run("UPDATE idempotency_keys SET lease_until = $2::timestamptz WHERE claim_id = $1::uuid AND status IS NULL",
         claim, now);
}

std::size_t forget_expired(transaction& tx, timestamp now, int limit) {
  auto rows = tx.run("DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys "
                     "WHERE expires_at <= $1::timestamptz ORDER BY expires_at LIMIT $2::int FOR UPDATE SKIP LOCKED))",
                     now, limit);
  return rows.affected_rows();
}

} // namespace backstay::idempotency::store
