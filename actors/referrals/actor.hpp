#pragma once

#include "actors/kernel/context.hpp"
#include "actors/referrals/messages.hpp"
#include "actors/referrals/store.hpp"

#include <caf/all.hpp>

#include <string>
#include <type_traits>

namespace backstay::referrals {

struct referrals_dependencies {
  store::terms terms;    ///< for those who join now
  std::string share_url; ///< where invitations lead to; the code follows as "/<code>"
};

/// The actor's note to itself: time to credit the bonuses whose hold is over.
struct credit_bonuses {};

/// The public protocol and the note.
using crediting_referrals_actor = referrals_actor::extend<caf::reacts_to<credit_bonuses>>;

struct referrals_state {
  referrals_state() = default;
  static inline constexpr auto name = "referrals";

  domain_context context;
  referrals_dependencies with;
};
static_assert(!std::is_aggregate_v<referrals_state>);

/// The actor's body.
crediting_referrals_actor::behavior_type referrals(crediting_referrals_actor::stateful_pointer<referrals_state> self,
                                                   domain_context context, referrals_dependencies deps);

/// To be run under a guardian.
caf::actor spawn_referrals(caf::scheduled_actor* parent, domain_context context, referrals_dependencies deps);

} // namespace backstay::referrals
