#pragma once

#include <restinio/all.hpp>

/// What of RESTinio the server and the WebSocket upgrade must agree on. Include it in few files: it is heavy.
namespace backstay::http {

/// One thread runs everything, so nothing is locked; the limiter keeps the number of connections below the limit of
/// file descriptors (after EMFILE RESTinio's listener never accepts again).
struct server_traits : restinio::default_single_thread_traits_t {
  static constexpr bool use_connection_count_limiter = true;
};

/// A request whose connection can be taken over for a WebSocket.
struct upgrade_offer {
  restinio::request_handle_t request;
};

} // namespace backstay::http
