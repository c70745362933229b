#pragma once

#include "actors/kernel/database.hpp"
#include "actors/kernel/keyring.hpp"
#include "actors/payments/messages.hpp"
#include "actors/subscriptions/messages.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace backstay::payments::store {

/// A payment with what only we need to know of it.
struct record : payment {
  // What was bought, as it was on sale then; without a plan nothing of it.
  int duration_days = 0;
  std::optional<std::int64_t> traffic_limit_bytes; ///< none: unlimited
  std::optional<int> max_devices;
  subscriptions::traffic_reset traffic_reset = subscriptions::traffic_reset::never;

  std::optional<claim_id> claim;
  timestamp tried_at;                          ///< when the provider was last told to create the charge
  bool saves_method = false;                   ///< the buyer agrees to be charged again
  std::optional<saved_method_id> saved_method; ///< is charged without the buyer
  bool operator==(const record&) const = default;
};

/// False, and nothing is written, when the claim or the provider's charge has a row already. Errors: `not_found` when
/// there is no such account.
bool insert(transaction& tx, const record& what);

/// The row of a claim, locked until the transaction ends.
std::optional<record> lock_claimed(transaction& tx, const claim_id& claim);

std::optional<record> lock(transaction& tx, const payment_id& id);

/// The row that a provider's charge is about, locked: the one with its external id, else the one it says it carries.
std::optional<record> lock_charged(transaction& tx, const std::string& provider, const std::string& external_id,
                                   const std::optional<payment_id>& carried);

/// Writes what may change of a locked row: all but what it is for, by which method, and for which claim.
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
payment_page search(transaction& tx, const search_payments& wanted);

/// An account that pays.
struct buyer {
  std::string email; ///< may be empty
  std::string locale;
};
/// Locks the account's row until the transaction ends: what one account pays, and gets back, happens one by one.
/// Errors: `not_found`.
buyer lock_buyer(transaction& tx, const account_id& account);
/// The same without the lock.
buyer find_buyer(transaction& tx, const account_id& account);

// ---- Saved methods. The provider's ids are sealed by `keys`.

/// Keeps it unless the account has it already; the first of an account is its default. To be called while the account
/// is locked.
void save_method(transaction& tx, const keyring& keys, const account_id& account, const saved_method& what,
                 const std::string& external_id);
std::vector<saved_method> list_methods(transaction& tx, const account_id& account);
/// With the provider's id. Nothing if it is another's.
std::optional<std::pair<saved_method, std::string>> find_method(transaction& tx, const keyring& keys,
                                                                const account_id& account, const saved_method_id& id);
/// False if there is none such. The newest of the others takes over as the default.
bool remove_method(transaction& tx, const account_id& account, const saved_method_id& id);

} // namespace backstay::payments::store
