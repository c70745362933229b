#define CAF_SUITE audit

#include "actors/audit/actor.hpp"

#include "tests/actors/scene.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::chrono_literals;

namespace {

struct fixture : scene {
  audit::audit_actor start() {
    return on_stage(caf::actor_cast<audit::audit_actor>(sys.spawn(audit::audit, context, 24h)));
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(audit_tests, fixture)

CAF_TEST(the trail is read and failures are told) {
  auto actor = start();
  database.returns(audit::trail_page{.next = 7});
  CAF_CHECK(answer_of(actor, audit::list_entries{}).next == 7);
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, audit::list_entries{}).code == ec::unavailable);
}

CAF_TEST(what is old is removed again and again although it may fail) {
  auto actor = start();
  database.fails(ec::unavailable);
  for (int round = 1; round <= 3; ++round) {
    sched.advance_time(5min);
    consume_messages();
    CAF_CHECK_EQUAL(*database.asked, round);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
