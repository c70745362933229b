#define CAF_SUITE actors_kernel_guardian

#include "actors/kernel/guardian.hpp"

#include "actors/kernel/domain.hpp"
#include "actors/kernel/outcome.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::chrono_literals;

namespace backstay::guardian_test {

template <class T>
void admitted(const T&);

/// Which of the child's lives answers?
struct get_life {
  using reply = int;
};
struct explode {
  using reply = int;
};
/// Keeps its asker's promise, as somebody who waits for the database does.
struct hold {
  using reply = int;
};
struct refuse {
  using reply = int;
};

struct child_state {
  child_state() = default;
  ~child_state() {
    if (tell_end) tell_end();
  }
  std::function<void()> tell_end;
  std::vector<caf::typed_response_promise<int>> held;
};
static_assert(!std::is_aggregate_v<child_state>);

caf::behavior child(caf::stateful_actor<child_state>* self, vitals_ptr pulse, int life,
                    std::function<void()> tell_end) {
  self->state.tell_end = std::move(tell_end);
  auto on = handlers(self, pulse);
  return {
      on([life](const get_life&) { return life; }),
      on([](const explode&) -> int { throw std::runtime_error{"boom"}; }),
      on([self](const hold&) {
        self->state.held.push_back(self->make_response_promise<int>());
        return self->state.held.back();
      }),
      on([](const refuse&) -> int { fail(ec::conflict); }),
  };
}

struct fixture : test_coordinator_fixture<> {
  ~fixture() {
    self->send_exit(address, caf::exit_reason::user_shutdown); // ends the child too
    consume_messages();
  }
  void spawn(bool critical = true, restart_policy policy = {}) {
    pulse = std::make_shared<vitals>("child", critical);
    auto make = [this](caf::scheduled_actor* parent, vitals_ptr given) {
      return caf::actor{parent->spawn(child, given, ++lives, [this] { ended.push_back("child"); })};
    };
    address = sys.spawn(guardian, make, pulse, policy, [this](const vitals& who) { given_up.push_back(who.name); });
    address->attach_functor([this](const caf::error&) { ended.push_back("guardian"); });
  }
  void start(bool critical = true, restart_policy policy = {}) {
    spawn(critical, policy);
    CAF_REQUIRE(std::holds_alternative<done>(ask(begin{})));
  }

  /// The answer; a fault with `ec::none` for silence.
  template <class Message>
  outcome<typename Message::reply> ask(Message message) {
    auto request = self->request(address, caf::infinite, message);
    consume_messages();
    return answer_of<typename Message::reply>(request);
  }
  template <class Reply, class Request>
  outcome<Reply> answer_of(Request& request) {
    outcome<Reply> answer = fault{.code = ec::none};
    if (self->has_next_message())
      request.receive([&](Reply& reply) { answer = std::move(reply); },
                      [&](const caf::error& error) { answer = describe(error); });
    return answer;
  }
  template <class Message>
  ec code_of(Message message) {
    auto answer = ask(message);
    auto* what = std::get_if<fault>(&answer);
    return what ? what->code : ec::none;
  }
  void pass(caf::timespan time) {
    advance_time(time);
    consume_messages();
  }
  /// 0 while nobody answers.
  int life() {
    auto answer = ask(get_life{});
    auto* number = std::get_if<int>(&answer);
    return number ? *number : 0;
  }
  void die() {
    anon_send(address, explode{});
    consume_messages();
  }

  vitals_ptr pulse;
  caf::actor address;
  int lives = 0;
  std::vector<std::string> given_up, ended;
};

} // namespace backstay::guardian_test

using namespace backstay::guardian_test;

CAF_TEST_FIXTURE_SCOPE(guardian_tests, fixture)

CAF_TEST(a dormant guardian answers that nobody is there yet) {
  spawn();
  auto answer = ask(get_life{});
  auto* what = std::get_if<fault>(&answer);
  CAF_REQUIRE(what);
  CAF_CHECK(what->code == ec::restarting);
  CAF_CHECK(what->retry_after == 1s);
  CAF_CHECK_EQUAL(lives, 0);
  CAF_CHECK(!pulse->up);
}

CAF_TEST(messages go to the child and its answers to the asker) {
  start();
  CAF_CHECK_EQUAL(life(), 1);
  CAF_CHECK(code_of(refuse{}) == ec::conflict);
  CAF_CHECK(pulse->up);
  CAF_CHECK_EQUAL(pulse->received.load(), 2u);
  CAF_CHECK_EQUAL(pulse->handled.load(), 2u);
  CAF_CHECK_EQUAL(pulse->restarts.load(), 0u);
}

CAF_TEST(a second begin starts nobody) {
  start();
  ask(begin{});
  CAF_CHECK_EQUAL(lives, 1);
}

CAF_TEST(the first death is followed by a life at once) {
  start();
  die();
  CAF_CHECK_EQUAL(life(), 2);
  CAF_CHECK_EQUAL(pulse->restarts.load(), 1u);
  CAF_CHECK_EQUAL(pulse->last_cause(), "boom");
  CAF_CHECK_EQUAL(pulse->mailbox(), 0u);
}

CAF_TEST(the second after 250 ms and the third after a second) {
  start();
  die();
  die();
  CAF_CHECK(code_of(get_life{}) == ec::restarting);
  CAF_CHECK(!pulse->up);
  pass(249ms);
  CAF_CHECK_EQUAL(life(), 0);
  pass(1ms);
  CAF_CHECK_EQUAL(life(), 3);
  die();
  pass(999ms);
  CAF_CHECK_EQUAL(life(), 0);
  pass(1ms);
  CAF_CHECK_EQUAL(life(), 4);
  CAF_CHECK(given_up.empty());
}

CAF_TEST(the fourth death of a critical child is the end) {
  start();
  die();
  die(), pass(250ms);
  die(), pass(1s);
  die();
  CAF_CHECK_EQUAL(given_up, std::vector<std::string>{"child"});
  CAF_CHECK(pulse->degraded);
  pass(10min);
  CAF_CHECK_EQUAL(lives, 4);
  CAF_CHECK(code_of(get_life{}) == ec::restarting);
}

CAF_TEST(another child is degraded and tried again after five minutes) {
  start(false);
  die();
  die(), pass(250ms);
  die(), pass(1s);
  die();
  CAF_CHECK(given_up.empty());
  CAF_CHECK(pulse->degraded);
  CAF_CHECK(!pulse->up);
  pass(5min - 1ms);
  CAF_CHECK_EQUAL(life(), 0);
  pass(1ms);
  CAF_CHECK_EQUAL(life(), 5);
  CAF_CHECK(!pulse->degraded);
  // What died before is forgotten by now: quick restarts again.
  die();
  CAF_CHECK_EQUAL(life(), 6);
}

CAF_TEST(deaths older than the window do not count) {
  start();
  for (int deaths = 1; deaths <= 8; ++deaths) {
    die();
    CAF_CHECK_EQUAL(life(), deaths + 1);
    pass(61s);
  }
  CAF_CHECK(given_up.empty());
}

CAF_TEST(deaths within the window count however they are spread) {
  start();
  for (int deaths = 1; deaths <= 3; ++deaths) {
    die();
    pass(15s);
  }
  CAF_CHECK_EQUAL(life(), 4);
  die();
  CAF_CHECK_EQUAL(given_up.size(), 1u);
}

CAF_TEST(a handler that throws is an internal error) {
  start();
  CAF_CHECK(code_of(explode{}) == ec::internal);
}

CAF_TEST(what waited in the mailbox of the dying was not done) {
  start();
  auto first = self->request(address, caf::infinite, explode{});
  auto second = self->request(address, caf::infinite, get_life{});
  while (pulse->received < 2) sched.prioritize(address), sched.run_once();
  CAF_CHECK_EQUAL(pulse->mailbox(), 2u);
  consume_messages();
  ec waiting = ec::none, thrown = ec::none;
  second.receive([](int) {}, [&](const caf::error& error) { waiting = describe(error).code; });
  first.receive([](int) {}, [&](const caf::error& error) { thrown = describe(error).code; });
  CAF_CHECK(waiting == ec::restarting);
  CAF_CHECK(thrown == ec::internal);
}

CAF_TEST(a promise that dies with its holder is silence) {
  start();
  CAF_CHECK(code_of(hold{}) == ec::none);
  auto held = self->request(address, 5s, hold{});
  die();
  CAF_CHECK_EQUAL(life(), 2);
  CAF_CHECK(!self->has_next_message());
  pass(5s);
  ec code = ec::none;
  held.receive([](int) {}, [&](const caf::error& error) { code = describe(error).code; });
  CAF_CHECK(code == ec::timeout);
}

CAF_TEST(an exit drill ends the child between two messages) {
  start();
  CAF_CHECK(std::holds_alternative<done>(ask(crash{drill::exit})));
  CAF_CHECK_EQUAL(life(), 2);
  CAF_CHECK_EQUAL(pulse->last_cause(), "drill: told to exit");
}

CAF_TEST(what waited behind the order to exit was not done) {
  start();
  anon_send(address, crash{drill::exit});
  auto request = self->request(address, caf::infinite, get_life{});
  while (pulse->received < 1) sched.prioritize(address), sched.run_once(); // the child has both in its mailbox
  consume_messages();
  ec code = ec::none;
  request.receive([](int) {}, [&](const caf::error& error) { code = describe(error).code; });
  CAF_CHECK(code == ec::restarting);
  CAF_CHECK_EQUAL(lives, 2);
}

CAF_TEST(a fault drill makes the next handler throw and no other) {
  start();
  ask(crash{drill::fault});
  CAF_CHECK_EQUAL(lives, 1);
  CAF_CHECK(code_of(get_life{}) == ec::internal);
  CAF_CHECK_EQUAL(pulse->last_cause(), "drill");
  CAF_CHECK_EQUAL(life(), 2);
}

CAF_TEST(an exit drill without a child harms nobody) {
  spawn();
  CAF_CHECK(std::holds_alternative<done>(ask(crash{drill::exit})));
  ask(begin{});
  CAF_CHECK_EQUAL(life(), 1);
}

CAF_TEST(told to exit a guardian ends its child first) {
  start();
  self->send_exit(address, caf::exit_reason::user_shutdown);
  consume_messages();
  CAF_CHECK_EQUAL(ended, (std::vector<std::string>{"child", "guardian"}));
  CAF_CHECK_EQUAL(lives, 1);
}

CAF_TEST(told to exit between two lives a guardian starts no other) {
  start();
  die();
  die();
  self->send_exit(address, caf::exit_reason::user_shutdown);
  consume_messages();
  CAF_CHECK_EQUAL(ended.back(), "guardian");
  pass(1s);
  CAF_CHECK_EQUAL(lives, 2);
}

CAF_TEST_FIXTURE_SCOPE_END()
