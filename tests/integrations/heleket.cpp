#define CAF_SUITE integrations.heleket

#include "integrations/heleket/client.hpp"
#include "integrations/sandbox/values.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
constexpr auto known = "62f88b36-a9d5-4fa6-aa26-e040c3dbf26d";
constexpr auto key = "heleket-key";

/// An invoice as the provider shows it.
json invoice(const json& patch = json::object()) {
  json shown{{"uuid", known},
             {"order_id", to_string(ours)},
             {"amount", "9.99"},
             {"currency", "USD"},
             {"payment_amount", nullptr},
             {"payer_amount", "9.99"},
             {"payer_currency", "USDT"},
             {"payment_status", "check"},
             {"url", "https://pay.heleket.com/pay/1"},
             {"expired_at", 1795352400},
             {"is_final", false},
             {"created_at", "2026-11-22T16:10:01+03:00"},
             {"updated_at", "2026-11-22T16:12:01+03:00"}};
  shown.merge_patch(patch);
  return shown;
}

std::string ok(const json& result) { return answer(200, json{{"state", 0}, {"result", result}}.dump()); }

const std::string missing = answer(422, R"({"state":1,"message":"Payment not found"})");

struct fixture {
  scripted_system remote{[](const incoming&) { return ok(invoice()); }};
  config::settings settings;
  std::optional<harness> client;

  fixture() { start(remote.url() + "/v1", key); }

  void start(const std::string& url, const std::string& api_key, const std::string& merchant = "sandbox-merchant") {
    settings.http.public_url = "https://example.com";
    settings.heleket.url = url;
    settings.heleket.merchant = merchant;
    settings.heleket.api_key = secret{api_key};
    client.emplace("heleket", [this](auto* parent, auto context) { return heleket::spawn(parent, context, settings); });
  }

  create_charge order() const { return {ours, {999, "USD"}, "Premium"}; }

  void play(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
  }

  charge read(const json& patch) {
    play(ok(invoice(patch)));
    return client->ask(list_charges{{known}}).value.value_or(charge_list{{charge{}}}).items.at(0);
  }

  /// Signed by another program than ours: the sandbox's.
  read_webhook signed_hook(const std::string& body, const std::string& with = key) const {
    const auto signature = sandbox::md5_hex(sandbox::base64(body) + with);
    return {body.substr(0, body.size() - 1) + R"(,"sign":")" + signature + "\"}", {}};
  }

  bool is_genuine(const std::string& body) { return client->ask(read_webhook{body, {}}).value.has_value(); }
  ec refusal_of(const std::string& body) { return client->failure(read_webhook{body, {}}); }
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  CAF_REQUIRE(at != text.npos);
  return text.replace(at, what.size(), by);
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(heleket_tests, fixture)

CAF_TEST(an invoice is made under our id and signed) {
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  const charge expected{.external_id = known,
                        .payment = ours,
                        .price = {999, "USD"},
                        .url = "https://pay.heleket.com/pay/1",
                        .expires_at = timestamp{std::chrono::seconds{1795352400}}};
  CAF_CHECK(*made.value == expected);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /v1/payment");
  CAF_CHECK_EQUAL(calls[0].header("merchant"), "sandbox-merchant");
  CAF_CHECK_EQUAL(calls[0].body, R"({"amount":"9.99","currency":"USD","lifetime":3600,)"
                                 R"("order_id":"0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11",)"
                                 R"("url_callback":"https:\/\/example.com\/api\/v1\/webhooks\/heleket"})");
  CAF_CHECK_EQUAL(calls[0].header("sign"), "12f29fd041c0b315bdaad4886dc06dd0"); // by Python's hashlib
  settings.http.public_url = {};
  client.emplace("heleket", [this](auto* parent, auto context) { return heleket::spawn(parent, context, settings); });
  auto back = order();
  back.return_url = "https://shop.example/back";
  CAF_CHECK(client->ask(back).value);
  const auto told = remote.take().at(0).document();
  CAF_CHECK(!told.contains("url_callback") && told["url_return"] == back.return_url);
}

CAF_TEST(states are told apart) {
  for (const auto* open : {"check", "confirm_check", "process", "wrong_amount_waiting", "locked", "refund_process"})
    CAF_CHECK(read({{"payment_status", open}}).state == charge_state::pending);
  for (const auto* paid : {"paid", "paid_over", "refund_fail"}) {
    const auto seen = read({{"status", paid}, {"payment_amount_usd", "12.00"}});
    CAF_CHECK(seen.state == charge_state::paid && seen.price == (money{999, "USD"}));
    CAF_CHECK(seen.paid_at == from_rfc3339("2026-11-22T13:12:01Z"));
  }
  CAF_CHECK(read({{"status", "cancel"}}).state == charge_state::expired);
  CAF_CHECK(read({{"status", "fail"}}).state == charge_state::failed);
  CAF_CHECK(read({{"status", "system_fail"}}).state == charge_state::failed);
  const auto back = read({{"status", "refund_paid"}});
  CAF_CHECK(back.state == charge_state::refunded && back.refunded == 999);
}

CAF_TEST(a wrong amount is never the price) {
  const auto told = [&](const json& usd) {
    return read({{"status", "wrong_amount"}, {"currency", "RUB"}, {"payment_amount_usd", usd}});
  };
  CAF_CHECK(told("4.56789").state == charge_state::paid);
  CAF_CHECK(told("4.56789").price == (money{456, "USD"}));
  CAF_CHECK(told("4").price == (money{400, "USD"}));
  CAF_CHECK(told(nullptr).price == (money{0, "USD"}));
  CAF_CHECK(told("much").price == (money{0, "USD"}));
}

CAF_TEST(charges are asked about by their ids) {
  remote.play([](const incoming& request) {
    const auto id = request.document()["uuid"].get<std::string>();
    return id == known ? ok(invoice()) : missing;
  });
  const auto found = client->ask(list_charges{{known, to_string(uuid::random()), "", "1", "' or 1"}});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK(found.value->items[0].payment == ours);
  const auto calls = remote.take();
  CAF_CHECK_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[0].target, "/v1/payment/info");
}

CAF_TEST(a lost charge is found by our id) {
  const auto found = client->ask(find_charge{ours, {}});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK_EQUAL(found.value->items[0].url, "https://pay.heleket.com/pay/1");
  CAF_CHECK(remote.take().at(0).body == R"({"order_id":"0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11"})");
  CAF_CHECK(client->ask(find_charge{payment_id::random(), {}}).value->items.empty()); // another's
  play(missing);
  CAF_CHECK(client->ask(find_charge{ours, {}}).value->items.empty());
  play(answer(422, R"({"state":1,"errors":{"order_id":["validation.required"]}})"));
  CAF_CHECK(client->failure(find_charge{ours, {}}) == ec::upstream);
  CAF_CHECK(client->ask(refund_charge{ours, known, {999, "USD"}}).failure.name == "NOT_SUPPORTED");
  CAF_CHECK(client->ask(answer_checkout{}).failure.name == "NOT_SUPPORTED");
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  const list_charges by_id{{known}};
  for (const auto& odd : nonsense()) {
    play(odd);
    CAF_CHECK(client->failure(order()) == ec::upstream);
    CAF_CHECK(client->failure(by_id) == ec::upstream);
    CAF_CHECK(client->failure(find_charge{ours, {}}) == ec::upstream);
  }
  const json patches[]{{{"uuid", 1}},
                       {{"uuid", to_string(uuid::random())}},
                       {{"payment_status", 1}},
                       {{"status", "eaten"}},
                       {{"amount", 9.99}},
                       {{"amount", "9.999"}},
                       {{"amount", "1e3"}},
                       {{"currency", nullptr}},
                       {{"expired_at", "x"}},
                       {{"order_id", 5}},
                       {{"url", 5}},
                       {{"status", "paid"}, {"updated_at", "soon"}}};
  for (const auto& patch : patches) {
    play(ok(invoice(patch)));
    CAF_CHECK(client->failure(by_id) == ec::upstream);
  }
  play(ok(invoice({{"url", nullptr}})));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(200, R"({"state":1,"message":"The service was not found"})"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(503, "{}", "Retry-After: 9\r\n"));
  CAF_CHECK(client->ask(by_id).failure.retry_after.count() == 9);
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  play(hang_up);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  start(refused_url() + "/v1", key);
  CAF_CHECK(client->failure(order()) == ec::unavailable);
}

CAF_TEST(webhooks are signed over their text as PHP writes it) {
  // Signed by Python's hashlib over `signed`. Its letters travel escaped, as PHP's json_encode does by default.
  const std::string head =
      R"({"type":"payment","uuid":"62f88b36-a9d5-4fa6-aa26-e040c3dbf26d","order_id":"0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11",)"
      R"("amount":"500.00","payment_amount":"5.55","payment_amount_usd":"5.55","commission":0.10,"is_final":true,)"
      R"("status":"paid","from":null,"currency":"RUB",)";
  const std::string letters = R"("additional_data":"Заказ №5\/7 \"x\"","n":1.50)";
  const std::string sign = R"("sign":"77575bcddef2a10c322fcf276eddbdf0")";
  const auto told = client->ask(read_webhook{head + letters + "," + sign + "}", {}});
  CAF_REQUIRE(told.value && told.value->about);
  const auto replayed = client->ask(read_webhook{head + letters + "," + sign + "}", {}});
  CAF_CHECK_EQUAL(replayed.value->event_id, told.value->event_id); // the same event
  CAF_CHECK(told.value->about->payment == ours && told.value->about->state == charge_state::paid);
  CAF_CHECK(told.value->about->price == (money{50000, "RUB"}));

  const auto escaped = replaced(replaced(letters, "Заказ", R"(\u0417\u0430\u043a\u0430\u0437)"), "№", R"(\u2116)");
  CAF_CHECK(is_genuine(head + escaped + "," + sign + "}"));
  CAF_CHECK(is_genuine(head + replaced(letters, R"(\/)", "/") + "," + sign + "}"));
  CAF_CHECK(is_genuine(replaced(head + letters + " }", "{", "{ " + sign + " ,\n"))); // wherever it stands
  CAF_CHECK(is_genuine(replaced(head, "{", "{" + sign + ",") + letters + "}"));
  CAF_CHECK(is_genuine(replaced(head, "{", "{ " + sign + ", \t") + letters + "\r\n}")); // with space between

  const auto whole = head + letters + "," + sign + "}";
  for (const auto& [what, by] : std::vector<std::pair<std::string, std::string>>{
           {"500.00", "500.01"},
           {"1.50", "1.5"},
           {"0.10", "0.1"},
           {"true", "false"},
           {"null", "\"\""},
           {"62f88b36", "62f88b37"},
           {R"("type":"payment",)", ""},
           {R"("n":1.50)", R"("n":1.50,"m":1)"},
           {R"("amount":"500.00","payment_amount":"5.55")", R"("payment_amount":"5.55","amount":"500.00")"},
           {"77575b", "77575c"},
           {"77575b", "77575B"},
           {R"("sign":"77575bcddef2a10c322fcf276eddbdf0")", R"("sign":"")"},
           {R"(,"sign":"77575bcddef2a10c322fcf276eddbdf0")", ""}})
    CAF_CHECK(refusal_of(replaced(whole, what, by)) == ec::unauthenticated);
  CAF_CHECK(refusal_of(replaced(whole, R"("n":1.50)", R"("amount":"1.00")")) == ec::malformed); // twice
}

CAF_TEST(webhooks that nobody signed are nobodys) {
  const std::string body = R"({"type":"payment","uuid":"1","status":"check","amount":"1.00","currency":"USD"})";
  CAF_CHECK(client->ask(signed_hook(body)).value);
  CAF_CHECK(client->failure(signed_hook(body, "another")) == ec::unauthenticated);
  CAF_CHECK(refusal_of(body) == ec::unauthenticated);
  for (const auto* odd : {"", "{", "[]", "7", "null", "{\"sign\":7}"}) CAF_CHECK(refusal_of(odd) == ec::malformed);
  for (const auto* odd : {R"({"type":"payment"})", R"({"type":"payment","uuid":1})", R"({"uuid":"1","status":"paid"})",
                          R"({"type":"payment","uuid":"1","status":"paid"})"})
    CAF_CHECK(client->failure(signed_hook(odd)) == ec::malformed);
  const auto wallet = client->ask(signed_hook(R"({"type":"wallet","uuid":"1","status":"paid"})"));
  CAF_CHECK(wallet.value && !wallet.value->about);
  start(remote.url(), "");
  CAF_CHECK(client->failure(signed_hook(body, "")) == ec::unauthenticated);
}

CAF_TEST(methods are offered where there are credentials) {
  const auto offers = heleket::methods(settings);
  CAF_REQUIRE_EQUAL(offers.size(), 1u);
  CAF_CHECK(offers[0].id == "heleket" && offers[0].kind == method_kind::crypto && !offers[0].saves);
  settings.heleket.merchant = {};
  CAF_CHECK(heleket::methods(settings).empty());
}

CAF_TEST(a payment in the sandbox) {
  play(answer(200, "{}"));
  auto options = sandbox_options(remote.url());
  options.payment_key = key;
  const sandbox::sandbox fakes{options};
  start(fakes.url() + "/heleket/v1", key);
  const auto make = [&](const payment_id& id, const money& price) {
    const auto made = client->ask(create_charge{id, price, ""});
    CAF_REQUIRE(made.value);
    return *made.value;
  };
  const auto made = make(ours, {999, "USD"});
  CAF_CHECK(made.payment == ours && made.price == (money{999, "USD"}) && made.url.starts_with(fakes.url()));
  CAF_CHECK(make(ours, {100, "USD"}) == made); // the first one again
  const list_charges by_id{{made.external_id, to_string(uuid::random())}};
  CAF_CHECK(client->ask(by_id).value->items == std::vector{made});
  CAF_CHECK(client->ask(find_charge{ours, {}}).value->items == std::vector{made});
  CAF_CHECK(client->ask(find_charge{payment_id::random(), {}}).value->items.empty());

  const auto settle = [&](const charge& what, const std::string& action) {
    control(fakes.url() + "/sandbox/heleket/invoices/" + what.external_id + "/" + action);
    const auto hooks = wait_for(remote, 1);
    CAF_REQUIRE_EQUAL(hooks.size(), 1u);
    const auto told = client->ask(read_webhook{hooks[0].body, hooks[0].headers});
    CAF_REQUIRE(told.value && told.value->about);
    const auto seen = client->ask(list_charges{{what.external_id}}).value->items.at(0);
    CAF_CHECK(told.value->about->state == seen.state && told.value->about->price == seen.price);
    return seen;
  };
  CAF_CHECK(settle(made, "pay").state == charge_state::paid);
  const auto back = settle(made, "refund");
  CAF_CHECK(back.state == charge_state::refunded && back.refunded == 999);
  CAF_CHECK(settle(make(payment_id::random(), {100, "USD"}), "expire").state == charge_state::expired);
  CAF_CHECK(settle(make(payment_id::random(), {100, "USD"}), "refuse").state == charge_state::failed);
  const auto half = settle(make(payment_id::random(), {90000, "RUB"}), "underpay");
  CAF_CHECK(half.state == charge_state::paid && half.price == (money{500, "USD"}));

  control(fakes.url() + "/sandbox/faults", {{"system", "heleket"}, {"lose_answer_rate", 1}});
  const auto lost = payment_id::random();
  CAF_CHECK(client->failure(create_charge{lost, {500, "EUR"}, ""}) == ec::timeout);
  control(fakes.url() + "/sandbox/faults", {{"system", "heleket"}, {"lose_answer_rate", 0}});
  CAF_CHECK(client->ask(find_charge{lost, {}}).value->items.at(0).price == (money{500, "EUR"}));

  CAF_CHECK(client->failure(create_charge{payment_id::random(), {500, "GBP"}, ""}) == ec::upstream);
  start(fakes.url() + "/heleket/v1", "another");
  CAF_CHECK(client->failure(order()) == ec::upstream);
  start(fakes.url() + "/heleket/v1", key, "another");
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
