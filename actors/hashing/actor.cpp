#include "actors/hashing/actor.hpp"

#include "actors/hashing/rules.hpp"

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

namespace backstay::hashing {

namespace {

/// Lets every other thread go first: a flood of logins may fill all cores, and must not be felt elsewhere. On Linux a
/// thread has a priority of its own (setpriority(2), "C library/kernel differences").
bool give_way() { return setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10) == 0; }

} // namespace

worker_actor<password_job>::behavior_type hasher() {
  return {[](const password_job& job) -> caf::result<verdict> {
    [[maybe_unused]] static thread_local const bool gives_way = give_way(); // a worker has its thread for itself
    try {
      return job.against.empty() ? verdict{.hash = hash_password(job.password)}
                                 : check_password(job.password, job.against);
    } catch (const fault_error& error) {
      return to_error(error.what_failed);
    }
  }};
}

caf::actor spawn_hashing(caf::scheduled_actor* parent, vitals_ptr pulse, std::size_t threads, std::size_t queue) {
  if (sodium_init() < 0) throw std::runtime_error{"libsodium cannot start"}; // also picks the fastest implementation
  auto hire = [](caf::scheduled_actor* pool) { return pool->spawn<caf::detached>(hasher); };
  return caf::actor_cast<caf::actor>(parent->spawn(
      pool<password_job>::behave, pulse, pool_options{.workers = threads, .queue = queue, .refusal = ec::too_many},
      pool<password_job>::hire_function{hire}));
}

} // namespace backstay::hashing
