#define CAF_SUITE http_errors

#include "http/kernel/errors.hpp"

#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::chrono_literals;

namespace {

constexpr dialect plain{"plain"}, with_message{"with message", true};

test::received render(const fault& what, const dialect& family = plain) {
  return {.got = render_error(what, "id-1", family)};
}

} // namespace

CAF_TEST(every code has its status and name) {
  struct row {
    ec code;
    int status;
    const char* name;
  };
  const std::vector<row> table{
      {ec::none, 500, "INTERNAL_ERROR"},
      {ec::malformed, 400, "MALFORMED_REQUEST"},
      {ec::invalid, 422, "VALIDATION_ERROR"},
      {ec::refused, 400, "REFUSED"},
      {ec::unauthenticated, 401, "UNAUTHENTICATED"},
      {ec::forbidden, 403, "FORBIDDEN"},
      {ec::not_found, 404, "NOT_FOUND"},
      {ec::conflict, 409, "CONFLICT"},
      {ec::gone, 410, "GONE"},
      {ec::locked, 423, "LOCKED"},
      {ec::too_many, 429, "RATE_LIMIT_EXCEEDED"},
      {ec::too_large, 413, "TOO_LARGE"},
      {ec::overloaded, 503, "OVERLOADED"},
      {ec::restarting, 503, "RESTARTING"},
      {ec::unavailable, 503, "SERVICE_UNAVAILABLE"},
      {ec::timeout, 504, "TIMEOUT"},
      {ec::in_doubt, 504, "OUTCOME_UNKNOWN"},
      {ec::upstream, 502, "UPSTREAM_ERROR"},
      {ec::internal, 500, "INTERNAL_ERROR"},
  };
  CAF_CHECK_EQUAL(table.size(), static_cast<std::size_t>(ec::internal) + 1);
  for (auto& [code, status, name] : table) {
    auto answer = render({.code = code});
    CAF_CHECK_EQUAL(answer.status(), status);
    CAF_CHECK_EQUAL(status_of({.code = code}), status);
    CAF_CHECK_EQUAL(answer.code(), name);
    CAF_CHECK(!answer.field("detail").get<std::string>().empty());
  }
}

CAF_TEST(a family may lock with 429 and name broken fields in its message) {
  constexpr dialect connect{.name = "connect", .message_member = true, .locks_with_429 = true};
  auto locked = render({.code = ec::locked, .retry_after = 30s}, connect);
  CAF_CHECK_EQUAL(locked.status(), 429);
  CAF_CHECK_EQUAL(locked.header("Retry-After"), "30");
  fault broken{.code = ec::invalid,
               .problems = {{{"body", "email"}, "is required", "missing"}, {{"body"}, "is odd", "value_error"}}};
  auto answer = render(broken, connect);
  CAF_CHECK_EQUAL(answer.field("message"), "email: is required; is odd");
  CAF_CHECK_EQUAL(answer.field("detail"), answer.field("message"));
  CAF_CHECK_EQUAL(render(broken).field("detail"), "Some fields are not valid.");
}

CAF_TEST(an error has the shape of ruling 3) {
  fault what{.code = ec::refused, .message = "Wrong \"code\"", .name = "OTP_INVALID"};
  what.details = {{"attempts_remaining", "2"}, {"until", R"("soon")"}};
  CAF_CHECK_EQUAL(render(what).body(), json::parse(R"({
    "detail": "Wrong \"code\"",
    "error": {"code": "OTP_INVALID", "message": "Wrong \"code\"", "details": {"attempts_remaining": 2, "until": "soon"}},
    "request_id": "id-1"})"));
  CAF_CHECK(render(what).got.content_type == "application/json");
}

CAF_TEST(broken fields are listed) {
  fault what{.code = ec::invalid};
  what.problems = {{{"body", "device", "platform"}, "Input should be one of: ios, android", "enum"},
                   {{"query", "x"}, "No", "value_error"}};
  auto body = render(what).body();
  CAF_CHECK_EQUAL(body["errors"], json::parse(R"([
    {"loc": ["body", "device", "platform"], "msg": "Input should be one of: ios, android", "type": "enum"},
    {"loc": ["query", "x"], "msg": "No", "type": "value_error"}])"));
  CAF_CHECK(!render({.code = ec::not_found}).body().contains("errors"));
}

CAF_TEST(a dialect may repeat the text) {
  CAF_CHECK_EQUAL(render({.code = ec::gone, .message = "Used"}, with_message).field("message"), "Used");
  CAF_CHECK(!render({.code = ec::gone}).body().contains("message"));
}

CAF_TEST(the headers that a status wants are there) {
  CAF_CHECK_EQUAL(render({.code = ec::unauthenticated}).header("WWW-Authenticate"), "Bearer");
  CAF_CHECK_EQUAL(render({.code = ec::forbidden}).header("WWW-Authenticate"), "");
  for (auto code : {ec::too_many, ec::overloaded, ec::restarting, ec::unavailable})
    CAF_CHECK_EQUAL(render({.code = code}).header("Retry-After"), "1");
  CAF_CHECK_EQUAL(render({.code = ec::timeout}).header("Retry-After"), "");
  CAF_CHECK_EQUAL(render({.code = ec::locked, .retry_after = 30s}).header("Retry-After"), "30");
  CAF_CHECK_EQUAL(render({.code = ec::too_many, .retry_after = 7s}).header("Retry-After"), "7");
}

CAF_TEST(what only HTTP knows has the same shape) {
  test::received answer{.got = render_refusal(414, "URL_TOO_LONG", "The URL is too long.", "id-2")};
  CAF_CHECK_EQUAL(answer.status(), 414);
  CAF_CHECK_EQUAL(answer.body(), json::parse(R"({
    "detail": "The URL is too long.",
    "error": {"code": "URL_TOO_LONG", "message": "The URL is too long.", "details": {}},
    "request_id": "id-2"})"));
}
