#define CAF_SUITE http_idempotency

#include "http/policy/idempotency.hpp"

#include "actors/kernel/crypto.hpp"
#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::chrono_literals;

namespace {

/// One endpoint that honours the key, and one that does not; both answer as `answer` says.
struct fixture : test::house {
  fixture() {
    routes.add(
        {.method = "POST", .paths = {"/orders/{shop}"}, .needs = allow::signed_in, .idempotent = true, .handle = run});
    routes.add({.method = "POST",
                .paths = {"/public"},
                .needs = allow::anyone_better_signed_in,
                .idempotent = true,
                .handle = run});
    routes.add({.method = "POST", .paths = {"/plain"}, .needs = allow::signed_in, .handle = run});
  }
  test::received_ptr post(std::string target, std::string key, bool signed_in = true) {
    test::sent what{.method = "POST", .target = std::move(target), .body = "{}"};
    what.headers.emplace_back("idempotency-key", std::move(key));
    if (signed_in) what.headers.push_back(bearer_of(who));
    return send(std::move(what));
  }

  std::function<void(const exchange_ptr&)> run = [this](const exchange_ptr& x) {
    ++runs;
    seen_claim = x->claim;
    x->answer(answer);
  };
  response answer{.status = 201, .body = R"({"id":7})"};
  sessions::session_view who = make_session();
  int runs = 0;
  std::optional<claim_id> seen_claim;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(idempotency_tests, fixture)

CAF_TEST(a new key is claimed and its answer kept before it is sent) {
  auto claim = claim_id::random();
  on_claim = [=](const idempotency::claim_key&) { return idempotency::claimed{claim, {}}; };
  auto answered = post("/orders/s1", "key-1");
  CAF_CHECK_EQUAL(answered->status(), 201);
  CAF_CHECK_EQUAL(answered->times, 1);
  CAF_CHECK(seen_claim == claim);
  CAF_REQUIRE_EQUAL(claims.size(), 1u);
  CAF_CHECK(claims[0].account == who.account.id);
  CAF_CHECK_EQUAL(claims[0].route, "POST /orders/{shop}");
  CAF_CHECK_EQUAL(claims[0].key, "key-1");
  CAF_CHECK_EQUAL(claims[0].body_hash, crypto::sha256("{}"));
  CAF_REQUIRE_EQUAL(kept_answers.size(), 1u);
  CAF_CHECK_EQUAL(kept_answers[0].status, 201);
  CAF_CHECK_EQUAL(kept_answers[0].body, R"({"id":7})");
  CAF_CHECK(released.empty());
}

CAF_TEST(a repeat gets the kept answer and runs nothing) {
  on_claim = [](const idempotency::claim_key&) {
    return idempotency::claimed{claim_id::random(), idempotency::stored_answer{201, R"({"id":7})"}};
  };
  auto answered = post("/orders/s1", "key-1");
  CAF_CHECK_EQUAL(answered->status(), 201);
  CAF_CHECK_EQUAL(answered->text(), R"({"id":7})");
  CAF_CHECK_EQUAL(answered->header("Idempotent-Replayed"), "true");
  CAF_CHECK_EQUAL(runs, 0);
  CAF_CHECK(kept_answers.empty());
}

CAF_TEST(a key that is in use or of another body is refused) {
  on_claim = [](const idempotency::claim_key&) -> caf::result<idempotency::claimed> {
    return to_error({.code = ec::conflict, .retry_after = 42s});
  };
  auto refused = post("/orders/s1", "key-1");
  CAF_CHECK_EQUAL(refused->status(), 409);
  CAF_CHECK_EQUAL(refused->header("Retry-After"), "42");
  CAF_CHECK_EQUAL(runs, 0);
}

CAF_TEST(429 and 5xx release the key) {
  for (int status : {429, 500, 503, 504}) {
    answer = {.status = status};
    CAF_CHECK_EQUAL(post("/orders/s1", "key-1")->status(), status);
  }
  CAF_CHECK_EQUAL(released.size(), 4u);
  CAF_CHECK(kept_answers.empty());
}

CAF_TEST(other refusals are kept as they are the answer) {
  for (int status : {400, 404, 409, 422}) {
    answer = {.status = status};
    post("/orders/s1", "key-1");
  }
  CAF_CHECK_EQUAL(kept_answers.size(), 4u);
  CAF_CHECK(released.empty());
}

CAF_TEST(an exchange that is lost releases its key) {
  run = [](const exchange_ptr&) {};
  routes.add({.method = "POST", .paths = {"/lost"}, .needs = allow::signed_in, .idempotent = true, .handle = run});
  auto answered = post("/lost", "key-1");
  CAF_CHECK_EQUAL(answered->status(), 503);
  CAF_CHECK_EQUAL(released.size(), 1u);
}

CAF_TEST(an answer that cannot be kept is sent all the same) {
  keeping_fails = true;
  auto answered = post("/orders/s1", "key-1");
  CAF_CHECK_EQUAL(answered->status(), 201);
  CAF_CHECK_EQUAL(answered->times, 1);
}

CAF_TEST(without a key or a session or where it means nothing it just goes on) {
  post("/orders/s1", "");
  post("/plain", "key-1");
  post("/public", "key-1", false);
  CAF_CHECK_EQUAL(runs, 3);
  CAF_CHECK(claims.empty());
  post("/public", "key-1");
  CAF_CHECK_EQUAL(claims.size(), 1u);
}

CAF_TEST(a repeat is answered before it is counted) {
  settings.limits.general = 2;
  auto kept = idempotency::claimed{claim_id::random(), idempotency::stored_answer{201, "{}"}};
  on_claim = [=](const idempotency::claim_key&) { return kept; };
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(post("/orders/s1", "key-1")->status(), 201);
}

CAF_TEST_FIXTURE_SCOPE_END()
