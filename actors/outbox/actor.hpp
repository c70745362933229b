#pragma once

#include "actors/kernel/context.hpp"
#include "actors/outbox/messages.hpp"
#include "actors/outbox/store.hpp"
#include "actors/payments/messages.hpp"
#include "actors/subscriptions/messages.hpp"
#include "integrations/mail/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <random>

namespace backstay::outbox {

/// Who performs the effects; each may be a guardian, and answer `restarting` at times.
struct outbox_dependencies {
  mail::mail_actor mail;
  subscriptions::subscriptions_actor subscriptions;
  payments::payments_actor payments;
};

struct outbox_options {
  int at_once = 16; ///< effects in flight
  /// How long an entry is ours; a performance that has not ended in half of it counts as failed.
  std::chrono::seconds lease{60};
  std::chrono::milliseconds tick{1000}; ///< how often it looks without being woken
};

/// The outbox' note to itself: look for due entries.
struct look_for_work {};
/// The outbox' note to itself: remove what was done, and what was told to sockets, long ago.
struct tidy_up {};

struct outbox_state {
  outbox_state() = default;
  static inline constexpr auto name = "outbox";

  domain_context context;
  outbox_dependencies performers;
  outbox_options options;
  std::minstd_rand chance{std::random_device{}()};
  int in_flight = 0;          ///< claimed, and not yet completed, postponed or buried
  bool is_claiming = false;   ///< a claim is on its way
  bool may_have_more = false; ///< woken while claiming, or the last claim was full
};
static_assert(!std::is_aggregate_v<outbox_state>); // see docs/actors.md: CAF would initialise it with `self`

using outbox_loop = outbox_actor::extend<caf::reacts_to<look_for_work>, caf::reacts_to<tidy_up>>;

/// Carries out the rows of the outbox, several at once, until each is done, or given up. Any number of these may share
/// a database.
outbox_loop::behavior_type outbox_behavior(outbox_loop::stateful_pointer<outbox_state> self, domain_context context,
                                           outbox_dependencies performers, outbox_options options);

caf::actor spawn_outbox(caf::scheduled_actor* parent, domain_context context, outbox_dependencies performers,
                        outbox_options options = {});

} // namespace backstay::outbox
