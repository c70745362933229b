#include "actors/two_factor/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/two_factor/rules.hpp"
#include "persistence/accounts.hpp"
#include "persistence/transaction.hpp"

namespace backstay::two_factor::store {

namespace {

using sql::get;

constexpr auto sealing = "authenticator", hashing = "recovery code";

using accounts::store::announce;

/// With the account in it: the same code of two accounts has two hashes.
std::string hashed_text(const account_id& account, const secret& code) { return to_string(account) + code.reveal(); }

void keep_recovery_codes(transaction& tx, const keyring& keys, const account_id& account,
                         const std::vector<secret>& codes) {
  std::vector<std::string> hashes;
  for (auto& code : codes) hashes.push_back(crypto::to_hex(keys.sign(hashing, hashed_text(account, code))));
  tx.run("INSERT INTO recovery_codes (account, hash) SELECT $1::uuid, unnest($2::text[])", account, hashes);
}

/// Killed before the commit, the code is as good as before; after it, it is used up, and the next step has another.
bool use_authenticator(transaction& tx, const keyring& keys, const account_id& account, const secret& code,
                       timestamp now) {
  auto row = tx.first("SELECT sealed_secret FROM authenticators WHERE account = $1::uuid AND confirmed_at IS NOT NULL",
                      account);
  if (!row) return false;
  auto step = step_of(keys.open(sealing, get<std::string>((*row)[0])), code, now);
  return step && tx.run("UPDATE authenticators SET last_step = $2 WHERE account = $1::uuid AND last_step < $2::bigint "
                        "AND sealed_secret = $3",
                        account, *step, get<std::string>((*row)[0]))
                         .affected_rows() == 1;
}

/// Killed before the commit, the code is as good as before; after it, it is used up, and others are left.
bool use_recovery_code(transaction& tx, const keyring& keys, const account_id& account, const secret& code) {
  auto hashes = keys.sign_by_each(hashing, hashed_text(account, code));
  for (auto& hash : hashes) hash = crypto::to_hex(hash);
  return tx.run("DELETE FROM recovery_codes WHERE account = $1::uuid AND hash = ANY($2::text[])", account, hashes)
             .affected_rows() > 0;
}

} // namespace

standing get(transaction& tx, const account_id& account) {
  auto row = tx.first("SELECT (SELECT count(*) FROM recovery_codes WHERE account = $1::uuid) FROM authenticators "
                      "WHERE account = $1::uuid AND confirmed_at IS NOT NULL",
                      account);
  return row ? standing{status::enabled, sql::get<std::int64_t>((*row)[0])} : standing{};
}

// Killed right after the commit, the answer is lost: nobody knows this secret, and the next one takes its place.
bool keep_waiting(transaction& tx, const keyring& keys, const account_id& account, const secret& shared,
                  timestamp now) {
  auto kept = tx.run("INSERT INTO authenticators AS a (account, sealed_secret, created_at) VALUES ($1::uuid, $2, $3) "
                     "ON CONFLICT (account) DO UPDATE SET sealed_secret = excluded.sealed_secret, "
                     "created_at = excluded.created_at, last_step = 0 WHERE a.confirmed_at IS NULL",
                     account, keys.seal(sealing, shared), now);
  return kept.affected_rows() == 1;
}

// Killed right after the commit, the answer is lost: the second factor is on, its owner has the authenticator and turns
// it off and on again to learn recovery codes.
std::optional<std::vector<secret>> confirm(transaction& tx, const keyring& keys, const account_id& account,
                                           const secret& code, timestamp now) {
  auto row = tx.first("SELECT sealed_secret FROM authenticators WHERE account = $1::uuid AND confirmed_at IS NULL "
                      "AND created_at > $2::timestamptz FOR UPDATE",
                      account, now - setup_lifetime);
  if (!row) return std::nullopt;
  auto step = step_of(keys.open(sealing, get<std::string>((*row)[0])), code, now);
  if (!step) return std::nullopt;
  tx.run("UPDATE authenticators SET confirmed_at = $2, last_step = $3 WHERE account = $1::uuid", account, now, *step);
  std::vector<secret> codes;
  for (int i = 0; i < recovery_codes; ++i) codes.push_back(make_recovery_code());
  keep_recovery_codes(tx, keys, account, codes);
  announce(tx, account);
  return codes;
}

bool use_code(transaction& tx, const keyring& keys, const account_id& account, const secret& code, timestamp now) {
  auto recovery = read_recovery_code(code);
  return recovery ? use_recovery_code(tx, keys, account, *recovery) : use_authenticator(tx, keys, account, code, now);
}

// Killed right after the commit, the answer is lost: a repeat is told that it is off.
void remove(transaction& tx, const account_id& account) {
  tx.run("DELETE FROM authenticators WHERE account = $1::uuid", account);
  tx.run("DELETE FROM recovery_codes WHERE account = $1::uuid", account);
  announce(tx, account);
}

} // namespace backstay::two_factor::store
