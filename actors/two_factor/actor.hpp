#pragma once

#include "actors/hashing/messages.hpp"
#include "actors/kernel/context.hpp"
#include "actors/sessions/store.hpp"
#include "actors/two_factor/messages.hpp"

#include <functional>
#include <string>

namespace backstay::two_factor {

struct two_factor_dependencies {
  hashing::hashing_actor hashing;
  sessions::store::terms_ptr terms; ///< for the keys, and for the sign-ins that end here
  /// Drops "account:<id>" from this node's cache; called after the commit and before the answer, in the actor's
  /// context. The other nodes hear of it by NOTIFY.
  std::function<void(const std::string& what)> invalidate;
  std::string issuer; ///< what authenticator apps call us
};

struct two_factor_state {
  two_factor_state() = default;
  static inline constexpr auto name = "two_factor";

  domain_context context;
  two_factor_dependencies with;
};
static_assert(!std::is_aggregate_v<two_factor_state>);

/// The actor's body.
two_factor_actor::behavior_type two_factor(two_factor_actor::stateful_pointer<two_factor_state> self,
                                           domain_context context, two_factor_dependencies deps);

/// To be run under a guardian.
caf::actor spawn_two_factor(caf::scheduled_actor* parent, domain_context context, two_factor_dependencies deps);

} // namespace backstay::two_factor
