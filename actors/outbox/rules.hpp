#pragma once

#include "actors/kernel/error.hpp"
#include "actors/outbox/work.hpp"

#include <chrono>
#include <optional>

/// When a failed effect is tried again: pure, callable from any thread.
namespace backstay::outbox::rules {

struct retry {
  std::chrono::milliseconds pause{0};
  bool counts = true; ///< false: nobody was there to try it
  bool operator==(const retry&) const = default;
};

/// What follows on a failure, or none when it is to be given up: refused for ever, or too old.
///
/// | kind   | pauses                              | given up after |
/// | mail   | 30 s, 2 min, 10 min, then 1 h       | 1 day          |
/// | panel  | 5 s, doubling up to 1 h             | 7 days         |
/// | settle | 2 s, doubling up to 10 min          | 3 days         |
///
/// `failures` are those before this one, `age` is the entry's. `chance`, 0 ≤ chance < 1, spreads the pauses by ± 20 %,
/// so that what failed together does not come back together. A performer that is being restarted or has a full queue
/// was not asked at all: a second later, uncounted.
std::optional<retry> after_failure(kind which, const fault& failure, int failures, std::chrono::seconds age,
                                   double chance);

} // namespace backstay::outbox::rules
