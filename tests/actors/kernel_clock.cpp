#define CAF_SUITE actors_kernel_clock

#include "actors/kernel/clock.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::chrono_literals;

namespace {

timestamp at(std::int64_t seconds) { return timestamp{std::chrono::seconds{seconds}}; }

} // namespace

CAF_TEST(a moment survives being written and read) {
  // 0, the last second of a leap day, the last of 2038's 32-bit time, before 1970.
  for (auto seconds : {std::int64_t{0}, std::int64_t{1'709'251'199}, std::int64_t{2'147'483'648}, std::int64_t{-1}})
    CAF_CHECK(from_rfc3339(to_rfc3339(at(seconds))) == at(seconds));
  CAF_CHECK_EQUAL(to_rfc3339(at(1'709'251'199)), "2024-02-29T23:59:59Z");
  CAF_CHECK_EQUAL(to_rfc3339(at(-1)), "1969-12-31T23:59:59Z");
}

CAF_TEST(the fraction is dropped when written) {
  CAF_CHECK_EQUAL(to_rfc3339(at(1) + 999'999us), "1970-01-01T00:00:01Z");
  CAF_CHECK_EQUAL(to_rfc3339(at(0) - 1us), "1969-12-31T23:59:59Z");
}

CAF_TEST(fractions are read to the microsecond) {
  CAF_CHECK(from_rfc3339("1970-01-01T00:00:01.5Z") == at(1) + 500ms);
  CAF_CHECK(from_rfc3339("1970-01-01T00:00:01.000001Z") == at(1) + 1us);
  CAF_CHECK(from_rfc3339("1970-01-01T00:00:01.0000019999999999999999Z") == at(1) + 1us);
}

CAF_TEST(offsets lead to UTC) {
  CAF_CHECK(from_rfc3339("1970-01-01T03:00:00+03:00") == at(0));
  CAF_CHECK(from_rfc3339("1969-12-31T18:30:00-05:30") == at(0));
  CAF_CHECK(from_rfc3339("1970-01-01T00:00:00-00:00") == at(0));
}

CAF_TEST(letters may be small and a space may stand for T) {
  CAF_CHECK(from_rfc3339("1970-01-01t00:00:01z") == at(1));
  CAF_CHECK(from_rfc3339("1970-01-01 00:00:01Z") == at(1));
}

CAF_TEST(a leap second is the first of the next minute) {
  CAF_CHECK(from_rfc3339("2016-12-31T23:59:60Z") == from_rfc3339("2017-01-01T00:00:00Z"));
}

CAF_TEST(texts that are no moment are refused) {
  for (auto bad : {"",
                   "now",
                   "2024-02-29",
                   "2024-02-29T12:00:00",
                   "2023-02-29T12:00:00Z",
                   "2024-13-01T12:00:00Z",
                   "2024-00-01T12:00:00Z",
                   "2024-01-32T12:00:00Z",
                   "2024-01-01T24:00:00Z",
                   "2024-01-01T12:60:00Z",
                   "2024-01-01T12:00:61Z",
                   "2024-1-01T12:00:00Z",
                   "24-01-01T12:00:00Z",
                   "2024-01-01T12:00Z",
                   "2024-01-01T12:00:00.Z",
                   "2024-01-01T12:00:00+3:00",
                   "2024-01-01T12:00:00+0300",
                   "2024-01-01T12:00:00+24:00",
                   "2024-01-01T12:00:00+00:60",
                   "2024-01-01T12:00:00Z ",
                   "-024-01-01T12:00:00Z",
                   "2024-01-01T-1:00:00Z",
                   "2024/01/01T12:00:00Z"})
    CAF_CHECK(!from_rfc3339(bad));
}

CAF_TEST(the domain clock goes with the system and can be moved) {
  domain_clock clock;
  auto system_now = [] {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  };
  auto before = system_now(), shown = clock.now(), after = system_now();
  CAF_CHECK(before <= shown && shown <= after);
  clock.set_offset(24h * 31);
  CAF_CHECK(clock.offset() == 24h * 31);
  CAF_CHECK(clock.now() >= before + 24h * 31);
}
