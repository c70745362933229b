#define CAF_SUITE integrations.tribute

#include "actors/kernel/crypto.hpp"
#include "integrations/tribute/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
constexpr auto key = "tribute-key";

json donation(const json& patch = json::object()) {
  json event{{"name", "new_donation"},
             {"created_at", "2025-03-20T01:15:58.33246Z"},
             {"sent_at", "2025-03-20T01:15:58.542279448Z"},
             {"payload",
              {{"donation_request_id", 123},
               {"donation_name", "Support my work"},
               {"message", "Thank you"},
               {"period", "once"},
               {"amount", 50000},
               {"currency", "rub"},
               {"anonymously", false},
               {"web_app_link", "https://t.me/tribute/app?startapp=d123"},
               {"user_id", 31326},
               {"telegram_user_id", 12321321}}}};
  event.merge_patch(patch);
  return event;
}

struct fixture {
  config::settings settings;
  std::optional<harness> client;

  fixture() {
    settings.tribute.donate_url = "https://t.me/tribute/app?startapp=d123";
    settings.tribute.api_key = secret{key};
    start();
  }

  void start() {
    client.emplace("tribute", [this](auto* parent, auto context) { return tribute::spawn(parent, context, settings); });
  }

  read_webhook signed_hook(const std::string& body, const std::string& by = key) const {
    return {body, {{"trbt-signature", crypto::to_hex(crypto::hmac(by, body))}}};
  }

  webhook_event hear(const json& event) {
    const auto heard = client->ask(signed_hook(event.dump()));
    CAF_REQUIRE(heard.value);
    return *heard.value;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(tribute_tests, fixture)

CAF_TEST(buyers are sent to the donation page and nothing can be asked) {
  create_charge order{ours, {50000, "RUB"}, "Premium"};
  const auto made = client->ask(order);
  CAF_REQUIRE(made.value);
  CAF_CHECK_EQUAL(made.value->external_id, to_string(ours));
  CAF_CHECK(made.value->payment == ours);
  CAF_CHECK(made.value->state == charge_state::pending);
  CAF_CHECK(made.value->price == (money{50000, "RUB"}));
  CAF_CHECK_EQUAL(made.value->url, "https://t.me/tribute/app?startapp=d123");
  CAF_CHECK(client->ask(list_charges{{to_string(ours)}}).value->items.empty());
  CAF_CHECK(client->ask(find_charge{ours, {}}).value->items.empty());
  const auto refusal = [&](const auto& message) { return client->ask(message).failure.name; };
  CAF_CHECK_EQUAL(refusal(refund_charge{ours, to_string(ours), {50000, "RUB"}}), "NOT_SUPPORTED");
  CAF_CHECK_EQUAL(refusal(answer_checkout{"1", ""}), "NOT_SUPPORTED");
  order.saved_method = "card";
  CAF_CHECK_EQUAL(refusal(order), "NOT_SUPPORTED");
}

CAF_TEST(a donation is proof of itself) {
  const auto event = hear(donation());
  CAF_REQUIRE(event.about);
  CAF_CHECK_EQUAL(event.about->external_id, "donation_123_12321321_50000_2025-03-20T01:15:58.33246Z");
  CAF_CHECK(event.about->state == charge_state::paid);
  CAF_CHECK(event.about->price == (money{50000, "RUB"}));
  CAF_CHECK(event.about->paid_at == from_rfc3339("2025-03-20T01:15:58.33246Z"));
  CAF_CHECK(event.about->payer == 12321321);
  CAF_CHECK(!event.about->payment);
  CAF_CHECK(event.is_proof);
  CAF_CHECK(!event.asks);

  // Tribute repeats itself at another time: it is the same event.
  const auto again = hear(donation({{"sent_at", "2025-03-20T01:20:58Z"}}));
  CAF_CHECK_EQUAL(again.event_id, event.event_id);
  CAF_CHECK(again.about == event.about);
  const auto next = hear(donation({{"name", "recurrent_donation"}, {"created_at", "2025-04-20T01:15:58Z"}}));
  CAF_CHECK_NOT_EQUAL(next.event_id, event.event_id);
  CAF_CHECK(next.about->payer == 12321321);
}

CAF_TEST(whom nobody can be found for is nobodys) {
  const auto payer_of = [&](const json& patch) { return hear(donation({{"payload", patch}})).about.value().payer; };
  CAF_CHECK(payer_of({{"telegram_user_id", nullptr}, {"anonymously", true}}) == 0);
  CAF_CHECK(payer_of({{"currency", "eur"}}) == 12321321);
  CAF_CHECK(payer_of({{"currency", "usd"}}) == 0);
  CAF_CHECK((hear(donation({{"payload", {{"currency", "usd"}}}})).about->price == money{50000, "USD"}));
}

CAF_TEST(other events are no concern of ours) {
  for (const auto* name : {"cancelled_donation", "cancelled_subscription", "new_subscription", "anything"}) {
    const auto event = hear(donation({{"name", name}}));
    CAF_CHECK(!event.about && !event.is_proof);
    CAF_CHECK_EQUAL(event.event_id.size(), 64u);
  }
}

CAF_TEST(webhooks without a valid signature are nobodys) {
  // HMAC-SHA256 by another program (OpenSSL's command line).
  const std::string body =
      R"({"name":"new_subscription","created_at":"2025-03-20T01:15:58.33246Z","sent_at":"2025-03-20T01:15:58.542279448Z","payload":{}})";
  const std::string known = "32b508b72358c3c6e156474fb85fe63b7e3e065ba2d38fb732dc4572de275879";
  CAF_CHECK(client->ask(read_webhook{body, {{"trbt-signature", known}}}).value);
  CAF_CHECK(client->failure(read_webhook{body, {}}) == ec::unauthenticated);
  CAF_CHECK(client->failure(read_webhook{body + " ", {{"trbt-signature", known}}}) == ec::unauthenticated);
  CAF_CHECK(client->failure(read_webhook{body, {{"trbt-signature", known + "00"}}}) == ec::unauthenticated);
  CAF_CHECK(client->failure(signed_hook(body, "another")) == ec::unauthenticated);
  auto swapped = signed_hook(R"({"a":1,"b":2})");
  swapped.body = R"({"b":2,"a":1})";
  CAF_CHECK(client->failure(swapped) == ec::unauthenticated);
  for (const auto* odd : {"", "{", "[]", "7", "{}", R"({"name":7})", R"({"name":"new_donation"})",
                          R"({"name":"new_donation","payload":7})"})
    CAF_CHECK(client->failure(signed_hook(odd)) == ec::malformed);
  const json patches[]{{{"created_at", "yesterday"}},
                       {{"payload", {{"amount", "50000"}}}},
                       {{"payload", {{"amount", 0}}}},
                       {{"payload", {{"amount", -1}}}},
                       {{"payload", {{"amount", 1.5}}}},
                       {{"payload", {{"currency", "roubles"}}}},
                       {{"payload", {{"currency", nullptr}}}},
                       {{"payload", {{"donation_request_id", nullptr}}}},
                       {{"payload", {{"telegram_user_id", "12321321"}}}}};
  for (const auto& patch : patches) CAF_CHECK(client->failure(signed_hook(donation(patch).dump())) == ec::malformed);
  settings.tribute.api_key = secret{};
  start();
  CAF_CHECK(client->failure(signed_hook(body, "")) == ec::unauthenticated);
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(the method is offered where both settings are given) {
  CAF_CHECK(tribute::methods(settings).at(0).enabled);
  CAF_CHECK(tribute::methods(settings)[0].kind == method_kind::donation);
  settings.tribute.donate_url.clear();
  CAF_CHECK(!tribute::methods(settings).at(0).enabled);
  start();
  CAF_CHECK_EQUAL(client->ask(create_charge{ours, {50000, "RUB"}, ""}).failure.name, "NOT_SUPPORTED");
  settings.tribute.api_key = secret{};
  CAF_CHECK(tribute::methods(settings).empty());
}

CAF_TEST(a donation in the sandbox) {
  scripted_system server{[](const incoming&) { return answer(200, "{}"); }};
  auto given = sandbox_options(server.url());
  given.payment_key = key;
  const sandbox::sandbox fakes{given};
  const auto donations = fakes.url() + "/sandbox/tribute/donations";
  const auto hear_next = [&] {
    const auto call = wait_for(server, 1).at(0);
    CAF_CHECK_EQUAL(call.target, "/api/v1/webhooks/tribute");
    return client->ask(read_webhook{call.body, call.headers}).value.value();
  };
  const auto made = control(donations, {{"telegram_user_id", 77}, {"amount", 15000}, {"period", "monthly"}});
  const auto first = hear_next();
  CAF_CHECK(first.about->payer == 77);
  CAF_CHECK(first.about->price == (money{15000, "RUB"}));
  control(donations + "/" + made["id"].dump() + "/repeat");
  const auto second = hear_next();
  CAF_CHECK(second.about->payer == 77);
  CAF_CHECK_NOT_EQUAL(second.event_id, first.event_id);
  control(donations + "/" + made["id"].dump() + "/cancel");
  CAF_CHECK(!hear_next().about);
  control(donations, {{"amount", 500}, {"currency", "usd"}});
  CAF_CHECK(hear_next().about->payer == 0);
  CAF_CHECK_EQUAL(read_control(donations)["items"].size(), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
