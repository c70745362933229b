#pragma once

#include "http/kernel/server.hpp"
#include "http/kernel/services.hpp"
#include "http/websocket/hub.hpp"

#include <functional>
#include <string>
#include <vector>

namespace backstay::websocket {

/// A WebSocket that a family serves.
struct socket_endpoint {
  std::vector<std::string> paths;
  hub::encoder encode;
  hub::state_encoder encode_states = nullptr; ///< missing: no states
  bool hears_account = false;                 ///< gets the events of its account
  bool hears_everyone = false;                ///< gets the events that concern every account
  /// The first frame's text; may be missing.
  std::function<std::string(const sessions::session_view&)> greet;
  /// Answers a text of the client; may be missing: then texts are ignored.
  std::function<void(hub&, hub::socket_number, session&, const sessions::session_view&, std::string_view text)> on_text;
};

/// Takes the upgrade requests for `endpoints`: checks the handshake (RFC 6455), the origin (only listed ones may come
/// from a browser's page of another site) and the single-use ticket, then opens the socket. A refusal is a plain HTTP
/// answer.
http::server::socket_handler accept_sockets(http::services& context, std::shared_ptr<hub> sockets,
                                            std::shared_ptr<heartbeat> pulse, std::vector<socket_endpoint> endpoints);

} // namespace backstay::websocket
