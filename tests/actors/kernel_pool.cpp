#define CAF_SUITE actors_kernel_pool

#include "actors/kernel/pool.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::chrono_literals;

namespace backstay::pool_test {

template <class T>
void admitted(const T&);

enum class how { answer, refuse, hold, lose_connection };

struct job {
  using reply = int;
  int number = 0;
  pool_test::how how = how::answer;
};

using worker = worker_actor<job>;

struct worker_state {
  worker_state() = default;
  caf::typed_response_promise<int> held;
};
static_assert(!std::is_aggregate_v<worker_state>);

worker::behavior_type work(worker::stateful_pointer<worker_state> self, std::vector<int>* done) {
  return {[self, done](const job& what) -> caf::result<int> {
    done->push_back(what.number);
    switch (what.how) {
    case how::refuse:
      return to_error({.code = ec::conflict});
    case how::hold:
      return self->state.held = self->make_response_promise<int>();
    case how::lose_connection:
      self->quit(caf::make_error(ec::unavailable));
      return to_error({.code = ec::in_doubt});
    default:
      return what.number;
    }
  }};
}

struct fixture : test_coordinator_fixture<> {
  /// Its loop never ends by itself, and the base waits until all is quiet.
  ~fixture() {
    self->send_exit(jobs, caf::exit_reason::kill);
    for (auto& each : hired) self->send_exit(each, caf::exit_reason::kill);
    consume_messages();
  }
  void start(pool_options options) {
    auto hire = [this](caf::scheduled_actor* parent) { return hired.emplace_back(parent->spawn(work, &done)); };
    jobs = sys.spawn(pool<job>::behave, pulse, options, pool<job>::hire_function{hire});
    consume_messages();
  }

  /// Asks; the answer, or the failure's code, comes into the place of the request's number.
  void ask(job what) {
    asked.emplace_back(self->request(jobs, caf::infinite, what));
    consume_messages();
  }
  std::string answer_of(std::size_t index) {
    std::string answer = "none";
    auto request = std::move(asked.at(index));
    if (self->has_next_message())
      request.receive([&](int number) { answer = std::to_string(number); },
                      [&](const caf::error& error) { answer = to_string(describe(error).code); });
    return answer;
  }
  void look_around() {
    advance_time(250ms);
    consume_messages();
  }

  vitals_ptr pulse = std::make_shared<vitals>("pool", true);
  std::vector<worker> hired;
  std::vector<int> done;
  pool_actor<job> jobs;
  using request = decltype(self->request(jobs, caf::infinite, job{}));
  std::vector<request> asked;
};

} // namespace backstay::pool_test

using namespace backstay::pool_test;

CAF_TEST_FIXTURE_SCOPE(pool_tests, fixture)

CAF_TEST(a job is done and its refusal handed on) {
  start({.workers = 2});
  CAF_CHECK_EQUAL(hired.size(), 2u);
  CAF_CHECK(pulse->is_pool);
  ask({1});
  CAF_CHECK_EQUAL(answer_of(0), "1");
  ask({2, how::refuse});
  CAF_CHECK_EQUAL(answer_of(1), "conflict");
  ask({3});
  CAF_CHECK_EQUAL(answer_of(2), "3");
}

CAF_TEST(beyond the queue a job is refused at once) {
  start({.workers = 1, .queue = 2});
  for (int number = 1; number <= 3; ++number) ask({number, how::hold});
  CAF_CHECK(!self->has_next_message());
  ask({4});
  CAF_CHECK_EQUAL(answer_of(3), "overloaded");
  CAF_CHECK_EQUAL(done, std::vector<int>{1});
  look_around();
  CAF_CHECK_EQUAL(pulse->queued.load(), 2u);
  CAF_CHECK_EQUAL(pulse->busy.load(), 1u);
}

CAF_TEST(jobs that wait are done in the order of their coming) {
  start({.workers = 1});
  for (int number = 1; number <= 5; ++number) asked.emplace_back(self->request(jobs, caf::infinite, job{number}));
  consume_messages();
  CAF_CHECK_EQUAL(done, (std::vector<int>{1, 2, 3, 4, 5}));
  for (std::size_t index = 0; index < 5; ++index) CAF_CHECK_EQUAL(answer_of(index), std::to_string(index + 1));
}

CAF_TEST(a worker past its deadline is given up and replaced) {
  start({.workers = 1, .deadline = 1s});
  ask({1, how::hold});
  look_around();
  look_around();
  ask({2});
  look_around();
  CAF_CHECK(!self->has_next_message());
  look_around(); // a second has passed: abandoned,
  CAF_CHECK_EQUAL(answer_of(0), "timeout");
  CAF_CHECK(!self->has_next_message());
  look_around(); // and replaced
  CAF_CHECK_EQUAL(hired.size(), 2u);
  CAF_CHECK_EQUAL(answer_of(1), "2");
}

CAF_TEST(a job that waited too long was not executed) {
  start({.workers = 1, .deadline = 1s});
  ask({1, how::hold});
  look_around();
  ask({2, how::hold});
  ask({3});
  for (int i = 0; i < 4; ++i) look_around(); // the second job has the next worker
  CAF_CHECK_EQUAL(answer_of(0), "timeout");
  CAF_CHECK_EQUAL(answer_of(2), "overloaded");
  CAF_CHECK_EQUAL(done, (std::vector<int>{1, 2}));
}

CAF_TEST(a pool that dies answers all its jobs) {
  start({.workers = 1});
  ask({1, how::hold});
  ask({2});
  self->send_exit(jobs, caf::make_error(ec::internal));
  consume_messages();
  CAF_CHECK_EQUAL(answer_of(1), "unavailable");
  CAF_CHECK_EQUAL(answer_of(0), "timeout");
}

CAF_TEST(a worker that ends before it looks at its job has not done it) {
  start({.workers = 1});
  self->send_exit(hired[0], caf::exit_reason::kill);
  asked.emplace_back(self->request(jobs, caf::infinite, job{1}));
  sched.prioritize(jobs), sched.run_once(); // the worker has both in its mailbox
  consume_messages();
  CAF_CHECK_EQUAL(answer_of(0), "unavailable");
  CAF_CHECK(done.empty());
  look_around();
  CAF_CHECK_EQUAL(hired.size(), 2u);
  ask({2});
  CAF_CHECK_EQUAL(answer_of(1), "2");
}

CAF_TEST(a worker that says how its job ended and quits is replaced) {
  start({.workers = 1});
  ask({1, how::lose_connection});
  CAF_CHECK_EQUAL(answer_of(0), "in_doubt");
  ask({2});
  CAF_CHECK(!self->has_next_message()); // waits for the next worker
  look_around();
  CAF_CHECK_EQUAL(answer_of(1), "2");
}

CAF_TEST(a worker that dies idle is replaced) {
  start({.workers = 2});
  self->send_exit(hired[0], caf::exit_reason::kill);
  self->send_exit(hired[1], caf::exit_reason::kill);
  consume_messages();
  CAF_CHECK_EQUAL(hired.size(), 2u);
  look_around();
  CAF_CHECK_EQUAL(hired.size(), 4u);
}

CAF_TEST_FIXTURE_SCOPE_END()
