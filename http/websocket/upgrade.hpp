#pragma once

#include "http/websocket/handshake.hpp"
#include "http/websocket/session.hpp"

#include <restinio/all.hpp>

/// The only header of this folder that knows RESTinio.
namespace backstay::websocket {

/// Judges a request's opening handshake; see `check_handshake`. RESTinio hands every request with
/// `Connection: upgrade` to the same handler as the others.
handshake check_request(const restinio::http_request_header_t& header);

/// The answer that turns the connection into a WebSocket; `accept` comes from `check_request`.
std::string switching_protocols(std::string_view accept);

/// Takes the connection out of `request`, answers 101 and starts a session on it. `accept` comes from `check_request`
/// of the same request; `pulse` was made with the server's io_context, on whose thread this is called. The connection
/// counts for RESTinio's connection limit until the session closes; so the session must not outlive the server.
/// Throws `restinio::exception_t` if the request was answered already. What a client sends before it has the 101, which
/// RFC 6455 section 4.1 forbids, is lost.
template <class Traits>
std::shared_ptr<session> upgrade(restinio::generic_request_type_from_traits_t<Traits>& request, std::string_view accept,
                                 std::shared_ptr<heartbeat> pulse, session::callbacks tell) {
  auto handle = std::move(restinio::impl::access_req_connection(request));
  if (!handle) throw restinio::exception_t{"the request was answered already"};
  auto taken = dynamic_cast<restinio::impl::connection_t<Traits>&>(*handle).move_upgrade_internals();
  auto lease = std::make_shared<std::pair<decltype(taken.m_settings), decltype(taken.m_lifetime_monitor)>>(
      std::move(taken.m_settings), std::move(taken.m_lifetime_monitor));
  auto opened = std::make_shared<session>(std::move(taken.m_socket), std::move(pulse), std::move(lease));
  opened->send(std::make_shared<const std::string>(switching_protocols(accept)));
  opened->start(std::move(tell));
  return opened;
}

} // namespace backstay::websocket
