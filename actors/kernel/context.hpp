#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/vitals.hpp"

namespace backstay {

/// What every domain actor is given at each start.
struct domain_context {
  vitals_ptr pulse;
  clock_handle clock;
  database_actor database;

  timestamp now() const { return clock->now(); }
};

} // namespace backstay
