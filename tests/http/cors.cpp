#define CAF_SUITE http_cors

#include "http/policy/cors.hpp"

#include "tests/http/fixture.hpp"

using namespace backstay::http;

namespace {

const cors_policy policy{{"https://app.example.org", "http://localhost:3000"}};

test::received headers(const cors_policy& of, std::string origin) {
  test::sent what;
  if (!origin.empty()) what.headers.emplace_back("Origin", origin);
  return {.got = {.headers = of.headers_for(what.view())}};
}

std::optional<test::received> preflight(std::string method, std::string origin, std::string wanted) {
  test::sent what{.method = std::move(method)};
  what.headers.emplace_back("Origin", origin);
  if (!wanted.empty()) what.headers.emplace_back("Access-Control-Request-Method", wanted);
  auto answer = policy.answer_preflight(what.view(), "GET, POST");
  return answer ? std::optional{test::received{.got = *answer}} : std::nullopt;
}

} // namespace

CAF_TEST(a listed origin may read answers) {
  auto allowed = headers(policy, "https://app.example.org");
  CAF_CHECK_EQUAL(allowed.header("Access-Control-Allow-Origin"), "https://app.example.org");
  CAF_CHECK_EQUAL(allowed.header("Access-Control-Allow-Credentials"), "true");
  CAF_CHECK_EQUAL(allowed.header("Access-Control-Expose-Headers"), "X-Request-ID, Retry-After");
  CAF_CHECK_EQUAL(allowed.header("Vary"), "Origin");
}

CAF_TEST(no other origin may) {
  for (auto other : {"", "null", "*", "https://app.example.org.evil.org", "http://app.example.org",
                     "https://APP.example.org", "https://app.example.org/"}) {
    auto denied = headers(policy, other);
    CAF_CHECK_EQUAL(denied.header("Access-Control-Allow-Origin"), "");
    CAF_CHECK_EQUAL(denied.header("Vary"), "Origin"); // a cache must not give it to the others
  }
}

CAF_TEST(without listed origins nothing is said) {
  CAF_CHECK(headers(cors_policy{{}}, "https://app.example.org").got.headers.empty());
  CAF_CHECK(!cors_policy{{}}.allows(""));
}

CAF_TEST(a preflight of a listed origin is told what it may do) {
  auto answer = preflight("OPTIONS", "http://localhost:3000", "POST");
  CAF_REQUIRE(answer.has_value());
  CAF_CHECK_EQUAL(answer->status(), 204);
  CAF_CHECK_EQUAL(answer->header("Access-Control-Allow-Methods"), "GET, POST");
  CAF_CHECK(answer->header("Access-Control-Allow-Headers").find("Idempotency-Key") != std::string::npos);
  CAF_CHECK_EQUAL(answer->header("Access-Control-Max-Age"), "600");
}

CAF_TEST(a preflight of another is answered without permission) {
  auto answer = preflight("OPTIONS", "https://evil.org", "POST");
  CAF_REQUIRE(answer.has_value());
  CAF_CHECK(answer->got.headers.empty());
}

CAF_TEST(what is no preflight is left alone) {
  CAF_CHECK(!preflight("OPTIONS", "http://localhost:3000", ""));
  CAF_CHECK(!preflight("GET", "http://localhost:3000", "POST"));
}
