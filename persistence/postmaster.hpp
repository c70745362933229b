#pragma once

#include "actors/kernel/vitals.hpp"
#include "persistence/cluster.hpp"

#include <caf/all.hpp>

#include <memory>

namespace backstay::persistence {

/// Looks after the private cluster: starts a dead postmaster again. On a thread of its own, since that blocks.
caf::actor spawn_postmaster(caf::scheduled_actor* parent, vitals_ptr pulse, std::shared_ptr<cluster> whom);

} // namespace backstay::persistence
