#define CAF_SUITE http_rate_limit

#include "http/policy/rate_limit.hpp"

#include <vector>

#include "caf/test/dsl.hpp"

using namespace backstay::http;
using namespace std::chrono_literals;

namespace {

struct fixture {
  /// Charges `times` and tells how many went through.
  int charge(int times, bucket from = bucket::payments, const std::string& who = "ann") {
    int passed = 0;
    for (int i = 0; i < times; ++i) passed += limiter.charge(from, who, now) == 0s;
    return passed;
  }
  auto wait(bucket from = bucket::payments, const std::string& who = "ann") { return limiter.charge(from, who, now); }

  backstay::config::settings::limits_section limits;
  rate_limiter limiter{limits};
  rate_limiter::clock::time_point now{};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(rate_limit_tests, fixture)

CAF_TEST(a full budget may be spent at once and not one more within that minute) {
  CAF_CHECK_EQUAL(charge(15), 10);
  CAF_CHECK(wait() == 61s);
  now += 60s;
  CAF_CHECK(wait() == 1s);
  now += 1s;
  CAF_CHECK_EQUAL(charge(15), 10);
}

CAF_TEST(in no minute more pass than the limit says) {
  std::vector<rate_limiter::clock::time_point> passed;
  unsigned dice = 7;
  for (int i = 0; i < 20'000; ++i) {
    now += std::chrono::milliseconds{(dice = dice * 1103515245 + 12345) % 2'000};
    if (wait() == 0s) passed.push_back(now);
  }
  CAF_CHECK(passed.size() > 3'000u); // 20,000 s at ten a minute
  for (std::size_t i = 10; i < passed.size(); ++i) CAF_REQUIRE(passed[i] - passed[i - 10] > 60s);
}

CAF_TEST(who stays below the limit is never refused) {
  for (int i = 0; i < 1'000; ++i) {
    CAF_REQUIRE(wait() == 0s);
    now += 6'200ms;
  }
}

CAF_TEST(waiting as long as told is long enough) {
  for (int i = 0; i < 5; ++i) {
    charge(10);
    auto pause = wait();
    CAF_CHECK(pause > 0s);
    now += pause;
    CAF_CHECK(wait() == 0s);
  }
}

CAF_TEST(who was refused pays nothing for it) {
  charge(100);
  now += 61s;
  CAF_CHECK_EQUAL(charge(15), 10);
}

CAF_TEST(an idle budget does not grow beyond full) {
  charge(1);
  now += 1h;
  CAF_CHECK_EQUAL(charge(15), 10);
}

CAF_TEST(everybody and every bucket has a budget apart) {
  CAF_CHECK_EQUAL(charge(15), 10);
  CAF_CHECK_EQUAL(charge(15, bucket::payments, "bob"), 10);
  CAF_CHECK_EQUAL(charge(100, bucket::general), 60);
}

CAF_TEST(each bucket has the size that its setting says) {
  limits = {.login_per_address = 1, .mail_per_address = 2, .payments = 4, .general = 5, .dashboard = 6};
  CAF_CHECK_EQUAL(charge(9, bucket::login), 1);
  CAF_CHECK_EQUAL(charge(9, bucket::mail), 2);
  CAF_CHECK_EQUAL(charge(9, bucket::payments), 4);
  CAF_CHECK_EQUAL(charge(9, bucket::general), 5);
  CAF_CHECK_EQUAL(charge(9, bucket::dashboard), 6);
  CAF_CHECK_EQUAL(charge(9, bucket::none), 9);
}

CAF_TEST(forgetting the idle forgives nobody) {
  charge(10);
  for (int i = 0; i < 25'000; ++i) limiter.charge(bucket::general, std::to_string(i), now);
  CAF_CHECK(wait() > 0s);
  now += 30s;
  for (int i = 0; i < 25'000; ++i) limiter.charge(bucket::general, "again " + std::to_string(i), now);
  CAF_CHECK_EQUAL(charge(15), 0);
  now += 31s;
  CAF_CHECK_EQUAL(charge(15), 10);
}

CAF_TEST_FIXTURE_SCOPE_END()
