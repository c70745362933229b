#define CAF_SUITE integrations.cryptobot

#include "actors/kernel/crypto.hpp"
#include "integrations/cryptobot/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");

/// An invoice as the provider shows it.
json invoice(std::int64_t id = 528) {
  return {{"invoice_id", id},
          {"hash", "IVabc"},
          {"currency_type", "fiat"},
          {"fiat", "USD"},
          {"amount", "9.99"},
          {"accepted_assets", {"USDT", "TON"}},
          {"pay_url", "https://t.me/CryptoBot?start=IVabc"},
          {"bot_invoice_url", "https://t.me/CryptoBot?start=bot"},
          {"mini_app_invoice_url", "https://t.me/CryptoBot/app?startapp=mini"},
          {"web_app_invoice_url", "https://app.send.tg/invoices/web"},
          {"description", "Premium"},
          {"status", "active"},
          {"created_at", "2026-11-22T13:10:01.000Z"},
          {"expiration_date", "2026-11-23T13:10:01.000Z"},
          {"payload", to_string(ours)}};
}

json changed(json value, const json& patch) {
  value.merge_patch(patch);
  return value;
}

std::string ok(const json& result) { return answer(200, json{{"ok", true}, {"result", result}}.dump()); }
std::string list(const json& items) { return ok({{"items", items}}); }

struct fixture {
  scripted_system remote{[](const incoming&) { return list(json::array()); }};
  config::settings settings;
  std::optional<harness> client;

  fixture() { start(remote.url() + "/api", "1:cryptobot-token"); }

  void start(const std::string& url, const std::string& token) {
    settings.cryptobot.url = url;
    settings.cryptobot.token = secret{token};
    client.emplace("cryptobot",
                   [this](auto* parent, auto context) { return cryptobot::spawn(parent, context, settings); });
  }

  create_charge order() const { return {ours, {999, "USD"}, "Premium \xff"}; }

  void play(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
  }

  read_webhook signed_hook(const std::string& body, const std::string& token = "1:cryptobot-token") const {
    return {body, {{"crypto-pay-api-signature", crypto::to_hex(crypto::hmac(crypto::sha256(token), body))}}};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(cryptobot_tests, fixture)

CAF_TEST(an invoice is made in our currency) {
  play(ok(invoice()));
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  const charge expected{.external_id = "528",
                        .payment = ours,
                        .state = charge_state::pending,
                        .price = {999, "USD"},
                        .url = "https://t.me/CryptoBot?start=bot",
                        .expires_at = from_rfc3339("2026-11-23T13:10:01Z")};
  CAF_CHECK(*made.value == expected);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /api/createInvoice");
  CAF_CHECK_EQUAL(calls[0].header("crypto-pay-api-token"), "1:cryptobot-token");
  const json body{
      {"currency_type", "fiat"},    {"fiat", "USD"},       {"amount", "9.99"},       {"description", "Premium \ufffd"},
      {"payload", to_string(ours)}, {"expires_in", 86400}, {"allow_comments", false}};
  CAF_CHECK_EQUAL(calls[0].document(), body);
}

CAF_TEST(the first address that is given is taken) {
  const auto url = [&] { return client->ask(order()).value.value_or(charge{}).url; };
  const json without_bot{{"bot_invoice_url", nullptr}},
      without_both{{"bot_invoice_url", nullptr}, {"mini_app_invoice_url", nullptr}};
  play(ok(changed(invoice(), without_bot)));
  CAF_CHECK_EQUAL(url(), "https://t.me/CryptoBot/app?startapp=mini");
  play(ok(changed(invoice(), without_both)));
  CAF_CHECK_EQUAL(url(), "https://app.send.tg/invoices/web");
  play(ok(changed(changed(invoice(), without_both), {{"web_app_invoice_url", nullptr}})));
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST(charges are listed by their ids only) {
  play(list(
      {changed(invoice(1), {{"status", "paid"}, {"paid_at", "2026-11-22T14:00:00.000Z"}}),
       changed(invoice(2), {{"status", "expired"}, {"payload", "not ours"}, {"amount", "250.50"}, {"fiat", "RUB"}}),
       changed(invoice(3), {{"currency_type", "crypto"}, {"asset", "BTC"}, {"amount", "0.00000001"}})}));
  const auto charges = client->ask(list_charges{{"1", "2", "1&status=paid", "", "-3", "99999999999999999999"}});
  CAF_REQUIRE(charges.value);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].target, "/api/getInvoices?count=1000&invoice_ids=1,2");
  const auto& items = charges.value->items;
  CAF_REQUIRE_EQUAL(items.size(), 2u);
  CAF_CHECK(items[0].state == charge_state::paid);
  CAF_CHECK(items[0].paid_at == from_rfc3339("2026-11-22T14:00:00Z"));
  CAF_CHECK(items[1].state == charge_state::expired);
  CAF_CHECK(items[1].price == (money{25050, "RUB"}));
  CAF_CHECK(!items[1].payment && !items[1].paid_at);

  for (const auto& none : {std::vector<std::string>{}, {""}, {"x"}}) {
    const auto empty = client->ask(list_charges{none});
    CAF_CHECK(empty.value && empty.value->items.empty());
  }
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(a lost charge is searched for page by page) {
  // 2500 invoices, one a minute, the newest first; ours is number 2200.
  const auto newest = *from_rfc3339("2026-11-22T13:00:00Z");
  remote.play([newest](const incoming& request) {
    const auto offset = std::stoi(request.target.substr(request.target.find("offset=") + 7));
    auto items = json::array();
    for (int i = offset; i < std::min(offset + 1000, 2500); ++i)
      items.push_back(changed(invoice(10000 - i), {{"payload", i == 2200 ? to_string(ours) : "other"},
                                                   {"created_at", to_rfc3339(newest - std::chrono::minutes{i})}}));
    return list(items);
  });
  const auto made = newest - std::chrono::minutes{2200};
  const auto found = client->ask(find_charge{ours, made});
  CAF_REQUIRE(found.value);
  CAF_REQUIRE_EQUAL(found.value->items.size(), 1u);
  CAF_CHECK_EQUAL(found.value->items[0].external_id, "7800");
  CAF_CHECK_EQUAL(remote.take().size(), 3u);

  // The second page begins before that: what is behind is older still.
  const auto recent = client->ask(find_charge{ours, newest - std::chrono::minutes{30}});
  CAF_CHECK(recent.value && recent.value->items.empty());
  CAF_CHECK_EQUAL(remote.take().size(), 2u);
  const auto missing = client->ask(find_charge{payment_id::random(), made - std::chrono::hours{1000}});
  CAF_CHECK(missing.value && missing.value->items.empty());
  CAF_CHECK_EQUAL(remote.take().size(), 3u);
}

CAF_TEST(a search that comes to no end is given up) {
  auto page = json::array();
  for (int i = 0; i < 1000; ++i) page.push_back({{"created_at", "2026-11-22T13:00:00Z"}, {"currency_type", "crypto"}});
  play(list(page));
  CAF_CHECK(client->failure(find_charge{ours, *from_rfc3339("2026-01-01T00:00:00Z")}) == ec::upstream);
  CAF_CHECK_EQUAL(remote.take().size(), 50u);

  // The same invoice on two pages counts once.
  page[0] = invoice();
  remote.play(
      [page](const incoming& request) { return list(request.target.ends_with("offset=0") ? page : json{page[0]}); });
  CAF_CHECK_EQUAL(client->ask(find_charge{ours, {}}).value->items.size(), 1u);
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  const list_charges by_id{{"528"}};
  for (const auto& odd : nonsense()) {
    play(odd);
    CAF_CHECK(client->failure(order()) == ec::upstream);
    CAF_CHECK(client->failure(by_id) == ec::upstream);
    CAF_CHECK(client->failure(find_charge{ours, {}}) == ec::upstream);
  }
  const json patches[]{{{"invoice_id", "528"}}, {{"invoice_id", 1e30}},
                       {{"status", "eaten"}},   {{"status", 1}},
                       {{"fiat", 1}},           {{"amount", 9.99}},
                       {{"amount", "9.999"}},   {{"amount", "1e3"}},
                       {{"amount", ""}},        {{"amount", "99999999999999999999"}},
                       {{"payload", 1}},        {{"expiration_date", "x"}},
                       {{"paid_at", 17}},       {{"created_at", {1}}},
                       {{"currency_type", 5}},  {{"bot_invoice_url", 1}}};
  for (const auto& patch : patches) {
    play(list({changed(invoice(), patch)}));
    CAF_CHECK(client->failure(by_id) == ec::upstream);
  }
  play(answer(200, R"({"ok":false,"error":{"code":400,"name":"AMOUNT_INVALID"}})"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(401, R"({"ok":false,"error":{"code":401,"name":"UNAUTHORIZED"}})"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(429, R"({"ok":false,"error":7})", "Retry-After: 9\r\n"));
  CAF_CHECK_EQUAL(client->ask(by_id).failure.retry_after.count(), 9);
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  play(hang_up);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  CAF_CHECK_EQUAL(remote.take().size(), 1u);
  play(silence);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  start(refused_url(), "1:cryptobot-token");
  CAF_CHECK(client->failure(order()) == ec::unavailable);
}

CAF_TEST(webhooks tell of paid invoices once their signature is right) {
  // HMAC-SHA256 by another program (OpenSSL's command line).
  const std::string plain = R"({"update_id":7,"update_type":"something_else","payload":{}})";
  const std::string known = "de6bb6abb8079315af53e356c326b7c092f5964504d5513ae9cb94585f01546f";
  const auto other = client->ask(read_webhook{plain, {{"crypto-pay-api-signature", known}}});
  CAF_REQUIRE(other.value);
  CAF_CHECK_EQUAL(other.value->event_id, "7");
  CAF_CHECK(!other.value->about);

  json update{{"update_id", 41},
              {"update_type", "invoice_paid"},
              {"request_date", "2026-11-22T14:00:00.000Z"},
              {"payload", changed(invoice(), {{"status", "paid"}, {"paid_at", "2026-11-22T14:00:00.000Z"}})}};
  const auto paid = client->ask(signed_hook(update.dump()));
  CAF_REQUIRE(paid.value && paid.value->about);
  CAF_CHECK_EQUAL(paid.value->event_id, "41");
  CAF_CHECK_EQUAL(paid.value->about->external_id, "528");
  CAF_CHECK(paid.value->about->payment == ours);
  CAF_CHECK(paid.value->about->state == charge_state::paid);
  CAF_CHECK(paid.value->about->price == (money{999, "USD"}));

  update.erase("update_id");
  const auto unnumbered = client->ask(signed_hook(update.dump()));
  CAF_CHECK_EQUAL(unnumbered.value->event_id, crypto::to_hex(crypto::sha256(update.dump())));
  update["payload"]["currency_type"] = "crypto";
  CAF_CHECK(!client->ask(signed_hook(update.dump())).value->about);
}

CAF_TEST(webhooks without a valid signature are nobodys) {
  const std::string body = R"({"update_id":7,"update_type":"something_else"})";
  CAF_CHECK(client->failure(read_webhook{body, {}}) == ec::unauthenticated);
  CAF_CHECK(client->failure(signed_hook(body, "2:another")) == ec::unauthenticated);
  auto tampered = signed_hook(body);
  tampered.body[14] = '8';
  CAF_CHECK(client->failure(tampered) == ec::unauthenticated);
  auto upper = signed_hook(body);
  upper.headers[0].second += "00";
  CAF_CHECK(client->failure(upper) == ec::unauthenticated);
  for (const auto* odd : {"", "{", "[]", "7", "{}", R"({"update_type":7})", R"({"update_type":"invoice_paid"})",
                          R"({"update_type":"invoice_paid","payload":7})", R"({"update_id":"7","update_type":"x"})",
                          R"({"update_type":"invoice_paid","payload":{"currency_type":"fiat"}})"})
    CAF_CHECK(client->failure(signed_hook(odd)) == ec::malformed);
  start(remote.url(), "");
  CAF_CHECK(client->failure(signed_hook(body, "")) == ec::unauthenticated);
}

CAF_TEST(a payment in the sandbox) {
  play(answer(200, "{}"));
  const sandbox::sandbox fakes{sandbox_options(remote.url())};
  start(fakes.url() + "/cryptobot/api", "1:cryptobot-token");
  const auto since = client->clock->now();
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  CAF_CHECK(made.value->payment == ours);
  CAF_CHECK(made.value->price == (money{999, "USD"}));
  CAF_CHECK(made.value->url.starts_with(fakes.url()));
  CAF_CHECK(client->ask(create_charge{payment_id::random(), {150, "RUB"}, ""}).value);

  const auto by_id = list_charges{{made.value->external_id, "999999"}};
  CAF_CHECK(client->ask(by_id).value->items == std::vector{*made.value});
  CAF_CHECK(client->ask(find_charge{ours, since}).value->items == std::vector{*made.value});
  CAF_CHECK(client->ask(find_charge{payment_id::random(), since}).value->items.empty());

  control(fakes.url() + "/sandbox/cryptobot/invoices/" + made.value->external_id + "/pay");
  const auto paid = client->ask(by_id).value->items.at(0);
  CAF_CHECK(paid.state == charge_state::paid && paid.paid_at);
  const auto hooks = wait_for(remote, 1);
  CAF_REQUIRE_EQUAL(hooks.size(), 1u);
  CAF_CHECK(client->ask(read_webhook{hooks[0].body, hooks[0].headers}).value->about == paid);

  control(fakes.url() + "/sandbox/faults", {{"system", "cryptobot"}, {"lose_answer_rate", 1}});
  const auto lost = payment_id::random();
  CAF_CHECK(client->failure(create_charge{lost, {500, "EUR"}, ""}) == ec::timeout);
  control(fakes.url() + "/sandbox/faults", {{"system", "cryptobot"}, {"lose_answer_rate", 0}});
  CAF_CHECK(client->ask(find_charge{lost, since}).value->items.at(0).price == (money{500, "EUR"}));
  control(fakes.url() + "/sandbox/faults", {{"system", "cryptobot"}, {"error_rate", 1}});
  CAF_CHECK(client->failure(by_id) == ec::upstream);

  start(fakes.url() + "/cryptobot/api", "2:another");
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
