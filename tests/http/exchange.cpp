#define CAF_SUITE http_exchange

#include "http/kernel/exchange.hpp"

#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::chrono_literals;

namespace backstay::http::exchange_test {

template <class T>
void admitted(const T&);

struct ask_number {
  using reply = int;
};
using number_actor = caf::typed_actor<answers<ask_number>>;

struct fixture : test::house {
  exchange_ptr open() { return house::open({.target = "/x"}, into); }

  /// A domain that answers, refuses, or keeps its promise.
  number_actor spawn_domain(std::function<caf::result<int>(number_actor::pointer)> answer) {
    return sys.spawn([answer](number_actor::pointer self) -> number_actor::behavior_type {
      return {[self, answer](const ask_number&) { return answer(self); }};
    });
  }
  void ask(exchange_ptr x, const number_actor& domain) {
    context().entry.ask(std::move(x), domain, ask_number{},
                        [](exchange& answered, int number) { answered.answer({.body = std::to_string(number)}); });
  }

  test::received_ptr into = std::make_shared<test::received>();
};

} // namespace backstay::http::exchange_test

using namespace backstay::http::exchange_test;

CAF_TEST_FIXTURE_SCOPE(exchange_tests, fixture)

CAF_TEST(whoever answers first answers) {
  auto x = open();
  CAF_CHECK(!x->is_answered());
  x->answer({.status = 201, .body = "first"});
  CAF_CHECK(x->is_answered());
  x->answer({.status = 200, .body = "second"});
  x->fail({.code = ec::internal});
  x.reset();
  CAF_CHECK_EQUAL(into->times, 1);
  CAF_CHECK_EQUAL(into->text(), "first");
  CAF_CHECK_EQUAL(context().open_exchanges.load(), 0u);
}

CAF_TEST(an answer carries the id of its request) {
  auto x = open();
  x->request_id = "id-1";
  x->fail({.code = ec::not_found});
  CAF_CHECK_EQUAL(into->header("X-Request-ID"), "id-1");
  CAF_CHECK_EQUAL(into->field("request_id"), "id-1");
}

CAF_TEST(lost before it was handed over nothing was done) {
  open().reset();
  CAF_CHECK_EQUAL(into->times, 1);
  CAF_CHECK_EQUAL(into->status(), 503);
  CAF_CHECK_EQUAL(into->header("Retry-After"), "1");
}

CAF_TEST(lost after it was handed over the outcome is unknown) {
  auto x = open();
  x->set_handed_over();
  x.reset();
  CAF_CHECK_EQUAL(into->status(), 504);
  CAF_CHECK_EQUAL(into->times, 1);
}

CAF_TEST(a released exchange has no answer) {
  auto x = open();
  x->release();
  CAF_CHECK(x->is_answered());
  x->answer({.body = "late"});
  x->release();
  x.reset();
  CAF_CHECK_EQUAL(into->times, 0);
  CAF_CHECK_EQUAL(context().open_exchanges.load(), 0u);
}

CAF_TEST(the connection is let go of with the answer) {
  auto connection = std::make_shared<int>();
  auto x = exchange_ptr{new exchange{context(), {}, [connection](const response&) {}}};
  x->answer({});
  CAF_CHECK_EQUAL(connection.use_count(), 1);
}

CAF_TEST(an exchange knows who asks and from where) {
  auto x = house::open({.headers = {{"User-Agent", "app/1"}}, .peer = "198.51.100.1"}, into);
  x->address = "203.0.113.9";
  x->request_id = "id-1";
  x->session = std::make_shared<const sessions::session_view>(make_session(role::admin));
  CAF_CHECK(caller_of(*x) == (caller{x->session->account.id, x->session->session, role::admin}));
  CAF_CHECK(origin_of(*x) == (origin{"203.0.113.9", "app/1", "id-1"}));
}

// ---- by way of the gateway ----

CAF_TEST(the answer of a domain is the answer) {
  ask(open(), spawn_domain([](auto) { return caf::result<int>{7}; }));
  drive();
  CAF_CHECK_EQUAL(into->status(), 200);
  CAF_CHECK_EQUAL(into->text(), "7");
}

CAF_TEST(the refusal of a domain is the answer) {
  ask(open(), spawn_domain([](auto) { return caf::result<int>{to_error({.code = ec::conflict, .name = "TAKEN"})}; }));
  drive();
  CAF_CHECK_EQUAL(into->status(), 409);
  CAF_CHECK_EQUAL(into->code(), "TAKEN");
}

CAF_TEST(silence becomes 504 after five seconds) {
  std::vector<caf::typed_response_promise<int>> held;
  auto domain = spawn_domain([&](auto self) -> caf::result<int> {
    if (held.empty()) return held.emplace_back(self->template make_response_promise<int>());
    held.front().deliver(7); // too late
    return 8;
  });
  ask(open(), domain);
  drive();
  pass(4900ms);
  CAF_CHECK_EQUAL(into->times, 0);
  pass(200ms);
  CAF_CHECK_EQUAL(into->status(), 504);
  CAF_CHECK_EQUAL(into->times, 1);
  auto first = std::exchange(into, std::make_shared<test::received>());
  ask(open(), domain);
  drive();
  CAF_CHECK_EQUAL(into->text(), "8");
  CAF_CHECK_EQUAL(first->times, 1);
}

CAF_TEST(a domain that is gone has done nothing) {
  auto domain = spawn_domain([](auto) { return caf::result<int>{7}; });
  self->send_exit(domain, caf::exit_reason::kill);
  drive();
  ask(open(), domain);
  drive();
  CAF_CHECK_EQUAL(into->status(), 503);
}

CAF_TEST(a lost gateway answers what it held) {
  auto domain = spawn_domain([](auto) { return caf::result<int>{7}; });
  self->send_exit(gateway_actor, caf::exit_reason::kill);
  ask(open(), domain); // waits behind the end
  drive();
  CAF_CHECK_EQUAL(into->status(), 503);
  CAF_CHECK_EQUAL(into->times, 1);
}

CAF_TEST(asking aside tells the answer or the failure) {
  std::string told;
  auto note = [&](const number_actor& domain) {
    context().entry.ask_aside(
        domain, ask_number{}, [&](int number) { told += std::to_string(number) + ";"; },
        [&](const fault& what) { told += to_string(what.code) + ";"; });
    drive();
  };
  note(spawn_domain([](auto) { return caf::result<int>{7}; }));
  note(spawn_domain([](auto) { return caf::result<int>{to_error({.code = ec::gone})}; }));
  std::vector<caf::typed_response_promise<int>> held;
  note(spawn_domain(
      [&](auto self) -> caf::result<int> { return held.emplace_back(self->template make_response_promise<int>()); }));
  CAF_CHECK_EQUAL(told, "7;gone;");
  pass(5s);
  CAF_CHECK_EQUAL(told, "7;gone;timeout;");
}

CAF_TEST_FIXTURE_SCOPE_END()
