#define CAF_SUITE codes

#include "actors/codes/rules.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::codes;
using namespace std::chrono_literals;

namespace {

const keyring keys{{secret{std::string(32, 'n')}, secret{std::string(32, 'o')}}};
const keyring old_keys{{secret{std::string(32, 'o')}}};
const keyring other_keys{{secret{std::string(32, 'x')}}};
constexpr auto for_address = purpose::verification;

timestamp moment(std::int64_t seconds) { return timestamp{std::chrono::seconds{1'800'000'000 + seconds}}; }

} // namespace

CAF_TEST(a code fits its address and our keys alone) {
  secret code{"012345"};
  auto hash = hash_of(old_keys, for_address, "bob@example.org", code);
  CAF_CHECK(matches(keys, for_address, "bob@example.org", code, hash));
  CAF_CHECK(!matches(keys, for_address, "ann@example.org", code, hash));
  CAF_CHECK(!matches(keys, for_address, "bob@example.org", secret{"012346"}, hash));
  CAF_CHECK(!matches(other_keys, for_address, "bob@example.org", code, hash));
  CAF_CHECK(!matches(keys, for_address, "bob@example.org", code, std::nullopt));
}

CAF_TEST(tries of a code are counted) {
  record kept{.hash = "hash", .started_at = moment(0)};
  for (int i = 1; i < tries; ++i) CAF_CHECK(judge(kept, false, moment(i)) == verdict::wrong);
  auto at_the_last = kept;
  CAF_CHECK(judge(at_the_last, true, moment(9)) == verdict::right);
  CAF_CHECK(judge(kept, false, moment(9)) == verdict::exhausted);
  CAF_CHECK(judge(kept, true, moment(10)) == verdict::dead);
  CAF_CHECK(judge(kept, false, moment(10)) == verdict::dead);
}

CAF_TEST(only who knows a code hears that it is late or done) {
  record late{.hash = "hash", .started_at = moment(0)}, consumed = late, wrong = late;
  consumed.is_consumed = true;
  auto end = moment(0) + lifetime;
  CAF_CHECK(judge(late, true, end - 1us) == verdict::right);
  CAF_CHECK(judge(late, true, end) == verdict::expired);
  CAF_CHECK(judge(consumed, true, end) == verdict::consumed);
  CAF_CHECK(judge(consumed, false, end - 1us) == verdict::wrong);
  CAF_CHECK(judge(wrong, false, end) == verdict::wrong);
  CAF_CHECK(!wrong.hash && wrong.started_at == end && wrong.failures == 1);
}

CAF_TEST(resends are counted) {
  resend_record record{.window_started_at = moment(-100), .last_at = moment(-100)};
  auto next = [&](std::int64_t now) { return count_resend(record, moment(now)); };
  auto first = next(0);
  CAF_CHECK(first.count == 2 && first.next_at == moment(30));
  try {
    next(29);
    CAF_ERROR("too early");
  } catch (const fault_error& error) {
    CAF_CHECK(error.what_failed.code == ec::too_many && error.what_failed.retry_after == 1s);
    CAF_CHECK_EQUAL(error.what_failed.details.at(0).second, '"' + to_rfc3339(moment(30)) + '"');
  }
  CAF_CHECK(next(30).count == 1);
  auto last = next(60);
  CAF_CHECK(last.count == 0 && last.next_at == moment(3600));
  CAF_CHECK(next(3600).count == 2);
}

CAF_TEST(a code of one purpose is none of another) {
  secret code{"012345"};
  auto hash = hash_of(keys, purpose::verification, "bob@example.org", code);
  CAF_CHECK(!matches(keys, purpose::password_reset, "bob@example.org", code, hash));
}

CAF_TEST(only a verification is told to be done) {
  record kept{.is_consumed = true};
  CAF_CHECK_EQUAL(fault_of(verdict::consumed, purpose::verification, kept).name, "ALREADY_VERIFIED");
  CAF_CHECK_EQUAL(fault_of(verdict::consumed, purpose::password_reset, kept).name, "OTP_NOT_FOUND");
}
