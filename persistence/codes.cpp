#include "actors/codes/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "persistence/transaction.hpp"

namespace backstay::codes::store {

namespace {

using sql::get;

/// What is kept about one address and purpose, made if need be, locked until the transaction ends.
struct row {
  std::string address;
  purpose what_for{};
  record code;
  resend_record resends;
};

row lock(transaction& tx, purpose what_for, const std::string& email, timestamp now) {
  auto address = to_lower(email);
  auto found = *tx.first("INSERT INTO verification_codes AS v (address, purpose, started_at, failures, is_consumed, "
                         "resend_window_started_at, resends, last_resend_at) VALUES ($1, $2, $3, 0, false, $3, 0, $3) "
                         "ON CONFLICT (address, purpose) DO UPDATE SET address = excluded.address RETURNING *",
                         address, what_for, now);
  return {.address = address,
          .what_for = what_for,
          .code = {.hash = get<std::optional<std::string>>(found["code_hash"]),
                   .started_at = get<timestamp>(found["started_at"]),
                   .failures = get<int>(found["failures"]),
                   .is_consumed = get<bool>(found["is_consumed"])},
          .resends = {.window_started_at = get<timestamp>(found["resend_window_started_at"]),
                      .count = get<int>(found["resends"]),
                      .last_at = get<timestamp>(found["last_resend_at"])}};
}

void keep(transaction& tx, const row& of, const record& code) {
  tx.run("UPDATE verification_codes SET code_hash = $3, started_at = $4, failures = $5, is_consumed = $6 "
         "WHERE address = $1 AND purpose = $2",
         of.address, of.what_for, code.hash, code.started_at, code.failures, code.is_consumed);
}

} // namespace

// Killed before the commit, the old code is still good; after it, whoever mails the new one does so in the same
// transaction.
secret issue(transaction& tx, const keyring& keys, purpose what_for, const std::string& address, timestamp now) {
  auto locked = lock(tx, what_for, address, now);
  secret code{crypto::random_digits(6)};
  keep(tx, locked, {.hash = hash_of(keys, what_for, locked.address, code), .started_at = now});
  return code;
}

void issue_none(transaction& tx, purpose what_for, const std::string& address, timestamp now) {
  keep(tx, lock(tx, what_for, address, now), {.started_at = now});
}

// Killed before the commit, neither the try nor what the code does has happened.
outcome<done> check(transaction& tx, const keyring& keys, purpose what_for, const std::string& address,
                    const secret& code, timestamp now) {
  auto locked = lock(tx, what_for, address, now);
  auto found = judge(locked.code, matches(keys, what_for, locked.address, code, locked.code.hash), now);
  if (found == verdict::right) locked.code.is_consumed = true;
  keep(tx, locked, locked.code);
  if (found != verdict::right) return fault_of(found, what_for, locked.code);
  return done{};
}

resends_left count_resend(transaction& tx, purpose what_for, const std::string& address, timestamp now) {
  auto locked = lock(tx, what_for, address, now);
  auto left = codes::count_resend(locked.resends, now);
  tx.run("UPDATE verification_codes SET resend_window_started_at = $3, resends = $4, last_resend_at = $5 "
         "WHERE address = $1 AND purpose = $2",
         locked.address, what_for, locked.resends.window_started_at, locked.resends.count, locked.resends.last_at);
  return left;
}

void forget_stale(transaction& tx, timestamp now) {
  tx.run("DELETE FROM verification_codes WHERE (address, purpose) IN (SELECT address, purpose FROM verification_codes "
         "WHERE started_at < $1 AND last_resend_at < $1 LIMIT 1000)",
         now - std::chrono::days{1});
}

} // namespace backstay::codes::store
