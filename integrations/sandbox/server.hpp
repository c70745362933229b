#pragma once

#include "integrations/sandbox/world.hpp"

#include <memory>

namespace backstay::sandbox {

/// The HTTP side: finds the route of a request, applies guards and faults, answers.
class server {
public:
  /// Binds at once, and sets the world's port; serves while the world's context runs.
  /// @throws std::system_error when the port is taken.
  server(world& w, const std::vector<std::unique_ptr<fake>>& fakes, const routes& table);
  /// Call it after the context has stopped.
  ~server();

private:
  class listener;
  std::unique_ptr<listener> listener_;
};

} // namespace backstay::sandbox
