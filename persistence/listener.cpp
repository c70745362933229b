#include "persistence/listener.hpp"

#include "actors/kernel/domain.hpp"
#include "config/log.hpp"

#include <pqxx/pqxx>

#include <algorithm>
#include <chrono>
#include <memory>

namespace backstay::persistence {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds first_pause = 250ms, longest_pause = 1s;
constexpr long wait_microseconds = 200'000; ///< for notices, before the mailbox is looked at again

/// The listener's note to itself: wait for notices once more, or connect.
struct listen_on {};

/// Gives one channel's notices to the sink; registers itself with LISTEN.
class ear : public pqxx::notification_receiver {
public:
  ear(pqxx::connection& connection, const std::string& channel, std::function<void(const notice&)> tell)
      : notification_receiver(connection, channel), tell_(std::move(tell)) {}
  void operator()(const std::string& payload, int) override { tell_({channel(), payload}); }

private:
  std::function<void(const notice&)> tell_;
};

/// libpq's settings by which a peer that vanished without a word is noticed within 2 s.
std::string with_short_timeouts(const std::string& url) {
  bool is_uri = url.starts_with("postgres://") || url.starts_with("postgresql://");
  auto separator = !is_uri ? ' ' : url.find('?') == std::string::npos ? '?' : '&';
  std::string result = url;
  for (auto setting : {"connect_timeout=2", "keepalives_idle=1", "keepalives_interval=1", "keepalives_count=1",
                       "tcp_user_timeout=1500"}) {
    result.append(1, separator).append(setting);
    separator = is_uri ? '&' : ' ';
  }
  return result;
}

struct listener_state {
  listener_state() = default;
  ~listener_state() { lose(); }
  static inline constexpr auto name = "listener";

  listener_options options;
  listener_sinks sinks;
  std::unique_ptr<pqxx::connection> connection; ///< null while deaf
  std::vector<std::unique_ptr<ear>> ears;
  std::chrono::milliseconds pause = first_pause; ///< before the next attempt to connect

  void connect() {
    auto fresh = std::make_unique<pqxx::connection>(with_short_timeouts(options.url));
#if PQXX_VERSION_MAJOR < 7
    fresh->inhibit_reactivation(true); // 6.4 would reconnect silently, and nobody would know what was missed
#endif
    ears.clear();
    for (auto& channel : options.channels) ears.push_back(std::make_unique<ear>(*fresh, channel, sinks.on_notice));
    connection = std::move(fresh);
    pause = first_pause;
    sinks.on_listening();
  }

  /// Returns when something came, or after 200 ms. Throws when the connection is lost.
  void hear() {
    connection->await_notification(0, wait_microseconds);
    if (!connection->is_open()) throw pqxx::broken_connection{};
  }

  void lose() noexcept {
    if (!connection) return;
    ears.clear();
    connection.reset();
    sinks.on_deaf();
  }
};
static_assert(!std::is_aggregate_v<listener_state>); // see docs/actors.md: CAF would initialise it with `self`

using self_pointer = caf::stateful_actor<listener_state>*;

void lost(self_pointer self, const std::string& cause) {
  auto& state = self->state;
  // Said once a loss: the attempts that follow are silent.
  if (state.connection) log::warning("listener", "lost the connection", {{"cause", cause}});
  else if (state.pause == first_pause) log::warning("listener", "cannot listen", {{"cause", cause}});
  state.lose();
  self->delayed_send(self, state.pause, listen_on{});
  state.pause = std::min(state.pause * 2, longest_pause);
}

void listen(self_pointer self) {
  auto& state = self->state;
  try {
    if (!state.connection) state.connect();
    state.hear();
    self->send(self, listen_on{});
  } catch (const pqxx::failure& error) {
    lost(self, error.what());
  }
}

caf::behavior listener(self_pointer self, vitals_ptr pulse, listener_options options, listener_sinks sinks) {
  install_guard_rails(self, pulse);
  self->state.options = std::move(options);
  self->state.sinks = std::move(sinks);
  self->send(self, listen_on{});
  return {[self, pulse](const listen_on&) {
    begin_message(*pulse);
    listen(self);
  }};
}

} // namespace

caf::actor spawn_listener(caf::scheduled_actor* parent, vitals_ptr pulse, listener_options options,
                          listener_sinks sinks) {
  return parent->spawn<caf::detached>(listener, std::move(pulse), std::move(options), std::move(sinks));
}

} // namespace backstay::persistence
