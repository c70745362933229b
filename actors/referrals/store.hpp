#pragma once

#include "actors/kernel/database.hpp"
#include "actors/referrals/messages.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace backstay::referrals::store {

/// What inviting somebody is worth. Agreed when that account is made, and kept with it.
struct terms {
  bool is_enabled = true;       ///< new accounts are counted
  int percent = 0;              ///< of each payment, for the referrer; 0–100
  std::string currency = "RUB"; ///< of the amounts below, in minor units
  std::int64_t minimum = 0;     ///< the smallest payment that brings the bonuses
  std::int64_t referred_bonus = 0, referrer_bonus = 0;
  std::chrono::seconds hold{}; ///< how long a bonus waits for a refund
};

/// The account's code; made when it is first asked for.
std::string code_of(transaction& tx, const account_id& account, timestamp now);

/// An account that was made in this transaction.
struct newcomer {
  account_id account;
  std::optional<std::string> device_id; ///< of the app that registers
  backstay::origin origin;
};

/// Records that `who` came by `code`, and tells the referrer. False, and nothing is recorded, for a code that nobody
/// has and for one of the newcomer's own: of the same device, or of a browser that has signed in to the referrer's
/// account. Who shares the referrer's address block is recorded, but brings no bonuses.
bool join(transaction& tx, const terms& terms, const newcomer& who, const std::string& code, timestamp now);

/// What a settled payment of `payer` brings: the commission is credited at once, in the payment's currency; bonuses
/// wait. Nothing for an account that nobody invited, or whose referrer is deleted. Once a payment, however often it is
/// called. For the transaction that settles the payment; locks the referral, then books.
void reward(transaction& tx, const account_id& payer, const payment_id& payment, const money& paid, timestamp now);

/// Takes back what `reward` gave for a payment: for the transaction that refunds it. What a wallet cannot cover becomes
/// its owner's debt. Once a payment. Locks the rewards, then books.
void reverse(transaction& tx, const payment_id& payment, timestamp now);

/// Credits one bonus whose hold is over; false when there is none, or others are at it.
bool credit_due(transaction& tx, timestamp now);

/// All but `invitation`, `is_enabled` and `percent`. `currency`: shown to those who have earned nothing.
standing find_standing(transaction& tx, const account_id& account, const std::string& currency, timestamp now);

referral_list list(transaction& tx, const list_referrals& wanted, timestamp now);

} // namespace backstay::referrals::store
