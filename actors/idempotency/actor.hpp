#pragma once

#include "actors/idempotency/messages.hpp"
#include "actors/kernel/context.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <type_traits>

namespace backstay::idempotency {

/// The actor's note to itself: remove keys whose day is over.
struct sweep {};

struct idempotency_dependencies {
  std::chrono::milliseconds sweep_every = std::chrono::hours{1};
};

/// Everything is in the database; this actor only has the rules and the broom.
struct idempotency_state {
  idempotency_state() = default;
  static inline constexpr auto name = "idempotency";
  domain_context context;
  idempotency_dependencies deps;
};
static_assert(!std::is_aggregate_v<idempotency_state>);

using full_idempotency_actor = idempotency_actor::extend<caf::reacts_to<sweep>>;

full_idempotency_actor::behavior_type idempotency(full_idempotency_actor::stateful_pointer<idempotency_state> self,
                                                  domain_context context, idempotency_dependencies deps);

/// For a guardian. The handle can be cast to `idempotency_actor`.
caf::actor spawn_idempotency(caf::scheduled_actor* parent, domain_context context, idempotency_dependencies deps);

} // namespace backstay::idempotency
