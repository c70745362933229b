#include "actors/imaging/actor.hpp"

#include "actors/imaging/rules.hpp"

namespace backstay::imaging {

worker_actor<picture_job>::behavior_type engraver() {
  return {[](const picture_job& job) -> caf::result<picture> {
    try {
      return re_encode(job.file);
    } catch (const fault_error& error) {
      return to_error(error.what_failed);
    }
  }};
}

caf::actor spawn_imaging(caf::scheduled_actor* parent, vitals_ptr pulse) {
  auto hire = [](caf::scheduled_actor* pool) { return pool->spawn<caf::detached>(engraver); };
  return caf::actor_cast<caf::actor>(parent->spawn(pool<picture_job>::behave, pulse,
                                                   pool_options{.workers = 1, .queue = 8},
                                                   pool<picture_job>::hire_function{hire}));
}

} // namespace backstay::imaging
