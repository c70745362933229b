#pragma once

#include "integrations/sandbox/world.hpp"

#include <functional>

namespace backstay::sandbox {

/// Declares what belongs to no single fake: health, page, faults, clock, and crashing the server's actors.
/// @param clock_moved called after the sandbox's clock was set.
void declare_control(world& w, routes& table, std::function<void()> clock_moved);

} // namespace backstay::sandbox
