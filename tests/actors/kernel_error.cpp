#define CAF_SUITE actors_kernel_error

#include "actors/kernel/error.hpp"

#include "actors/kernel/outcome.hpp"

#include <caf/all.hpp>

#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace std::chrono_literals;

namespace {

template <class F>
fault thrown_by(F f) {
  try {
    f();
  } catch (const fault_error& error) {
    return error.what_failed;
  }
  return {.code = ec::none};
}

} // namespace

CAF_TEST(a fault comes back from an error as it was made) {
  fault made{.code = ec::locked, .message = "Wait", .name = "LOCKED_OUT", .retry_after = 30s};
  made.problems.push_back({{"body", "a"}, "Wrong", "value_error"});
  made.details.emplace_back("left", "3");
  CAF_CHECK(describe(to_error(made)) == made);
}

CAF_TEST(a bare code of ours is described by that code) {
  CAF_CHECK(describe(caf::make_error(ec::gone)) == fault{.code = ec::gone});
}

CAF_TEST(errors of CAF are translated) {
  CAF_CHECK(describe(caf::make_error(caf::sec::request_receiver_down)).code == ec::restarting);
  CAF_CHECK(describe(caf::make_error(caf::sec::request_timeout)).code == ec::timeout);
  CAF_CHECK(describe(caf::make_error(caf::sec::unexpected_message)).code == ec::internal);
  CAF_CHECK(describe(caf::make_error(caf::sec::runtime_error)).code == ec::internal);
}

CAF_TEST(whoever was told to exit has not looked at what waited) {
  CAF_CHECK(describe(caf::make_error(caf::exit_reason::kill)).code == ec::restarting);
  CAF_CHECK(describe(caf::make_error(caf::exit_reason::user_shutdown)).code == ec::restarting);
}

CAF_TEST(errors of strangers are ours to answer for) {
  CAF_CHECK(describe(caf::make_error(caf::pec::unexpected_character)).code == ec::internal);
}

CAF_TEST(fail throws what it is told) {
  CAF_CHECK(thrown_by([] { fail(ec::conflict, "Taken", "LOGIN_TAKEN"); }) ==
            fault{.code = ec::conflict, .message = "Taken", .name = "LOGIN_TAKEN"});
  auto broken = thrown_by([] { fail_field("email", "Field required", "missing"); });
  CAF_CHECK(broken.code == ec::invalid);
  CAF_REQUIRE_EQUAL(broken.problems.size(), 1u);
  CAF_CHECK(broken.problems[0] == problem{{"body", "email"}, "Field required", "missing"});
}

CAF_TEST(the text of a thrown fault is its message or its code) {
  fault_error with_message{{.code = ec::gone, .message = "Used up"}}, without{{.code = ec::gone}};
  CAF_CHECK_EQUAL(std::string{with_message.what()}, "Used up");
  CAF_CHECK_EQUAL(std::string{without.what()}, "gone");
}

CAF_TEST(every code has a name of its own) {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(ec::internal); ++code) names.insert(to_string(static_cast<ec>(code)));
  CAF_CHECK_EQUAL(names.size(), static_cast<std::size_t>(ec::internal) + 1);
}

CAF_TEST(an outcome gives its value or throws its fault) {
  outcome<int> good{7}, bad{fault{.code = ec::gone}};
  CAF_CHECK_EQUAL(value_of(good), 7);
  CAF_CHECK(thrown_by([&] { value_of(bad); }).code == ec::gone);
}
