#pragma once

#include "actors/kernel/id.hpp"
#include "actors/kernel/message.hpp"

#include <caf/typed_actor.hpp>

#include <optional>
#include <string>

/// `Idempotency-Key`: an effect happens once, and a repeat gets the first answer (contract's ruling 17).
namespace backstay::idempotency {

template <class T>
void admitted(const T&);

struct stored_answer {
  int status = 0;
  std::string body;
};

/// Either go on with `claim`, which the effect's row keeps (unique), or give the stored answer again.
struct claimed {
  claim_id claim;
  std::optional<stored_answer> answer;
};

/// Reserves the key for 60 s. The same claim id comes back when an earlier try died or its outcome is unknown, so that
/// the effect goes on with the same row. Errors: `invalid` (same key, other body), `conflict` with `retry_after`
/// (still running).
struct claim_key {
  using reply = claimed;
  account_id account;
  std::string route;     ///< method and path pattern
  std::string key;       ///< 1–255 visible characters
  std::string body_hash; ///< SHA-256 of the raw body
};

/// Stores the answer for 24 h.
struct keep_answer {
  using reply = done;
  claim_id claim;
  stored_answer answer;
};

/// 429 and 5xx are not kept: the next repeat runs at once, with the same claim.
struct release_key {
  using reply = done;
  claim_id claim;
};

using idempotency_actor = caf::typed_actor<answers<claim_key>, answers<keep_answer>, answers<release_key>>;

} // namespace backstay::idempotency
