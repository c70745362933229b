#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace backstay::integrations {

class transfers;

/// Header fields in the order they are sent or were received.
using http_headers = std::vector<std::pair<std::string, std::string>>;

/// One request to an outside system.
struct http_request {
  std::string method = "GET";
  /// Absolute, `http` or `https`.
  std::string url;
  http_headers headers;
  std::string body;
  /// Bounds the whole exchange: name look-up, connection, sending, and the last byte of the answer. At least 1 ms.
  std::chrono::milliseconds timeout{3000};
};

/// What the outside system answered. Redirects are answers like any other: they are never followed.
struct http_response {
  int status = 0;
  /// Names are lower case; a field that came twice is here twice.
  http_headers headers;
  std::string body;
};

/// Why there is no whole answer, told apart by what the caller may do next.
enum class transport_failure {
  none,
  /// Sent, and no whole answer in time: it may have been executed.
  timeout,
  /// Nothing was sent: refused, unknown host, failed TLS handshake. Certainly not executed, safe to repeat.
  unreachable,
  /// Sent, and the connection ended before a whole answer: it may have been executed.
  broken,
  /// The answer's body is over `max_response_size`: it was executed.
  too_large,
};

/// The outcome of an exchange; `response` is meaningful only where `failure` is `none`.
struct http_result {
  transport_failure failure = transport_failure::none;
  /// For the log: never holds a URL, a header value or a body.
  std::string reason;
  http_response response;
};

/// Sends requests over HTTP/1.1 with keep-alive, or HTTP/2 where TLS offers it, from one thread of its own.
///
/// `POST` and `PATCH` reach the server at most once. libcurl repeats a request by itself when a kept connection turns
/// out to be closed, which would execute such a call twice, so here that ends as `broken`.
/// TLS certificates are verified; proxies that the environment names are not used.
class http_client {
public:
  /// The largest response body, in bytes.
  static constexpr std::size_t max_response_size = 8 * 1024 * 1024;

  http_client();
  /// Ends every open exchange as `broken`, then stops the thread.
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// Starts an exchange and returns at once; callable from any thread, also from inside `then`.
  /// `then` runs exactly once, on the client's thread: it must neither block nor throw nor destroy the client.
  void send(http_request request, std::function<void(http_result)> then);

private:
  std::unique_ptr<transfers> transfers_;
};

} // namespace backstay::integrations
