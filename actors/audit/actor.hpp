#pragma once

#include "actors/audit/messages.hpp"
#include "actors/kernel/context.hpp"

#include <chrono>

namespace backstay::audit {

/// The actor's note to itself: time to remove what is too old.
struct sweep {};

using sweeping_audit_actor = audit_actor::extend<caf::reacts_to<sweep>>;

struct audit_state {
  audit_state() = default;
  static inline constexpr auto name = "audit";

  domain_context context;
  std::chrono::milliseconds keep{};
};
static_assert(!std::is_aggregate_v<audit_state>);

/// The actor's body. Entries stay for `keep`.
sweeping_audit_actor::behavior_type audit(sweeping_audit_actor::stateful_pointer<audit_state> self,
                                          domain_context context, std::chrono::milliseconds keep);

/// To be run under a guardian.
caf::actor spawn_audit(caf::scheduled_actor* parent, domain_context context, std::chrono::milliseconds keep);

} // namespace backstay::audit
