#define CAF_SUITE idempotency

#include "actors/idempotency/store.hpp"

#include "actors/idempotency/rules.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::idempotency;

namespace {

struct fixture : commerce_database {
  account_id alice = add_account("alice");

  claim_key request(const std::string& key = "k", const std::string& body = std::string("\0\xff raw", 6)) {
    return {alice, "POST /payments", key, body};
  }
  store::record claim(const claim_key& what, timestamp now) {
    return commit(
        [&](transaction& tx) { return store::claim(tx, what, claim_id::random(), now, now + lease, now + lifetime); });
  }
  void keep(const claim_id& claim, stored_answer answer, timestamp now) {
    commit([&](transaction& tx) { store::keep_answer(tx, claim, answer, now + lifetime); });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(idempotency_tests, fixture)

CAF_TEST(the first gets the lease and others wait for it) {
  auto first = claim(request(), moment(0));
  CAF_CHECK(first.is_ours);
  auto second = claim(request(), moment(59));
  CAF_CHECK(!second.is_ours);
  CAF_CHECK(second.claim == first.claim);
  CAF_CHECK(second.lease_until == moment(60));
  auto third = claim(request(), moment(60));
  CAF_CHECK(third.is_ours);
  CAF_CHECK(third.claim == first.claim); // the effect goes on with its row
  CAF_CHECK(!claim(request(), moment(61)).is_ours);
}

CAF_TEST(an answer is given again for a day) {
  auto first = claim(request(), moment(0));
  keep(first.claim, {201, "{\"a\":1}"}, moment(1));
  keep(first.claim, {500, "late"}, moment(2)); // the first stays
  auto again = claim(request(), moment(24 * 3600));
  CAF_CHECK(!again.is_ours);
  CAF_REQUIRE(again.answer);
  CAF_CHECK_EQUAL(again.answer->status, 201);
  CAF_CHECK_EQUAL(again.answer->body, "{\"a\":1}");
  auto next_day = claim(request("k", "other body"), moment(24 * 3600 + 1));
  CAF_CHECK(next_day.is_ours);
  CAF_CHECK(next_day.claim != first.claim);
  CAF_CHECK(!next_day.answer);
}

CAF_TEST(another body never gets the key) {
  auto first = claim(request(), moment(0));
  CAF_CHECK(!claim(request("k", "other"), moment(1)).same_body);
  auto after_lease = claim(request("k", "other"), moment(120));
  CAF_CHECK(!after_lease.same_body);
  CAF_CHECK(!after_lease.is_ours);
  CAF_CHECK(claim(request(), moment(121)).claim == first.claim);
}

CAF_TEST(keys of other accounts and routes are other keys) {
  auto first = claim(request(), moment(0));
  auto elsewhere = request();
  elsewhere.route = "POST /tickets";
  CAF_CHECK(claim(elsewhere, moment(0)).is_ours);
  auto foreign = request();
  foreign.account = add_account("bob");
  CAF_CHECK(claim(foreign, moment(0)).is_ours);
}

CAF_TEST(a released key runs at once with the same claim) {
  auto first = claim(request(), moment(0));
  commit([&](transaction& tx) { store::release(tx, first.claim, moment(1)); });
  auto again = claim(request(), moment(1));
  CAF_CHECK(again.is_ours);
  CAF_CHECK(again.claim == first.claim);
}

CAF_TEST(of many at once exactly one gets the lease) {
  for (auto start : {0, 60}) { // a new key, and one whose lease has ended
    std::atomic<int> winners = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) threads.emplace_back([&] { winners += claim(request(), moment(start)).is_ours; });
    for (auto& thread : threads) thread.join();
    CAF_CHECK_EQUAL(winners.load(), 1);
  }
}

CAF_TEST(old keys are removed in batches) {
  for (auto key : {"a", "b", "c"}) claim(request(key), moment(0));
  claim(request("d"), moment(100));
  auto forget = [&](int limit) {
    return commit([&](transaction& tx) { return store::forget_expired(tx, moment(24 * 3600), limit); });
  };
  CAF_CHECK_EQUAL(forget(2), 2u);
  CAF_CHECK_EQUAL(forget(2), 1u);
  CAF_CHECK_EQUAL(forget(2), 0u);
  CAF_CHECK(!claim(request("d"), moment(101)).is_ours);
}

CAF_TEST_FIXTURE_SCOPE_END()
