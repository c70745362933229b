#pragma once

#include "actors/kernel/database.hpp"
#include "actors/promotions/messages.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace backstay::promotions::store {

// ---- For purchases. To be called in the transaction of the purchase, which holds its account's row.

/// An offer that is over is none.
discount discount_of(transaction& tx, const account_id& account, timestamp now);

/// The same, and the offer is used up.
discount use_discount(transaction& tx, const account_id& account, timestamp now);

// ---- For activations

/// What an account has done so far, as far as a code's limits ask.
struct record {
  bool has_used = false;       ///< this code
  std::int64_t uses_today = 0; ///< of any code, within 24 hours
  bool has_purchased = false;
};

/// By its code in upper case, locked until the transaction ends.
std::optional<promo_code> lock(transaction& tx, const std::string& code);

record find_record(transaction& tx, const account_id& account, const uuid& code, timestamp now);

/// Counts a use, and keeps what it brings. Of a locked code that is not used up.
void note_use(transaction& tx, const promo_code& what, const account_id& account, timestamp now);

/// More traffic for the subscription of an account that runs, until its plan's limit is set anew; nothing where it is
/// unlimited. The panel is not told: for whoever grants days right after.
void add_traffic(transaction& tx, const account_id& account, std::int64_t bytes, timestamp now);

/// The account belongs to the group from now on, and to no other.
void join_group(transaction& tx, const account_id& account, const std::string& group, int percent);

/// `until`: none lasts until it is used.
void offer(transaction& tx, const account_id& account, int percent, const std::optional<timestamp>& until);

// ---- For administrators

/// Errors: `conflict` named PROMO_EXISTS. With a claim that has made one already, that one.
promo_code insert(transaction& tx, const promo_code& what, const std::optional<claim_id>& claim);

/// Replaces all but `id`, `uses` and `created_at`. Errors: `conflict` named PROMO_EXISTS; `not_found`; `invalid` for
/// fewer uses than there have been.
promo_code update(transaction& tx, const promo_code& what);

/// Returns what it was. Errors: `not_found`.
promo_code remove(transaction& tx, const uuid& id, timestamp now);

std::optional<promo_code> find(transaction& tx, const uuid& id);
promo_code_page list(transaction& tx, const list_promo_codes& wanted);
use_page list_uses(transaction& tx, const promotions::list_uses& wanted);

} // namespace backstay::promotions::store
