#pragma once

#include "actors/kernel/keyring.hpp"
#include "actors/payments/rules.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The database's side of a payment's life. Each function is one part of a transaction, run on a worker's thread.
namespace backstay::payments {

/// What the transactions go by; never changes while the server runs.
struct terms {
  std::vector<payment_provider::method> methods; ///< of all providers
  std::string return_url;                        ///< where buyers come back to; `payment=<id>` is added
  keyring keys;                                  ///< seal what is saved
};
using terms_ptr = std::shared_ptr<const terms>;

/// A payment whose row stands, and what its creation has to do next.
struct begun {
  enum class next : std::uint8_t {
    create, ///< the provider has never been asked
    find,   ///< it has been asked before, and perhaps did it
    answer, ///< nothing: the charge is known
  };
  store::record row;
  next then = next::create;
  payment_provider::create_charge order; ///< what the provider is told, unless nothing is
};

/// Checks the request and inserts the row, or goes on with the row of its claim.
/// Killed after the commit, before or while the provider is asked: the poller looks for the charge and finds it
/// (`pending`) or, after `safe_time`, does not (`failed`); a repeat with the same key goes on sooner.
begun begin(transaction& tx, const terms& by, const create_payment& request, timestamp now);
begun begin(transaction& tx, const terms& by, const create_top_up& request, timestamp now);
begun begin(transaction& tx, const terms& by, const charge_saved& request, timestamp now);

/// What the provider was told, to be told again. Errors: `not_found` when the saved method was removed meanwhile.
payment_provider::create_charge order_of(transaction& tx, const terms& by, const store::record& row);

/// The provider was asked in vain (`failed`), or its answer was lost (`unknown`).
/// Killed before the commit: the row is still `created`, which the poller treats like `unknown`.
void note_attempt(transaction& tx, const payment_id& id, state outcome, timestamp now);

struct applied {
  step taken = step::nothing;
  store::record after;
};

/// THE way from a charge seen at its provider to our row: webhook, poller, manual check, creation and refund all take
/// it. Locks the row; whoever comes second finds the work done. Settling books the money, entitles the account,
/// notifies it and marks the payment paid in this one transaction; so does a refund of what was settled, backwards.
/// Killed before its commit: nothing has happened, and the next sight of the charge does it all; killed after: all is
/// done but the log line.
/// A paid charge that nobody asked for becomes a top-up of whoever paid. Empty when a charge is no concern of ours.
std::optional<applied> apply(transaction& tx, const terms& by, const std::string& provider,
                             const payment_provider::charge& seen, timestamp now);

/// Ends the poller's watch over a payment about which nothing new was heard until its closing time. `looked_at` is when
/// the provider was asked: a row that was tried anew since then stays open.
void close(transaction& tx, const payment_id& id, timestamp looked_at);

/// Ends the watch over a lost create that can be neither found nor repeated: nobody knows, so a person has to look.
void give_up(transaction& tx, const payment_id& id);

/// A refund of a payment, as far as our side goes.
struct refunding {
  store::record row;
  bool asks_provider = false; ///< false: nothing is left to do
  bool is_first_try = true;   ///< false: nobody has heard yet how an earlier one ended
};

/// Notes in row and trail that the money goes back or, given back by hand, takes everything back at once.
/// Killed after the commit, before the provider has answered: the poller repeats the refund.
refunding begin_refund(transaction& tx, const terms& by, const refund_payment& request, timestamp now);

/// The provider certainly gave nothing back: the payment stands as before.
/// Killed before the commit: the poller repeats the refund, and hears the same.
void end_refund(transaction& tx, const payment_id& id);

/// Carries out a person's decision. Killed before the commit: nothing is decided; after it: a repeat changes nothing.
store::record resolve(transaction& tx, const resolve_payment& request, timestamp now);

} // namespace backstay::payments
