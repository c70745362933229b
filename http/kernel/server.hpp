#pragma once

#include "http/kernel/exchange.hpp"
#include "http/kernel/router.hpp"
#include "http/kernel/services.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <string>

namespace backstay::http {

struct upgrade_offer; ///< see server_traits.hpp

/// A listening HTTP server on the HTTP thread's io_context. The only folder that knows RESTinio's server.
class server {
public:
  struct options {
    std::string address;
    std::uint16_t port = 0;
    std::size_t max_connections = 10'000;
    std::size_t max_body = 1'048'576;
    std::chrono::milliseconds idle_timeout{60'000};
    std::size_t compress_above = 1400; ///< bytes; 0: never
  };

  /// Gets every request that asks for an upgrade. True: it was for one of its paths, and is taken care of.
  using socket_handler = std::function<bool(const exchange_ptr& x, upgrade_offer& offer)>;

  server(services& context, const router& routes, options how, socket_handler sockets = {});
  ~server();

  /// Throws `std::runtime_error` with one clear line when the address cannot be had.
  void open();
  std::uint16_t port() const;

  /// Accepts no new connections; open ones go on. On the HTTP thread.
  void close();

private:
  struct engine;
  std::unique_ptr<engine> engine_;
};

/// A port of loopback that nobody listens on right now.
std::uint16_t free_loopback_port();

} // namespace backstay::http
