#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/money.hpp"

#include <string>

/// The double-entry ledger: every transfer moves one amount from one book to another, so entries sum to zero.
namespace backstay::wallet::store {

/// Where money is. An account has one wallet a currency; the rest are ours, one a currency each.
enum class book_kind : std::uint8_t { wallet, provider, revenue };

struct book {
  book_kind kind = book_kind::wallet;
  std::string owner; ///< wallet: the account's id; provider: its name; revenue: empty
};

book wallet_of(const account_id& account);
book provider(const std::string& name);
book revenue();

struct transfer {
  std::string cause_kind; ///< "payment", "purchase", …: with `cause_id` it makes the transfer happen once
  std::string cause_id;
  book from, to;
  money amount; ///< > 0
};

/// Books `what` and moves both balances. Returns false, and does nothing, when this cause is booked already.
/// Errors: `refused` named INSUFFICIENT_FUNDS when a wallet would go below zero.
bool post(transaction& tx, const transfer& what, timestamp now);

std::int64_t balance(transaction& tx, const book& which, const std::string& currency);

} // namespace backstay::wallet::store

template <>
inline constexpr std::array backstay::names_of<backstay::wallet::store::book_kind>{"wallet", "provider", "revenue"};
