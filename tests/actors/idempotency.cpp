#define CAF_SUITE actors_idempotency

#include "actors/idempotency/actor.hpp"

#include "actors/idempotency/rules.hpp"
#include "tests/actors/scripted_database.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::idempotency;
using namespace std::chrono_literals;

namespace {

const timestamp now{std::chrono::seconds{1'800'000'000}};

template <class F>
fault fault_of(F f) {
  try {
    f();
  } catch (const fault_error& error) {
    return error.what_failed;
  }
  return {.code = ec::none};
}

store::record running_until(timestamp lease_until) { return {claim_id::random(), false, true, lease_until, {}}; }

} // namespace

CAF_TEST(keys are 1 to 255 visible characters) {
  for (auto good : {std::string("a"), std::string(255, '~'), std::string("!")})
    CAF_CHECK(fault_of([&] { check_key(good); }).code == ec::none);
  for (auto bad :
       {std::string{}, std::string(256, 'a'), std::string("a b"), std::string("\x7f"), std::string("\xc3\xa9")})
    CAF_CHECK(fault_of([&] { check_key(bad); }).code == ec::invalid);
}

CAF_TEST(a running key says when to come back) {
  auto refused = fault_of([&] { judge(running_until(now + 59500ms), now); });
  CAF_CHECK(refused.code == ec::conflict);
  CAF_CHECK(refused.retry_after == 60s);
  CAF_CHECK(fault_of([&] { judge(running_until(now), now); }).retry_after == 1s);
}

CAF_TEST(another body is refused also while the first runs and after it was answered) {
  auto key = running_until(now + 60s);
  key.same_body = false;
  for (auto answer : {std::optional<stored_answer>{}, std::optional{stored_answer{200, "{}"}}}) {
    key.answer = answer;
    auto refused = fault_of([&] { judge(key, now); });
    CAF_CHECK(refused.code == ec::invalid);
    CAF_CHECK_EQUAL(refused.name, "IDEMPOTENCY_KEY_REUSED");
    CAF_REQUIRE_EQUAL(refused.problems.size(), 1u);
    CAF_CHECK((refused.problems[0].location == std::vector<std::string>{"header", "Idempotency-Key"}));
  }
}

CAF_TEST(the holder goes on and a repeat gets the answer) {
  auto key = running_until(now);
  key.is_ours = true;
  CAF_CHECK(judge(key, now).claim == key.claim);
  CAF_CHECK(!judge(key, now).answer);
  key.is_ours = false;
  key.answer = stored_answer{201, "{}"};
  auto repeated = judge(key, now);
  CAF_REQUIRE(repeated.answer);
  CAF_CHECK_EQUAL(repeated.answer->status, 201);
}

namespace {

struct fixture : test_coordinator_fixture<> {
  /// Its loop never ends by itself, and the base waits until all is quiet.
  ~fixture() {
    self->send_exit(actor, caf::exit_reason::kill);
    consume_messages();
  }
  fixture() {
    domain_context context{std::make_shared<vitals>("idempotency", true), std::make_shared<domain_clock>(),
                           database.spawn(sys)};
    actor =
        caf::actor_cast<idempotency_actor>(sys.spawn(idempotency::idempotency, context, idempotency_dependencies{}));
    consume_messages();
  }
  scripted_database database;
  idempotency_actor actor;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(idempotency_tests, fixture)

CAF_TEST(a bad key does not reach the database) {
  auto request = self->request(actor, caf::infinite, claim_key{.key = ""});
  consume_messages();
  request.receive([](claimed&) { CAF_ERROR("claimed an empty key"); },
                  [](const caf::error& error) { CAF_CHECK(describe(error).code == ec::invalid); });
  CAF_CHECK_EQUAL(*database.asked, 0);
}

CAF_TEST(the broom goes on while there is much and survives failures) {
  database.returns(std::size_t{1000});
  database.returns(std::size_t{3});
  sched.advance_time(1h);
  consume_messages();
  CAF_CHECK_EQUAL(*database.asked, 2);
  sched.advance_time(1h); // fails: nothing is prepared
  consume_messages();
  sched.advance_time(1h);
  consume_messages();
  CAF_CHECK_EQUAL(*database.asked, 4);
}

CAF_TEST_FIXTURE_SCOPE_END()
