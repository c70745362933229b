#pragma once

#include "actors/promotions/store.hpp"

#include <string>
#include <vector>

/// The decisions about promo codes, without actors, SQL or clock.
namespace backstay::promotions {

/// How many codes an account may use within 24 hours.
inline constexpr std::int64_t most_uses_a_day = 5;

/// What an administrator's words mean. Errors: `invalid`, naming every field that is missing, does not belong to the
/// kind, or breaks a rule.
promo_code read(const save_promo_code& words, timestamp now);

/// Fails as `activate` says, in its order, up to PROMO_FIRST_PURCHASE_ONLY.
void check(const promo_code& code, const store::record& account, timestamp now);

/// When an offer made now ends; none: with the first purchase.
std::optional<timestamp> offer_until(const benefit& what, timestamp now);

} // namespace backstay::promotions
