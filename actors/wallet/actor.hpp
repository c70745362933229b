#pragma once

#include "actors/kernel/context.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/wallet/messages.hpp"

#include <caf/all.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

namespace backstay::wallet {

struct wallet_options {
  std::size_t batch = 1000;   ///< transfers in one transaction, at most
  std::size_t queue = 10'000; ///< transfers that may wait for the next one
};

/// The actor's note to itself: book what has come by now.
struct book_waiting {};

/// A transfer whose asker waits.
struct waiting_transfer {
  transfer what;
  caf::typed_response_promise<transferred> answer;
};

/// Transfers that share a transaction, and what came of each once that has committed.
struct transfer_batch {
  std::vector<waiting_transfer> transfers;
  std::vector<outcome<transferred>> outcomes;
};
using batch_ptr = std::shared_ptr<transfer_batch>;

/// Transfers that come while a batch is being booked are the next batch, and what is in the mailbox already joins it:
/// nobody waits for a timer, and the more come the more share one commit. That commit does not wait for the disk; the
/// next batch is booked while another one does, after which the askers are told. A crash loses who waits, not money:
/// each transfer is idempotent on its cause.
struct wallet_state {
  wallet_state() = default;
  static inline constexpr auto name = "wallet";

  domain_context context;
  wallet_options options;
  std::deque<waiting_transfer> queue;
  bool is_booking = false;       ///< a batch is with the database, or about to be
  std::vector<batch_ptr> booked; ///< committed, and perhaps not on the disk yet
  bool is_securing = false;      ///< the disk is being waited for
};
static_assert(!std::is_aggregate_v<wallet_state>);

using booking_wallet_actor = wallet_actor::extend<caf::reacts_to<book_waiting>>;

booking_wallet_actor::behavior_type wallet(booking_wallet_actor::stateful_pointer<wallet_state> self,
                                           domain_context context, wallet_options options);

/// For a guardian. The handle can be cast to `wallet_actor`.
caf::actor spawn_wallet(caf::scheduled_actor* parent, domain_context context, wallet_options options = {});

} // namespace backstay::wallet
