#include "http/websocket/upgrade.hpp"

namespace backstay::websocket {

handshake check_request(const restinio::http_request_header_t& header) {
  auto http_1_1 = header.http_major() > 1 || (header.http_major() == 1 && header.http_minor() >= 1);
  return check_handshake(header.method().c_str(), http_1_1, [&](std::string_view name) {
    std::string joined;
    header.for_each_value_of({name.data(), name.size()}, [&](restinio::string_view_t value) {
      joined.append(joined.empty() ? "" : ", ").append(value.data(), value.size());
      return restinio::http_header_fields_t::continue_enumeration();
    });
    return joined;
  });
}

std::string switching_protocols(std::string_view accept) {
  std::string answer{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"};
  answer.append("Sec-WebSocket-Accept: ").append(accept).append("\r\n\r\n");
  return answer;
}

} // namespace backstay::websocket
