#define CAF_SUITE integrations.stripe

#include "actors/kernel/crypto.hpp"
#include "integrations/stripe/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
constexpr auto opening = 1'795'000'000; // 2026-11-18T11:06:40Z
const std::string secret_text = "whsec_new";

/// A session as the API shows it.
json session() {
  return {{"id", "cs_test_1"},
          {"object", "checkout.session"},
          {"amount_total", 999},
          {"currency", "usd"},
          {"expires_at", opening + 86400},
          {"metadata", {{"payment", to_string(ours)}}},
          {"mode", "payment"},
          {"payment_intent", nullptr},
          {"payment_status", "unpaid"},
          {"status", "open"},
          {"url", "https://checkout.stripe.com/c/pay/cs_test_1"}};
}

/// The intent of a paid session, with what is below it.
json intent() {
  return {
      {"id", "pi_1"},
      {"object", "payment_intent"},
      {"amount", 999},
      {"currency", "usd"},
      {"customer", "cus_1"},
      {"latest_charge",
       {{"id", "ch_1"}, {"amount_refunded", 0}, {"currency", "usd"}, {"created", opening + 60}, {"object", "charge"}}},
      {"metadata", {{"payment", to_string(ours)}, {"saved_method", "true"}}},
      {"payment_method", {{"id", "pm_1"}, {"type", "card"}, {"card", {{"brand", "visa"}, {"last4", "4242"}}}}},
      {"setup_future_usage", "off_session"},
      {"status", "succeeded"}};
}

json changed(json value, const json& patch) {
  value.merge_patch(patch);
  return value;
}

json paid_session(const json& patch = json::object()) {
  return changed(session(), {{"payment_status", "paid"},
                             {"status", "complete"},
                             {"url", nullptr},
                             {"payment_intent", changed(intent(), patch)}});
}

json subscription() {
  return {{"id", "sub_1"},
          {"object", "subscription"},
          {"cancel_at", nullptr},
          {"current_period_end", opening + 2592000},
          {"customer", "cus_1"},
          {"ended_at", nullptr},
          {"items", {{"data", {{{"id", "si_1"}, {"price", {{"id", "price_starter_monthly"}}}}}}}},
          {"metadata", {{"reference", "ref-1"}}},
          {"status", "active"}};
}

json invoice() {
  return {{"id", "in_1"},
          {"object", "invoice"},
          {"created", opening},
          {"currency", "usd"},
          {"customer", "cus_1"},
          {"hosted_invoice_url", "https://invoice.stripe.com/i/1"},
          {"invoice_pdf", "https://invoice.stripe.com/i/1/pdf"},
          {"lines", {{"data", {{{"period", {{"start", opening}, {"end", opening + 2592000}}}}}}}},
          {"number", "A-1"},
          {"status", "paid"},
          {"status_transitions", {{"paid_at", opening + 5}}},
          {"subscription", "sub_1"},
          {"subscription_details", {{"metadata", {{"reference", "ref-1"}}}}},
          {"total", 1900}};
}

timestamp at(std::int64_t seconds) { return timestamp{std::chrono::seconds{seconds}}; }

std::string ok(const json& body) { return answer(200, body.dump()); }
std::string refusal(int status, const std::string& code) {
  return answer(status, json{{"error", {{"code", code}, {"type", "invalid_request_error"}}}}.dump());
}

struct fixture {
  scripted_system remote{[](const incoming&) { return ok(session()); }};
  config::settings settings;
  std::optional<harness> client;

  fixture() { start(remote.url()); }

  void start(const std::string& url, const std::string& key = "sk_test_1") {
    settings.stripe.url = url;
    settings.stripe.secret_key = secret{key};
    settings.stripe.webhook_secrets = {secret{secret_text}, secret{"whsec_old"}};
    client.emplace("stripe", [this](auto* parent, auto context) { return stripe::spawn(parent, context, settings); });
    client->set_clock("2026-11-18T11:06:40Z");
  }

  create_charge order() const {
    return {.payment = ours,
            .price = {999, "USD"},
            .description = "Premium & more",
            .return_url = "https://app.example/paid?payment=1",
            .email = "ada@example.com"};
  }

  void play(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
  }

  std::map<std::string, std::string> form(const incoming& request) const {
    std::map<std::string, std::string> values;
    std::string_view rest = request.body;
    const auto decode = [](std::string_view text) {
      std::string plain;
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') plain += text[i];
        else plain += static_cast<char>(std::stoi(std::string{text.substr(i + 1, 2)}, nullptr, 16)), i += 2;
      }
      return plain;
    };
    while (!rest.empty()) {
      const auto pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      values[decode(pair.substr(0, pair.find('=')))] = decode(pair.substr(pair.find('=') + 1));
    }
    return values;
  }

  std::string sign(const std::string& body, std::int64_t moment, const std::string& key = secret_text) const {
    return crypto::to_hex(crypto::hmac(key, std::to_string(moment) + "." + body));
  }

  read_webhook hook(const std::string& body, const std::string& header) const {
    return {body, {{"stripe-signature", header}}};
  }
  read_webhook signed_hook(const std::string& body, std::int64_t moment = opening,
                           const std::string& key = secret_text) const {
    return hook(body, "t=" + std::to_string(moment) + ",v1=" + sign(body, moment, key));
  }
  read_webhook event(const std::string& type, const json& object) const {
    return signed_hook(
        json{{"id", "evt_1"}, {"type", type}, {"created", opening}, {"data", {{"object", object}}}}.dump());
  }

  void require_bad_signature(const read_webhook& call) {
    const auto refused = client->ask(call).failure;
    CAF_CHECK(refused.code == ec::malformed);
    CAF_CHECK_EQUAL(refused.name, "INVALID_SIGNATURE");
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(stripe_tests, fixture)

CAF_TEST(a payment is a session with our id on it and a key of our row) {
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  const charge expected{.external_id = "cs_test_1",
                        .payment = ours,
                        .state = charge_state::pending,
                        .price = {999, "USD"},
                        .url = "https://checkout.stripe.com/c/pay/cs_test_1",
                        .expires_at = at(opening + 86400)};
  CAF_CHECK(*made.value == expected);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /v1/checkout/sessions");
  CAF_CHECK_EQUAL(calls[0].header("authorization"), "Bearer sk_test_1");
  CAF_CHECK_EQUAL(calls[0].header("content-type"), "application/x-www-form-urlencoded");
  CAF_CHECK_EQUAL(calls[0].header("idempotency-key"), "payment-" + to_string(ours));
  const std::map<std::string, std::string> body{{"mode", "payment"},
                                                {"client_reference_id", to_string(ours)},
                                                {"metadata[payment]", to_string(ours)},
                                                {"payment_intent_data[metadata][payment]", to_string(ours)},
                                                {"line_items[0][quantity]", "1"},
                                                {"line_items[0][price_data][currency]", "usd"},
                                                {"line_items[0][price_data][unit_amount]", "999"},
                                                {"line_items[0][price_data][product_data][name]", "Premium & more"},
                                                {"success_url", "https://app.example/paid?payment=1"},
                                                {"cancel_url", "https://app.example/paid?payment=1"},
                                                {"customer_email", "ada@example.com"}};
  CAF_CHECK(form(calls[0]) == body);

  auto saving = order();
  saving.saves_method = true;
  CAF_REQUIRE(client->ask(saving).value);
  const auto saved = form(remote.take().at(0));
  CAF_CHECK(saved.at("payment_intent_data[setup_future_usage]") == "off_session");
  CAF_CHECK(saved.at("customer_creation") == "always");
}

CAF_TEST(amounts are in the units of the API) {
  const std::tuple<money, const char*> cases[]{
      {{999, "EUR"}, "999"}, {{500, "JPY"}, "500"}, {{5, "ISK"}, "500"}, {{700, "MGA"}, "7"}, {{1230, "KWD"}, "1230"}};
  for (const auto& [price, amount] : cases) {
    auto currency = price.currency;
    std::transform(currency.begin(), currency.end(), currency.begin(), [](unsigned char c) { return std::tolower(c); });
    play(ok(changed(session(), {{"amount_total", std::stoi(amount)}, {"currency", currency}})));
    auto of = order();
    of.price = price;
    CAF_CHECK(client->ask(of).value->price == price);
    CAF_CHECK(form(remote.take().at(0)).at("line_items[0][price_data][unit_amount]") == amount);
  }
  auto split = order();
  split.price = {705, "MGA"};
  CAF_CHECK(client->failure(split) == ec::refused);
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(a saved method is charged at once) {
  auto again = order();
  again.saved_method = "cus_1/pm_1";
  play(ok(intent()));
  const auto paid = client->ask(again);
  CAF_REQUIRE(paid.value);
  CAF_CHECK_EQUAL(paid.value->external_id, "pi_1");
  CAF_CHECK(paid.value->state == charge_state::paid);
  CAF_CHECK(paid.value->price == (money{999, "USD"}));
  const auto call = remote.take().at(0);
  CAF_CHECK_EQUAL(call.target, "/v1/payment_intents");
  CAF_CHECK_EQUAL(call.header("idempotency-key"), "payment-" + to_string(ours));
  const auto sent = form(call);
  const std::pair<const char*, const char*> expected[]{{"customer", "cus_1"}, {"payment_method", "pm_1"},
                                                       {"amount", "999"},     {"currency", "usd"},
                                                       {"confirm", "true"},   {"off_session", "true"}};
  for (const auto& [name, value] : expected) CAF_CHECK_EQUAL(sent.at(name), value);

  const auto declined = changed(intent(), {{"status", "requires_payment_method"}, {"latest_charge", nullptr}});
  play(answer(402, json{{"error", {{"code", "card_declined"}, {"payment_intent", declined}}}}.dump()));
  const auto failed = client->ask(again);
  CAF_REQUIRE(failed.value);
  CAF_CHECK(failed.value->state == charge_state::failed);
  CAF_CHECK(failed.value->payment == ours);
  play(answer(402, R"({"error":{"code":"card_declined"}})"));
  CAF_CHECK(client->failure(again) == ec::upstream);
}

CAF_TEST(states of a session) {
  const auto state = [&](const json& seen) {
    play(ok(seen));
    const auto found = client->ask(list_charges{{"cs_test_1"}});
    CAF_REQUIRE(found.value && found.value->items.size() == 1);
    return found.value->items[0];
  };
  CAF_CHECK(state(session()).state == charge_state::pending);
  CAF_CHECK(state(changed(session(), {{"status", "expired"}, {"url", nullptr}})).state == charge_state::expired);
  CAF_CHECK(remote.take().at(0).target ==
            "/v1/checkout/sessions/"
            "cs_test_1?expand%5B0%5D=payment_intent.latest_charge&expand%5B1%5D=payment_intent.payment_method");
  const auto paid = state(paid_session());
  CAF_CHECK(paid.state == charge_state::paid);
  CAF_CHECK(paid.paid_at == at(opening + 60));
  CAF_CHECK(paid.saved == (saved_method{"cus_1/pm_1", "Visa •• 4242"}));
  CAF_CHECK(!state(paid_session({{"setup_future_usage", nullptr}})).saved);
  CAF_CHECK(state(paid_session({{"payment_method", {{"card", nullptr}, {"type", "link"}}}})).saved->title == "link");

  const auto partly = state(paid_session({{"latest_charge", {{"amount_refunded", 400}}}}));
  CAF_CHECK(partly.state == charge_state::paid && partly.refunded == 400);
  const auto whole = state(paid_session({{"latest_charge", {{"amount_refunded", 999}}}}));
  CAF_CHECK(whole.state == charge_state::refunded && whole.refunded == 999);

  // A transfer that takes days: the session is complete before it is paid.
  const json slow{{"status", "complete"}, {"payment_intent", changed(intent(), {{"status", "processing"}})}};
  CAF_CHECK(state(changed(session(), slow)).state == charge_state::pending);
  for (const auto* fate : {"requires_payment_method", "canceled"})
    CAF_CHECK(state(changed(session(), changed(slow, {{"payment_intent", {{"status", fate}}}}))).state ==
              charge_state::failed);
}

CAF_TEST(many charges are read side by side and those that are missing left out) {
  std::vector<std::string> ids{"", "x", "cs_", "cs_../v1/customers", "pi_?", "528", "cs_gone"};
  for (int i = 0; i < 30; ++i) ids.push_back("cs_" + std::to_string(i));
  remote.play([](const incoming& request) {
    const auto id = request.target.substr(22, request.target.find('?') - 22);
    return id == "cs_gone" ? refusal(404, "resource_missing") : ok(changed(session(), {{"id", id}}));
  });
  const auto found = client->ask(list_charges{ids});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 30u);
  for (int i = 0; i < 30; ++i) CAF_CHECK_EQUAL(found.value->items[i].external_id, "cs_" + std::to_string(i));
  CAF_CHECK_EQUAL(remote.take().size(), 31u);
  CAF_CHECK(client->ask(list_charges{{"x"}}).value->items.empty());
  CAF_CHECK(client->ask(list_charges{}).value->items.empty());
  CAF_CHECK(remote.take().empty());

  // One that is not answered ends it all: nothing is known then.
  remote.play([](const incoming& request) {
    return request.target.find("cs_7?") == std::string::npos ? ok(session()) : answer(500, "{}");
  });
  CAF_CHECK(client->failure(list_charges{ids}) == ec::upstream);
}

CAF_TEST(an intent leads to its session if it has one) {
  remote.play([](const incoming& request) {
    if (request.target.starts_with("/v1/payment_intents/pi_saved?")) return ok(changed(intent(), {{"id", "pi_saved"}}));
    const bool has_session = request.target.find("payment_intent=pi_1&") != std::string::npos;
    return ok({{"object", "list"}, {"data", has_session ? json{paid_session()} : json::array()}});
  });
  const auto found = client->ask(list_charges{{"pi_1", "pi_saved"}});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 2u);
  CAF_CHECK_EQUAL(found.value->items[0].external_id, "cs_test_1");
  CAF_CHECK_EQUAL(found.value->items[1].external_id, "pi_saved");
}

CAF_TEST(money goes back through the intent) {
  remote.play([](const incoming& request) {
    if (request.target == "/v1/refunds") return ok({{"id", "re_1"}, {"object", "refund"}});
    return ok(paid_session({{"latest_charge", {{"amount_refunded", 999}}}}));
  });
  const refund_charge order{ours, "cs_test_1", {999, "USD"}};
  const auto refunded = client->ask(order);
  CAF_REQUIRE(refunded.value);
  CAF_CHECK(refunded.value->state == charge_state::refunded);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 3u);
  CAF_CHECK(form(calls[1]).at("payment_intent") == "pi_1");
  CAF_CHECK(form(calls[1]).at("amount") == "999");
  CAF_CHECK_EQUAL(calls[1].header("idempotency-key"), "refund-" + to_string(ours) + "-999");

  remote.play([](const incoming& request) {
    if (request.target == "/v1/refunds") return refusal(400, "charge_already_refunded");
    return ok(paid_session({{"latest_charge", {{"amount_refunded", 999}}}}));
  });
  CAF_CHECK(client->ask(order).value->state == charge_state::refunded);
  play(ok(session()));
  CAF_CHECK(client->failure(order) == ec::refused);
  play(refusal(404, "resource_missing"));
  CAF_CHECK(client->failure(order) == ec::not_found);
  CAF_CHECK(client->failure(refund_charge{ours, "528", {999, "USD"}}) == ec::not_found);
}

CAF_TEST(what the provider does not have is not supported) {
  for (const auto& refused : {client->ask(find_charge{ours, {}}).failure, client->ask(answer_checkout{}).failure}) {
    CAF_CHECK(refused.code == ec::refused);
    CAF_CHECK_EQUAL(refused.name, "NOT_SUPPORTED");
  }
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  const list_charges by_id{{"cs_test_1", "pi_1"}};
  for (const auto& odd : nonsense()) {
    play(odd);
    CAF_CHECK(client->failure(order()) == ec::upstream);
    CAF_CHECK(client->failure(by_id) == ec::upstream);
    CAF_CHECK(client->failure(begin_subscription{"ref-1", "price_1", "https://app.example"}) == ec::upstream);
    CAF_CHECK(client->failure(get_subscription{"sub_1"}) == ec::upstream);
    CAF_CHECK(client->failure(list_invoices{"sub_1"}) == ec::upstream);
    CAF_CHECK(client->failure(open_portal{"cus_1", "https://app.example"}) == ec::upstream);
  }
  const json patches[]{
      {{"id", 1}},          {{"status", 1}},       {{"payment_status", nullptr}},   {{"currency", 5}},
      {{"url", 1}},         {{"expires_at", "x"}}, {{"expires_at", 1e17}},          {{"amount_total", 9.99}},
      {{"expires_at", -1}}, {{"object", "apple"}}, {{"metadata", {{"payment", 1}}}}};
  for (const auto& patch : patches) {
    play(ok(changed(session(), patch)));
    CAF_CHECK(client->failure(list_charges{{"cs_test_1"}}) == ec::upstream);
  }
  play(ok(paid_session({{"latest_charge", {{"amount_refunded", "999"}}}})));
  CAF_CHECK(client->failure(by_id) == ec::upstream);
  play(answer(429, "{}", "Retry-After: 9\r\n"));
  CAF_CHECK_EQUAL(client->ask(by_id).failure.retry_after.count(), 9);
  // The key's first call is under way: nobody knows how it ends.
  play(refusal(409, "idempotency_key_in_use"));
  CAF_CHECK(client->failure(order()) == ec::timeout);
  play(refusal(401, "api_key_invalid"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  play(hang_up);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  CAF_CHECK_EQUAL(remote.take().size(), 1u);
  start(refused_url());
  CAF_CHECK(client->failure(order()) == ec::unavailable);
  CAF_CHECK(client->failure(list_charges{{"cs_1", "cs_2", "pi_3"}}) == ec::unavailable);
}

CAF_TEST(webhooks tell of sessions and intents and refunds) {
  const auto about = [&](const std::string& type, const json& object) {
    const auto read = client->ask(event(type, object));
    CAF_REQUIRE(read.value);
    CAF_CHECK_EQUAL(read.value->event_id, "evt_1");
    CAF_CHECK(!read.value->is_proof);
    return read.value->about;
  };
  const auto paid = about("checkout.session.completed", changed(paid_session(), {{"payment_intent", nullptr}}));
  CAF_REQUIRE(paid);
  CAF_CHECK_EQUAL(paid->external_id, "cs_test_1");
  CAF_CHECK(paid->payment == ours && paid->state == charge_state::paid && paid->price == (money{999, "USD"}));
  CAF_CHECK(about("checkout.session.expired", changed(session(), {{"status", "expired"}}))->state ==
            charge_state::expired);
  CAF_CHECK(about("payment_intent.succeeded", intent())->external_id == "pi_1");
  const auto refunded = about("charge.refunded", {{"id", "ch_1"},
                                                  {"amount", 999},
                                                  {"amount_refunded", 999},
                                                  {"currency", "usd"},
                                                  {"metadata", {{"payment", to_string(ours)}}},
                                                  {"payment_intent", "pi_1"}});
  CAF_REQUIRE(refunded);
  CAF_CHECK_EQUAL(refunded->external_id, "pi_1");
  CAF_CHECK(refunded->state == charge_state::refunded && refunded->refunded == 999);

  // Left to their session; of a subscription; of another program; of no concern.
  CAF_CHECK(!about("payment_intent.succeeded", changed(intent(), {{"metadata", {{"saved_method", nullptr}}}})));
  CAF_CHECK(!about("checkout.session.completed", changed(session(), {{"mode", "subscription"}})));
  CAF_CHECK(!about("checkout.session.completed", changed(session(), {{"metadata", {{"payment", "theirs"}}}})));
  CAF_CHECK(!about("customer.created", {{"id", "cus_1"}}));
}

CAF_TEST(webhooks are signed by one of our secrets and recent) {
  const auto body =
      json{{"id", "evt_1"}, {"type", "x"}, {"created", opening}, {"data", {{"object", {{"id", "x"}}}}}}.dump();
  // HMAC-SHA256 by another program (OpenSSL's command line).
  const std::string known = R"({"id":"evt_1","type":"x","data":{"object":{}}})";
  const auto other =
      client->ask(hook(known, "t=1795000000,v1=88a53c0a94865a6c2c057b2cdcb239e2d8f33e0841eb8a3ddd07c1cd362ae9fc"));
  CAF_CHECK(other.value);

  CAF_CHECK(client->ask(signed_hook(body)).value);
  CAF_CHECK(client->ask(signed_hook(body, opening, "whsec_old")).value);
  const auto moment = "t=" + std::to_string(opening);
  CAF_CHECK(client->ask(hook(body, moment + ",v1=00ff,v1=" + sign(body, opening) + ",v0=zz")).value);
  for (const auto late : {-295, 295}) CAF_CHECK(client->ask(signed_hook(body, opening + late)).value);
  for (const auto late : {-310, 310, -86400}) require_bad_signature(signed_hook(body, opening + late));

  require_bad_signature(signed_hook(body, opening, "whsec_another"));
  require_bad_signature(signed_hook(body, opening, ""));
  require_bad_signature({body, {}});
  auto tampered = signed_hook(body);
  tampered.body.replace(tampered.body.find("evt_1"), 5, "evt_2");
  require_bad_signature(tampered);
  // The moment is signed, too.
  require_bad_signature(hook(body, "t=" + std::to_string(opening + 1) + ",v1=" + sign(body, opening)));
  const auto mac = sign(body, opening);
  for (const auto& odd : {std::string{}, std::string{"t="}, "v1=" + mac, moment, moment + ",v1=", moment + ",v0=" + mac,
                          "t= " + std::to_string(opening) + ",v1=" + mac, "t=99999999999999999999,v1=" + mac,
                          moment + "x,v1=" + mac, moment + ",v1=" + mac + "00"})
    require_bad_signature(hook(body, odd));

  for (const auto* odd : {"", "{", "[]", "7", "{}", R"({"id":"evt_1"})", R"({"id":1,"type":"x","data":{"object":{}}})",
                          R"({"id":"evt_1","type":"x","data":{}})",
                          R"({"id":"evt_1","type":"checkout.session.completed","data":{"object":{"mode":"payment"}}})",
                          R"({"id":"evt_1","type":"checkout.session.completed","data":{"object":{"mode":1}}})",
                          R"({"id":"evt_1","type":"charge.refunded","data":{"object":{"payment_intent":7}}})"}) {
    const auto read = client->ask(signed_hook(odd));
    CAF_CHECK(read.failure.code == ec::malformed);
    CAF_CHECK_EQUAL(read.failure.name, "");
  }
  settings.stripe.webhook_secrets = {};
  client.emplace("stripe", [this](auto* parent, auto context) { return stripe::spawn(parent, context, settings); });
  client->set_clock("2026-11-18T11:06:40Z");
  require_bad_signature(signed_hook(body, opening, ""));
}

CAF_TEST(a subscription begins at a checkout) {
  play(ok(changed(session(), {{"mode", "subscription"}})));
  begin_subscription order{"ref-1", "price_starter_monthly", "https://app.example/done"};
  order.email = "ada@example.com";
  order.trial_days = 7;
  const auto made = client->ask(order);
  CAF_REQUIRE(made.value);
  CAF_CHECK(*made.value ==
            (subscription_checkout{"cs_test_1", "https://checkout.stripe.com/c/pay/cs_test_1", at(opening + 86400)}));
  const auto call = remote.take().at(0);
  CAF_CHECK_EQUAL(call.header("idempotency-key"), "subscription-ref-1");
  const std::map<std::string, std::string> body{{"mode", "subscription"},
                                                {"client_reference_id", "ref-1"},
                                                {"line_items[0][quantity]", "1"},
                                                {"line_items[0][price]", "price_starter_monthly"},
                                                {"metadata[reference]", "ref-1"},
                                                {"subscription_data[metadata][reference]", "ref-1"},
                                                {"subscription_data[trial_period_days]", "7"},
                                                {"success_url", "https://app.example/done"},
                                                {"cancel_url", "https://app.example/done"},
                                                {"customer_email", "ada@example.com"}};
  CAF_CHECK(form(call) == body);
}

CAF_TEST(states of a subscription) {
  const auto seen = [&](const json& patch) {
    play(ok(changed(subscription(), patch)));
    return client->ask(get_subscription{"sub_1"}).value.value();
  };
  const recurring_subscription expected{
      "sub_1", "cus_1", "ref-1", "price_starter_monthly", recurring_state::active, at(opening + 2592000), std::nullopt};
  CAF_CHECK(seen(json::object()) == expected);
  const std::pair<const char*, recurring_state> states[]{
      {"trialing", recurring_state::trialing},  {"past_due", recurring_state::past_due},
      {"unpaid", recurring_state::past_due},    {"paused", recurring_state::paused},
      {"incomplete", recurring_state::pending}, {"incomplete_expired", recurring_state::ended},
      {"canceled", recurring_state::ended}};
  for (const auto& [name, state] : states) CAF_CHECK(seen({{"status", name}}).state == state);
  CAF_CHECK(seen({{"cancel_at", opening + 9}}).ends_at == at(opening + 9));
  CAF_CHECK(seen({{"cancel_at", opening + 9}, {"ended_at", opening + 3}}).ends_at == at(opening + 3));
  // As newer versions of the API have it.
  auto newer = subscription();
  newer.erase("current_period_end");
  newer["items"]["data"][0]["current_period_end"] = opening + 77;
  play(ok(newer));
  CAF_CHECK(client->ask(get_subscription{"sub_1"}).value->period_end == at(opening + 77));

  play(ok(changed(session(), {{"subscription", subscription()}})));
  CAF_CHECK(*client->ask(get_subscription{"cs_test_1"}).value == expected);
  play(ok(session()));
  CAF_CHECK(client->ask(get_subscription{"cs_test_1"}).value->state == recurring_state::pending);
  play(refusal(404, "resource_missing"));
  CAF_CHECK(client->failure(get_subscription{"sub_1"}) == ec::not_found);
  remote.take();
  for (const auto* odd : {"", "sub_", "cus_1", "sub_1/../x"})
    CAF_CHECK(client->failure(get_subscription{odd}) == ec::not_found);
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(changes and ends are not done twice) {
  const auto count = [&](const auto& order) {
    CAF_REQUIRE(client->ask(order).value);
    return remote.take();
  };
  play(ok(subscription()));
  const auto calls = count(change_subscription{"sub_1", "price_professional_monthly"});
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  const std::map<std::string, std::string> body{{"items[0][id]", "si_1"},
                                                {"items[0][price]", "price_professional_monthly"},
                                                {"proration_behavior", "always_invoice"}};
  CAF_CHECK(form(calls[1]) == body);
  CAF_CHECK_EQUAL(count(change_subscription{"sub_1", "price_starter_monthly"}).size(), 1u);

  const auto cancels = count(cancel_subscription{"sub_1", false});
  CAF_REQUIRE_EQUAL(cancels.size(), 2u);
  CAF_CHECK_EQUAL(cancels[1].method + " " + cancels[1].body, "POST cancel_at_period_end=true");
  const auto ends = count(cancel_subscription{"sub_1", true});
  CAF_REQUIRE_EQUAL(ends.size(), 2u);
  CAF_CHECK_EQUAL(ends[1].method + " " + ends[1].target, "DELETE /v1/subscriptions/sub_1");
  play(ok(changed(subscription(), {{"cancel_at", opening + 9}})));
  CAF_CHECK_EQUAL(count(cancel_subscription{"sub_1", false}).size(), 1u);
  play(ok(changed(subscription(), {{"status", "canceled"}})));
  CAF_CHECK_EQUAL(count(cancel_subscription{"sub_1", true}).size(), 1u);
}

CAF_TEST(invoices are read whole) {
  play(ok({{"object", "list"}, {"data", {invoice()}}}));
  const auto list = client->ask(list_invoices{"sub_1"});
  CAF_REQUIRE(list.value && list.value->items.size() == 1);
  const recurring_invoice expected{"in_1",
                                   "A-1",
                                   invoice_state::paid,
                                   {1900, "USD"},
                                   at(opening),
                                   at(opening + 5),
                                   at(opening),
                                   at(opening + 2592000),
                                   "https://invoice.stripe.com/i/1",
                                   "https://invoice.stripe.com/i/1/pdf"};
  CAF_CHECK(list.value->items[0] == expected);
  CAF_CHECK(remote.take().at(0).target == "/v1/invoices?subscription=sub_1&limit=100");
}

CAF_TEST(webhooks tell of subscriptions) {
  const auto read = [&](const std::string& type, const json& object) {
    return client->ask(read_recurring{event(type, object)}).value.value();
  };
  const auto began = read("checkout.session.completed", changed(session(), {{"mode", "subscription"},
                                                                            {"payment_status", "paid"},
                                                                            {"subscription", "sub_1"},
                                                                            {"customer", "cus_1"},
                                                                            {"metadata", {{"reference", "ref-1"}}}}));
  CAF_CHECK(began.what == recurring_change::began);
  CAF_CHECK_EQUAL(began.subscription + " " + began.customer + " " + began.reference, "sub_1 cus_1 ref-1");
  CAF_CHECK(began.happened_at == at(opening));
  const auto updated = read("customer.subscription.updated", subscription());
  CAF_CHECK(updated.what == recurring_change::changed);
  CAF_CHECK(updated.is_now->state == recurring_state::active);
  CAF_CHECK(read("customer.subscription.deleted", changed(subscription(), {{"status", "canceled"}})).what ==
            recurring_change::ended);
  const auto paid = read("invoice.paid", invoice());
  CAF_CHECK(paid.what == recurring_change::invoice_paid);
  CAF_CHECK(paid.invoice->price == (money{1900, "USD"}));
  CAF_CHECK_EQUAL(paid.subscription + " " + paid.reference, "sub_1 ref-1");
  // As newer versions of the API have it.
  auto newer = invoice();
  newer.erase("subscription");
  newer.erase("subscription_details");
  newer["parent"]["subscription_details"] = {{"subscription", "sub_1"}, {"metadata", {{"reference", "ref-1"}}}};
  const auto failed = read("invoice.payment_failed", newer);
  CAF_CHECK(failed.what == recurring_change::invoice_failed);
  CAF_CHECK_EQUAL(failed.subscription + " " + failed.reference, "sub_1 ref-1");

  CAF_CHECK(read("checkout.session.completed", paid_session()).what == recurring_change::nothing);
  CAF_CHECK(read("invoice.paid", changed(invoice(), {{"subscription", nullptr}})).what == recurring_change::nothing);
  CAF_CHECK(read("charge.refunded", {{"id", "ch_1"}}).what == recurring_change::nothing);
  CAF_CHECK(client->failure(read_recurring{signed_hook("{}")}) == ec::malformed);
  auto forged = event("customer.subscription.updated", subscription());
  forged.body += " ";
  CAF_CHECK_EQUAL(client->ask(read_recurring{forged}).failure.name, "INVALID_SIGNATURE");
}

CAF_TEST(payments in the sandbox) {
  play(answer(200, "{}"));
  auto given = sandbox_options(remote.url());
  given.payment_key = secret_text;
  const sandbox::sandbox fakes{given};
  start(fakes.url() + "/stripe", secret_text);
  client->clock->set_offset({});
  const auto act = [&](const std::string& what, const json& how = json::object()) {
    return control(fakes.url() + "/sandbox/" + what, how);
  };
  const auto see = [&](const std::string& id) { return client->ask(list_charges{{id}}).value->items.at(0); };
  const auto read = [&](const incoming& call) {
    return client->ask(read_webhook{call.body, call.headers}).value.value();
  };

  auto saving = order();
  saving.saves_method = true;
  const auto made = client->ask(saving).value.value();
  CAF_CHECK(made.payment == ours && made.price == (money{999, "USD"}));
  CAF_CHECK(made.url.starts_with(fakes.url()));
  CAF_CHECK(client->ask(saving).value == made); // the same key
  auto other = saving;
  other.price.minor = 1000;
  CAF_CHECK(client->failure(other) == ec::upstream); // the same key for something else

  act("stripe/sessions/" + made.external_id + "/decline");
  CAF_CHECK(see(made.external_id) == made);
  act("stripe/sessions/" + made.external_id + "/pay");
  const auto paid = see(made.external_id);
  CAF_CHECK(paid.state == charge_state::paid && paid.paid_at && paid.saved);
  const auto hooks = wait_for(remote, 3);
  CAF_REQUIRE_EQUAL(hooks.size(), 3u);
  int told = 0;
  for (const auto& call : hooks)
    if (const auto event = read(call); event.about) {
      ++told;
      CAF_CHECK(event.about->external_id == made.external_id && event.about->state == charge_state::paid);
    }
  CAF_CHECK_EQUAL(told, 1);

  auto again = order();
  again.price.minor = 500;
  again.payment = payment_id::random();
  again.saved_method = paid.saved->id;
  const auto charged = client->ask(again).value.value();
  CAF_CHECK(charged.state == charge_state::paid);
  CAF_CHECK(see(charged.external_id).price == (money{500, "USD"}));
  CAF_CHECK(read(wait_for(remote, 1).at(0)).about->external_id == charged.external_id);
  act("stripe/payment_methods/" + paid.saved->id.substr(paid.saved->id.find('/') + 1) + "/decline");
  again.payment = payment_id::random();
  CAF_CHECK(client->ask(again).value->state == charge_state::failed);
  CAF_CHECK(read(wait_for(remote, 1).at(0)).about->state == charge_state::failed);

  const refund_charge part{ours, made.external_id, {400, "USD"}};
  CAF_CHECK(client->ask(part).value->refunded == 400);
  CAF_CHECK(client->ask(part).value->refunded == 400); // the same key
  const auto refunded = client->ask(refund_charge{ours, made.external_id, {599, "USD"}}).value.value();
  CAF_CHECK(refunded.state == charge_state::refunded);
  CAF_CHECK_EQUAL(wait_for(remote, 2).size(), 2u);
  const auto back = client->ask(refund_charge{again.payment, charged.external_id, {500, "USD"}}).value.value();
  CAF_CHECK(back.state == charge_state::refunded);
  const auto about = read(wait_for(remote, 1).at(0)).about.value();
  CAF_CHECK_EQUAL(about.external_id, charged.external_id);

  act("faults", {{"system", "stripe"}, {"lose_answer_rate", 1}});
  auto lost = order();
  lost.payment = payment_id::random();
  CAF_CHECK(client->failure(lost) == ec::timeout);
  act("faults", {{"system", "stripe"}, {"lose_answer_rate", 0}});
  const auto found = client->ask(lost).value.value();
  const auto all = read_control(fakes.url() + "/sandbox/stripe/sessions")["items"];
  CAF_CHECK_EQUAL(all.size(), 2u);
  act("stripe/sessions/" + found.external_id + "/expire");
  CAF_CHECK(see(found.external_id).state == charge_state::expired);

  start(fakes.url() + "/stripe", "sk_wrong");
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST(a subscription in the sandbox) {
  play(answer(200, "{}"));
  auto given = sandbox_options(remote.url());
  given.payment_key = secret_text;
  const sandbox::sandbox fakes{given};
  start(fakes.url() + "/stripe", secret_text);
  client->clock->set_offset({});
  const auto act = [&](const std::string& what) { control(fakes.url() + "/sandbox/stripe/" + what); };
  const auto events = [&](std::size_t count) {
    std::vector<recurring_event> read;
    for (const auto& call : wait_for(remote, count))
      read.push_back(client->ask(read_recurring{{call.body, call.headers}}).value.value());
    return read;
  };
  const auto has = [](const std::vector<recurring_event>& all, recurring_change what) {
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.what == what; });
  };

  begin_subscription order{"ref-1", "price_starter_monthly", "https://app.example/done"};
  const auto checkout = client->ask(order).value.value();
  CAF_CHECK(client->ask(order).value == checkout);
  CAF_CHECK(client->ask(get_subscription{checkout.external_id}).value->state == recurring_state::pending);
  act("sessions/" + checkout.external_id + "/pay");
  const auto begun = client->ask(get_subscription{checkout.external_id}).value.value();
  CAF_CHECK(begun.state == recurring_state::active);
  CAF_CHECK_EQUAL(begun.reference, "ref-1");
  const auto first = events(3);
  CAF_CHECK(has(first, recurring_change::began) && has(first, recurring_change::changed) &&
            has(first, recurring_change::invoice_paid));
  for (const auto& one : first) CAF_CHECK_EQUAL(one.subscription + " " + one.reference, begun.external_id + " ref-1");

  const auto changed = client->ask(change_subscription{begun.external_id, "price_professional_monthly"}).value.value();
  CAF_CHECK_EQUAL(changed.plan, "price_professional_monthly");
  CAF_CHECK(changed.period_end == begun.period_end);
  CAF_CHECK_EQUAL(events(2).size(), 2u);
  const auto invoices = client->ask(list_invoices{begun.external_id}).value->items;
  CAF_REQUIRE_EQUAL(invoices.size(), 2u);
  CAF_CHECK(invoices[0].price.minor > 2900 && invoices[0].price.minor <= 3000); // the rest of a period just begun
  CAF_CHECK(invoices[1].price == (money{1900, "USD"}));

  act("subscriptions/" + begun.external_id + "/fail");
  CAF_CHECK(has(events(2), recurring_change::invoice_failed));
  CAF_CHECK(client->ask(get_subscription{begun.external_id}).value->state == recurring_state::past_due);
  act("subscriptions/" + begun.external_id + "/renew");
  CAF_CHECK(has(events(2), recurring_change::invoice_paid));
  CAF_CHECK(client->ask(get_subscription{begun.external_id}).value->period_end > begun.period_end);

  const auto ending = client->ask(cancel_subscription{begun.external_id, false}).value.value();
  CAF_CHECK(ending.state == recurring_state::active && ending.ends_at == ending.period_end);
  events(1);
  CAF_CHECK(client->ask(cancel_subscription{begun.external_id, true}).value->state == recurring_state::ended);
  CAF_CHECK(has(events(1), recurring_change::ended));
  CAF_CHECK(client->ask(cancel_subscription{begun.external_id, true}).value->state == recurring_state::ended);

  CAF_CHECK(client->ask(open_portal{begun.customer, "https://app.example"}).value->url.starts_with(fakes.url()));
  CAF_CHECK(client->failure(get_subscription{"sub_none"}) == ec::not_found);
}

CAF_TEST_FIXTURE_SCOPE_END()
