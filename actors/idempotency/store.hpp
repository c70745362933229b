#pragma once

#include "actors/idempotency/messages.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"

#include <optional>
#include <string>

namespace backstay::idempotency::store {

/// A key as it stands.
struct record {
  claim_id claim;
  bool is_ours = false; ///< this very call got the lease
  bool same_body = true;
  timestamp lease_until;
  std::optional<stored_answer> answer;
};

/// Takes the lease on the key until `lease_until`, unless it is answered, leased, or of another body. A key that is
/// new, or older than its day, gets `fresh` as its claim and lives until `expires_at`; any other keeps the claim that
/// it has. Of several callers at once exactly one gets the lease.
record claim(transaction& tx, const claim_key& what, const claim_id& fresh, timestamp now, timestamp lease_until,
             timestamp expires_at);

/// The first answer stays.
void keep_answer(transaction& tx, const claim_id& claim, const stored_answer& answer, timestamp expires_at);

/// Ends the lease of a claim without an answer.
void release(transaction& tx, const claim_id& claim, timestamp now);

/// Removes up to `limit` keys whose day is over; returns how many.
std::size_t forget_expired(transaction& tx, timestamp now, int limit);

} // namespace backstay::idempotency::store
