#pragma once

#include "actors/kernel/database.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/wallet/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// Books, transfers and entries. Whoever moves money has the currency to itself until its transaction ends, as it would
/// have by waiting for the books that are ours: so balances can be judged before anything is written, and a transaction
/// may call these functions as often as it likes without a deadlock among them. Money is the last thing that a
/// transaction locks.
namespace backstay::wallet::store {

/// Books `what` and moves both balances. Returns false, and does nothing, when this cause is booked already.
/// Errors: `refused` named INSUFFICIENT_FUNDS when a wallet would go below zero.
bool post(transaction& tx, const transfer& what, timestamp now);

/// Books several transfers in their order, all or none, and returns how many were new. Errors: as above.
std::size_t post(transaction& tx, const std::vector<transfer>& transfers, timestamp now);

/// The same, but each by itself: one that is refused leaves the others alone. In the order of `transfers`. The commit
/// of this transaction does not wait for the disk, so that the next batch need not either: nobody may be told before a
/// transaction with `secure` has committed.
std::vector<outcome<transferred>> post_each(transaction& tx, const std::vector<transfer>& transfers, timestamp now);

/// With the commit of this transaction all that was committed before is on the disk.
void secure(transaction& tx);

/// Money comes to an account: all of it to the wallet, and from there what pays the account's debt in that currency.
/// Returns false, and does nothing, when this cause is booked already.
bool credit(transaction& tx, const account_id& account, const book& from, const money& amount, const cause& why,
            timestamp now);

/// An account pays us. Returns false when this cause is booked already.
/// Errors: `refused` named INSUFFICIENT_FUNDS, with what is missing in the details.
bool spend(transaction& tx, const account_id& account, const money& amount, const cause& why, timestamp now);

/// Gives back what was spent under the purchase `id`, as the cause `reversal` of the same id. Returns false when
/// nothing was spent, or it was given back already. A debt is not paid by it: usually `take_back` follows.
bool undo_purchase(transaction& tx, const std::string& id, timestamp now);

/// Money leaves an account, whatever it has: what the wallet does not cover becomes its debt, which `credit` pays.
/// One transfer of the whole amount bears the cause. Returns false when this cause is booked already.
bool take_back(transaction& tx, const account_id& account, const book& to, const money& amount, const cause& why,
               timestamp now);

/// 0 for a book that nothing was ever posted to. What it says may change until this transaction moves money itself.
std::int64_t balance(transaction& tx, const book& which, const std::string& currency);

/// What the account can spend, >= 0.
std::int64_t balance_of(transaction& tx, const account_id& account, const std::string& currency);

/// What the account owes us, >= 0.
std::int64_t owed_by(transaction& tx, const account_id& account, const std::string& currency);

holdings balances(transaction& tx, const account_id& account);

statement list(transaction& tx, const list_transfers& wanted);

/// Something in the ledger that cannot be right.
struct discrepancy {
  std::string rule;    ///< for programs, e.g. "balance_differs"
  std::string subject; ///< e.g. "wallet 4f1c… USD", "transfer payment 77aa…", "payment 77aa…"
  std::string detail;  ///< what was expected and what was found
  bool operator==(const discrepancy&) const = default;
};

/// Proves the ledger, or lists what is off: each balance equals its entries, each transfer has a known cause and two
/// entries of one currency that sum to zero, each currency's balances sum to zero, no wallet is below zero and no debt
/// above it, and each settled payment has exactly its booking, each refunded one exactly its way back, and no other has
/// either. One statement, so that money may move meanwhile. Reads everything: for `backstay doctor ledger`, not for
/// requests.
std::vector<discrepancy> audit(transaction& tx);

} // namespace backstay::wallet::store
