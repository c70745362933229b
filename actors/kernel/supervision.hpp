#pragma once

#include "actors/kernel/guardian.hpp"
#include "actors/kernel/vitals.hpp"

#include <caf/all.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace backstay {

/// The root of the supervision tree: one ordered list of guardians, started first to last and stopped last to first,
/// each with a grace time. Used by the main thread only.
class supervision {
public:
  /// `give_up` is called in a guardian's context when a critical actor's restarts are exhausted.
  supervision(caf::actor_system& system, std::function<void(const vitals&)> give_up);

  /// Adds a dormant guardian. `make` is called at each start of the child, so it may look up addresses that are added
  /// later.
  caf::actor add(const std::string& name, bool critical, child_maker make);

  /// Starts the children in order. Throws `std::runtime_error` naming the first that does not start in time.
  void start();

  /// Ends everybody in reverse order; who does not end within `grace` is left behind and logged.
  void stop(std::chrono::milliseconds grace);

  const vitals_board& board() const { return board_; }
  std::map<std::string, caf::actor, std::less<>> by_name() const;

private:
  caf::actor_system& system_;
  std::function<void(const vitals&)> give_up_;
  vitals_board board_;
  std::vector<std::pair<std::string, caf::actor>> guardians_;
};

} // namespace backstay
