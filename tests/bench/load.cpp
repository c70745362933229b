// Sends the requests on its standard input, one after the other and then from the first again, over kept-alive
// connections of loopback.
//
//   load PORT CONNECTIONS SECONDS RATE <REQUESTS
//
// RATE 0: closed loop, each connection asks again as soon as it is answered. Otherwise that many requests a second are
// due, evenly spaced, whether or not the server keeps up; latency counts from the moment a request was due, so that a
// stall is felt by all that should have been sent meanwhile ("coordinated omission").
//
// Prints one line of JSON: how many answers of each status, seconds, and in microseconds p50 and p99 of the 200s.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using moment = clock_type::time_point;

/// What the header at the beginning of `text` says of the body; nothing when it says nothing. `header_end`: where its
/// empty line is.
std::optional<std::size_t> content_length(std::string_view text, std::size_t header_end) {
  constexpr std::string_view name = "\r\ncontent-length:";
  for (std::size_t at = text.find("\r\n"); at < header_end; at = text.find("\r\n", at + 2))
    if (strncasecmp(text.data() + at, name.data(), name.size()) == 0)
      return std::strtoull(text.data() + at + name.size(), nullptr, 10);
  return std::nullopt;
}

/// The length of the first whole answer in `text`; 0 when it is not all there yet.
std::size_t answer_length(std::string_view text) {
  auto header_end = text.find("\r\n\r\n");
  if (header_end == text.npos) return 0;
  auto body = content_length(text, header_end);
  if (!body) throw std::runtime_error{"an answer without Content-Length"};
  auto total = header_end + 4 + *body;
  return text.size() < total ? 0 : total;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> requests;
  while (!text.empty()) {
    auto header_end = text.find("\r\n\r\n");
    if (header_end == text.npos) throw std::runtime_error{"a request without an end"};
    requests.emplace_back(text.substr(0, header_end + 4 + content_length(text, header_end).value_or(0)));
    text.remove_prefix(requests.back().size());
  }
  return requests;
}

int connect_to(std::uint16_t port) {
  int link = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (link < 0 || connect(link, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0)
    throw std::runtime_error{"cannot connect"};
  setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return link;
}

struct connection {
  int link;
  bool busy = false;
  moment due{}; ///< when the request in flight should have been sent
  std::string received{};
};

class generator {
public:
  generator(std::uint16_t port, std::vector<std::string> requests, std::size_t connections, double rate)
      : requests_(std::move(requests)), interval_(rate > 0 ? 1e9 / rate : 0) {
    for (std::size_t i = 0; i < connections; ++i) connections_.push_back({connect_to(port)});
    for (auto& c : connections_) polled_.push_back({c.link, POLLIN, 0});
  }

  void run(std::chrono::duration<double> length) {
    begun_ = clock_type::now();
    auto end = begun_ + std::chrono::duration_cast<clock_type::duration>(length);
    for (auto now = begun_; now < end; now = clock_type::now()) {
      send_due(now);
      wait();
    }
    ended_ = clock_type::now();
  }

  void report() {
    auto at = [&](double share) {
      auto place = latencies_.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(latencies_.size()));
      if (place == latencies_.end()) return 0.0;
      std::nth_element(latencies_.begin(), place, latencies_.end());
      return std::chrono::duration<double, std::micro>(*place).count();
    };
    std::string statuses;
    for (auto& [status, count] : statuses_)
      statuses += (statuses.empty() ? "" : ", ") + ('"' + status + "\": " + std::to_string(count));
    std::printf(R"({"statuses": {%s}, "seconds": %.6f, "p50": %.1f, "p99": %.1f})"
                "\n",
                statuses.c_str(), std::chrono::duration<double>(ended_ - begun_).count(), at(0.5), at(0.99));
  }

private:
  moment next_due() const {
    return begun_ + std::chrono::nanoseconds{static_cast<std::int64_t>(interval_ * static_cast<double>(sent_))};
  }

  void send_due(moment now) {
    for (auto& c : connections_) {
      auto due = interval_ > 0 ? next_due() : now;
      if (due > now) return;
      if (c.busy) continue;
      auto& request = requests_[sent_ % requests_.size()];
      if (write(c.link, request.data(), request.size()) != static_cast<ssize_t>(request.size()))
        throw std::runtime_error{"cannot send"};
      c.busy = true;
      c.due = due;
      ++sent_;
    }
  }

  /// For answers; in the open loop, with a connection to spare, no longer than until the next request is due.
  void wait() {
    auto patience = std::chrono::nanoseconds{100ms};
    bool may_send =
        interval_ > 0 && std::any_of(connections_.begin(), connections_.end(), [](auto& c) { return !c.busy; });
    if (may_send) patience = std::clamp<std::chrono::nanoseconds>(next_due() - clock_type::now(), 0ns, patience);
    timespec limit{0, patience.count()};
    if (ppoll(polled_.data(), polled_.size(), &limit, nullptr) <= 0) return;
    for (std::size_t i = 0; i < polled_.size(); ++i)
      if (polled_[i].revents) receive(connections_[i]);
  }

  void receive(connection& c) {
    char buffer[16384];
    auto count = read(c.link, buffer, sizeof buffer);
    if (count <= 0) throw std::runtime_error{"the server closed a connection"};
    c.received.append(buffer, static_cast<std::size_t>(count));
    auto length = answer_length(c.received);
    if (length == 0) return;
    if (length != c.received.size()) throw std::runtime_error{"more came than one answer"};
    auto status = c.received.substr(std::string_view{"HTTP/1.1 "}.size(), 3);
    ++statuses_[status];
    if (status == "200") latencies_.push_back(clock_type::now() - c.due);
    c.received.clear();
    c.busy = false;
  }

  std::vector<std::string> requests_; ///< not empty
  double interval_;                   ///< nanoseconds between two requests; 0: closed loop
  std::vector<connection> connections_;
  std::vector<pollfd> polled_;
  std::vector<clock_type::duration> latencies_;
  std::map<std::string, std::size_t> statuses_;
  std::size_t sent_ = 0;
  moment begun_{}, ended_{};
};

} // namespace

int main(int count, char** arguments) {
  if (count != 5) return std::fputs("usage: load PORT CONNECTIONS SECONDS RATE <REQUESTS\n", stderr), 2;
  std::string input{std::istreambuf_iterator<char>{std::cin}, {}};
  prctl(PR_SET_TIMERSLACK, 1000); // nanoseconds: the default of 50 µs would be most of what is measured
  try {
    generator load{static_cast<std::uint16_t>(std::atoi(arguments[1])), split(input),
                   static_cast<std::size_t>(std::atoi(arguments[2])), std::atof(arguments[4])};
    load.run(std::chrono::duration<double>{std::atof(arguments[3])});
    load.report();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
}
