#pragma once

#include "actors/kernel/context.hpp"
#include "actors/promotions/messages.hpp"

#include <caf/all.hpp>

#include <type_traits>

namespace backstay::promotions {

struct promotions_state {
  promotions_state() = default;
  static inline constexpr auto name = "promotions";

  domain_context context;
};
static_assert(!std::is_aggregate_v<promotions_state>);

/// The actor's body.
promotions_actor::behavior_type promotions(promotions_actor::stateful_pointer<promotions_state> self,
                                           domain_context context);

/// To be run under a guardian.
caf::actor spawn_promotions(caf::scheduled_actor* parent, domain_context context);

} // namespace backstay::promotions
