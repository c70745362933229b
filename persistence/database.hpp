#pragma once

#include "actors/kernel/database.hpp"
#include "actors/kernel/pool.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace backstay::persistence {

struct database_options {
  std::string url;
  pool_options pool{8, 1000, std::chrono::milliseconds{3000}};
  std::chrono::milliseconds statement_timeout{2000};
  /// Called on a worker's thread after a commit that left work in the outbox.
  std::function<void()> wake_outbox = [] {};
};

/// The pool of database workers, to be run under a guardian. Each worker owns one connection on a thread of its own;
/// a worker whose connection breaks ends, and the pool hires another (at most every 250 ms a round).
caf::actor spawn_database(caf::scheduled_actor* parent, vitals_ptr pulse, database_options options);

} // namespace backstay::persistence
