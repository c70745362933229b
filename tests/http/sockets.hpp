#pragma once

#include "http/websocket/hub.hpp"

#include <asio.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "caf/test/dsl.hpp"

/// WebSockets over loopback, seen by their client. Include it last: it brings CAF's test macros.
namespace backstay::websocket::test {

using namespace std::chrono_literals;
using asio::ip::tcp;

// ---- frames as a client sends them ----

inline constexpr int text_frame = 0x81, text_start = 0x01, continuation = 0x00, continuation_end = 0x80,
                     binary_frame = 0x82;
inline constexpr int close_frame = 0x88, ping_frame = 0x89, pong_frame = 0x8A;

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

/// A header with a length field of 0, 2 or 8 bytes, the mask bit set, and a key.
inline std::string header(int first, std::uint64_t length, int field_bytes) {
  auto marker = field_bytes == 0 ? length : field_bytes == 2 ? 126 : 127;
  return std::string{static_cast<char>(first), static_cast<char>(0x80 | marker)} + big_endian(length, field_bytes) +
         "\x11\x22\x33\x44";
}

inline std::string masked(int first, std::string payload) {
  auto size = payload.size();
  auto head = header(first, size, size < 126 ? 0 : size < 65536 ? 2 : 8);
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(payload[i] ^ head[head.size() - 4 + i % 4]);
  return head + payload;
}

inline std::string close_payload(int code, std::string_view reason = {}) {
  return big_endian(static_cast<std::uint64_t>(code), 2).append(reason);
}

/// What was received, as text, for tables.
using findings = std::vector<std::string>;

/// Reads what a server may send: unmasked, unfragmented frames. Removes them from `bytes`.
inline findings take_server_frames(std::string& bytes) {
  findings found;
  for (;;) {
    auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes.at(at)); };
    if (bytes.size() < 2) return found;
    if ((byte(1) & 0x80) != 0) CAF_FAIL("a server's frame is masked");
    std::size_t field_bytes = byte(1) == 126 ? 2 : byte(1) == 127 ? 8 : 0, size = field_bytes == 0 ? byte(1) : 0;
    if (bytes.size() < 2 + field_bytes) return found;
    for (std::size_t i = 0; i < field_bytes; ++i) size = size << 8 | byte(2 + i);
    if (bytes.size() < 2 + field_bytes + size) return found;
    auto payload = bytes.substr(2 + field_bytes, size);
    auto first = byte(0);
    bytes.erase(0, 2 + field_bytes + size);
    if (first == text_frame) found.push_back("text:" + payload);
    else if (first == ping_frame) found.push_back("ping:" + payload);
    else if (first == pong_frame) found.push_back("pong:" + payload);
    else if (first == close_frame && payload.empty()) found.push_back("close");
    else if (first == close_frame)
      found.push_back(
          "close:" +
          std::to_string(static_cast<std::uint8_t>(payload[0]) << 8 | static_cast<std::uint8_t>(payload[1])) + ":" +
          payload.substr(2));
    else CAF_FAIL("unexpected first byte " << int{first});
  }
}
// ---- sessions over loopback, everything on the test's own thread ----

struct network {
  asio::io_context context;

  /// Runs handlers until the condition holds; false after 5 s.
  template <class Condition>
  bool until(Condition holds) {
    for (auto end = std::chrono::steady_clock::now() + 5s; std::chrono::steady_clock::now() < end;) {
      if (holds()) return true;
      context.restart();
      context.run_one_for(1ms);
    }
    return holds();
  }

  void run_for(std::chrono::milliseconds time) {
    auto end = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() >= end; });
  }
};

struct client {
  explicit client(network& net) : net(net), socket(net.context) {}

  void connect(std::uint16_t port) {
    socket.open(tcp::v4());
    socket.set_option(asio::socket_base::receive_buffer_size(4096));
    socket.connect({asio::ip::address_v4::loopback(), port});
    socket.non_blocking(true);
  }

  void write(const std::string& bytes) { asio::write(socket, asio::buffer(bytes)); }

  /// Takes what arrived; `ended` tells the end of the stream.
  void poll() {
    std::array<char, 65536> buffer;
    std::error_code failed;
    while (!ended) {
      auto size = socket.read_some(asio::buffer(buffer), failed);
      if (failed == asio::error::would_block) return;
      ended = static_cast<bool>(failed);
      was_reset = failed == asio::error::connection_reset;
      received.append(buffer.data(), size);
    }
  }

  /// The next frames, once there are so many; fewer if the stream ends or time is up.
  findings read(std::size_t count) {
    findings found;
    net.until([&] {
      poll();
      for (auto& frame : take_server_frames(received)) found.push_back(std::move(frame));
      return found.size() >= count || ended;
    });
    return found;
  }

  bool reads_end() {
    return net.until([&] { return poll(), ended; });
  }

  network& net;
  tcp::socket socket;
  std::string received;
  bool ended = false;
  bool was_reset = false;
};
/// Connects `peer` to a listener that is gone afterwards; the server's end.
inline tcp::socket connect_pair(client& peer) {
  tcp::acceptor acceptor{peer.net.context, {asio::ip::address_v4::loopback(), 0}};
  peer.connect(acceptor.local_endpoint().port());
  return acceptor.accept();
}

/// A hub and those who hear it.
struct hub_fixture : network {
  /// A socket holds itself as long as it is open.
  ~hub_fixture() {
    sockets->close_all();
    for (auto& each : visitors) each.peer.socket.close();
    run_for(20ms);
  }

  struct visitor {
    visitor(network& net, sessions::session_view who) : peer(net), who(std::move(who)) {}
    client peer;
    sessions::session_view who;
    std::shared_ptr<session> socket;
    hub::socket_number number = 0;
  };

  static sessions::session_view make_session(account_id account = account_id::random(), role who = role::viewer) {
    sessions::session_view made{.session = session_id::random()};
    made.account.id = account;
    made.account.role = who;
    return made;
  }

  visitor& enter(sessions::session_view who, hub::encoder encode, bool hears_account = true,
                 bool hears_everyone = false, hub::state_encoder encode_states = nullptr) {
    auto& added = visitors.emplace_back(*this, std::move(who));
    added.socket = std::make_shared<session>(connect_pair(added.peer), pulse);
    added.number = sockets->add(added.socket, added.who, encode, hears_account, hears_everyone, encode_states);
    added.socket->start(
        {{}, [sockets = sockets, number = added.number](close_code, std::string_view) { sockets->remove(number); }});
    return added;
  }

  /// What came since the last time.
  findings heard_by(visitor& who) {
    run_for(5ms);
    who.peer.poll();
    return take_server_frames(who.peer.received);
  }

  std::shared_ptr<heartbeat> pulse = std::make_shared<heartbeat>(context);
  std::shared_ptr<hub> sockets = std::make_shared<hub>();
  std::deque<visitor> visitors;
};

} // namespace backstay::websocket::test
