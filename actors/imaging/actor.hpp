#pragma once

#include "actors/imaging/messages.hpp"
#include "actors/kernel/pool.hpp"

namespace backstay::imaging {

/// Re-encodes one picture at a time.
worker_actor<picture_job>::behavior_type engraver();

/// The pool behind `imaging_actor`, to be run under a guardian: one worker with a thread of its own.
caf::actor spawn_imaging(caf::scheduled_actor* parent, vitals_ptr pulse);

} // namespace backstay::imaging
