#pragma once

#include "actors/live/messages.hpp"
#include "actors/monitoring/messages.hpp"
#include "integrations/panel/messages.hpp"

#include <map>
#include <vector>

/// Decisions about nodes: pure, callable from any thread.
namespace backstay::monitoring::rules {

/// Disabled → maintenance, connecting → warning, connected → online, else offline (contract, mobile.json #9).
live::server_status status_of(const panel::node& node);

/// What subscribers were told of each node last.
using told = std::map<node_id, live::server_status_changed>;

/// What they have to be told now, which is entered into `last`: a new node, another status, a node that is gone
/// (offline), or a number of users that differs by at least a tenth from what was told.
std::vector<live::server_status_changed> changes(told& last, const std::vector<server>& servers);

} // namespace backstay::monitoring::rules
