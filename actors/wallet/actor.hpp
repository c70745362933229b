#pragma once

#include "actors/kernel/context.hpp"
#include "actors/wallet/messages.hpp"

#include <caf/all.hpp>

#include <cstddef>
#include <deque>
#include <vector>

namespace backstay::wallet {

struct wallet_options {
  std::size_t batch = 1000;   ///< transfers in one transaction, at most
  std::size_t queue = 10'000; ///< transfers that may wait for the next one
};

/// A transfer whose asker waits.
struct waiting_transfer {
  transfer what;
  caf::typed_response_promise<transferred> answer;
};

/// Transfers that come while a batch is being booked are the next batch: nobody waits for a timer, and the more come
/// the more share one commit. A crash loses who waits, not money: each transfer is idempotent on its cause.
struct wallet_state {
  wallet_state() = default;
  static inline constexpr auto name = "wallet";

  domain_context context;
  wallet_options options;
  std::deque<waiting_transfer> queue;
  bool is_booking = false; ///< a batch is with the database
};
static_assert(!std::is_aggregate_v<wallet_state>);

wallet_actor::behavior_type wallet(wallet_actor::stateful_pointer<wallet_state> self, domain_context context,
                                   wallet_options options);

/// For a guardian. The handle can be cast to `wallet_actor`.
caf::actor spawn_wallet(caf::scheduled_actor* parent, domain_context context, wallet_options options = {});

} // namespace backstay::wallet
