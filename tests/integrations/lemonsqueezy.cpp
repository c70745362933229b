#define CAF_SUITE integrations.lemonsqueezy

#include "actors/kernel/crypto.hpp"
#include "integrations/lemonsqueezy/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
const std::string checkout_id = "ac470bd4-7c41-474d-b6cd-0f296f5be02a";
const std::string bought_name = "Premium [" + to_string(ours) + "]";

timestamp at(const std::string& text) { return *from_rfc3339(text); }

/// A checkout as the API shows it.
json shown_checkout(const json& patch = json::object()) {
  json attributes{{"store_id", 100500},
                  {"custom_price", 999},
                  {"checkout_data", {{"email", ""}, {"custom", {{"payment", to_string(ours)}}}}},
                  {"expires_at", "2026-11-23T13:00:00.000000Z"},
                  {"created_at", "2026-11-22T13:00:00.000000Z"},
                  {"url", "https://store.lemonsqueezy.com/checkout/custom/1"}};
  attributes.merge_patch(patch);
  return {{"type", "checkouts"}, {"id", checkout_id}, {"attributes", attributes}};
}

json order(const json& patch = json::object(), const std::string& id = "17") {
  json attributes{{"currency", "USD"},
                  {"subtotal", 999},
                  {"discount_total", 0},
                  {"tax", 200},
                  {"total", 1199},
                  {"tax_inclusive", false},
                  {"status", "paid"},
                  {"refunded_amount", 0},
                  {"first_order_item", {{"product_name", bought_name}}},
                  {"created_at", "2026-11-22T13:05:00.000000Z"}};
  attributes.merge_patch(patch);
  return {{"type", "orders"}, {"id", id}, {"attributes", attributes}};
}

json subscription(const json& patch = json::object()) {
  json attributes{{"customer_id", 5},   {"variant_id", 200001},
                  {"status", "active"}, {"renews_at", "2026-12-22T13:05:00.000000Z"},
                  {"ends_at", nullptr}, {"updated_at", "2026-11-22T13:05:01.000000Z"}};
  attributes.merge_patch(patch);
  return {{"type", "subscriptions"}, {"id", "31"}, {"attributes", attributes}};
}

json invoice(const json& patch = json::object()) {
  json attributes{{"customer_id", 5},
                  {"subscription_id", 31},
                  {"currency", "USD"},
                  {"status", "paid"},
                  {"total", 1499},
                  {"urls", {{"invoice_url", "https://app.lemonsqueezy.com/my-orders/1"}}},
                  {"created_at", "2026-11-22T13:05:00.000000Z"},
                  {"updated_at", "2026-11-22T13:05:02.000000Z"}};
  attributes.merge_patch(patch);
  return {{"type", "subscription-invoices"}, {"id", "41"}, {"attributes", attributes}};
}

std::string ok(const json& data) { return answer(200, json{{"data", data}}.dump()); }
const auto missing = answer(404, R"({"errors":[{"status":"404"}]})");

struct fixture {
  scripted_system remote{[](const incoming&) { return ok(shown_checkout()); }};
  config::settings settings;
  std::optional<harness> client;

  fixture() { start(remote.url()); }

  void start(const std::string& url, const std::string& key = "ls-key", const std::string& webhook_key = "ls-hook") {
    settings.lemonsqueezy.url = url;
    settings.lemonsqueezy.api_key = secret{key};
    settings.lemonsqueezy.store = "100500";
    settings.lemonsqueezy.variant = "100501";
    settings.lemonsqueezy.webhook_secret = secret{webhook_key};
    client.emplace("lemonsqueezy",
                   [this](auto* parent, auto context) { return lemonsqueezy::spawn(parent, context, settings); });
    client->set_clock("2026-11-22T13:00:00Z");
  }

  create_charge charge_order(const payment_id& payment = ours) const {
    return {.payment = payment,
            .price = {999, "USD"},
            .description = "Premium",
            .return_url = "https://app.example/paid",
            .email = "ada@example.com"};
  }

  void play(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
  }

  read_webhook signed_hook(const std::string& body, const std::string& key = "ls-hook") const {
    return {body, {{"x-signature", crypto::to_hex(crypto::hmac(key, body))}}};
  }
  read_webhook event(const std::string& name, const json& data, const json& custom) const {
    return signed_hook(json{{"meta", {{"event_name", name}, {"custom_data", custom}}}, {"data", data}}.dump());
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(lemonsqueezy_tests, fixture)

CAF_TEST(a payment is a checkout at our price that carries our id) {
  const auto made = client->ask(charge_order());
  CAF_REQUIRE(made.value);
  const charge expected{.external_id = checkout_id,
                        .payment = ours,
                        .state = charge_state::pending,
                        .price = {999, "USD"},
                        .url = "https://store.lemonsqueezy.com/checkout/custom/1",
                        .expires_at = at("2026-11-23T13:00:00Z")};
  CAF_CHECK(*made.value == expected);
  const auto call = remote.take().at(0);
  CAF_CHECK_EQUAL(call.method + " " + call.target, "POST /v1/checkouts");
  CAF_CHECK_EQUAL(call.header("authorization"), "Bearer ls-key");
  CAF_CHECK_EQUAL(call.header("accept"), "application/vnd.api+json");
  CAF_CHECK_EQUAL(call.header("content-type"), "application/vnd.api+json");
  // The clock goes on while the test runs.
  const auto expiry = call.document()["data"]["attributes"]["expires_at"].get<std::string>();
  CAF_CHECK(std::chrono::abs(at(expiry) - at("2026-11-23T13:00:00Z")) < std::chrono::minutes{1});
  const json body{
      {"data",
       {{"type", "checkouts"},
        {"attributes",
         {{"custom_price", 999},
          {"expires_at", expiry},
          {"product_options",
           {{"name", bought_name}, {"enabled_variants", {100501}}, {"redirect_url", "https://app.example/paid"}}},
          {"checkout_options", {{"discount", false}}},
          {"checkout_data", {{"email", "ada@example.com"}, {"custom", {{"payment", to_string(ours)}}}}}}},
        {"relationships",
         {{"store", {{"data", {{"type", "stores"}, {"id", "100500"}}}}},
          {"variant", {{"data", {{"type", "variants"}, {"id", "100501"}}}}}}}}}};
  CAF_CHECK_EQUAL(call.document(), body);

  auto long_name = charge_order();
  long_name.description = std::string(400, 'x');
  CAF_CHECK(client->ask(long_name).value);
  const auto name = remote.take().at(0).document()["data"]["attributes"]["product_options"]["name"].get<std::string>();
  CAF_CHECK_EQUAL(name.size(), 255u);
  CAF_CHECK(name.ends_with("x [" + to_string(ours) + "]"));
}

CAF_TEST(a checkout that was bought in goes by its order) {
  json orders = json::array({order({{"first_order_item", {{"product_name", "Another"}}}}, "18"), order()});
  remote.play([&](const incoming& request) {
    return request.target.starts_with("/v1/orders?") ? ok(orders) : ok(shown_checkout());
  });
  const list_charges query{{checkout_id, "x", "", "../orders", "99999999999999999999"}};
  const auto paid = client->ask(query);
  CAF_REQUIRE(paid.value);
  const charge expected{.external_id = "17",
                        .payment = ours,
                        .state = charge_state::paid,
                        .price = {999, "USD"},
                        .paid_at = at("2026-11-22T13:05:00Z")};
  CAF_CHECK(paid.value->items == std::vector{expected});
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[0].target, "/v1/checkouts/" + checkout_id);
  CAF_CHECK_EQUAL(calls[1].target, "/v1/orders?filter%5Bstore_id%5D=100500&page%5Bnumber%5D=1&page%5Bsize%5D=100");

  orders = json::array();
  CAF_CHECK(client->ask(query).value->items.at(0).state == charge_state::pending);
  client->set_clock("2026-11-23T13:00:01Z");
  CAF_CHECK(client->ask(query).value->items.at(0).state == charge_state::expired);
  play(missing);
  CAF_CHECK(client->ask(query).value->items.empty());
  remote.take();
  CAF_CHECK(client->ask(list_charges{{"x"}}).value->items.empty());
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(states of an order) {
  const auto seen = [&](const json& patch) {
    play(ok(order(patch)));
    return client->ask(list_charges{{"17"}}).value.value().items.at(0);
  };
  CAF_CHECK(seen({{"status", "pending"}}).state == charge_state::pending);
  for (const auto* status : {"failed", "fraudulent"})
    CAF_CHECK(seen({{"status", status}}).state == charge_state::failed);
  const auto partly = seen({{"status", "partial_refund"}, {"refunded_amount", 400}});
  CAF_CHECK(partly.state == charge_state::paid && partly.refunded == 400);
  const auto whole = seen({{"status", "refunded"}, {"refunded_amount", 1199}});
  CAF_CHECK(whole.state == charge_state::refunded && whole.refunded == 999);
  // Tax that is part of the price is paid to us as well.
  CAF_CHECK(seen({{"tax_inclusive", true}, {"total", 999}}).price == (money{999, "USD"}));
  CAF_CHECK(seen({{"discount_total", 99}, {"total", 1080}, {"tax", 180}}).price == (money{900, "USD"}));
  CAF_CHECK(!seen({{"first_order_item", nullptr}}).payment);
  for (const auto* name : {"Premium", "Premium []", "[0b7f9c1e]", ""})
    CAF_CHECK(!seen({{"first_order_item", {{"product_name", name}}}}).payment);
}

CAF_TEST(a lost create is searched for among checkouts and orders) {
  // 250 checkouts, one a minute, the newest first; ours is number 220, and it was paid.
  const auto newest = at("2026-11-22T13:00:00Z");
  bool is_paid = true;
  remote.play([&](const incoming& request) {
    if (request.target.starts_with("/v1/orders?")) return ok(is_paid ? json{order()} : json::array());
    const auto number = std::stoi(request.target.substr(request.target.find("number%5D=") + 10));
    auto items = json::array();
    for (int i = (number - 1) * 100; i < std::min(number * 100, 250); ++i)
      items.push_back(shown_checkout(
          {{"created_at", to_rfc3339(newest - std::chrono::minutes{i})},
           {"checkout_data", {{"custom", i == 220 ? json{{"payment", to_string(ours)}} : json::array()}}}}));
    return ok(items);
  });
  const auto since = newest - std::chrono::minutes{220};
  const auto bought = client->ask(find_charge{ours, since});
  CAF_REQUIRE(bought.value && bought.value->items.size() == 1);
  CAF_CHECK_EQUAL(bought.value->items[0].external_id, "17");
  CAF_CHECK_EQUAL(remote.take().size(), 4u);
  is_paid = false;
  CAF_CHECK(client->ask(find_charge{ours, since}).value->items.at(0).external_id == checkout_id);
  remote.take();
  CAF_CHECK(client->ask(find_charge{ours, newest - std::chrono::minutes{30}}).value->items.empty());
  CAF_CHECK_EQUAL(remote.take().size(), 1u); // what is behind is older still
  CAF_CHECK(client->ask(find_charge{payment_id::random(), since}).value->items.empty());
}

CAF_TEST(a search that comes to no end is given up) {
  auto page = json::array();
  for (int i = 0; i < 100; ++i) page.push_back(shown_checkout({{"checkout_data", {{"custom", json::array()}}}}));
  play(ok(page));
  CAF_CHECK(client->failure(find_charge{ours, at("2026-01-01T00:00:00Z")}) == ec::upstream);
  CAF_CHECK_EQUAL(remote.take().size(), 50u);
}

CAF_TEST(money goes back once) {
  json now = order();
  remote.play([&](const incoming& request) {
    if (request.target == "/v1/orders/17/refund")
      now["attributes"]["status"] = "refunded", now["attributes"]["refunded_amount"] = 1199;
    return ok(now);
  });
  const refund_charge whole{ours, "17", {999, "USD"}};
  CAF_CHECK(client->ask(whole).value->state == charge_state::refunded);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[1].document(), json::parse(R"({"data":{"type":"orders","id":"17","attributes":{}}})"));
  CAF_CHECK(client->ask(whole).value->state == charge_state::refunded);
  CAF_CHECK_EQUAL(remote.take().size(), 1u); // what went back does not go again
  now = order();
  CAF_CHECK(client->ask(refund_charge{ours, "17", {300, "USD"}}).value);
  CAF_CHECK(remote.take().at(1).document()["data"]["attributes"] == json::parse(R"({"amount":300})"));
  play(missing);
  CAF_CHECK(client->failure(whole) == ec::not_found);
  CAF_CHECK(client->failure(refund_charge{ours, checkout_id, {999, "USD"}}) == ec::not_found);
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  for (const auto& odd : nonsense()) {
    const bool is_missing = odd.starts_with("HTTP/1.1 404");
    play(odd);
    CAF_CHECK(client->failure(charge_order()) == ec::upstream);
    CAF_CHECK(client->failure(find_charge{ours, {}}) == ec::upstream);
    CAF_CHECK(client->failure(begin_subscription{"ref-1", "200001", "https://app.example"}) == ec::upstream);
    const auto expected = is_missing ? ec::not_found : ec::upstream;
    CAF_CHECK(client->failure(get_subscription{"31"}) == expected);
    CAF_CHECK(client->failure(list_invoices{"31"}) == expected);
    CAF_CHECK(client->failure(open_portal{"5", ""}) == expected);
    if (!is_missing) CAF_CHECK(client->failure(list_charges{{"17"}}) == ec::upstream);
    if (!is_missing) CAF_CHECK(client->failure(list_charges{{checkout_id}}) == ec::upstream);
  }
  const json patches[]{{{"status", 1}},
                       {{"total", 9.99}},
                       {{"total", nullptr}},
                       {{"currency", 5}},
                       {{"tax", "200"}},
                       {{"created_at", "a day"}},
                       {{"refunded_amount", "400"}},
                       {{"first_order_item", {{"product_name", 1}}}}};
  for (const auto& patch : patches) {
    play(ok(order(patch)));
    CAF_CHECK(client->failure(list_charges{{"17"}}) == ec::upstream);
  }
  play(answer(422, R"({"errors":[{"source":{"pointer":"/data/attributes/custom_price"}}]})"));
  CAF_CHECK(client->failure(charge_order()) == ec::upstream);
  play(answer(429, "{}", "Retry-After: 9\r\n"));
  CAF_CHECK_EQUAL(client->ask(list_charges{{"17"}}).failure.retry_after.count(), 9);
  CAF_CHECK_EQUAL(client->ask(answer_checkout{}).failure.name, "NOT_SUPPORTED");
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  play(hang_up);
  CAF_CHECK(client->failure(charge_order()) == ec::timeout);
  CAF_CHECK_EQUAL(remote.take().size(), 1u);
  start(refused_url());
  CAF_CHECK(client->failure(charge_order()) == ec::unavailable);
  CAF_CHECK(client->failure(list_charges{{"17", checkout_id}}) == ec::unavailable);
}

CAF_TEST(webhooks are proof of what our checkouts became) {
  const json custom{{"payment", to_string(ours)}};
  const auto hook = event("order_created", order({{"first_order_item", {{"product_name", "Payment"}}}}), custom);
  const auto paid = client->ask(hook);
  CAF_REQUIRE(paid.value && paid.value->about);
  CAF_CHECK(paid.value->is_proof);
  CAF_CHECK_EQUAL(paid.value->event_id, crypto::to_hex(crypto::sha256(hook.body)));
  CAF_CHECK_EQUAL(paid.value->about->external_id, "17");
  CAF_CHECK(paid.value->about->payment == ours && paid.value->about->state == charge_state::paid);
  CAF_CHECK(paid.value->about->price == (money{999, "USD"}));
  const auto refunded = client->ask(event("order_refunded", order({{"status", "refunded"}}), custom)).value.value();
  CAF_CHECK(refunded.about->state == charge_state::refunded);
  CAF_CHECK(!client->ask(event("order_created", order(), {{"reference", "ref-1"}})).value->about);
  CAF_CHECK(!client->ask(event("order_created", order(), {{"payment", "theirs"}})).value->about);
  CAF_CHECK(!client->ask(event("subscription_created", subscription(), custom)).value->about);
  // Where some programs put it.
  const auto inside = client->ask(event("order_created", order({{"custom_data", custom}}), nullptr)).value.value();
  CAF_CHECK(inside.about->payment == ours);
}

CAF_TEST(webhooks without a valid signature are nobodys) {
  // HMAC-SHA256 by another program (OpenSSL's command line).
  const std::string body = R"({"meta":{"event_name":"x"},"data":{}})";
  CAF_CHECK(client
                ->ask(read_webhook{
                    body, {{"x-signature", "f89713d10d590b39cfe56a949732cca99025a884a824aa5c1bacae262537747e"}}})
                .value);
  CAF_CHECK(client->failure(read_webhook{body, {}}) == ec::unauthenticated);
  CAF_CHECK(client->failure(signed_hook(body, "another")) == ec::unauthenticated);
  auto tampered = signed_hook(body);
  tampered.body[24] = 'y';
  CAF_CHECK(client->failure(tampered) == ec::unauthenticated);
  auto longer = signed_hook(body);
  longer.headers[0].second += "00";
  CAF_CHECK(client->failure(longer) == ec::unauthenticated);
  CAF_CHECK(client->failure(read_recurring{tampered}) == ec::unauthenticated);
  for (const auto* odd : {"", "{", "[]", "7", "{}", R"({"meta":{"event_name":7}})", R"({"meta":7,"data":{}})",
                          R"({"meta":{"event_name":"order_created"}})",
                          R"({"meta":{"event_name":"order_created","custom_data":{"payment":7}},"data":{}})",
                          R"({"meta":{"event_name":"order_created"},"data":{"attributes":[]}})"})
    CAF_CHECK(client->failure(signed_hook(odd)) == ec::malformed);
  start(remote.url(), "ls-key", "");
  CAF_CHECK(client->failure(signed_hook(body, "")) == ec::unauthenticated);
}

CAF_TEST(subscriptions are checkouts of their variant) {
  begin_subscription order{"ref-1", "200001", "https://app.example/done"};
  order.email = "ada@example.com";
  CAF_CHECK(client->ask(order).value ==
            (subscription_checkout{checkout_id, "https://store.lemonsqueezy.com/checkout/custom/1",
                                   at("2026-11-23T13:00:00Z")}));
  const auto sent = remote.take().at(0).document()["data"];
  CAF_CHECK_EQUAL(sent["relationships"]["variant"]["data"]["id"], "200001");
  CAF_CHECK_EQUAL(sent["attributes"]["checkout_data"],
                  json::parse(R"({"email":"ada@example.com","custom":{"reference":"ref-1"}})"));
}

CAF_TEST(states of a subscription) {
  const auto seen = [&](const json& patch) {
    play(ok(subscription(patch)));
    return client->ask(get_subscription{"31"}).value.value();
  };
  const recurring_subscription expected{.external_id = "31",
                                        .customer = "5",
                                        .plan = "200001",
                                        .state = recurring_state::active,
                                        .period_end = at("2026-12-22T13:05:00Z")};
  CAF_CHECK(seen(json::object()) == expected);
  const std::pair<const char*, recurring_state> states[]{
      {"on_trial", recurring_state::trialing}, {"past_due", recurring_state::past_due},
      {"unpaid", recurring_state::past_due},   {"paused", recurring_state::paused},
      {"cancelled", recurring_state::active},  {"expired", recurring_state::ended}};
  for (const auto& [name, state] : states) CAF_CHECK(seen({{"status", name}}).state == state);
  CAF_CHECK(seen({{"ends_at", "2026-12-22T13:05:00Z"}}).ends_at == at("2026-12-22T13:05:00Z"));
  const json renamed{{"renews_at", nullptr}, {"renewal_date", "2026-12-01T00:00:00Z"}};
  CAF_CHECK(seen(renamed).period_end == at("2026-12-01T00:00:00Z"));
  play(missing);
  CAF_CHECK(client->failure(get_subscription{"31"}) == ec::not_found);
  remote.take();
  for (const auto& odd : {std::string{}, checkout_id, std::string{"31/x"}})
    CAF_CHECK(client->failure(get_subscription{odd}) == ec::not_found);
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(changes and ends are not done twice) {
  const auto count = [&](const auto& order) {
    CAF_REQUIRE(client->ask(order).value);
    return remote.take();
  };
  play(ok(subscription()));
  const std::pair<proration, const char*> differences[]{
      {proration::invoice_now, R"({"variant_id":200003,"invoice_immediately":true})"},
      {proration::next_invoice, R"({"variant_id":200003})"},
      {proration::none, R"({"variant_id":200003,"disable_prorations":true})"}};
  for (const auto& [difference, attributes] : differences) {
    const auto calls = count(change_subscription{"31", "200003", difference});
    CAF_REQUIRE_EQUAL(calls.size(), 2u);
    CAF_CHECK_EQUAL(calls[1].method + " " + calls[1].target, "PATCH /v1/subscriptions/31");
    CAF_CHECK(calls[1].document()["data"]["attributes"] == json::parse(attributes));
  }
  CAF_CHECK_EQUAL(count(change_subscription{"31", "200001"}).size(), 1u);
  const auto cancels = count(cancel_subscription{"31", false});
  CAF_REQUIRE_EQUAL(cancels.size(), 2u);
  CAF_CHECK_EQUAL(cancels[1].method + " " + cancels[1].target, "DELETE /v1/subscriptions/31");
  play(ok(subscription({{"status", "cancelled"}, {"ends_at", "2026-12-22T13:05:00Z"}})));
  CAF_CHECK_EQUAL(count(cancel_subscription{"31", false}).size(), 1u);
  CAF_CHECK_EQUAL(client->ask(cancel_subscription{"31", true}).failure.name, "NOT_SUPPORTED");
}

CAF_TEST(invoices and portals) {
  play(ok(json{invoice(), invoice({{"status", "pending"}, {"urls", nullptr}}), invoice({{"status", "void"}}),
               invoice({{"status", "refunded"}})}));
  const auto items = client->ask(list_invoices{"31"}).value.value().items;
  CAF_CHECK(remote.take().at(0).target ==
            "/v1/subscription-invoices?filter%5Bsubscription_id%5D=31&page%5Bsize%5D=100");
  CAF_REQUIRE_EQUAL(items.size(), 4u);
  const recurring_invoice expected{.external_id = "41",
                                   .state = invoice_state::paid,
                                   .price = {1499, "USD"},
                                   .issued_at = at("2026-11-22T13:05:00Z"),
                                   .paid_at = at("2026-11-22T13:05:02Z"),
                                   .pdf = "https://app.lemonsqueezy.com/my-orders/1"};
  CAF_CHECK(items[0] == expected);
  CAF_CHECK(items[1].state == invoice_state::open && !items[1].paid_at && items[1].pdf.empty());
  CAF_CHECK(items[2].state == invoice_state::voided);
  CAF_CHECK(items[3].state == invoice_state::refunded);

  play(ok({{"id", "5"}, {"attributes", {{"urls", {{"customer_portal", "https://store.lemonsqueezy.com/billing"}}}}}}));
  CAF_CHECK(client->ask(open_portal{"5", ""}).value->url == "https://store.lemonsqueezy.com/billing");
  play(ok({{"id", "5"}, {"attributes", {{"urls", {{"customer_portal", nullptr}}}}}}));
  CAF_CHECK(client->failure(open_portal{"5", ""}) == ec::not_found);
  CAF_CHECK(client->failure(open_portal{"cus_1", ""}) == ec::not_found);
}

CAF_TEST(webhooks tell of subscriptions) {
  const json custom{{"reference", "ref-1"}};
  const auto read = [&](const std::string& name, const json& data) {
    return client->ask(read_recurring{event(name, data, custom)}).value.value();
  };
  const auto began = read("subscription_created", subscription());
  CAF_CHECK(began.what == recurring_change::began);
  CAF_CHECK_EQUAL(began.subscription + " " + began.customer + " " + began.reference, "31 5 ref-1");
  CAF_CHECK_EQUAL(began.is_now->reference, "ref-1");
  CAF_CHECK(began.happened_at == at("2026-11-22T13:05:01Z"));
  for (const auto* name : {"subscription_updated", "subscription_cancelled", "subscription_resumed",
                           "subscription_paused", "subscription_unpaused"})
    CAF_CHECK(read(name, subscription()).what == recurring_change::changed);
  CAF_CHECK(read("subscription_expired", subscription({{"status", "expired"}})).what == recurring_change::ended);
  for (const auto* name : {"subscription_payment_success", "subscription_payment_recovered"}) {
    const auto paid = read(name, invoice());
    CAF_CHECK(paid.what == recurring_change::invoice_paid);
    CAF_CHECK(paid.invoice->price == (money{1499, "USD"}));
    CAF_CHECK_EQUAL(paid.subscription, "31");
  }
  const auto failed = read("subscription_payment_failed", invoice({{"status", "pending"}}));
  CAF_CHECK(failed.what == recurring_change::invoice_failed && failed.invoice->state == invoice_state::failed);
  for (const auto* name : {"subscription_payment_refunded", "license_key_created"})
    CAF_CHECK(read(name, invoice()).what == recurring_change::nothing);
  CAF_CHECK(read("order_created", order()).what == recurring_change::nothing);
  CAF_CHECK(client->failure(read_recurring{signed_hook("{}")}) == ec::malformed);
}

CAF_TEST(payments in the sandbox) {
  play(answer(200, "{}"));
  auto given = sandbox_options(remote.url());
  given.payment_key = "ls-key";
  const sandbox::sandbox fakes{given};
  start(fakes.url() + "/lemonsqueezy", "ls-key", "ls-key");
  client->clock->set_offset({});
  const auto since = client->clock->now();
  const auto act = [&](const std::string& what, const json& how = json::object()) {
    return control(fakes.url() + "/sandbox/" + what, how);
  };
  const auto see = [&](const std::string& id) { return client->ask(list_charges{{id}}).value->items.at(0); };
  const auto read = [&] {
    const auto call = wait_for(remote, 1).at(0);
    return client->ask(read_webhook{call.body, call.headers}).value.value();
  };

  const auto made = client->ask(charge_order()).value.value();
  CAF_CHECK(made.payment == ours && made.price == (money{999, "USD"}) && made.url.starts_with(fakes.url()));
  CAF_CHECK(see(made.external_id) == made);
  CAF_CHECK(client->ask(find_charge{ours, since}).value->items == std::vector{made});
  act("lemonsqueezy/checkouts/" + made.external_id + "/pay", {{"tax", 20}, {"email", "another@example.com"}});
  const auto paid = see(made.external_id);
  CAF_CHECK(paid.state == charge_state::paid && paid.price == (money{999, "USD"}) && paid.payment == ours);
  CAF_CHECK(see(paid.external_id) == paid);
  CAF_CHECK(client->ask(find_charge{ours, since}).value->items == std::vector{paid});
  CAF_CHECK(read().about == paid);

  CAF_CHECK(client->ask(refund_charge{ours, paid.external_id, {400, "USD"}}).value->refunded == 400);
  CAF_CHECK(client->ask(refund_charge{ours, paid.external_id, {400, "USD"}}).value->refunded == 400);
  CAF_CHECK_EQUAL(read().about->refunded, 400);
  CAF_CHECK(client->ask(refund_charge{ours, paid.external_id, {999, "USD"}}).value->state == charge_state::refunded);
  CAF_CHECK(read().about->state == charge_state::refunded);

  // Where the store does not show our name for what was bought, the webhook alone tells.
  const auto plain = client->ask(charge_order(payment_id::random())).value.value();
  act("lemonsqueezy/checkouts/" + plain.external_id + "/pay", {{"plain_name", true}});
  CAF_CHECK(see(plain.external_id).state == charge_state::pending);
  const auto told = read().about.value();
  CAF_CHECK(told.payment == plain.payment && told.state == charge_state::paid);

  act("faults", {{"system", "lemonsqueezy"}, {"lose_answer_rate", 1}});
  const auto lost = payment_id::random();
  CAF_CHECK(client->failure(charge_order(lost)) == ec::timeout);
  act("faults", {{"system", "lemonsqueezy"}, {"lose_answer_rate", 0}});
  const auto found = client->ask(find_charge{lost, since}).value->items.at(0);
  act("lemonsqueezy/checkouts/" + found.external_id + "/expire");
  CAF_CHECK(see(found.external_id).state == charge_state::expired);

  start(fakes.url() + "/lemonsqueezy", "ls-wrong");
  CAF_CHECK(client->failure(charge_order()) == ec::upstream);
}

CAF_TEST(a subscription in the sandbox) {
  play(answer(200, "{}"));
  auto given = sandbox_options(remote.url());
  given.payment_key = "ls-key";
  const sandbox::sandbox fakes{given};
  start(fakes.url() + "/lemonsqueezy", "ls-key", "ls-key");
  client->clock->set_offset({});
  const auto act = [&](const std::string& what) { control(fakes.url() + "/sandbox/lemonsqueezy/" + what); };
  const auto events = [&](std::size_t count) {
    std::vector<recurring_event> read;
    for (const auto& call : wait_for(remote, count))
      read.push_back(client->ask(read_recurring{{call.body, call.headers}}).value.value());
    return read;
  };
  const auto find = [](const std::vector<recurring_event>& all, recurring_change what) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.what == what; });
    return found == all.end() ? std::nullopt : std::optional{*found};
  };

  const auto checkout = client->ask(begin_subscription{"ref-1", "200001", "https://app.example/done"}).value.value();
  act("checkouts/" + checkout.external_id + "/pay");
  const auto first = events(3); // the order's own is one of them
  const auto began = find(first, recurring_change::began);
  CAF_REQUIRE(began && find(first, recurring_change::invoice_paid));
  CAF_CHECK_EQUAL(began->reference, "ref-1");
  const auto id = began->subscription;
  const auto begun = client->ask(get_subscription{id}).value.value();
  CAF_CHECK(begun.state == recurring_state::active);

  CAF_CHECK(client->ask(change_subscription{id, "200003"}).value->plan == "200003");
  CAF_CHECK(find(events(2), recurring_change::invoice_paid));
  const auto invoices = client->ask(list_invoices{id}).value->items;
  CAF_REQUIRE_EQUAL(invoices.size(), 2u);
  CAF_CHECK(invoices[0].price == (money{1500, "USD"}));
  CAF_CHECK(invoices[1].price == (money{1499, "USD"}));

  act("subscriptions/" + id + "/fail");
  CAF_CHECK(find(events(2), recurring_change::invoice_failed));
  CAF_CHECK(client->ask(get_subscription{id}).value->state == recurring_state::past_due);
  act("subscriptions/" + id + "/renew");
  CAF_CHECK(find(events(2), recurring_change::invoice_paid));
  CAF_CHECK(client->ask(get_subscription{id}).value->period_end > begun.period_end);

  const auto ending = client->ask(cancel_subscription{id, false}).value.value();
  CAF_CHECK(ending.state == recurring_state::active && ending.ends_at == ending.period_end);
  CAF_CHECK(find(events(1), recurring_change::changed));
  act("subscriptions/" + id + "/renew"); // its end
  CAF_CHECK(find(events(1), recurring_change::ended));
  CAF_CHECK(client->ask(get_subscription{id}).value->state == recurring_state::ended);

  CAF_CHECK(client->ask(open_portal{begun.customer, ""}).value->url.starts_with(fakes.url()));
  CAF_CHECK(client->failure(get_subscription{"99999"}) == ec::not_found);
}

CAF_TEST_FIXTURE_SCOPE_END()
