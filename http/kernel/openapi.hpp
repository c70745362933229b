#pragma once

#include "http/kernel/router.hpp"

#include <string>
#include <vector>

namespace backstay::http {

/// The OpenAPI 3.1 document of everything that `routes` serves. `sockets` are the WebSocket paths; OpenAPI has no word
/// for them, so they stand in `x-websockets`.
std::string make_openapi(const router& routes, const std::vector<std::string>& sockets, const std::string& server_url);

} // namespace backstay::http
