#define CAF_SUITE actors_kernel_supervision

#include "actors/kernel/supervision.hpp"

#include <mutex>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::chrono_literals;

namespace {

using names = std::vector<std::string>;

/// What happened, in order; children run on CAF's threads.
struct diary {
  void write(std::string what) {
    std::lock_guard guard{mutex};
    entries.push_back(std::move(what));
  }
  names read() {
    std::lock_guard guard{mutex};
    return entries;
  }
  std::mutex mutex;
  names entries;
};

struct child_state {
  child_state() = default;
  ~child_state() {
    if (pages) pages->write("end " + who);
  }
  std::shared_ptr<diary> pages;
  std::string who;
};
static_assert(!std::is_aggregate_v<child_state>);

caf::behavior child(caf::stateful_actor<child_state>* self, std::shared_ptr<diary> pages, std::string who) {
  self->state.pages = pages;
  self->state.who = std::move(who);
  self->set_default_handler(caf::print_and_drop);
  return {[](int number) { return number; }};
}

/// `supervision` waits in the caller's thread, so it needs a system whose actors run by themselves.
struct fixture {
  fixture() { config.set("scheduler.max-threads", std::size_t{2}); }

  void add(const std::string& name) {
    root.add(name, true, [this, name](caf::scheduled_actor* parent, const vitals_ptr&) {
      pages->write("start " + name);
      return parent->spawn(child, pages, name);
    });
  }

  std::shared_ptr<diary> pages = std::make_shared<diary>();
  caf::actor_system_config config;
  caf::actor_system system{config};
  supervision root{system, [](const vitals&) {}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(supervision_tests, fixture)

CAF_TEST(children start in their order and end in reverse) {
  for (auto name : {"database", "domain", "http"}) add(name);
  CAF_CHECK(pages->read().empty());
  root.start();
  CAF_CHECK_EQUAL(pages->read(), (names{"start database", "start domain", "start http"}));
  root.stop(5s);
  CAF_CHECK_EQUAL(pages->read(),
                  (names{"start database", "start domain", "start http", "end http", "end domain", "end database"}));
}

CAF_TEST(the board shows everybody in the order of their start) {
  for (auto name : {"b", "a"}) add(name);
  names shown;
  for (auto& pulse : root.board().all()) shown.push_back(pulse->name + (pulse->up ? " up" : " down"));
  CAF_CHECK_EQUAL(shown, (names{"b down", "a down"}));
  root.start();
  for (auto& pulse : root.board().all()) CAF_CHECK(pulse->up);
  CAF_CHECK_EQUAL(root.by_name().size(), 2u);
  CAF_CHECK(root.by_name().count("a") == 1);
  root.stop(5s);
}

CAF_TEST(a guardian that cannot start its child stops the start) {
  add("first");
  root.add("second", true,
           [](caf::scheduled_actor*, const vitals_ptr&) -> caf::actor { throw std::runtime_error{"no such file"}; });
  add("third");
  std::string complaint;
  try {
    root.start();
  } catch (const std::runtime_error& error) {
    complaint = error.what();
  }
  CAF_CHECK_EQUAL(complaint, "second does not start");
  CAF_CHECK_EQUAL(pages->read(), names{"start first"});
  root.stop(5s);
  CAF_CHECK_EQUAL(pages->read(), (names{"start first", "end first"}));
}

CAF_TEST(who does not end in time is left behind) {
  root.add("slow", true, [](caf::scheduled_actor* parent, const vitals_ptr&) {
    return parent->spawn([](caf::event_based_actor* self) -> caf::behavior {
      self->set_exit_handler([self](const caf::exit_msg&) { self->delayed_send(self, 300ms, 1); });
      return {[self](int) { self->quit(); }};
    });
  });
  add("quick");
  root.start();
  auto begun = std::chrono::steady_clock::now();
  root.stop(50ms);
  CAF_CHECK(std::chrono::steady_clock::now() - begun < 250ms);
  CAF_CHECK_EQUAL(pages->read(), (names{"start quick", "end quick"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
