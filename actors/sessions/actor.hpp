#pragma once

#include "actors/hashing/messages.hpp"
#include "actors/kernel/context.hpp"
#include "actors/kernel/minute_limits.hpp"
#include "actors/sessions/messages.hpp"
#include "actors/sessions/store.hpp"

#include <functional>

namespace backstay::sessions {

struct sessions_dependencies {
  hashing::hashing_actor hashing;
  store::terms_ptr terms;
  /// Drops "session:<id>" or "account:<id>" from this node's cache; called after the commit and before the answer,
  /// in the actor's context. The other nodes hear of it by NOTIFY.
  std::function<void(const std::string& what)> invalidate;
  std::size_t refreshes_per_minute = 30; ///< of one session, on one node (contract's ruling 11)
};

/// The actor's note to itself: time to remove what is stale.
struct sweep {};

/// The public protocol and the sweep.
using sweeping_sessions_actor = sessions_actor::extend<caf::reacts_to<sweep>>;

struct sessions_state {
  sessions_state() = default;
  static inline constexpr auto name = "sessions";

  domain_context context;
  sessions_dependencies with;
  minute_limits refreshes;
};
static_assert(!std::is_aggregate_v<sessions_state>);

/// The actor's body.
sweeping_sessions_actor::behavior_type sessions(sweeping_sessions_actor::stateful_pointer<sessions_state> self,
                                                domain_context context, sessions_dependencies deps);

/// To be run under a guardian.
caf::actor spawn_sessions(caf::scheduled_actor* parent, domain_context context, sessions_dependencies deps);

} // namespace backstay::sessions
