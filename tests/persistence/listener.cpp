#define CAF_SUITE persistence_listener

#include "persistence/listener.hpp"

#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// What a listener said, in its order.
class diary {
public:
  void write(std::string line) {
    std::lock_guard lock{mutex_};
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  /// Whether `line` has been written `times` within `patience`.
  bool says(const std::string& line, std::chrono::milliseconds patience, long times = 1) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [&] { return std::ranges::count(lines_, line) >= times; });
  }
  long count(const std::string& line) {
    std::lock_guard lock{mutex_};
    return std::ranges::count(lines_, line);
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// Runs a listener on a real actor system.
struct fixture : commerce_database {
  ~fixture() {
    if (listener) stop();
  }

  void start(const std::string& url) {
    listener_sinks sinks{[this](const notice& heard) { said.write(heard.channel + ":" + heard.payload); },
                         [this] { said.write("listening"); }, [this] { said.write("deaf"); }};
    listener = system.spawn([this, url, sinks](caf::event_based_actor* self) -> caf::behavior {
      child = spawn_listener(self, pulse, {url, {"outbox", "live_events"}}, sinks);
      self->link_to(child);
      return {[](const std::string&) {}};
    });
  }
  /// How long the listener took to end.
  std::chrono::milliseconds stop() {
    auto begin = steady_clock::now();
    caf::anon_send_exit(listener, caf::exit_reason::user_shutdown);
    caf::scoped_actor self{system};
    self->wait_for(child);
    listener = child = nullptr;
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin);
  }
  void notify(const std::string& channel, const std::string& payload) {
    commit([&](transaction& tx) { tx.notify(channel, payload); });
  }
  /// As an operator, or a crash, would: ends every backend that listens.
  void end_listeners() {
    commit([](transaction& tx) {
      tx.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
             "AND datname = current_database()");
    });
  }

  diary said;
  vitals_ptr pulse = std::make_shared<vitals>("listener", false);
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::actor listener, child;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(listener_tests, fixture)

CAF_TEST(it hears its channels and no others) {
  start(scratch.url());
  CAF_REQUIRE(said.says("listening", 3s));
  notify("elsewhere", "1");
  notify("outbox", "");
  notify("live_events", "42");
  CAF_CHECK(said.says("outbox:", 1s));
  CAF_CHECK(said.says("live_events:42", 1s));
  CAF_CHECK_EQUAL(said.count("elsewhere:1"), 0);
}

CAF_TEST(a lost connection makes it deaf within two seconds and it listens again) {
  start(scratch.url());
  CAF_REQUIRE(said.says("listening", 3s));
  end_listeners();
  CAF_CHECK(said.says("deaf", 2s));
  CAF_CHECK(said.says("listening", 3s, 2));
  notify("outbox", "again");
  CAF_CHECK(said.says("outbox:again", 1s));
  CAF_CHECK_EQUAL(said.count("deaf"), 1);
}

CAF_TEST(it ends quickly and says that it is deaf) {
  start(scratch.url());
  CAF_REQUIRE(said.says("listening", 3s));
  CAF_CHECK_LESS(stop().count(), 1000);
  CAF_CHECK_EQUAL(said.count("deaf"), 1);
}

CAF_TEST(without a server it keeps trying silently and can be stopped) {
  start("postgresql://127.0.0.1:1/nowhere");
  CAF_CHECK(!said.says("listening", 600ms));
  CAF_CHECK_EQUAL(said.count("deaf"), 0);
  CAF_CHECK_LESS(stop().count(), 1000);
}

CAF_TEST_FIXTURE_SCOPE_END()
