#pragma once

#include "actors/payments/rules.hpp"

#include <optional>
#include <string>

/// The database's side of a payment's life. Each function is one part of a transaction, run on a worker's thread.
namespace backstay::payments {

/// A payment whose row stands, and what its creation has to do next.
struct begun {
  enum class next : std::uint8_t {
    create, ///< the provider has never been asked
    find,   ///< it has been asked before, and perhaps did it
    answer, ///< nothing: the charge is known
  };
  store::record row;
  next then = next::create;
};

/// Checks the request and inserts the row, or goes on with the row of its claim.
/// Killed after the commit, before or while the provider is asked: the poller looks for the charge and finds it
/// (`pending`) or, after `safe_time`, does not (`failed`); a repeat with the same key goes on sooner.
begun begin(transaction& tx, const create_payment& request, timestamp now);

/// The provider was asked in vain (`failed`), or its answer was lost (`unknown`).
/// Killed before the commit: the row is still `created`, which the poller treats like `unknown`.
void note_attempt(transaction& tx, const payment_id& id, state outcome, timestamp now);

struct applied {
  step taken = step::nothing;
  store::record after;
};

/// THE way from a charge seen at its provider to our row: webhook, poller, manual check and creation all take it.
/// Locks the row; whoever comes second finds the work done. Settling books the money, entitles the account, notifies
/// it and marks the payment paid in this one transaction. Killed before its commit: nothing has happened, and the next
/// sight of the charge does it all; killed after: all is done but the log line.
/// Empty when the charge is not of a payment of ours.
std::optional<applied> apply(transaction& tx, const std::string& provider, const payment_provider::charge& seen,
                             timestamp now);

/// Ends the poller's watch over a payment about which nothing new was heard until its closing time. `looked_at` is when
/// the provider was asked: a row that was tried anew since then stays open.
void close(transaction& tx, const payment_id& id, timestamp looked_at);

} // namespace backstay::payments
