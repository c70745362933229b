#define CAF_SUITE integrations.mulenpay

#include "integrations/mulenpay/client.hpp"
#include "integrations/sandbox/values.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
constexpr auto key = "mulen-secret";

/// A payment as the provider shows it.
json payment(const json& patch = json::object()) {
  json shown{{"id", 12345},       {"uuid", to_string(ours)},  {"amount", "500.00"},
             {"currency", "rub"}, {"description", "Premium"}, {"status", 0}};
  shown.merge_patch(patch);
  return shown;
}

std::string one(const json& patch = json::object()) {
  return answer(200, json{{"success", true}, {"payment", payment(patch)}}.dump());
}

std::string list(const json& items) { return answer(200, json{{"items", items}}.dump()); }

const std::string created = answer(201, R"({"success":true,"paymentUrl":"https://mulenpay.ru/1","id":12345})");
const std::string missing = answer(404, R"({"error":"payment not found","status":404})");

struct fixture {
  scripted_system remote{[](const incoming&) { return created; }};
  config::settings settings;
  std::optional<harness> client;

  fixture() { start(remote.url() + "/api", key); }

  void start(const std::string& url, const std::string& secret_key, const std::string& api_key = key) {
    settings.mulenpay.url = url;
    settings.mulenpay.api_key = secret{api_key};
    settings.mulenpay.shop_id = "100500";
    settings.mulenpay.secret_key = secret{secret_key};
    client.emplace("mulenpay",
                   [this](auto* parent, auto context) { return mulenpay::spawn(parent, context, settings); });
  }

  create_charge order() const { return {ours, {50000, "RUB"}, "Premium"}; }

  void play(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
  }

  charge read(const json& patch) {
    play(one(patch));
    return client->ask(list_charges{{"12345"}}).value.value_or(charge_list{{charge{}}}).items.at(0);
  }

  testing::outcome<read_webhook> hear(const std::string& body) { return client->ask(read_webhook{body, {}}); }
  ec refusal_of(const std::string& body) { return client->failure(read_webhook{body, {}}); }
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  CAF_REQUIRE(at != text.npos);
  return text.replace(at, what.size(), by);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(mulenpay_tests, fixture)

CAF_TEST(a payment is made under our id and signed) {
  auto wish = order();
  wish.return_url = "https://shop.example/back";
  const auto made = client->ask(wish);
  CAF_REQUIRE(made.value);
  const charge expected{
      .external_id = "12345", .payment = ours, .price = {50000, "RUB"}, .url = "https://mulenpay.ru/1"};
  CAF_CHECK(*made.value == expected);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /api/v2/payments");
  CAF_CHECK_EQUAL(calls[0].header("authorization"), std::string("Bearer ") + key);
  const json item{{"description", "Premium"}, {"quantity", 1},    {"price", 500.0}, {"vat_code", 0},
                  {"payment_subject", 4},     {"payment_mode", 4}};
  const json body{{"currency", "rub"},
                  {"amount", "500.00"},
                  {"uuid", to_string(ours)},
                  {"shopId", 100500},
                  {"description", "Premium"},
                  {"language", "ru"},
                  {"website_url", "https://shop.example/back"},
                  {"items", json::array({item})},
                  {"sign", "0063846e39dded9550600750e2a0e287ca3b00f8"}}; // by Python's hashlib
  CAF_CHECK_EQUAL(calls[0].document(), body);
  wish.price.minor = 99999999999;
  CAF_CHECK(client->ask(wish).value);
  CAF_CHECK(remote.take().at(0).body.find(R"("price":999999999.99,)") != std::string::npos);
}

CAF_TEST(states are told apart) {
  for (const int open : {0, 1, 5, 6}) CAF_CHECK(read({{"status", open}}).state == charge_state::pending);
  CAF_CHECK(read({{"status", 2}}).state == charge_state::expired);
  CAF_CHECK(read({{"status", 3}}).state == charge_state::paid);
  CAF_CHECK(read({{"status", 4}}).state == charge_state::failed);
  CAF_CHECK(read(json::object()).price == (money{50000, "RUB"}));
  CAF_CHECK(read({{"amount", 100.5}}).price == (money{10050, "RUB"}));
  CAF_CHECK(read({{"amount", 7}}).price == (money{700, "RUB"}));
  CAF_CHECK(read({{"amount", 99999999.99}}).price == (money{9999999999, "RUB"}));
  CAF_CHECK(read({{"uuid", "another program's"}}).payment == std::nullopt);
}

CAF_TEST(charges are asked about by their numbers) {
  remote.play([](const incoming& request) { return request.target.ends_with("/12345") ? one() : missing; });
  const auto found = client->ask(list_charges{{"12345", "7", "", "-1", "../shops", "9999999999999999999"}});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK(found.value->items[0].payment == ours);
  CAF_CHECK(remote.take().size() == 2u);
  play(one());
  CAF_CHECK(client->failure(list_charges{{"7"}}) == ec::upstream); // it tells of another
}

CAF_TEST(a lost charge is found by our id once it needs no buyer) {
  play(
      list({payment({{"status", 3}}), payment({{"id", 2}}), payment({{"id", 3}, {"uuid", "other"}, {"status", "x"}})}));
  const auto found = client->ask(find_charge{ours, {}});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK_EQUAL(found.value->items[0].external_id, "12345");
  CAF_CHECK(remote.take().at(0).target == "/api/v2/payments?uuid=" + to_string(ours));
}

CAF_TEST(a refund is all or nothing) {
  const refund_charge all{ours, "12345", {50000, "RUB"}};
  remote.play([](const incoming& request) {
    return request.method == "PUT" ? answer(200, R"({"success":true})") : one({{"status", 3}});
  });
  const auto back = client->ask(all);
  CAF_REQUIRE(back.value);
  CAF_CHECK(back.value->state == charge_state::refunded && back.value->refunded == 50000);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[1].method + " " + calls[1].target, "PUT /api/v2/payments/12345/refund");
  CAF_CHECK(client->ask(refund_charge{ours, "12345", {1, "RUB"}}).failure.name == "NOT_SUPPORTED");
  CAF_CHECK(client->failure(refund_charge{ours, "x", {1, "RUB"}}) == ec::not_found);
  play(one({{"status", 2}})); // given back already
  CAF_CHECK(client->ask(all).value->state == charge_state::refunded);
  for (const int status : {0, 4}) {
    play(one({{"status", status}}));
    CAF_CHECK(client->failure(all) == ec::upstream);
  }
  play(missing);
  CAF_CHECK(client->failure(all) == ec::upstream);
  remote.play([](const incoming& request) {
    return request.method == "PUT" ? answer(200, R"({"success":false})") : one({{"status", 3}});
  });
  CAF_CHECK(client->failure(all) == ec::upstream);
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  const list_charges by_id{{"12345"}};
  for (const auto& odd : nonsense()) {
    play(odd);
    CAF_CHECK(client->failure(order()) == ec::upstream);
    CAF_CHECK(client->failure(by_id) == ec::upstream);
    CAF_CHECK(client->failure(find_charge{ours, {}}) == ec::upstream);
    CAF_CHECK(client->failure(refund_charge{ours, "12345", {1, "RUB"}}) == ec::upstream);
  }
  const json patches[]{{{"id", "12345"}},     {{"status", 7}},     {{"status", "3"}},
                       {{"amount", nullptr}}, {{"amount", "1e3"}}, {{"amount", 9.999}},
                       {{"amount", true}},    {{"currency", 643}}, {{"currency", ""}, {"amount", "1.001"}},
                       {{"uuid", 5}}};
  for (const auto& patch : patches) {
    play(one(patch));
    CAF_CHECK(client->failure(by_id) == ec::upstream);
  }
  play(answer(422, R"({"error":"param is missing or the value is empty: items","status":422})"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(201, R"({"success":true,"id":1})"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(429, "{}", "Retry-After: 9\r\n"));
  CAF_CHECK(client->ask(by_id).failure.retry_after.count() == 9);
  CAF_CHECK(client->ask(answer_checkout{}).failure.name == "NOT_SUPPORTED");
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  play(hang_up);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  start(refused_url() + "/api", key);
  CAF_CHECK(client->failure(order()) == ec::unavailable);
}

CAF_TEST(webhooks are signed over their values in their order) {
  // Both signatures by Python: sha1(''.join(str(v) for v in json.loads(body).values()) + secret).
  const std::string body =
      R"({"id":12345,"amount":500.00,"currency":"RUB","uuid":"0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11",)"
      R"("payment_status":"success","test":true,"note":null,"name":"\u0417",)"
      R"("sign":"55d6b36fe5aa8543e518118f1f2aeecac4def4ea"})";
  const auto paid = hear(body);
  CAF_REQUIRE(paid.value && paid.value->about);
  const charge expected{.external_id = "12345", .payment = ours, .state = charge_state::paid, .price = {50000, "RUB"}};
  CAF_CHECK(*paid.value->about == expected);
  CAF_CHECK(hear(body).value->event_id == paid.value->event_id); // a replay is the same event
  const auto canceled =
      hear(R"({"sign":"df0b67caee2b5c11f7b5e1cec95d36064b96128b", "id": 12345, "amount": "100.50", "currency": "RUB",)"
           R"( "uuid": "0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11", "payment_status": "cancel"})");
  CAF_REQUIRE(canceled.value);
  CAF_CHECK(canceled.value->about->state == charge_state::expired);
  CAF_CHECK(canceled.value->about->price == (money{10050, "RUB"}));
  CAF_CHECK(canceled.value->event_id != paid.value->event_id);

  for (const auto& [what, by] : std::vector<std::pair<std::string, std::string>>{
           {"500.00", "500.01"},
           {"500.00", "500"},
           {"12345", "12346"},
           {"success", "cancel"},
           {"true", "false"},
           {"null", "\"\""},
           {R"("test":true,)", ""},
           {R"("test":true,)", R"("test":true,"more":1,)"},
           {R"("id":12345,"amount":500.00)", R"("amount":500.00,"id":12345)"},
           {"55d6b3", "55d6b4"},
           {"55d6b3", "55D6B3"},
           {R"(,"sign":"55d6b36fe5aa8543e518118f1f2aeecac4def4ea")", ""}})
    CAF_CHECK(refusal_of(replaced(body, what, by)) == ec::unauthenticated);
  for (const auto& [what, by] : std::vector<std::pair<std::string, std::string>>{
           {R"("test":true)", R"("id":1)"}, {"null", "[]"}, {"null", "{}"}, {"\"55d6b", "7,\"s\":\"55d6b"}})
    CAF_CHECK(refusal_of(replaced(body, what, by)) == ec::malformed);
}

CAF_TEST(webhooks that nobody signed are nobodys) {
  const auto signed_by = [](const std::string& secret) {
    return R"({"id":1,"amount":1.0,"currency":"RUB","uuid":"u","payment_status":"success","sign":")" +
           sandbox::sha1_hex("11.0RUBusuccess" + secret) + "\"}";
  };
  CAF_CHECK(hear(signed_by(key)).value);
  CAF_CHECK(refusal_of(signed_by("another")) == ec::unauthenticated);
  for (const auto* odd : {"", "{", "[]", "7", "null"}) CAF_CHECK(refusal_of(odd) == ec::malformed);
  CAF_CHECK(refusal_of("{}") == ec::unauthenticated);
  const auto only = [](const std::string& member, const std::string& text) {
    return "{" + member + R"(,"sign":")" + sandbox::sha1_hex(text + key) + "\"}";
  };
  CAF_CHECK(refusal_of(only(R"("id":1)", "1")) == ec::malformed);
  CAF_CHECK(refusal_of(only(R"("payment_status":"eaten")", "eaten")) == ec::malformed);
  CAF_CHECK(refusal_of(only(R"("payment_status":"success","id":"1")", "success1")) == ec::malformed);
  start(remote.url(), "");
  CAF_CHECK(refusal_of(signed_by("")) == ec::unauthenticated);
}

CAF_TEST(methods are offered where there are credentials) {
  const auto offers = mulenpay::methods(settings);
  CAF_REQUIRE_EQUAL(offers.size(), 1u);
  CAF_CHECK(offers[0].id == "mulenpay" && !offers[0].saves);
  settings.mulenpay.shop_id = {};
  CAF_CHECK(mulenpay::methods(settings).empty());
}

CAF_TEST(a payment in the sandbox) {
  play(answer(200, "{}"));
  auto options = sandbox_options(remote.url());
  options.payment_key = key;
  const sandbox::sandbox fakes{options};
  start(fakes.url() + "/mulenpay/api", key);
  const auto make = [&](const payment_id& id) {
    const auto made = client->ask(create_charge{id, {10050, "RUB"}, "Premium"});
    CAF_REQUIRE(made.value);
    return *made.value;
  };
  const auto made = make(ours);
  CAF_CHECK(made.url.starts_with(fakes.url()));
  CAF_CHECK(make(ours) == made); // the first one again
  const list_charges by_id{{made.external_id, "999999"}};
  const auto seen = client->ask(by_id);
  CAF_REQUIRE_EQUAL(seen.value->items.size(), 1u);
  CAF_CHECK(seen.value->items[0].payment == ours && seen.value->items[0].price == (money{10050, "RUB"}));
  CAF_CHECK(client->ask(find_charge{ours, {}}).value->items.empty()); // it awaits its buyer

  const auto settle = [&](const charge& what, const std::string& action) {
    control(fakes.url() + "/sandbox/mulenpay/payments/" + what.external_id + "/" + action);
    const auto hooks = wait_for(remote, 1);
    CAF_REQUIRE_EQUAL(hooks.size(), 1u);
    CAF_CHECK(hear(hooks[0].body).value->about->external_id == what.external_id);
    return client->ask(list_charges{{what.external_id}}).value->items.at(0).state;
  };
  CAF_CHECK(settle(made, "pay") == charge_state::paid);
  CAF_CHECK(client->ask(find_charge{ours, {}}).value->items.size() == 1u);
  CAF_CHECK(settle(make(payment_id::random()), "expire") == charge_state::expired);
  CAF_CHECK(settle(make(payment_id::random()), "refuse") == charge_state::failed);
  const refund_charge back{ours, made.external_id, {10050, "RUB"}};
  CAF_CHECK(client->ask(back).value->state == charge_state::refunded);
  CAF_CHECK(client->ask(back).value->state == charge_state::refunded); // once

  start(fakes.url() + "/mulenpay/api", "another");
  CAF_CHECK(client->failure(order()) == ec::upstream);
  start(fakes.url() + "/mulenpay/api", key, "another");
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
