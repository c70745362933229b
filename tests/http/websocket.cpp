#include "http/websocket/frame.hpp"
#include "http/websocket/handshake.hpp"
#include "http/websocket/session.hpp"
#include "http/websocket/upgrade.hpp"

#include <algorithm>
#include <linux/filter.h>
#include <map>
#include <random>
#include <thread>

#define CAF_SUITE websocket
#include "tests/http/sockets.hpp"

using namespace backstay::websocket;
using namespace backstay::websocket::test;
using namespace std::chrono_literals;
using namespace std::string_literals;
using asio::ip::tcp;

namespace {

// ---- the parser's findings as text, for tables ----

std::string describe(const event& e) {
  auto code = std::to_string(static_cast<int>(e.code));
  switch (e.kind) {
  case event_kind::text:
    return "text:" + std::string{e.payload};
  case event_kind::ping:
    return "ping:" + std::string{e.payload};
  case event_kind::pong:
    return "pong:" + std::string{e.payload};
  case event_kind::close:
    return "close:" + code + ":" + std::string{e.payload};
  case event_kind::violation:
    return "violation:" + code;
  }
  return "unknown";
}

// Feeds pieces whose sizes `next_size` chooses.
template <class NextSize>
findings parse(const std::string& bytes, NextSize next_size, std::size_t limit) {
  parser reader{limit};
  findings found;
  for (std::size_t at = 0; at < bytes.size();) {
    auto piece = bytes.substr(at, next_size());
    at += piece.size();
    std::span<char> input{piece};
    while (auto e = reader.next(input)) found.push_back(describe(*e));
  }
  return found;
}

// However the bytes are cut, the findings are the same.
findings parse_every_way(const std::string& bytes, std::size_t limit = 64 * 1024) {
  auto whole = parse(
      bytes, [&] { return bytes.size(); }, limit);
  CAF_CHECK_EQUAL(parse(
                      bytes, [] { return 1u; }, limit),
                  whole);
  std::mt19937 random{42};
  for (auto longest : {3u, 17u, 1000u})
    for (int round = 0; round < 10; ++round)
      CAF_CHECK_EQUAL(parse(
                          bytes, [&] { return random() % longest + 1; }, limit),
                      whole);
  return whole;
}
// A connected pair: a client and an echoing session.
struct fixture : network {
  void connect(limits held_to = {}) {
    pulse = std::make_shared<heartbeat>(context, held_to);
    lease = std::make_shared<int>();
    server = std::make_shared<session>(connect_pair(peer), pulse, lease);
    server->start({[this](std::string_view text) { on_text(text); },
                   [this](close_code code, std::string_view reason) {
                     ++times_closed;
                     closed = std::to_string(static_cast<int>(code)) + ":" + std::string{reason};
                   }});
  }

  std::string wait_closed() {
    until([&] { return !closed.empty(); });
    return closed;
  }

  // Sends events until the kernel takes no more.
  void fill_kernel() {
    auto frame = encode_text(std::string(4000, 'x'));
    while (server->get_waiting_bytes() < 8000) {
      server->send(frame);
      run_for(1ms);
      ++filled;
    }
  }

  client peer{*this};
  std::shared_ptr<heartbeat> pulse;
  std::shared_ptr<session> server;
  std::shared_ptr<int> lease;
  std::function<void(std::string_view)> on_text = [this](std::string_view text) { server->send(encode_text(text)); };
  std::string closed;
  int times_closed = 0;
  std::size_t filled = 0;
};

} // namespace

// ---- frames ----

CAF_TEST(server frames use the shortest length) {
  CAF_CHECK_EQUAL(std::string{*encode_text("hi")}, "\x81\x02hi"s);
  CAF_CHECK_EQUAL(std::string{*encode_text("")}, "\x81\x00"s);
  CAF_CHECK_EQUAL(encode_text(std::string(125, 'a'))->substr(0, 3), "\x81\x7D\x61"s);
  CAF_CHECK_EQUAL(encode_text(std::string(126, 'a'))->substr(0, 5), "\x81\x7E\x00\x7E\x61"s);
  CAF_CHECK_EQUAL(encode_text(std::string(65535, 'a'))->substr(0, 5), "\x81\x7E\xFF\xFF\x61"s);
  CAF_CHECK_EQUAL(encode_text(std::string(65536, 'a'))->substr(0, 11), "\x81\x7F\0\0\0\0\0\x01\0\0\x61"s);
  CAF_CHECK_EQUAL(std::string{*encode_ping()}, "\x89\x00"s);
  CAF_CHECK_EQUAL(std::string{*encode_pong("abc")}, "\x8A\x03\x61\x62\x63"s);
  CAF_CHECK_EQUAL(std::string{*encode_close(close_code::normal, "bye")}, "\x88\x05\x03\xE8\x62ye"s);
  CAF_CHECK_EQUAL(std::string{*encode_close(close_code::no_status)}, "\x88\x00"s);
}

CAF_TEST(a burst is one buffer) {
  std::string burst;
  append_text(burst, "one");
  append_text(burst, "two");
  CAF_CHECK_EQUAL(take_server_frames(burst), (findings{"text:one", "text:two"}));
}

CAF_TEST(a close reason is cut between code points) {
  std::string reason; // 61 two-byte letters are 122 bytes; the 62nd would end at 124
  for (int i = 0; i < 80; ++i) reason += "\xD0\xB6";
  auto frame = encode_close(close_code::normal, reason);
  CAF_CHECK_EQUAL(frame->size(), 2u + 2u + 122u);
  CAF_CHECK(utf8_checker{}.feed(std::string_view{*frame}.substr(4)));
}

CAF_TEST(messages come out however the bytes are cut) {
  const std::vector<std::pair<std::string, findings>> cases{
      {masked(text_frame, "hello"), {"text:hello"}},
      {masked(text_frame, ""), {"text:"}},
      {masked(text_frame, "a") + masked(text_frame, "b"), {"text:a", "text:b"}},
      {masked(text_frame, std::string(125, 'q')), {"text:" + std::string(125, 'q')}},
      {masked(text_frame, std::string(126, 'q')), {"text:" + std::string(126, 'q')}},
      {masked(text_frame, std::string(65536, 'q')), {"text:" + std::string(65536, 'q')}},
      {masked(text_start, "one ") + masked(continuation, "two ") + masked(continuation_end, "three"),
       {"text:one two three"}},
      {masked(text_start, "") + masked(continuation, "") + masked(continuation_end, ""), {"text:"}},
      {masked(text_start, "a") + masked(ping_frame, "p") + masked(continuation_end, "b"), {"ping:p", "text:ab"}},
      {masked(text_start, "a") + masked(pong_frame, "p") + masked(close_frame, close_payload(1001, "x")),
       {"pong:p", "close:1001:x"}},
      // A ping between the two bytes of one letter.
      {masked(text_start, "\xD0") + masked(ping_frame, "") + masked(continuation_end, "\xB6"),
       {"ping:", "text:\xD0\xB6"}},
      {masked(text_frame, "\xF4\x8F\xBF\xBF \xEE\x80\x80 \xE0\xA0\x80"),
       {"text:\xF4\x8F\xBF\xBF \xEE\x80\x80 \xE0\xA0\x80"}},
      {masked(ping_frame, std::string(125, 'p')), {"ping:" + std::string(125, 'p')}},
      {masked(close_frame, "") + masked(text_frame, "after"), {"close:1005:"}},
      {masked(close_frame, close_payload(1000, std::string(123, 'r'))), {"close:1000:" + std::string(123, 'r')}},
  };
  for (const auto& [bytes, expected] : cases) CAF_CHECK_EQUAL(parse_every_way(bytes), expected);
}

CAF_TEST(each violation has its close code) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"\x81\x05hello"s, "1002"}, // not masked
      {masked(0xC1, "compressed"), "1002"},
      {masked(0xA1, ""), "1002"},
      {masked(0x91, ""), "1002"},
      {masked(0x83, ""), "1002"}, // opcodes without a meaning
      {masked(0x87, ""), "1002"},
      {masked(0x8B, ""), "1002"},
      {masked(0x8F, ""), "1002"},
      {masked(0x09, ""), "1002"}, // fragmented control frames
      {masked(0x08, ""), "1002"},
      {masked(ping_frame, std::string(126, 'p')), "1002"},
      {masked(continuation, "a"), "1002"}, // continues nothing
      {masked(continuation_end, "a"), "1002"},
      {header(text_frame, 125, 2), "1002"}, // lengths not in their shortest form
      {header(text_frame, 0, 2), "1002"},
      {header(text_frame, 65535, 8), "1002"},
      {header(text_frame, std::uint64_t{1} << 63, 8), "1002"},
      {masked(close_frame, "\x03"), "1002"}, // a code of one byte
      {masked(binary_frame, "bytes"), "1003"},
      {masked(text_frame, "\xC0\xAF"), "1007"},         // overlong
      {masked(text_frame, "\xE0\x80\xAF"), "1007"},     // overlong
      {masked(text_frame, "\xF0\x80\x80\xAF"), "1007"}, // overlong
      {masked(text_frame, "\xED\xA0\x80"), "1007"},     // a surrogate
      {masked(text_frame, "\xF4\x90\x80\x80"), "1007"}, // above U+10FFFF
      {masked(text_frame, "\xF8\x88\x80\x80\x80"), "1007"},
      {masked(text_frame, "\x80"), "1007"},
      {masked(text_frame, "ends early \xD0"), "1007"},
      {masked(text_frame, "12345678\xFF"), "1007"},
      {masked(close_frame, close_payload(1000, "\xD0")), "1007"},
      {masked(close_frame, close_payload(1000, "\xFF")), "1007"},
      {masked(text_frame, std::string(65537, 'q')), "1009"},
      {header(text_frame, std::uint64_t{512} << 20, 8), "1009"}, // 512 MiB and 4 GiB in 14 bytes
      {header(text_frame, std::uint64_t{4} << 30, 8), "1009"},
      {header(text_frame, ~std::uint64_t{0} >> 1, 8), "1009"},
  };
  for (const auto& [bytes, code] : cases)
    CAF_CHECK_EQUAL(parse_every_way(bytes + masked(text_frame, "after")), findings{"violation:" + code});
}

CAF_TEST(violations inside a fragmented message) {
  auto start = masked(text_start, "\xD0");
  CAF_CHECK_EQUAL(parse_every_way(start + masked(text_frame, "b")), findings{"violation:1002"});
  CAF_CHECK_EQUAL(parse_every_way(start + masked(text_start, "b")), findings{"violation:1002"});
  CAF_CHECK_EQUAL(parse_every_way(start + masked(binary_frame, "b")), findings{"violation:1002"});
  CAF_CHECK_EQUAL(parse_every_way(start + masked(continuation_end, "b")), findings{"violation:1007"});
  CAF_CHECK_EQUAL(parse_every_way(start + masked(continuation_end, "")), findings{"violation:1007"});
  CAF_CHECK_EQUAL(parse_every_way(masked(text_start, "12345") + masked(continuation, "6789"), 8),
                  findings{"violation:1009"});
  CAF_CHECK_EQUAL(parse_every_way(masked(text_start, "12345") + masked(continuation_end, "678"), 8),
                  findings{"text:12345678"});
}

CAF_TEST(close codes that a peer may send) {
  for (int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999})
    CAF_CHECK_EQUAL(parse_every_way(masked(close_frame, close_payload(code))),
                    findings{"close:" + std::to_string(code) + ":"});
  for (int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535})
    CAF_CHECK_EQUAL(parse_every_way(masked(close_frame, close_payload(code))), findings{"violation:1002"});
}

CAF_TEST(damaged streams are read alike however they are cut) {
  const auto good = masked(text_frame, "\xD0\xBF first") + masked(text_start, "sec") + masked(ping_frame, "p") +
                    masked(continuation_end, "ond") + masked(text_frame, std::string(300, 't')) +
                    masked(pong_frame, "") + masked(close_frame, close_payload(1000, "done"));
  std::mt19937 random{7};
  std::map<std::string, int> ends;
  for (int round = 0; round < 3000; ++round) {
    auto bytes = good;
    for (auto damages = random() % 3 + 1; damages > 0; --damages)
      bytes[random() % (round % 2 == 0 ? 40 : bytes.size())] = static_cast<char>(random());
    auto whole = parse(
        bytes, [&] { return bytes.size(); }, 64 * 1024);
    if (parse(
            bytes, [] { return 1u; }, 64 * 1024) != whole ||
        parse(
            bytes, [&] { return random() % 9 + 1; }, 64 * 1024) != whole)
      CAF_FAIL("round " << round << " depends on how the bytes are cut");
    ++ends[whole.empty() ? "nothing" : whole.back().substr(0, 14)];
  }
  for (auto violation : {"violation:1002", "violation:1007", "violation:1009"}) CAF_CHECK(ends[violation] > 0);
}

CAF_TEST(a fault is told before the rest of the frame comes) {
  auto first_fault = [](std::string bytes) {
    parser reader;
    std::span<char> input{bytes};
    auto found = reader.next(input);
    return found ? describe(*found) : "nothing";
  };
  CAF_CHECK_EQUAL(first_fault(masked(binary_frame, "bytes").substr(0, 2)), "violation:1003");
  CAF_CHECK_EQUAL(first_fault("\x81\x05"), "violation:1002");
  CAF_CHECK_EQUAL(first_fault(header(text_frame, std::uint64_t{4} << 30, 8)), "violation:1009");
  CAF_CHECK_EQUAL(first_fault(masked(text_frame, "\xFF and more").substr(0, 7)), "violation:1007");
}

CAF_TEST(valid UTF 8 is accepted and single broken bytes are not ) {
  const std::string text =
      "plain ASCII text, \xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, \xE2\x82\xAC, \xF0\x9F\x9A\x80";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    utf8_checker checker;
    CAF_CHECK(checker.feed(std::string_view{text}.substr(0, cut)));
    CAF_CHECK(checker.feed(std::string_view{text}.substr(cut)));
    CAF_CHECK(checker.is_complete());
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto broken = text;
    broken[at] = '\xFF';
    CAF_CHECK(!utf8_checker{}.feed(broken));
  }
}

// ---- the opening handshake ----

CAF_TEST(the accept value of RFC 6455) {
  CAF_CHECK_EQUAL(accept_value("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

CAF_TEST(opening handshakes are judged by their fields) {
  using fields = std::map<std::string, std::string, std::less<>>;
  const fields good{{"upgrade", "websocket"},
                    {"connection", "Upgrade"},
                    {"sec-websocket-version", "13"},
                    {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  auto check = [&](std::string_view method, bool http_1_1, const fields& sent) {
    return check_handshake(method, http_1_1, [&](std::string_view name) {
      auto found = sent.find(name);
      return found == sent.end() ? std::string{} : found->second;
    });
  };
  auto status_with = [&](const char* name, const char* value) {
    auto sent = good;
    sent[name] = value;
    return check("GET", true, sent).status;
  };
  auto accepted = check("GET", true, good);
  CAF_CHECK_EQUAL(accepted.status, 101);
  CAF_CHECK_EQUAL(accepted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CAF_CHECK_EQUAL(check("POST", true, good).status, 405);
  CAF_CHECK_EQUAL(check("GET", false, good).status, 400);
  CAF_CHECK_EQUAL(status_with("upgrade", "h2c, WebSocket"), 101);
  CAF_CHECK_EQUAL(status_with("upgrade", "h2c"), 426);
  CAF_CHECK_EQUAL(status_with("upgrade", "websocket/13"), 426);
  CAF_CHECK_EQUAL(status_with("upgrade", ""), 426);
  CAF_CHECK_EQUAL(status_with("connection", "keep-alive, UPGRADE "), 101);
  CAF_CHECK_EQUAL(status_with("connection", "keep-alive"), 400);
  CAF_CHECK_EQUAL(status_with("sec-websocket-version", "8"), 426);
  CAF_CHECK_EQUAL(status_with("sec-websocket-version", ""), 426);
  CAF_CHECK_EQUAL(status_with("sec-websocket-key", ""), 400);
  CAF_CHECK_EQUAL(status_with("sec-websocket-key", "c2hvcnQ="), 400);
  CAF_CHECK_EQUAL(status_with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ="), 400);
  CAF_CHECK_EQUAL(status_with("sec-websocket-key", "dGhlIHNhbXBsZSBub25-ZQ=="), 400);
  CAF_CHECK_EQUAL(status_with("sec-websocket-key", " dGhlIHNhbXBsZSBub25jZQ== "), 101);
  auto old_version = good;
  old_version["sec-websocket-version"] = "8";
  auto refused = check("GET", true, old_version);
  CAF_CHECK(std::ranges::any_of(refused.fields,
                                [](auto& f) { return f.name == "Sec-WebSocket-Version" && f.value == "13"; }));
}

// ---- sessions ----

CAF_TEST_FIXTURE_SCOPE(sessions, fixture)

CAF_TEST(messages are echoed in order) {
  connect();
  peer.write(masked(text_frame, "one") + masked(text_start, "tw") + masked(ping_frame, "p") +
             masked(continuation_end, "o"));
  CAF_CHECK_EQUAL(peer.read(3), (findings{"pong:p", "text:one", "text:two"}));
  auto large = std::string(64 * 1024, 'L');
  peer.write(masked(text_frame, large));
  CAF_CHECK_EQUAL(peer.read(1), findings{"text:" + large});
  CAF_CHECK_EQUAL(server->get_waiting_bytes(), 0u);
}

CAF_TEST(the peer closes) {
  connect();
  peer.write(masked(close_frame, close_payload(1001, "bye")));
  CAF_CHECK_EQUAL(peer.read(1), findings{"close:1001:bye"});
  CAF_CHECK(peer.reads_end());
  CAF_CHECK_EQUAL(wait_closed(), "1001:bye");
  CAF_CHECK(!server->is_open());
}

CAF_TEST(the peer closes without a code) {
  connect();
  peer.write(masked(close_frame, ""));
  CAF_CHECK_EQUAL(peer.read(1), findings{"close"});
  CAF_CHECK_EQUAL(wait_closed(), "1005:");
}

CAF_TEST(the server closes behind what waits) {
  connect();
  server->send(encode_text("last"));
  server->close(close_code::going_away, "restart");
  server->send(encode_text("too late"));
  server->close(close_code::normal, "not the first");
  CAF_CHECK_EQUAL(peer.read(2), (findings{"text:last", "close:1001:restart"}));
  run_for(20ms);
  CAF_CHECK(closed.empty()); // waits for the peer's close frame
  peer.write(masked(text_frame, "ignored") + masked(close_frame, close_payload(1001)));
  CAF_CHECK(peer.reads_end());
  CAF_CHECK_EQUAL(wait_closed(), "1001:restart");
  CAF_CHECK(peer.received.empty());
  run_for(10ms);
  CAF_CHECK_EQUAL(times_closed, 1);
}

CAF_TEST(a peer that does not answer a close frame is cut off) {
  connect({.close_timeout = 50ms});
  server->close(close_code::normal);
  auto begin = std::chrono::steady_clock::now();
  CAF_CHECK_EQUAL(wait_closed(), "1000:");
  CAF_CHECK(std::chrono::steady_clock::now() - begin >= 50ms);
  CAF_CHECK(peer.reads_end());
}

CAF_TEST(a lost connection is abnormal) {
  connect();
  peer.socket.close();
  CAF_CHECK_EQUAL(wait_closed().substr(0, 5), "1006:");
}

CAF_TEST(the lease ends with the connection) {
  connect();
  CAF_CHECK_EQUAL(lease.use_count(), 2);
  peer.socket.close();
  wait_closed();
  CAF_CHECK_EQUAL(lease.use_count(), 1);
}

CAF_TEST(callbacks are let go after the end) {
  auto held = std::make_shared<int>();
  on_text = [held](std::string_view) {};
  connect();
  std::weak_ptr<session> watched = server;
  server->post([keeps_alive = server](session& self) { self.close(close_code::normal); });
  server.reset();
  peer.write(masked(close_frame, ""));
  wait_closed();
  CAF_CHECK(until([&] { return watched.expired(); }));
}

CAF_TEST(violations are answered with their code) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"\x81\x05hello"s, "1002"},
      {masked(binary_frame, "b"), "1003"},
      {masked(text_frame, "\xFF"), "1007"},
      {header(text_frame, std::uint64_t{4} << 30, 8), "1009"},
  };
  for (const auto& [bytes, code] : cases) {
    fixture one;
    one.connect();
    one.peer.write(bytes + std::string(1000, 'z'));
    auto frames = one.peer.read(1);
    CAF_REQUIRE_EQUAL(frames.size(), 1u);
    CAF_CHECK_EQUAL(frames[0].substr(0, 10), "close:" + code);
    CAF_CHECK(one.peer.reads_end());
    CAF_CHECK(!one.peer.was_reset);
    one.peer.socket.close();
    CAF_CHECK_EQUAL(one.wait_closed().substr(0, 4), code);
  }
}

CAF_TEST(a handler that throws closes with 1011) {
  on_text = [](std::string_view) { throw std::runtime_error("secret detail"); };
  connect();
  peer.write(masked(text_frame, "x"));
  CAF_CHECK_EQUAL(peer.read(1), findings{"close:1011:internal error"});
}

CAF_TEST(too many messages close with 1008) {
  connect({.messages_per_second = 0.1, .message_burst = 5});
  for (int i = 0; i < 6; ++i) {
    peer.write(masked(i % 2 == 0 ? text_frame : ping_frame, std::to_string(i)));
    run_for(2ms);
  }
  CAF_CHECK_EQUAL(peer.read(6),
                  (findings{"text:0", "pong:1", "text:2", "pong:3", "text:4", "close:1008:too many messages"}));
}

CAF_TEST(the message rate recovers) {
  connect({.messages_per_second = 100, .message_burst = 1});
  for (int i = 0; i < 5; ++i) {
    peer.write(masked(text_frame, "x"));
    run_for(30ms);
  }
  CAF_CHECK_EQUAL(peer.read(5).size(), 5u);
  CAF_CHECK(server->is_open());
}

CAF_TEST(state is conflated and events are not ) {
  connect();
  fill_kernel();
  server->send_latest(7, encode_text("seven old"));
  server->send(encode_text("event 1"));
  server->send_latest(8, encode_text("eight"));
  auto waiting = server->get_waiting_bytes();
  for (int i = 0; i < 10'000; ++i) server->send_latest(7, encode_text("seven new"));
  CAF_CHECK_EQUAL(server->get_waiting_bytes(), waiting);
  server->send(encode_text("event 2"));
  auto frames = peer.read(filled + 4);
  CAF_REQUIRE_EQUAL(frames.size(), filled + 4);
  frames.erase(frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(filled));
  CAF_CHECK_EQUAL(frames, (findings{"text:seven new", "text:event 1", "text:eight", "text:event 2"}));
  CAF_CHECK_EQUAL(server->get_waiting_bytes(), 0u);
}

CAF_TEST(a frame that is half sent is not replaced) {
  connect();
  auto state = encode_text(std::string(60'000, 's'));
  std::size_t sent = 0;
  for (; server->get_waiting_bytes() == 0; ++sent) {
    server->send_latest(1, state);
    run_for(1ms);
  }
  server->send_latest(1, encode_text("newest"));
  auto frames = peer.read(sent + 1);
  CAF_REQUIRE_EQUAL(frames.size(), sent + 1);
  CAF_CHECK_EQUAL(frames.back(), "text:newest");
}

CAF_TEST(a pong overtakes what waits) {
  connect();
  fill_kernel();
  for (int i = 0; i < 5; ++i) server->send(encode_text("event"));
  peer.write(masked(ping_frame, "a") + masked(ping_frame, "b"));
  run_for(5ms);
  auto frames = peer.read(filled + 6);
  CAF_REQUIRE_EQUAL(frames.size(), filled + 6); // one pong answers both pings
  auto pong = std::ranges::find(frames, "pong:b");
  CAF_REQUIRE(pong != frames.end());
  CAF_CHECK(pong < frames.end() - 6);
}

CAF_TEST(a slow reader is cut off with 1013) {
  connect();
  auto frame = encode_text(std::string(1000, 'e'));
  std::size_t most = 0;
  for (int i = 0; i < 10'000 && server->is_open(); ++i) {
    server->send(frame);
    most = std::max(most, server->get_waiting_bytes());
    if (i % 10 == 0) run_for(0ms);
  }
  CAF_CHECK(!server->is_open());
  CAF_CHECK(most <= 64 * 1024);
  CAF_CHECK(most > 50 * 1024);
  CAF_CHECK(server->get_waiting_bytes() < 2000); // what waited is dropped
  std::string last;
  while (last.substr(0, 5) != "close" && !peer.ended)
    for (auto& text : peer.read(1)) last = text;
  CAF_CHECK_EQUAL(last, "close:1013:slow reader");
  peer.write(masked(close_frame, close_payload(1013)));
  CAF_CHECK_EQUAL(wait_closed(), "1013:slow reader");
}

CAF_TEST(a slow reader that never reads again is let go) {
  connect({.close_timeout = 50ms});
  auto frame = encode_text(std::string(1000, 'e'));
  while (server->is_open()) server->send(frame);
  CAF_CHECK_EQUAL(wait_closed(), "1013:slow reader");
}

CAF_TEST(a burst above the limit reaches a peer that reads) {
  connect();
  auto frame = encode_text(std::string(10'000, 'b'));
  for (int i = 0; i < 9; ++i) server->send(frame); // 90 KB in one turn, before anything was written
  CAF_CHECK(server->is_open());
  CAF_CHECK_EQUAL(peer.read(9).size(), 9u);
}

CAF_TEST(tiny frames count with what keeping them costs) {
  connect();
  fill_kernel();
  auto tiny = encode_text("");
  int sent = 0;
  for (; server->is_open(); ++sent) server->send(tiny);
  CAF_CHECK(sent < 3000);
}

CAF_TEST(silent peers are cut off and answering ones are not ) {
  limits quick{.ping_period = 50ms};
  connect(quick);
  for (int i = 0; i < 6; ++i) {
    CAF_REQUIRE_EQUAL(peer.read(1), findings{"ping:"});
    peer.write(masked(pong_frame, ""));
  }
  CAF_CHECK(server->is_open());
  auto begin = std::chrono::steady_clock::now();
  CAF_CHECK_EQUAL(wait_closed(), "1006:pings not answered");
  auto took = std::chrono::steady_clock::now() - begin;
  CAF_CHECK(took >= 100ms);
  CAF_CHECK(took < 1s);
  CAF_CHECK(peer.reads_end());
  CAF_CHECK_EQUAL(take_server_frames(peer.received), (findings{"ping:", "ping:"}));
}

CAF_TEST(a peer that vanished without a word is noticed) {
  connect({.unacknowledged = 300ms});
  sock_filter drop_all[]{{BPF_RET, 0, 0, 0}}; // the client's kernel sees no packet any more, so none is confirmed
  sock_fprog program{1, drop_all};
  CAF_REQUIRE_EQUAL(::setsockopt(peer.socket.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program),
                    0);
  server->send(encode_text("anybody there?"));
  CAF_CHECK_EQUAL(wait_closed(), "1006:Connection timed out");
}

CAF_TEST(one heartbeat serves many sessions) {
  connect({.ping_period = 40ms});
  tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
  std::deque<client> peers;
  for (int i = 0; i < 50; ++i) {
    peers.emplace_back(*this).connect(acceptor.local_endpoint().port());
    std::make_shared<session>(acceptor.accept(), pulse)->start({});
  }
  for (auto& one : peers) {
    auto pings = one.read(1);
    CAF_REQUIRE(!pings.empty());
    CAF_CHECK_EQUAL(pings.front(), "ping:");
  }
  for (auto& one : peers) CAF_CHECK(one.reads_end());
}

CAF_TEST(the io context runs out of work when all sessions end) {
  connect();
  server->close(close_code::normal);
  peer.write(masked(close_frame, close_payload(1000)));
  CAF_CHECK_EQUAL(wait_closed(), "1000:");
  server.reset();
  pulse.reset(); // the timer goes with it
  context.restart();
  context.run_for(1s);
  CAF_CHECK(context.stopped());
}

CAF_TEST(other threads post) {
  connect();
  auto here = std::this_thread::get_id();
  std::thread{[&] {
    server->post([here](session& self) {
      self.send(encode_text(std::this_thread::get_id() == here ? "same thread" : "other thread"));
    });
  }}.join();
  CAF_CHECK_EQUAL(peer.read(1), findings{"text:same thread"});
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(a stop in the middle leaks nothing) {
  auto lease = std::make_shared<int>();
  {
    asio::io_context context;
    tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
    tcp::socket peer{context};
    peer.connect(acceptor.local_endpoint());
    auto server = std::make_shared<session>(acceptor.accept(), std::make_shared<heartbeat>(context), lease);
    server->start({});
    server->send(encode_text("never flushed"));
    server->close(close_code::going_away);
  }
  CAF_CHECK_EQUAL(lease.use_count(), 1);
}

// ---- through RESTinio ----

namespace {

struct server_traits : restinio::default_single_thread_traits_t {
  static constexpr bool use_connection_count_limiter = true;
};

// A RESTinio server that upgrades at once, or after a posted turn, as a look-up of a ticket would.
struct http_fixture : network {
  http_fixture()
      : server(restinio::external_io_context(context), [this](auto& settings) {
          settings.address("127.0.0.1")
              .port(0)
              .max_parallel_connections(1)
              .acceptor_post_bind_hook([this](tcp::acceptor& bound) { port = bound.local_endpoint().port(); })
              .request_handler([this](auto request) { return handle(std::move(request)); });
        }) {
    server.open_sync();
  }

  ~http_fixture() {
    server.close_sync();
    opened.reset();
    run_for(5ms);
  }

  restinio::request_handling_status_t handle(restinio::request_handle_t request) {
    auto judged = check_request(request->header());
    if (judged.status != 101) {
      auto code = restinio::http_status_code_t{static_cast<std::uint16_t>(judged.status)};
      auto answer = request->create_response(restinio::http_status_line_t{code, "Refused"});
      for (const auto& field : judged.fields) answer.append_header(std::string{field.name}, std::string{field.value});
      return answer.set_body(std::string{judged.problem}).done();
    }
    auto open = [this, request, accept = judged.accept] {
      opened = upgrade<server_traits>(*request, accept, pulse,
                                      {[this](std::string_view text) { opened->send(encode_text(text)); },
                                       [this](close_code code, std::string_view) { closed = static_cast<int>(code); }});
      opened->send(encode_text("welcome"));
    };
    if (later) asio::post(context, open);
    else open();
    return restinio::request_accepted();
  }

  std::string read_head(client& from) {
    std::string head;
    until([&] {
      from.poll();
      return from.received.find("\r\n\r\n") != std::string::npos || from.ended;
    });
    auto end = from.received.find("\r\n\r\n");
    if (end == std::string::npos) return "";
    head = from.received.substr(0, end + 4);
    from.received.erase(0, end + 4);
    return head;
  }

  static std::string request(std::string_view extra = "Connection: keep-alive\r\nConnection: Upgrade\r\n") {
    return "GET /ws/monitoring HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           std::string{extra} + "\r\n";
  }

  std::shared_ptr<heartbeat> pulse = std::make_shared<heartbeat>(context);
  std::shared_ptr<session> opened;
  std::uint16_t port = 0;
  bool later = false;
  int closed = 0;
  restinio::http_server_t<server_traits> server;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(upgrades, http_fixture)

CAF_TEST(a request becomes a session) {
  for (auto asynchronous : {false, true}) {
    later = asynchronous;
    closed = 0;
    client peer{*this};
    peer.connect(port);
    peer.write(request());
    auto head = read_head(peer);
    CAF_CHECK_EQUAL(head, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    CAF_CHECK_EQUAL(peer.read(1), findings{"text:welcome"});
    peer.write(masked(text_frame, "hello"));
    CAF_CHECK_EQUAL(peer.read(1), findings{"text:hello"});
    peer.write(masked(close_frame, close_payload(1000)));
    CAF_CHECK(peer.reads_end());
    CAF_CHECK(until([&] { return closed == 1000; }));
  }
}

CAF_TEST(a session counts as a connection until it closes) {
  client first{*this}, second{*this};
  first.connect(port);
  first.write(request());
  CAF_CHECK(!read_head(first).empty());
  second.connect(port); // stays in the backlog: only one connection is allowed
  second.write(request());
  run_for(50ms);
  second.poll();
  CAF_CHECK(second.received.empty());
  first.write(masked(close_frame, ""));
  CAF_CHECK(read_head(second).starts_with("HTTP/1.1 101"));
}

CAF_TEST(a refused handshake is answered) {
  auto answer_to = [this](const std::string& sent) {
    client peer{*this};
    peer.connect(port);
    peer.write(sent);
    return read_head(peer);
  };
  auto old_version = request();
  old_version.replace(old_version.find("13\r\n"), 2, "12");
  auto head = answer_to(old_version);
  CAF_CHECK(head.starts_with("HTTP/1.1 426"));
  CAF_CHECK(head.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
  CAF_CHECK(answer_to(request("Connection: keep-alive\r\n")).starts_with("HTTP/1.1 400"));
}

CAF_TEST_FIXTURE_SCOPE_END()
