#pragma once

#include "actors/kernel/error.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/wallet/messages.hpp"

#include <map>
#include <set>
#include <vector>

/// The decisions about money, without actors, SQL or clock.
namespace backstay::wallet {

/// The most that one transfer moves, in minor units: far above any price, and far below what sums overflow at.
inline constexpr std::int64_t most = 1'000'000'000'000'000;

/// Fails as `internal` unless `what` names its cause and moves an amount from 1 to `most`, of a currency that looks
/// like one, between two different books: anything else is a defect of the caller, and would mint money or hide it.
void check(const transfer& what);

/// A book in one currency.
struct position {
  wallet::book book;
  std::string currency;
  auto operator<=>(const position&) const = default;
};
position source_of(const transfer& what);
position target_of(const transfer& what);

/// Balances of books that nobody else can change now; 0 where there is none.
using open_books = std::map<position, std::int64_t>;

/// What comes of transfers, one after the other, where the causes `known` are booked already: a refused one leaves the
/// others alone. `books` is what stands afterwards.
std::vector<outcome<transferred>> judge(open_books& books, std::set<cause> known,
                                        const std::vector<transfer>& transfers);

/// `credit`, followed by the payment of what the account owes as far as it goes.
std::vector<transfer> paying_debt(const transfer& credit, std::int64_t owed);

/// `taken` from a wallet with `balance`, preceded by the debt that covers what it lacks.
std::vector<transfer> lending(const transfer& taken, std::int64_t balance);

/// What is to be given (> 0) or taken (< 0). Errors: `invalid` naming `amount`.
money amount_of(const adjust& command);

} // namespace backstay::wallet
