#pragma once

#include "actors/kernel/context.hpp"
#include "actors/live/messages.hpp"
#include "actors/monitoring/messages.hpp"
#include "actors/monitoring/rules.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <functional>
#include <vector>

namespace backstay::monitoring {

struct monitoring_dependencies {
  panel::panel_actor panel;
  live::hub_actor hub;
};

struct monitoring_options {
  std::chrono::milliseconds poll{5000}; ///< setting `panel.poll`
};

/// Monitoring's notes to itself: look, for it is time; look, for somebody asked for it.
struct poll {};
struct look_now {};

struct monitoring_state {
  monitoring_state() = default;
  static inline constexpr auto name = "monitoring";

  domain_context context;
  monitoring_dependencies others;
  monitoring_options options;
  std::vector<server> servers; ///< as the panel said last
  rules::told told;
  bool was_reached = false;                   ///< at least once
  bool is_away = false;                       ///< the last look failed
  bool is_looking = false;                    ///< the panel has been asked
  std::vector<std::function<void()>> waiting; ///< answers that wait for the first look's outcome
  bool is_hurried = false;                    ///< a `look_now` is on its way
};
static_assert(!std::is_aggregate_v<monitoring_state>); // see docs/actors.md: CAF would initialise it with `self`

using monitoring_loop = monitoring_actor::extend<caf::reacts_to<poll>, caf::reacts_to<look_now>>;

monitoring_loop::behavior_type monitoring_behavior(monitoring_loop::stateful_pointer<monitoring_state> self,
                                                   domain_context context, monitoring_dependencies others,
                                                   monitoring_options options);

caf::actor spawn_monitoring(caf::scheduled_actor* parent, domain_context context, monitoring_dependencies others,
                            monitoring_options options = {});

} // namespace backstay::monitoring
