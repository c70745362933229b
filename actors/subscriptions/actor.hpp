#pragma once

#include "actors/kernel/context.hpp"
#include "actors/subscriptions/messages.hpp"
#include "actors/subscriptions/usage_cache.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace backstay::subscriptions {

struct subscriptions_dependencies {
  panel::panel_actor panel;
  /// How long a user's traffic is shown without asking the panel again.
  std::chrono::seconds usage_is_good_for{45};
  /// How long an account may go on after its end before it has expired.
  std::chrono::seconds grace{0};
  /// How often subscriptions are looked for that end soon or have ended.
  std::chrono::milliseconds look_every{std::chrono::minutes{1}};
  /// What a trial gives where no plan is on sale for it: `duration_days` and limits.
  plan trial{};
};

/// The actor's note to itself: time to look for subscriptions that end.
struct look_at_ends {};

/// The public protocol and the look.
using full_subscriptions_actor = subscriptions_actor::extend<caf::reacts_to<look_at_ends>>;

struct subscriptions_state {
  subscriptions_state() = default;
  static inline constexpr auto name = "subscriptions";

  using use_usage = std::function<void(const std::optional<panel::user>&)>;

  domain_context context;
  subscriptions_dependencies others;
  std::vector<account_id> last_due; ///< whose ends were looked at the last time
  usage_cache cache{10'000};
  /// Who waits for the panel's answer about a user; the first of them has asked.
  std::unordered_map<std::string, std::vector<use_usage>> waiting;
};
static_assert(!std::is_aggregate_v<subscriptions_state>); // see docs/actors.md: CAF would initialise it with `self`

full_subscriptions_actor::behavior_type
subscriptions_behavior(full_subscriptions_actor::stateful_pointer<subscriptions_state> self, domain_context context,
                       subscriptions_dependencies others);

caf::actor spawn_subscriptions(caf::scheduled_actor* parent, domain_context context, subscriptions_dependencies others);

} // namespace backstay::subscriptions
