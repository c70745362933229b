#pragma once

#include "actors/kernel/message.hpp"
#include "actors/kernel/vitals.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <functional>

namespace backstay {

/// How often a child may die before its guardian gives up on quick restarts.
struct restart_policy {
  std::size_t deaths = 3;
  std::chrono::seconds window{60};
  std::chrono::seconds retry_degraded{300};
};

/// Tells a guardian to make its child fail (`vitals::ordered` says how).
struct crash {
  using reply = done;
  drill how = drill::exit;
};

/// Starts the child if there is none. Guardians are spawned dormant, so that every address exists before anybody starts
/// to work; also a guardian's note to itself.
struct begin {
  using reply = done;
};

/// Starts the child anew; called in the guardian's context, once a life.
using child_maker = std::function<caf::actor(caf::scheduled_actor* parent, vitals_ptr pulse)>;

/// The stable address of one supervised actor.
///
/// CAF 0.17 has no supervisors, and a respawned actor has another handle. A guardian forwards every message to its
/// child and is handed out as the child's typed handle (`actor_cast`). When the child dies it starts another one:
/// at once, after 250 ms, after 1 s; after more than `deaths` in `window` a critical child's loss is reported by
/// `give_up` (the process ends), another one is degraded and tried again every `retry_degraded`. Meanwhile it
/// answers `ec::restarting`. Told to exit, it ends its child first. What waits in the mailbox of a dying child comes
/// back to its asker as "receiver down".
struct guardian_state {
  guardian_state() = default;
  static inline constexpr auto name = "guardian";

  child_maker make;
  vitals_ptr pulse;
  restart_policy policy;
  std::function<void(const vitals&)> give_up;
  caf::actor child; ///< null between two lives
  std::vector<caf::actor_clock::time_point> deaths;
  caf::error stopping; ///< set while the child ends because we were told to
};
static_assert(!std::is_aggregate_v<guardian_state>); // see docs/actors.md: CAF would initialise it with `self`

caf::behavior guardian(caf::stateful_actor<guardian_state>* self, child_maker make, vitals_ptr pulse,
                       restart_policy policy, std::function<void(const vitals&)> give_up);

} // namespace backstay
