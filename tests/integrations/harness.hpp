#pragma once

#include "actors/kernel/guardian.hpp"
#include "integrations/call.hpp"
#include "integrations/sandbox/sandbox.hpp"
#include "tests/eventually.hpp"

#include <asio.hpp>
#include <caf/all.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <fstream>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// What the tests of the client actors share: an outside system that answers by a script, and an actor under its
/// guardian.
namespace backstay::testing {

using json = nlohmann::json;

struct incoming {
  std::string method, target;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
  std::string body;

  std::string header(std::string_view name) const { return std::string{integrations::find_header(headers, name)}; }
  json document() const { return json::parse(body); }
};

/// A whole answer. `body` goes out as it is.
inline std::string answer(int status, const std::string& body, const std::string& more_headers = {},
                          const std::string& type = "application/json; charset=utf-8") {
  return "HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Type: " + type + "\r\nConnection: close\r\n" +
         more_headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// A script's answer: the connection is closed, or nothing ever comes.
inline const std::string hang_up;
inline const std::string silence = "silence";

/// Serves one request a connection, on a free port of loopback. The script runs on the connections' threads, one at a
/// time.
class scripted_system {
public:
  using script = std::function<std::string(const incoming&)>;

  explicit scripted_system(script play)
      : play_(std::move(play)), acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
    thread_ = std::thread{[this] { accept(); }};
  }

  ~scripted_system() {
    stopping_ = true;
    asio::error_code ignored;
    asio::ip::tcp::socket{context_}.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
    for (auto& connection : connections_) {
      connection.socket.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
      connection.thread.join();
    }
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

  void play(script next) {
    const std::lock_guard lock{mutex_};
    play_ = std::move(next);
  }

  /// What came in since the last time that this was asked.
  std::vector<incoming> take() {
    const std::lock_guard lock{mutex_};
    return std::exchange(log_, {});
  }

private:
  struct connection {
    asio::ip::tcp::socket socket;
    std::thread thread;
  };

  void accept() {
    for (;;) {
      auto socket = acceptor_.accept();
      if (stopping_) return;
      auto& opened = connections_.emplace_back(connection{std::move(socket), {}});
      opened.thread = std::thread{[this, &opened] { serve(opened.socket); }};
    }
  }

  void serve(asio::ip::tcp::socket& socket) {
    asio::error_code error;
    const auto request = read(socket, error);
    if (error) return;
    const auto text = respond(request);
    if (text == silence) socket.read_some(asio::buffer(drain_), error);
    else asio::write(socket, asio::buffer(text), error);
    socket.shutdown(asio::ip::tcp::socket::shutdown_both, error);
  }

  std::string respond(const incoming& request) {
    const std::lock_guard lock{mutex_};
    log_.push_back(request);
    return play_(request);
  }

  static incoming read(asio::ip::tcp::socket& socket, asio::error_code& error) {
    std::string text;
    asio::read_until(socket, asio::dynamic_buffer(text), "\r\n\r\n", error);
    if (error) return {};
    auto request = read_head(text.substr(0, text.find("\r\n\r\n") + 2));
    request.body = text.substr(text.find("\r\n\r\n") + 4);
    const auto length = request.header("content-length");
    const auto size = length.empty() ? 0 : std::stoul(length);
    if (request.body.size() < size)
      asio::read(socket, asio::dynamic_buffer(request.body), asio::transfer_exactly(size - request.body.size()), error);
    return request;
  }

  static incoming read_head(const std::string& head) {
    incoming request;
    auto end = head.find("\r\n");
    const auto space = head.find(' ');
    request.method = head.substr(0, space);
    request.target = head.substr(space + 1, head.rfind(' ', end) - space - 1);
    for (auto start = end + 2; start < head.size(); start = end + 2) {
      end = head.find("\r\n", start);
      const auto colon = head.find(": ", start);
      auto name = head.substr(start, colon - start);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      request.headers.emplace_back(name, head.substr(colon + 2, end - colon - 2));
    }
    return request;
  }

  std::mutex mutex_;
  script play_;
  std::vector<incoming> log_;
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::list<connection> connections_;
  std::array<char, 1> drain_{};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// An address that refuses connections.
inline std::string refused_url() {
  asio::io_context context;
  asio::ip::tcp::acceptor closed{context, {asio::ip::address_v4::loopback(), 0}};
  return "http://127.0.0.1:" + std::to_string(closed.local_endpoint().port());
}

template <class Message>
struct outcome {
  std::optional<typename Message::reply> value;
  fault failure{.code = ec::none};
};

/// One client actor under its guardian, as the server runs it.
class harness {
public:
  /// Makes the actor: what its `spawn_…` does.
  using maker = std::function<caf::actor(caf::scheduled_actor*, integrations::client_context)>;

  explicit harness(std::string name, maker make) : pulse(std::make_shared<vitals>(std::move(name), false)) {
    auto child = [this, make = std::move(make)](caf::scheduled_actor* parent, vitals_ptr beat) {
      return make(parent, {std::move(beat), clock, &http});
    };
    actor_ = system.spawn(guardian, child, pulse, restart_policy{}, [](const vitals&) {});
    caf::anon_send(actor_, begin{});
  }

  ~harness() { caf::anon_send_exit(actor_, caf::exit_reason::user_shutdown); }

  template <class Message>
  outcome<Message> ask(const Message& message) {
    outcome<Message> result;
    caf::scoped_actor self{system};
    self->request(actor_, std::chrono::seconds{20}, message)
        .receive([&](typename Message::reply& reply) { result.value = std::move(reply); },
                 [&](const caf::error& error) { result.failure = describe(error); });
    return result;
  }

  /// The actor's address.
  caf::actor guard() const { return actor_; }

  template <class Message>
  ec failure(const Message& message) {
    return ask(message).failure.code;
  }

  void set_clock(const std::string& now) {
    clock->set_offset({});
    clock->set_offset(std::chrono::round<std::chrono::seconds>(*from_rfc3339(now) - clock->now()));
  }

  integrations::http_client http; // the first to come and the last to go
  clock_handle clock = std::make_shared<domain_clock>();
  vitals_ptr pulse;
  caf::actor_system_config config;
  caf::actor_system system{config};

private:
  caf::actor actor_;
};

/// Answers that are not what any JSON API documents.
inline std::vector<std::string> nonsense() {
  std::string deep(100'000, '[');
  return {
      answer(200, ""),
      answer(200, "{"),
      answer(200, "null"),
      answer(200, "[]"),
      answer(200, "{}"),
      answer(200, R"({"response":null,"ok":true,"result":null})"),
      answer(200, R"({"response":{},"ok":true,"result":{}})"),
      answer(200, R"({"response":[7],"ok":"true","result":[7]})"),
      answer(200, "\xff\xfe{\"response\":1}"),
      answer(200, deep),
      answer(200, R"({"response":)" + deep),
      answer(200, "<!doctype html><title>Welcome</title>", {}, "text/html"),
      answer(301, "", "Location: /elsewhere\r\n"),
      answer(404, "<!doctype html><title>Not here</title>", {}, "text/html"),
      answer(500, "oops", {}, "text/plain"),
      answer(200, std::string(integrations::http_client::max_response_size + 1, ' ')),
  };
}

/// Waits for what comes in: `count` requests, or what there is when patience ends.
inline std::vector<incoming> wait_for(scripted_system& remote, std::size_t count) {
  std::vector<incoming> all;
  eventually([&] {
    for (auto& request : remote.take()) all.push_back(std::move(request));
    return all.size() >= count;
  });
  return all;
}

/// A call of the sandbox's own API: what it answers.
inline json control(integrations::http_request request) {
  integrations::http_client http;
  std::promise<integrations::http_result> ended;
  http.send(std::move(request), [&](integrations::http_result result) { ended.set_value(std::move(result)); });
  const auto result = ended.get_future().get();
  if (result.response.status / 100 != 2) throw std::runtime_error{"the sandbox refused: " + result.response.body};
  return json::parse(result.response.body);
}

inline json control(const std::string& url, const json& body = json::object()) {
  return control({"POST", url, {{"Content-Type", "application/json"}}, body.dump()});
}

inline json read_control(const std::string& url) { return control(integrations::http_request{"GET", url, {}, {}}); }

/// For fakes of all outside systems that send their webhooks to `backend`.
inline sandbox::options sandbox_options(const std::string& backend) {
  return {.port = 0,
          .backend = backend,
          .cryptobot_token = "1:cryptobot-token",
          .panel_token = "panel-token",
          .panel_webhook_secret = "webhook-key",
          .mail_key = "mail-key"};
}

inline json read_json_file(const std::string& path) {
  std::ifstream file{path};
  return json::parse(file);
}

} // namespace backstay::testing
