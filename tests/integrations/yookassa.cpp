#define CAF_SUITE integrations.yookassa

#include "actors/kernel/crypto.hpp"
#include "integrations/yookassa/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
constexpr auto known = "23d93cac-000f-5000-8000-126628f15141";
constexpr auto key = "payment-key";

/// A payment as the provider shows it.
json payment(const json& patch = json::object()) {
  json shown{{"id", known},
             {"status", "pending"},
             {"paid", false},
             {"amount", {{"value", "500.00"}, {"currency", "RUB"}}},
             {"confirmation", {{"type", "redirect"}, {"confirmation_url", "https://yoomoney.ru/checkout/1"}}},
             {"created_at", "2026-11-22T13:10:01.000Z"},
             {"description", "Premium"},
             {"metadata", {{"payment_id", to_string(ours)}}},
             {"recipient", {{"account_id", "100500"}, {"gateway_id", "100700"}}},
             {"refundable", false},
             {"test", false}};
  shown.merge_patch(patch);
  return shown;
}

const json succeeded{{"status", "succeeded"},
                     {"paid", true},
                     {"confirmation", nullptr},
                     {"captured_at", "2026-11-22T13:12:00.123Z"},
                     {"refunded_amount", {{"value", "0.00"}, {"currency", "RUB"}}},
                     {"payment_method",
                      {{"type", "bank_card"},
                       {"id", "2e0f0f0e-000f-5000-9000-1d9a1f1c3e4f"},
                       {"saved", true},
                       {"title", "Bank card *4444"},
                       {"card", {{"first6", "555555"}, {"last4", "4444"}, {"card_type", "MasterCard"}}}}}};

struct fixture {
  scripted_system remote{[](const incoming&) { return answer(200, payment().dump()); }};
  config::settings settings;
  std::optional<harness> client;

  fixture() { start(remote.url() + "/v3"); }

  void start(const std::string& url, const std::string& secret_key = key, const std::string& environment = "test") {
    settings.environment = environment;
    settings.yookassa.url = url;
    settings.yookassa.shop_id = "100500";
    settings.yookassa.secret_key = secret{secret_key};
    client.emplace("yookassa",
                   [this](auto* parent, auto context) { return yookassa::spawn(parent, context, settings); });
  }

  create_charge order(const std::string& method = "yookassa_card") const {
    return {.payment = ours,
            .price = {50000, "RUB"},
            .description = "Premium",
            .method = method,
            .return_url = "https://shop.example/back"};
  }

  void play(const json& document, int status = 200) {
    remote.play([text = answer(status, document.dump())](const incoming&) { return text; });
  }

  charge read(const json& patch) {
    play(payment(patch));
    return client->ask(list_charges{{known}}).value.value_or(charge_list{{charge{}}}).items.at(0);
  }

  read_webhook hook(const std::string& event, const json& object, const std::string& from = "185.71.76.1") const {
    return {json{{"type", "notification"}, {"event", event}, {"object", object}}.dump(), {}, from};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(yookassa_tests, fixture)

CAF_TEST(a payment is made under our id) {
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  const charge expected{
      .external_id = known, .payment = ours, .price = {50000, "RUB"}, .url = "https://yoomoney.ru/checkout/1"};
  CAF_CHECK(*made.value == expected);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /v3/payments");
  CAF_CHECK_EQUAL(calls[0].header("authorization"), "Basic MTAwNTAwOnBheW1lbnQta2V5"); // by Python's base64
  CAF_CHECK_EQUAL(calls[0].header("idempotence-key"), to_string(ours));
  const json body{{"amount", {{"value", "500.00"}, {"currency", "RUB"}}},
                  {"capture", true},
                  {"confirmation", {{"type", "redirect"}, {"return_url", "https://shop.example/back"}}},
                  {"payment_method_data", {{"type", "bank_card"}}},
                  {"description", "Premium"},
                  {"metadata", {{"payment_id", to_string(ours)}}}};
  CAF_CHECK_EQUAL(calls[0].document(), body);
}

CAF_TEST(method receipt and saving are asked for) {
  settings.yookassa.receipt_email = "books@shop.example";
  start(remote.url() + "/v3");
  auto sbp = order("yookassa_sbp");
  sbp.saves_method = true;
  for (int i = 0; i < 200; ++i) sbp.description += "\u0416";
  CAF_CHECK(client->ask(sbp).value);
  auto told = remote.take().at(0).document();
  CAF_CHECK_EQUAL(told["payment_method_data"]["type"], "sbp");
  CAF_CHECK_EQUAL(told["save_payment_method"], true);
  CAF_CHECK_EQUAL(told["description"].get<std::string>().size(), 7u + 121 * 2); // 128 characters
  CAF_CHECK_EQUAL(told["receipt"]["customer"]["email"], "books@shop.example");
  CAF_CHECK_EQUAL(told["receipt"]["items"].size(), 1u);
  CAF_CHECK_EQUAL(told["receipt"]["items"][0]["amount"]["value"], "500.00");

  sbp.email = "ada@example.com";
  CAF_CHECK(client->ask(sbp).value);
  CAF_CHECK(remote.take().at(0).document()["receipt"]["customer"]["email"] == "ada@example.com");
}

CAF_TEST(a saved card is charged without the buyer) {
  auto again = order();
  again.saved_method = "2e0f0f0e-000f-5000-9000-1d9a1f1c3e4f";
  play(payment(succeeded));
  const auto made = client->ask(again);
  CAF_REQUIRE(made.value);
  CAF_CHECK(made.value->state == charge_state::paid && made.value->url.empty());
  CAF_CHECK(made.value->saved == (saved_method{again.saved_method, "MasterCard •• 4444"}));
  const auto body = remote.take().at(0).document();
  CAF_CHECK_EQUAL(body["payment_method_id"], again.saved_method);
  CAF_CHECK(!body.contains("confirmation") && !body.contains("payment_method_data"));
  play(payment({{"confirmation", nullptr}}));
  CAF_CHECK(client->ask(again).value);
  CAF_CHECK(client->failure(order()) == ec::upstream); // nowhere to pay
}

CAF_TEST(states are told apart) {
  CAF_CHECK(read(json::object()).state == charge_state::pending);
  CAF_CHECK(read({{"status", "waiting_for_capture"}, {"paid", true}}).state == charge_state::pending);
  CAF_CHECK(read({{"status", "succeeded"}}).state == charge_state::pending);
  const auto paid = read(succeeded);
  CAF_CHECK(paid.state == charge_state::paid && paid.price == (money{50000, "RUB"}));
  CAF_CHECK(paid.paid_at == from_rfc3339("2026-11-22T13:12:00.123Z"));
  CAF_CHECK(paid.saved && paid.saved->title == "MasterCard •• 4444");
  auto back = succeeded;
  back["refunded_amount"]["value"] = "200.50";
  CAF_CHECK(read(back).state == charge_state::paid && read(back).refunded == 20050);
  back["refunded_amount"]["value"] = "500.00";
  CAF_CHECK(read(back).state == charge_state::refunded);
  const auto canceled = [&](const char* reason) {
    return read({{"status", "canceled"}, {"cancellation_details", {{"party", "yoo_money"}, {"reason", reason}}}});
  };
  CAF_CHECK(canceled("expired_on_confirmation").state == charge_state::expired);
  CAF_CHECK(canceled("insufficient_funds").state == charge_state::failed);
  CAF_CHECK(read({{"metadata", {{"payment_id", "not ours"}}}}).payment == std::nullopt);
  back["payment_method"] = {{"type", "sbp"}, {"id", "1"}, {"saved", false}, {"card", nullptr}};
  CAF_CHECK(!read(back).saved);
}

CAF_TEST(a test shop moves no money in production) {
  start(remote.url() + "/v3", key, "production");
  CAF_CHECK(client->ask(order()).value);
  play(payment({{"test", true}}));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  start(remote.url() + "/v3");
  CAF_CHECK(client->ask(order()).value);
}

CAF_TEST(charges are asked about one by one) {
  remote.play([&](const incoming& request) {
    const auto id = request.target.substr(request.target.rfind('/') + 1);
    if (id == "404") return answer(404, R"({"type":"error","code":"not_found","parameter":"payment_id"})");
    return answer(200, payment({{"id", id}}).dump());
  });
  std::vector<std::string> ids{"404", "../refunds", "", "A"};
  for (int i = 0; i < 20; ++i) ids.push_back(std::to_string(i));
  const auto found = client->ask(list_charges{ids});
  CAF_REQUIRE(found.value);
  CAF_CHECK_EQUAL(found.value->items.size(), 20u);
  CAF_CHECK(remote.take().size() == 21u);
  CAF_CHECK(client->ask(list_charges{{"x"}}).value->items.empty());
  CAF_CHECK(client->ask(list_charges{}).value->items.empty());
  CAF_CHECK(remote.take().empty());

  // What is not known of one may not pass for its absence.
  remote.play([&](const incoming& request) {
    return request.target.ends_with("/7") ? answer(500, "oops") : answer(200, payment().dump());
  });
  CAF_CHECK(client->failure(list_charges{{"7", known, known, known, known, known, known}}) == ec::upstream);
  play(payment());
  CAF_CHECK(client->failure(list_charges{{"7"}}) == ec::upstream); // it tells of another
}

CAF_TEST(a lost charge is searched for page by page) {
  const auto since = *from_rfc3339("2026-11-22T13:00:00Z");
  remote.play([](const incoming& request) {
    const bool second = request.target.find("cursor=") != std::string::npos;
    const auto items = second ? json{payment(), payment({{"metadata", nullptr}, {"status", 7}})}
                              : json{payment({{"metadata", {{"payment_id", to_string(payment_id::random())}}}})};
    json page{{"type", "list"}, {"items", items}};
    if (!second) page["next_cursor"] = "a&b";
    return answer(200, page.dump());
  });
  const auto found = client->ask(find_charge{ours, since});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK_EQUAL(found.value->items[0].url, "https://yoomoney.ru/checkout/1");
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[0].target, "/v3/payments?limit=100&created_at.gte=2026-11-22T12%3A50%3A00Z");
  CAF_CHECK(calls[1].target.ends_with("&cursor=a%26b"));
  remote.play([](const incoming&) { return answer(200, R"({"items":[],"next_cursor":"again"})"); });
  CAF_CHECK(client->failure(find_charge{ours, since}) == ec::upstream);
  CAF_CHECK(remote.take().size() == 100u);
}

CAF_TEST(a refund is made under a key of its own) {
  auto back = succeeded;
  back["refunded_amount"]["value"] = "200.50";
  remote.play([&](const incoming& request) {
    return answer(200, request.method == "POST" ? R"({"id":"1","status":"succeeded"})" : payment(back).dump());
  });
  const refund_charge part{ours, known, {20050, "RUB"}};
  const auto stands = client->ask(part);
  CAF_REQUIRE(stands.value);
  CAF_CHECK_EQUAL(stands.value->refunded, 20050);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[0].target, "/v3/refunds");
  CAF_CHECK_EQUAL(calls[0].header("idempotence-key"), to_string(ours) + "-refund-20050");
  const json body{{"payment_id", known}, {"amount", {{"value", "200.50"}, {"currency", "RUB"}}}};
  CAF_CHECK_EQUAL(calls[0].document(), body);
  play({{"id", "1"}, {"status", "canceled"}});
  CAF_CHECK(client->failure(part) == ec::upstream);
  play({{"type", "error"}, {"code", "invalid_request"}, {"parameter", "amount.value"}}, 400);
  CAF_CHECK(client->failure(part) == ec::upstream);
  CAF_CHECK(client->failure(refund_charge{ours, "../payments", {1, "RUB"}}) == ec::not_found);
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  const list_charges by_id{{known}};
  for (const auto& odd : nonsense()) {
    remote.play([&](const incoming&) { return odd; });
    CAF_CHECK(client->failure(order()) == ec::upstream);
    CAF_CHECK(client->failure(by_id) == ec::upstream);
    CAF_CHECK(client->failure(find_charge{ours, {}}) == ec::upstream);
    CAF_CHECK(client->failure(refund_charge{ours, known, {1, "RUB"}}) == ec::upstream);
  }
  const json patches[]{{{"id", 1}},
                       {{"status", "eaten"}},
                       {{"amount", 500}},
                       {{"amount", {{"value", 500}}}},
                       {{"amount", {{"value", "500.001"}}}},
                       {{"amount", {{"value", "1e3"}}}},
                       {{"amount", {{"currency", nullptr}}}},
                       {{"status", "succeeded"}, {"paid", "yes"}},
                       {{"confirmation", 7}},
                       {{"metadata", 7}},
                       {{"test", 1}},
                       {{"captured_at", "soon"}},
                       {{"payment_method", {{"saved", true}, {"type", "sbp"}}}}};
  for (const auto& patch : patches) {
    play(payment(patch));
    CAF_CHECK(client->failure(by_id) == ec::upstream);
  }
  remote.play([](const incoming&) { return answer(429, "{}", "Retry-After: 9\r\n"); });
  CAF_CHECK(client->ask(by_id).failure.retry_after.count() == 9);
  CAF_CHECK(client->ask(answer_checkout{}).failure.name == "NOT_SUPPORTED");
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  remote.play([](const incoming&) { return hang_up; });
  CAF_CHECK(client->failure(order()) == ec::timeout);
  start(refused_url() + "/v3");
  CAF_CHECK(client->failure(order()) == ec::unavailable);
}

CAF_TEST(webhooks are taken from their networks only) {
  const auto paid = client->ask(hook("payment.succeeded", payment(succeeded)));
  CAF_REQUIRE(paid.value && paid.value->about);
  const auto genuine_hook = hook("payment.succeeded", payment(succeeded));
  CAF_CHECK_EQUAL(paid.value->event_id, crypto::to_hex(crypto::sha256(genuine_hook.body)));
  CAF_CHECK(paid.value->about->payment == ours && paid.value->about->state == charge_state::paid);
  CAF_CHECK(!paid.value->is_proof);
  for (const auto* genuine : {"185.71.77.31", "77.75.153.127", "77.75.154.128", "77.75.156.11", "77.75.156.35",
                              "2a02:5180::7", "::ffff:185.71.76.1"})
    CAF_CHECK(client->ask(hook("payment.canceled", payment(), genuine)).value);
  for (const auto* stranger : {"185.71.76.32", "77.75.153.128", "77.75.154.1", "77.75.156.12", "2a02:5181::7",
                               "127.0.0.1", "10.0.0.1", "", "0.0.0.0", "somewhere"})
    CAF_CHECK(client->failure(hook("payment.succeeded", payment(succeeded), stranger)) == ec::unauthenticated);

  const json refund{{"id", "216749f7"}, {"payment_id", known}, {"amount", {{"value", "1.00"}, {"currency", "RUB"}}}};
  const auto back = client->ask(hook("refund.succeeded", refund));
  CAF_REQUIRE(back.value && back.value->about);
  CAF_CHECK_EQUAL(back.value->about->external_id, known);
  CAF_CHECK(!client->ask(hook("payout.succeeded", refund)).value->about);
  for (const auto* odd : {"", "{", "[]", "7", "{}", R"({"event":7})", R"({"event":"payment.succeeded"})",
                          R"({"event":"payment.succeeded","object":7})"})
    CAF_CHECK(client->failure(read_webhook{odd, {}, "185.71.76.1"}) == ec::malformed);
  CAF_CHECK(client->failure(hook("payment.succeeded", payment({{"amount", 7}}))) == ec::malformed);
}

CAF_TEST(methods are offered where there are credentials) {
  auto offers = yookassa::methods(settings);
  CAF_REQUIRE_EQUAL(offers.size(), 2u);
  CAF_CHECK(offers[0].id == "yookassa_card" && offers[0].saves && offers[0].provider == "yookassa");
  CAF_CHECK(offers[1].id == "yookassa_sbp" && !offers[1].saves && offers[1].kind == method_kind::bank);
  CAF_CHECK_EQUAL(offers[0].currencies, std::vector<std::string>{"RUB"});
  settings.yookassa.secret_key = secret{};
  CAF_CHECK(yookassa::methods(settings).empty());
}

CAF_TEST(a payment in the sandbox) {
  remote.play([](const incoming&) { return answer(200, "{}"); });
  auto options = sandbox_options(remote.url());
  options.payment_key = key;
  const sandbox::sandbox fakes{options};
  start(fakes.url() + "/yookassa/v3");
  const auto since = client->clock->now();
  auto wish = order();
  wish.saves_method = true;
  wish.email = "ada@example.com";
  const auto made = client->ask(wish);
  CAF_REQUIRE(made.value);
  CAF_CHECK(made.value->payment == ours && made.value->url.starts_with(fakes.url()));
  CAF_CHECK(*client->ask(wish).value == *made.value); // the key is kept
  auto other = wish;
  other.price.minor = 1;
  CAF_CHECK(client->failure(other) == ec::upstream);
  const auto by_id = list_charges{{made.value->external_id, "0"}};
  CAF_CHECK(client->ask(by_id).value->items == std::vector{*made.value});
  CAF_CHECK(client->ask(find_charge{ours, since}).value->items == std::vector{*made.value});
  CAF_CHECK(client->ask(find_charge{payment_id::random(), since}).value->items.empty());
  CAF_CHECK(client->ask(find_charge{ours, since + std::chrono::hours{1}}).value->items.empty());

  const auto control_url = fakes.url() + "/sandbox/yookassa/payments/";
  control(control_url + made.value->external_id + "/pay");
  const auto paid = client->ask(by_id).value->items.at(0);
  CAF_CHECK(paid.state == charge_state::paid && paid.paid_at && paid.saved && paid.saved->title == "Visa •• 4242");
  const auto hooks = wait_for(remote, 1);
  CAF_REQUIRE_EQUAL(hooks.size(), 1u);
  CAF_CHECK(client->ask(read_webhook{hooks[0].body, hooks[0].headers, "185.71.76.1"}).value->about == paid);

  auto again = order();
  again.payment = payment_id::random();
  again.saved_method = paid.saved->id;
  CAF_CHECK(client->ask(again).value->state == charge_state::paid);
  control(fakes.url() + "/sandbox/yookassa/methods/" + paid.saved->id + "/revoke");
  again.payment = payment_id::random();
  CAF_CHECK(client->ask(again).value->state == charge_state::failed);

  const refund_charge part{ours, paid.external_id, {10000, "RUB"}};
  CAF_CHECK(client->ask(part).value->refunded == 10000);
  CAF_CHECK(client->ask(part).value->refunded == 10000); // the same one
  const auto rest = client->ask(refund_charge{ours, paid.external_id, {40000, "RUB"}});
  CAF_CHECK(rest.value->state == charge_state::refunded);
  CAF_CHECK(client->failure(refund_charge{ours, paid.external_id, {1, "RUB"}}) == ec::upstream);

  for (const auto& [action, state] :
       {std::pair{"refuse", charge_state::failed}, std::pair{"expire", charge_state::expired}}) {
    auto next = order("yookassa_sbp");
    next.payment = payment_id::random();
    const auto id = client->ask(next).value->external_id;
    control(control_url + id + "/" + action);
    CAF_CHECK(client->ask(list_charges{{id}}).value->items.at(0).state == state);
  }
  control(fakes.url() + "/sandbox/faults", {{"system", "yookassa"}, {"lose_answer_rate", 1}});
  auto lost = order();
  lost.payment = payment_id::random();
  CAF_CHECK(client->failure(lost) == ec::timeout);
  control(fakes.url() + "/sandbox/faults", {{"system", "yookassa"}, {"lose_answer_rate", 0}});
  const auto found = client->ask(find_charge{lost.payment, since});
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK(*client->ask(lost).value == found.value->items[0]);
  start(fakes.url() + "/yookassa/v3", "another");
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
