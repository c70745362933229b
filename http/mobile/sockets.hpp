#pragma once

#include "http/websocket/endpoints.hpp"

#include <vector>

namespace backstay::http::mobile {

/// `/ws/notifications` and `/ws/monitoring` (tests/contract/mobile-websocket.md), at the root and under `/api/v1`.
std::vector<websocket::socket_endpoint> sockets();

/// One event as this family writes it: `{"type", "data", "timestamp"}`.
std::string encode_event(const live::event& what);

/// States, many in a frame: `{"type", "data": {"items": […]}, "timestamp"}`, a type for each kind.
std::vector<std::string> encode_states(const std::vector<live::state>& latest);

} // namespace backstay::http::mobile
