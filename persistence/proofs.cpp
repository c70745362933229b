#include "actors/proofs/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

namespace backstay::proofs::store {

namespace {

using nlohmann::json;
using sql::get;

std::string purpose_text(purpose what_for) { return "proof " + std::string{name_of(what_for)}; }

/// By whichever key it was kept.
std::vector<std::string> hashes_of(const keyring& keys, purpose what_for, const secret& shown) {
  auto hashes = keys.sign_by_each(purpose_text(what_for), shown.reveal());
  for (auto& hash : hashes) hash = crypto::to_hex(hash);
  return hashes;
}

std::optional<proof> found_proof(purpose what_for, const std::optional<pqxx::row>& row) {
  if (!row) return std::nullopt;
  return proof{what_for, get<std::optional<account_id>>((*row)["account"]),
               json::parse((*row)["content"].c_str()).get<std::map<std::string, std::string>>()};
}

} // namespace

secret make_secret() { return secret{crypto::to_base64url(crypto::random_bytes(32))}; }

// Killed right after the commit, the answer is lost: nobody knows the secret, and it expires.
bool keep(transaction& tx, const keyring& keys, const secret& shown, const proof& what, std::chrono::seconds lifetime,
          timestamp now) {
  auto kept = tx.run("INSERT INTO one_time_proofs (hash, purpose, account, content, created_at, expires_at) "
                     "VALUES ($1, $2, $3::uuid, $4::jsonb, $5, $6) ON CONFLICT (hash) DO NOTHING",
                     hashes_of(keys, what.purpose, shown).front(), what.purpose, what.account,
                     json(what.content).dump(), now, now + lifetime);
  return kept.affected_rows() == 1;
}

// Of parallel redemptions one deletes the row. Killed before the commit, it is as if nobody had come; after it, it is
// used up, and its owner needs another.
std::optional<proof> redeem(transaction& tx, const keyring& keys, purpose what_for, const secret& shown,
                            timestamp now) {
  auto row = tx.first("DELETE FROM one_time_proofs WHERE hash = ANY($1::text[]) AND purpose = $2 "
                      "RETURNING account, content, expires_at",
                      hashes_of(keys, what_for, shown), what_for);
  if (!row || get<timestamp>((*row)["expires_at"]) <= now) return std::nullopt;
  return found_proof(what_for, row);
}

// Killed before the commit, the look is not counted, and nothing was told either.
std::optional<proof> examine(transaction& tx, const keyring& keys, purpose what_for, const secret& shown,
                             int most_looks, timestamp now) {
  return found_proof(what_for, tx.first("UPDATE one_time_proofs SET looks = looks + 1 WHERE hash = ANY($1::text[]) "
                                        "AND purpose = $2 AND looks < $3::int AND expires_at > $4::timestamptz "
                                        "RETURNING account, content",
                                        hashes_of(keys, what_for, shown), what_for, most_looks, now));
}

std::optional<proof> find(transaction& tx, const keyring& keys, purpose what_for, const secret& shown, timestamp now) {
  return found_proof(what_for, tx.first("SELECT account, content FROM one_time_proofs WHERE hash = ANY($1::text[]) "
                                        "AND purpose = $2 AND expires_at > $3::timestamptz",
                                        hashes_of(keys, what_for, shown), what_for, now));
}

std::optional<proof> find_newest(transaction& tx, purpose what_for, const account_id& account,
                                 const std::map<std::string, std::string>& having, timestamp now) {
  return found_proof(what_for, tx.first("SELECT account, content FROM one_time_proofs WHERE account = $1::uuid "
                                        "AND purpose = $2 AND content @> $3::jsonb AND expires_at > $4::timestamptz "
                                        "ORDER BY created_at DESC LIMIT 1",
                                        account, what_for, json(having).dump(), now));
}

void withdraw(transaction& tx, purpose what_for, const account_id& account) {
  tx.run("DELETE FROM one_time_proofs WHERE account = $1::uuid AND purpose = $2", account, what_for);
}

void forget_expired(transaction& tx, timestamp now) {
  tx.run("DELETE FROM one_time_proofs WHERE hash IN "
         "(SELECT hash FROM one_time_proofs WHERE expires_at < $1 LIMIT 1000)",
         now);
}

} // namespace backstay::proofs::store
