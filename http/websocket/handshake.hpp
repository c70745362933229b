#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace backstay::websocket {

/// Looks up a request header field by its name, given in lower case. Empty if it did not come; the values of one that
/// came more than once are joined by commas (RFC 9110 section 5.3).
using header_lookup = std::function<std::string(std::string_view name)>;

/// What to do with a request for a WebSocket.
struct handshake {
  /// A response header field.
  struct field {
    std::string_view name;
    std::string_view value;
  };

  int status = 101;              ///< 101, or what to refuse with: 400, 405, 426
  std::string accept;            ///< with 101: the value of `Sec-WebSocket-Accept`
  std::string_view problem;      ///< otherwise: an English sentence for the error body
  std::span<const field> fields; ///< header fields that the refusal must carry
};

/// Judges an opening handshake by RFC 6455 section 4.2.1. Who may connect (origin, ticket) is the caller's to check.
/// `method` is the request's method; `http_1_1` tells whether it came with HTTP/1.1.
handshake check_handshake(std::string_view method, bool http_1_1, const header_lookup& header);

/// `Sec-WebSocket-Accept` for a client's `Sec-WebSocket-Key` (RFC 6455 section 4.2.2).
std::string accept_value(std::string_view key);

} // namespace backstay::websocket
