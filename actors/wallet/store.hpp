#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The double-entry ledger: every transfer moves one amount from one book to another, so entries sum to zero.
namespace backstay::wallet::store {

/// Where money is. An account has one wallet a currency; the rest are ours, one a currency each.
enum class book_kind : std::uint8_t { wallet, provider, revenue };

struct book {
  book_kind kind = book_kind::wallet;
  std::string owner; ///< wallet: the account's id; provider: its name; revenue: empty
  bool operator==(const book&) const = default;
};

book wallet_of(const account_id& account);
book provider(const std::string& name);
book revenue();

struct transfer {
  std::string cause_kind; ///< "payment", "purchase", …: with `cause_id` it makes the transfer happen once
  std::string cause_id;
  book from, to;
  money amount; ///< > 0
  bool operator==(const transfer&) const = default;
};

/// Books `what` and moves both balances. Returns false, and does nothing, when this cause is booked already.
/// Errors: `refused` named INSUFFICIENT_FUNDS when a wallet would go below zero.
bool post(transaction& tx, const transfer& what, timestamp now);

/// Books several transfers in their order and returns how many were new. All their books are locked first, in one
/// order, so that transactions which post once cannot deadlock: what belongs together goes into one call.
std::size_t post(transaction& tx, const std::vector<transfer>& transfers, timestamp now);

/// 0 for a book that nothing was ever posted to.
std::int64_t balance(transaction& tx, const book& which, const std::string& currency);

/// Something in the ledger that cannot be right.
struct discrepancy {
  std::string rule;    ///< for programs, e.g. "balance_differs"
  std::string subject; ///< e.g. "wallet 4f1c… USD", "transfer payment 77aa…", "payment 77aa…"
  std::string detail;  ///< what was expected and what was found
  bool operator==(const discrepancy&) const = default;
};

/// Proves the ledger, or lists what is off: each balance equals its entries, each transfer has two entries of one
/// currency that sum to zero, each currency's balances sum to zero, no wallet is in debt, and each paid payment has
/// exactly its booking and no other has one. One statement, so that money may move meanwhile. Reads everything: for
/// `backstay doctor ledger`, not for requests.
std::vector<discrepancy> audit(transaction& tx);

} // namespace backstay::wallet::store

template <>
inline constexpr std::array backstay::names_of<backstay::wallet::store::book_kind>{"wallet", "provider", "revenue"};
