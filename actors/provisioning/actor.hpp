#pragma once

#include "actors/kernel/context.hpp"
#include "actors/monitoring/messages.hpp"
#include "actors/provisioning/messages.hpp"
#include "actors/subscriptions/messages.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace backstay::provisioning {

struct provisioning_dependencies {
  panel::panel_actor panel;
  panel::catalog_actor catalog;
  subscriptions::subscriptions_actor subscriptions;
  monitoring::monitoring_actor monitoring;
  /// How long a user's traffic is shown without asking the panel again.
  std::chrono::seconds usage_is_good_for{45};
};

/// The panel's templates as they were read last.
struct profile_memory {
  std::optional<profile_list> known;
  timestamp good_until;
  std::vector<caf::typed_response_promise<profile_list>> waiting; ///< for the answer that is on its way
};

struct usage_memory {
  std::optional<panel::usage> known; ///< none: the panel knows nobody of that name, or did not answer
  timestamp good_until;
};

struct provisioning_state {
  provisioning_state() = default;
  static inline constexpr auto name = "provisioning";

  domain_context context;
  provisioning_dependencies others;
  profile_memory profiles;
  std::unordered_map<std::string, usage_memory> usage; ///< by the names of the panel's users
};
static_assert(!std::is_aggregate_v<provisioning_state>); // see docs/actors.md: CAF would initialise it with `self`

provisioning_actor::behavior_type provisioning_behavior(provisioning_actor::stateful_pointer<provisioning_state> self,
                                                        domain_context context, provisioning_dependencies others);

caf::actor spawn_provisioning(caf::scheduled_actor* parent, domain_context context, provisioning_dependencies others);

} // namespace backstay::provisioning
