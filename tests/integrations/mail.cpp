#define CAF_SUITE integrations.mail

#include "integrations/mail/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::mail;
using namespace backstay::testing;

namespace {

std::string error(int status, const std::string& name, const std::string& headers = {}) {
  return answer(status, json{{"statusCode", status}, {"name", name}, {"message", "text"}}.dump(), headers);
}

struct fixture {
  scripted_system remote{[](const incoming&) { return answer(200, R"({"id":"49a3999c"})"); }};
  config::settings::mail_section settings;
  std::optional<harness> client;

  fixture() { start(remote.url(), "mail-key"); }

  void start(const std::string& url, const std::string& key) {
    settings = {.from = "Backstay <hello@example.com>", .url = url, .key = secret{key}};
    client.emplace("mail", [this](auto* parent, auto context) { return spawn_mail(parent, context, settings); });
  }

  send_mail order() const {
    return {"outbox/17", "anna@example.com", "Ваш код", secret{"123456"}, secret{"<b>123456</b>"}};
  }

  ec outcome_of(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
    return client->failure(order());
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(mail_tests, fixture)

CAF_TEST(a mail is sent with its key) {
  CAF_CHECK(client->ask(order()).value);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /emails");
  CAF_CHECK_EQUAL(calls[0].header("authorization"), "Bearer mail-key");
  CAF_CHECK_EQUAL(calls[0].header("idempotency-key"), "outbox/17");
  CAF_CHECK(calls[0].header("user-agent").starts_with("backstay/"));
  CAF_CHECK_EQUAL(calls[0].header("content-type"), "application/json");
  const json expected{{"from", "Backstay <hello@example.com>"},
                      {"to", json::array({"anna@example.com"})},
                      {"subject", "Ваш код"},
                      {"text", "123456"},
                      {"html", "<b>123456</b>"}};
  CAF_CHECK_EQUAL(calls[0].document(), expected);
}

CAF_TEST(what is not there is not sent) {
  CAF_CHECK(client->ask(send_mail{"", "anna@example.com", "\xff", secret{"text"}, secret{}}).value);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  const auto body = calls[0].document();
  CAF_CHECK(!body.contains("html"));
  CAF_CHECK_EQUAL(body["subject"], "\ufffd");
  CAF_CHECK_EQUAL(calls[0].header("idempotency-key"), "");
}

CAF_TEST(a refusal is final and all else may be repeated) {
  CAF_CHECK(outcome_of(error(422, "missing_required_field")) == ec::refused);
  CAF_CHECK(outcome_of(error(422, "validation_error")) == ec::refused);
  CAF_CHECK(outcome_of(error(400, "validation_error")) == ec::refused);
  CAF_CHECK(outcome_of(error(413, "")) == ec::refused);
  CAF_CHECK(outcome_of(error(422, "invalid_from_address")) == ec::upstream);
  CAF_CHECK(outcome_of(error(401, "missing_api_key")) == ec::upstream);
  CAF_CHECK(outcome_of(error(403, "invalid_api_key")) == ec::upstream);
  CAF_CHECK(outcome_of(error(404, "not_found")) == ec::upstream);
  CAF_CHECK(outcome_of(error(409, "concurrent_idempotent_requests")) == ec::upstream);
  CAF_CHECK(outcome_of(error(500, "internal_server_error")) == ec::upstream);
  CAF_CHECK(outcome_of(answer(502, "<html>Bad gateway</html>", {}, "text/html")) == ec::upstream);
  CAF_CHECK(outcome_of(answer(301, "", "Location: /elsewhere\r\n")) == ec::upstream);
  CAF_CHECK(outcome_of(answer(500, R"({"name":7})")) == ec::upstream);
  CAF_CHECK(outcome_of(answer(500, "{")) == ec::upstream);
}

CAF_TEST(a key that was used for another text counts as sent) {
  CAF_CHECK(outcome_of(error(409, "invalid_idempotent_request")) == ec::none);
}

CAF_TEST(a busy provider says when to come back) {
  outcome_of(error(429, "rate_limit_exceeded", "Retry-After: 2\r\n"));
  const auto failure = client->ask(order()).failure;
  CAF_CHECK(failure.code == ec::upstream);
  CAF_CHECK_EQUAL(failure.retry_after.count(), 2);
}

CAF_TEST(lost answers and absent providers are told apart) {
  CAF_CHECK(outcome_of(hang_up) == ec::timeout);
  CAF_CHECK(outcome_of(silence) == ec::timeout);
  start(refused_url(), "mail-key");
  CAF_CHECK(client->failure(order()) == ec::unavailable);
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(a repeat in the sandbox sends one mail) {
  const sandbox::sandbox fakes{sandbox_options(remote.url())};
  start(fakes.url() + "/mail", "mail-key");
  CAF_CHECK(client->ask(order()).value);
  CAF_CHECK(client->ask(order()).value);
  auto reworded = order();
  reworded.subject = "Your code";
  CAF_CHECK(client->ask(reworded).value);
  auto nobody = order();
  nobody.key = "outbox/18";
  nobody.to = "nobody";
  CAF_CHECK(client->failure(nobody) == ec::refused);

  const auto mails = read_control(fakes.url() + "/sandbox/mail?to=anna@example.com")["items"];
  CAF_REQUIRE_EQUAL(mails.size(), 1u);
  CAF_CHECK_EQUAL(mails[0]["subject"], "Ваш код");
  CAF_CHECK_EQUAL(mails[0]["text"], "123456");
  start(fakes.url() + "/mail", "wrong");
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
