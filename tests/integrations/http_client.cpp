#define CAF_SUITE integrations.http_client

#include "integrations/http_client.hpp"

#include <asio.hpp>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay::integrations;
using namespace std::chrono_literals;

namespace {

/// A server whose answers, down to how a connection ends, are chosen by the path of the request.
class scripted_server {
public:
  scripted_server() : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
    thread_ = std::thread([this] { accept(); });
  }

  ~scripted_server() {
    stopping_ = true;
    asio::error_code ignored;
    asio::ip::tcp::socket(context_).connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
    for (auto& socket : sockets_) socket->shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    for (auto& connection : connections_) connection.join();
  }

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + path;
  }

  int count(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return counts_[path];
  }

  std::size_t connections() const { return accepted_; }

private:
  void accept() {
    for (;;) {
      auto socket = std::make_shared<asio::ip::tcp::socket>(acceptor_.accept());
      if (stopping_) return;
      ++accepted_;
      sockets_.push_back(socket);
      connections_.emplace_back([this, socket] { serve(*socket); });
    }
  }

  void serve(asio::ip::tcp::socket& socket) {
    asio::error_code error;
    while (!error && answer(socket, error)) {
    }
    socket.close(error);
  }

  /// False when the script ends the connection.
  bool answer(asio::ip::tcp::socket& socket, asio::error_code& error) {
    asio::streambuf input;
    asio::read_until(socket, input, "\r\n\r\n", error);
    if (error) return false;
    const std::string received{asio::buffers_begin(input.data()), asio::buffers_end(input.data())};
    const auto end = received.find("\r\n\r\n") + 4;
    auto body = received.substr(end);
    const auto length = received.find("Content-Length: ");
    const auto size = length == std::string::npos ? 0 : std::stoul(received.substr(length + 16));
    while (!error && body.size() < size) {
      char more[4096];
      body.append(more, socket.read_some(asio::buffer(more), error));
    }
    const auto path = received.substr(received.find(' ') + 1, received.find(" HTTP") - received.find(' ') - 1);
    {
      const std::lock_guard lock(mutex_);
      ++counts_[path];
    }
    return write(socket, path, received.substr(0, end) + body, error);
  }

  bool write(asio::ip::tcp::socket& socket, const std::string& path, const std::string& request,
             asio::error_code& error) {
    const auto send = [&](const std::string& text) { asio::write(socket, asio::buffer(text), error); };
    const auto whole = [&](const std::string& head, const std::string& body) {
      send("HTTP/1.1 " + head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
      return true;
    };
    if (path == "/echo") return whole("201 Created\r\nX-Twice: a\r\nX-TWICE:  b \r\n", request);
    if (path == "/moved") return whole("302 Found\r\nLocation: /echo\r\n", "");
    if (path == "/interim") {
      send("HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n");
      return whole("200 OK\r\n", "late");
    }
    if (path == "/largest") return whole("200 OK\r\n", std::string(http_client::max_response_size, 'x'));
    if (path == "/too-large") return whole("200 OK\r\n", std::string(http_client::max_response_size + 1, 'x'));
    if (path == "/short") send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfive!");
    if (path == "/silent") {
      char byte;
      socket.read_some(asio::buffer(&byte, 1), error);
    }
    return false; // "/close", and everything that has nothing more to say
  }

  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> accepted_ = 0;
  std::vector<std::shared_ptr<asio::ip::tcp::socket>> sockets_;
  std::vector<std::thread> connections_;
  std::mutex mutex_;
  std::map<std::string, int> counts_;
  std::thread thread_;
};

struct fixture {
  scripted_server server;
  http_client client;

  std::future<http_result> start(http_request request) {
    auto promise = std::make_shared<std::promise<http_result>>();
    client.send(std::move(request), [promise](http_result result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }

  http_result exchange(http_request request) {
    auto result = start(std::move(request));
    CAF_REQUIRE(result.wait_for(10s) == std::future_status::ready);
    return result.get();
  }

  http_result call(const std::string& method, const std::string& path, const std::string& body = {}) {
    return exchange({method, server.url(path), {}, body});
  }
};

std::vector<std::string> values(const http_response& response, const std::string& name) {
  std::vector<std::string> found;
  for (const auto& field : response.headers)
    if (field.first == name) found.push_back(field.second);
  return found;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

CAF_TEST_FIXTURE_SCOPE(http_client_tests, fixture)

CAF_TEST(method and headers and body arrive and the answer comes back) {
  auto result = exchange({"PATCH", server.url("/echo"), {{"X-Name", "value"}, {"X-Empty", ""}}, "the body"});
  CAF_REQUIRE(result.failure == transport_failure::none);
  CAF_CHECK_EQUAL(result.response.status, 201);
  CAF_CHECK_EQUAL(values(result.response, "x-twice"), (std::vector<std::string>{"a", "b"}));
  const auto& seen = result.response.body;
  CAF_CHECK(seen.starts_with("PATCH /echo HTTP/1.1\r\n"));
  CAF_CHECK(contains(seen, "\r\nX-Name: value\r\n"));
  CAF_CHECK(contains(seen, "\r\nX-Empty:\r\n"));
  CAF_CHECK(!contains(seen, "Content-Type"));
  CAF_CHECK(!contains(seen, "Expect"));
  CAF_CHECK(seen.ends_with("\r\n\r\nthe body"));
}

CAF_TEST(every method says how long its body is) {
  CAF_CHECK(contains(call("POST", "/echo").response.body, "Content-Length: 0\r\n"));
  CAF_CHECK(contains(call("POST", "/echo", "four").response.body, "Content-Length: 4\r\n"));
  CAF_CHECK(contains(call("DELETE", "/echo", "{}").response.body, "Content-Length: 2\r\n"));
  CAF_CHECK(!contains(call("GET", "/echo").response.body, "Content-Length"));
  const std::string large(3'000'000, 'b');
  CAF_CHECK(call("POST", "/echo", large).response.body.ends_with("\r\n\r\n" + large));
}

CAF_TEST(connections are kept) {
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(call("POST", "/echo", "x").response.status, 201);
  CAF_CHECK_EQUAL(server.connections(), 1u);
}

CAF_TEST(redirects are not followed and interim answers are not the answer) {
  CAF_CHECK_EQUAL(call("GET", "/moved").response.status, 302);
  CAF_CHECK_EQUAL(server.count("/echo"), 0);
  const auto result = call("GET", "/interim");
  CAF_CHECK_EQUAL(result.response.status, 200);
  CAF_CHECK(values(result.response, "x-early").empty());
}

CAF_TEST(a post is never sent twice) {
  for (const std::string body : {"", "pay"}) {
    const auto before = server.count("/close");
    CAF_REQUIRE_EQUAL(call("POST", "/echo", "keeps the connection open").response.status, 201);
    CAF_CHECK(call("POST", "/close", body).failure == transport_failure::broken);
    CAF_CHECK_EQUAL(server.count("/close") - before, 1);
  }
}

CAF_TEST(what was not sent is unreachable) {
  std::string closed_port;
  {
    scripted_server gone;
    closed_port = gone.url("/");
  }
  CAF_CHECK(exchange({"POST", closed_port, {}, "x"}).failure == transport_failure::unreachable);
  CAF_CHECK(exchange({"GET", "ftp://127.0.0.1/"}).failure == transport_failure::unreachable);
  CAF_CHECK(exchange({"GET", "no url at all"}).failure == transport_failure::unreachable);
  CAF_CHECK(exchange({"GET", "https" + server.url("/").substr(4), {}, {}, 200ms}).failure ==
            transport_failure::unreachable);
  CAF_CHECK(exchange({"GET", server.url("/echo"), {{"X-A", "1\r\nX-B: 2"}}}).failure == transport_failure::unreachable);
  CAF_CHECK_EQUAL(server.count("/echo"), 0);
}

CAF_TEST(the timeout bounds the whole exchange) {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = exchange({"POST", server.url("/silent"), {{"X-Secret", "hidden"}}, "hidden", 100ms});
  CAF_CHECK(result.failure == transport_failure::timeout);
  CAF_CHECK(!result.reason.empty());
  CAF_CHECK(!contains(result.reason, "hidden"));
  CAF_CHECK(std::chrono::steady_clock::now() - begin < 2s);
  CAF_CHECK_EQUAL(server.count("/silent"), 1);
}

CAF_TEST(half an answer is broken) {
  const auto result = call("GET", "/short");
  CAF_CHECK(result.failure == transport_failure::broken);
  CAF_CHECK(result.response.body.empty());
}

CAF_TEST(answers are limited in size) {
  CAF_CHECK_EQUAL(call("GET", "/largest").response.body.size(), http_client::max_response_size);
  CAF_CHECK(call("GET", "/too-large").failure == transport_failure::too_large);
}

CAF_TEST(many exchanges at once answer once each) {
  std::vector<std::future<http_result>> results;
  for (int i = 0; i < 200; ++i) results.push_back(start({"POST", server.url("/echo"), {}, std::to_string(i)}));
  for (int i = 0; i < 200; ++i) CAF_CHECK(results[i].get().response.body.ends_with("\r\n\r\n" + std::to_string(i)));
  CAF_CHECK_EQUAL(server.count("/echo"), 200);
}

CAF_TEST(a client that ends answers everything) {
  std::atomic<int> broken = 0;
  {
    http_client short_lived;
    const auto count = [&](const http_result& result) { broken += result.failure == transport_failure::broken; };
    for (int i = 0; i < 3; ++i)
      short_lived.send({"GET", server.url("/silent")}, [&](http_result result) {
        count(result);
        short_lived.send({"GET", server.url("/silent")}, count);
      });
    while (server.count("/silent") < 3) std::this_thread::sleep_for(1ms);
  }
  CAF_CHECK_EQUAL(broken.load(), 6);
}

CAF_TEST_FIXTURE_SCOPE_END()
