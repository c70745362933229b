#pragma once

#include "actors/hashing/messages.hpp"
#include "actors/kernel/pool.hpp"

namespace backstay::hashing {

/// Hashes and checks one password at a time.
worker_actor<password_job>::behavior_type hasher();

/// The pool behind `hashing_actor`, to be run under a guardian: `threads` workers with a thread each; `queue` jobs may
/// wait, and as a job takes some 30 ms, more than about 60 a thread would wait in vain for their askers' deadlines.
caf::actor spawn_hashing(caf::scheduled_actor* parent, vitals_ptr pulse, std::size_t threads, std::size_t queue);

} // namespace backstay::hashing
