#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The double-entry ledger: every transfer moves one amount from one book to another, so entries sum to zero.
namespace backstay::wallet {

template <class T>
void admitted(const T&);

/// Where money is. An account has a wallet and a debt a currency; the rest are ours.
enum class book_kind : std::uint8_t {
  wallet,      ///< what an account can spend; never below zero
  debt,        ///< what was taken back beyond the wallet, as a negative balance; never above zero
  provider,    ///< what came in by one payment provider
  revenue,     ///< what we earned
  rewards,     ///< what referrals, promo codes and bonuses cost us
  adjustments, ///< what administrators gave and took
};

struct book {
  book_kind kind = book_kind::wallet;
  std::string owner; ///< wallet and debt: the account's id; provider: its name; else empty
  auto operator<=>(const book&) const = default;
};

book wallet_of(const account_id& account);
book debt_of(const account_id& account);
book provider(const std::string& name);
book revenue();
book rewards();
book adjustments();

/// Why money moves.
enum class cause_kind : std::uint8_t {
  payment,  ///< came in by a provider; the payment's id
  purchase, ///< was spent; the id of the payment, where it was bought directly
  fee,      ///< what a buyer paid on top of a price
  referral, ///< for somebody who was brought, or that taken back
  promo,    ///< of a promo code
  refund,   ///< went back; the payment's id
  reversal, ///< a purchase was undone; its id
  admin,    ///< an administrator gave or took
  debt,     ///< a debt was made or paid; kind and id of what made or paid it
};

/// With its kind, an id makes a transfer happen once.
struct cause {
  cause_kind kind = cause_kind::payment;
  std::string id;
  auto operator<=>(const cause&) const = default;
};

struct transferred {
  bool is_new = false; ///< false: this cause was booked before, and nothing was done now
  bool operator==(const transferred&) const = default;
};

/// Moves `amount` from one book to another, once for its cause. Errors: `refused` named INSUFFICIENT_FUNDS, with what
/// is missing in the details, when a wallet would go below zero; `overloaded` (too many wait).
struct transfer {
  using reply = transferred;
  wallet::cause cause;
  book from, to;
  money amount; ///< > 0
  bool operator==(const transfer&) const = default;
};

/// What an account has, and owes, in one currency.
struct holding {
  money balance, owed; ///< both >= 0
  bool operator==(const holding&) const = default;
};

/// One for each currency that the account ever had, by its name.
struct holdings {
  std::vector<holding> items;
  bool operator==(const holdings&) const = default;
};

/// Errors: `not_found`.
struct get_wallet {
  using reply = holdings;
  account_id account;
};

/// A transfer as its account sees it.
struct statement_line {
  wallet::cause cause;
  money amount;     ///< negative: it left the wallet
  book counterpart; ///< where it came from or went to
  timestamp booked_at;
  bool operator==(const statement_line&) const = default;
};

struct statement {
  std::vector<statement_line> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// What came to an account's wallets and left them, newest first. Errors: `not_found`.
struct list_transfers {
  using reply = statement;
  account_id account;
  std::optional<cause_kind> kind;
  std::optional<std::string> currency;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

/// An administrator gives money to an account (which pays its debt first), or takes some; audited. For
/// permission::manage. Answers with what the account has then. Errors: `invalid` (amount), `not_found`, `refused` named
/// INSUFFICIENT_FUNDS when less is there than shall be taken.
struct adjust {
  using reply = holdings;
  backstay::caller caller;
  account_id account;
  std::string amount; ///< decimal text; negative: takes
  std::string currency;
  std::string reason;            ///< for the trail
  std::optional<claim_id> claim; ///< of the Idempotency-Key
  backstay::origin origin;
};

using wallet_actor = caf::typed_actor<answers<transfer>, answers<get_wallet>, answers<list_transfers>, answers<adjust>>;

} // namespace backstay::wallet

template <>
inline constexpr std::array backstay::names_of<backstay::wallet::book_kind>{"wallet",  "debt",    "provider",
                                                                            "revenue", "rewards", "adjustments"};
template <>
inline constexpr std::array backstay::names_of<backstay::wallet::cause_kind>{
    "payment", "purchase", "fee", "referral", "promo", "refund", "reversal", "admin", "debt"};
