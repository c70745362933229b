#pragma once

#include "actors/kernel/database.hpp"
#include "actors/payments/messages.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace backstay::payments::store {

/// A payment with what only we need to know of it.
struct record : payment {
  // What was bought, as it was on sale then.
  int duration_days = 0;
  std::optional<std::int64_t> traffic_limit_bytes; ///< none: unlimited
  std::optional<int> max_devices;

  std::optional<claim_id> claim;
  timestamp tried_at;              ///< when the provider was last told to create the charge
  std::optional<timestamp> due_at; ///< when the poller asks next; none: never again
  int looks = 0;                   ///< how often the poller has asked in this state
  std::string review;              ///< why a person has to look at it; empty: nobody has to
  bool operator==(const record&) const = default;
};

/// False, and nothing is written, when the claim has a row already. Errors: `not_found` when there is no such account.
bool insert(transaction& tx, const record& what);

/// The row of a claim, locked until the transaction ends.
std::optional<record> lock_claimed(transaction& tx, const claim_id& claim);

std::optional<record> lock(transaction& tx, const payment_id& id);

/// The row that a provider's charge is about, locked: the one with its external id, else the one it says it carries.
std::optional<record> lock_charged(transaction& tx, const std::string& provider, const std::string& external_id,
                                   const std::optional<payment_id>& carried);

/// Writes what may change of a locked row: the provider's names for it, state, times, looks and review.
void save(transaction& tx, const record& what);

/// By our id or the provider's. With `owner` only that account's.
std::optional<record> find(transaction& tx, const std::string& id, const std::optional<account_id>& owner);

/// Allows one look at the provider: true at most once every `pause` for a payment, whoever asks.
bool take_look(transaction& tx, const payment_id& id, timestamp now, std::chrono::seconds pause);

/// Takes up to `limit` due rows until `lease_until`; nobody else gets them before (FOR UPDATE SKIP LOCKED), and then
/// they are due again. The lease is in `due_at`.
std::vector<record> take_due(transaction& tx, timestamp now, timestamp lease_until, int limit);

/// When each is due next. What was closed meanwhile stays closed.
void schedule(transaction& tx, const std::vector<std::pair<payment_id, timestamp>>& due);

/// Newest first.
payment_page list(transaction& tx, const account_id& account, std::int64_t offset, std::int64_t limit);

} // namespace backstay::payments::store
