#define CAF_SUITE integrations.stars

#include "integrations/stars/client.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;
using namespace backstay::testing;

namespace {

const auto ours = *payment_id::parse("0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11");
const std::string payload = "0b7f9c1e-6a53-4d0f-9c86-3f1f0f6f2a11:999:USD:500";
constexpr auto token = "7000000001:bot-token";
constexpr auto webhook_secret = "webhook-secret";

json changed(json value, const json& patch) {
  value.merge_patch(patch);
  return value;
}

std::string ok(const json& result) { return answer(200, json{{"ok", true}, {"result", result}}.dump()); }
std::string bad_request(const std::string& what) {
  return answer(400, json{{"ok", false}, {"error_code", 400}, {"description", "Bad Request: " + what}}.dump());
}

json partner(const std::string& of) {
  return {{"type", "user"},
          {"transaction_type", "invoice_payment"},
          {"user", {{"id", 1001}, {"is_bot", false}, {"first_name", "Ada"}}},
          {"invoice_payload", of}};
}

/// 2026-11-22T14:00:00Z
json payment(const std::string& id, const std::string& of = payload, int stars = 500) {
  return {{"id", id}, {"amount", stars}, {"date", 1795356000}, {"source", partner(of)}};
}

json refund(const std::string& id) {
  return {{"id", id}, {"amount", 500}, {"date", 1795359600}, {"receiver", partner(payload)}};
}

json withdrawal(const std::string& id) {
  return {{"id", id}, {"amount", 1000}, {"date", 1795356000}, {"receiver", {{"type", "fragment"}}}};
}

const charge paid{.external_id = to_string(ours),
                  .payment = ours,
                  .state = charge_state::paid,
                  .price = {999, "USD"},
                  .paid_at = from_rfc3339("2026-11-22T14:00:00Z")};

charge refunded_one() {
  auto one = paid;
  one.state = charge_state::refunded;
  one.refunded = 999;
  return one;
}

struct fixture {
  scripted_system remote{[](const incoming&) { return ok({{"transactions", json::array()}}); }};
  config::settings settings;
  std::optional<harness> client;
  std::mutex mutex;
  std::vector<json> history;

  fixture() { start(remote.url(), token, webhook_secret); }

  void start(const std::string& url, const std::string& bot_token, const std::string& secret_token) {
    settings.stars.url = url;
    settings.stars.webhook_secret = secret{secret_token};
    settings.telegram.bot_token = secret{bot_token};
    client.emplace("stars", [this](auto* parent, auto context) { return stars::spawn(parent, context, settings); });
  }

  stars::settings terms() const { return {settings.stars, settings.telegram.bot_token}; }

  create_charge order() const { return {ours, {999, "USD"}, "Premium"}; }

  void play(std::string text) {
    remote.play([text = std::move(text)](const incoming&) { return text; });
  }

  /// Answers `getStarTransactions` from `history`, everything else with true.
  void play_history(std::vector<json> all) {
    history = std::move(all);
    remote.play([this](const incoming& request) {
      if (!request.target.ends_with("/getStarTransactions")) return ok(true);
      const auto asked = request.document();
      const auto offset = asked["offset"].get<std::size_t>(), limit = asked["limit"].get<std::size_t>();
      auto page = json::array();
      const std::lock_guard lock{mutex};
      for (auto i = offset; i < std::min(history.size(), offset + limit); ++i) page.push_back(history[i]);
      return ok({{"transactions", page}});
    });
  }

  void happens(json transaction) {
    const std::lock_guard lock{mutex};
    history.push_back(std::move(transaction));
  }

  std::vector<charge> list(std::vector<std::string> ids) {
    const auto found = client->ask(list_charges{std::move(ids)});
    CAF_REQUIRE(found.value);
    return found.value->items;
  }

  read_webhook hook(const json& update, const std::string& shown = webhook_secret) const {
    return {update.dump(), {{"x-telegram-bot-api-secret-token", shown}}};
  }

  webhook_event hear(const json& update) {
    const auto heard = client->ask(hook(update));
    CAF_REQUIRE(heard.value);
    return *heard.value;
  }
};

json query_update(const std::string& of = payload, int stars = 500) {
  return {{"update_id", 7},
          {"pre_checkout_query",
           {{"id", "4294967296"},
            {"from", {{"id", 1001}, {"is_bot", false}, {"first_name", "Ada"}}},
            {"currency", "XTR"},
            {"total_amount", stars},
            {"invoice_payload", of}}}};
}

json message_update(const char* what, const std::string& of = payload, int stars = 500) {
  return {{"update_id", 8},
          {"message",
           {{"message_id", 5},
            {"chat", {{"id", 1001}, {"type", "private"}}},
            {"date", 1795356000},
            {what,
             {{"currency", "XTR"},
              {"total_amount", stars},
              {"invoice_payload", of},
              {"telegram_payment_charge_id", "stx1"},
              {"provider_payment_charge_id", ""}}}}}};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(stars_tests, fixture)

CAF_TEST(prices become whole stars and never less than they are) {
  settings.stars.kopeks = 150;
  settings.stars.cents = 2;
  const auto stars_for = [&](std::int64_t minor, const char* currency) {
    return stars::make_invoice(terms(), ours, {minor, currency}).stars;
  };
  CAF_CHECK_EQUAL(stars_for(1, "RUB"), 1);
  CAF_CHECK_EQUAL(stars_for(150, "RUB"), 1);
  CAF_CHECK_EQUAL(stars_for(151, "RUB"), 2);
  CAF_CHECK_EQUAL(stars_for(29'900, "RUB"), 200);
  CAF_CHECK_EQUAL(stars_for(999, "USD"), 500);
  CAF_CHECK_EQUAL(stars_for(1000, "USD"), 500);
  CAF_CHECK_EQUAL(stars_for(100'000'000'000, "USD"), 50'000'000'000);
  try {
    stars_for(999, "EUR");
    CAF_ERROR("euros have no rate");
  } catch (const fault_error& error) {
    CAF_CHECK(error.what_failed.code == ec::refused);
    CAF_CHECK_EQUAL(error.what_failed.name, "NOT_SUPPORTED");
  }
}

CAF_TEST(a payload is read back as it was written) {
  const stars::invoice sold{ours, {999, "USD"}, 500};
  CAF_CHECK_EQUAL(stars::to_payload(sold), payload);
  CAF_CHECK(stars::from_payload(payload) == sold);
  const stars::invoice largest{ours, {INT64_MAX, "RUB"}, INT64_MAX};
  CAF_CHECK(stars::to_payload(largest).size() <= 128);
  CAF_CHECK(stars::from_payload(stars::to_payload(largest)) == largest);
  const auto id = to_string(ours);
  for (const auto& odd :
       {std::string{}, id, id + ":999", id + ":999:USD", id + ":999:USD:", id + ":999:USD:0", id + ":0:USD:500",
        id + ":-1:USD:500", id + ":9.9:USD:500", id + ":999:usd:500", id + ":999:USDT:500", id + ":999:USD:5x",
        id + ":999:USD:500:1", id + "0:999:USD:500", id + ":99999999999999999999:USD:500",
        std::string{"balance_topup_1_50000_1790000000"}, std::string{":::"}})
    CAF_CHECK(!stars::from_payload(odd));
}

CAF_TEST(an invoice link is made) {
  play(ok("https://t.me/$abc"));
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  const charge expected{
      .external_id = to_string(ours), .payment = ours, .price = {999, "USD"}, .url = "https://t.me/$abc"};
  CAF_CHECK(*made.value == expected);
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 1u);
  CAF_CHECK_EQUAL(calls[0].method + " " + calls[0].target, "POST /bot7000000001:bot-token/createInvoiceLink");
  const json body{{"title", "Premium"}, {"description", "Premium"},
                  {"payload", payload}, {"provider_token", ""},
                  {"currency", "XTR"},  {"prices", json::array({{{"label", "Premium"}, {"amount", 500}}})}};
  CAF_CHECK_EQUAL(calls[0].document(), body);

  auto saved = order();
  saved.saved_method = "card";
  CAF_CHECK_EQUAL(client->ask(saved).failure.name, "NOT_SUPPORTED");
  auto euros = order();
  euros.price = {999, "EUR"};
  CAF_CHECK_EQUAL(client->ask(euros).failure.name, "NOT_SUPPORTED");
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(texts are cut between code points and are never empty) {
  play(ok("https://t.me/$abc"));
  const auto texts_of = [&](const std::string& description) {
    auto asked = order();
    asked.description = description;
    CAF_CHECK(client->ask(asked).value);
    return remote.take().at(0).document();
  };
  std::string cyrillic;
  for (int i = 0; i < 300; ++i) cyrillic += "ж";
  const auto longest = texts_of(cyrillic);
  CAF_CHECK_EQUAL(longest["title"], cyrillic.substr(0, 2 * 32));
  CAF_CHECK_EQUAL(longest["description"], cyrillic.substr(0, 2 * 255));
  CAF_CHECK_EQUAL(texts_of("").value("title", ""), "Payment");
  CAF_CHECK_EQUAL(texts_of("Premium \xff").value("title", ""), "Premium \ufffd");
}

CAF_TEST(what was paid is read from the oldest transaction on) {
  // 250 of another program, ours behind them, and a withdrawal.
  std::vector<json> all;
  for (int i = 0; i < 250; ++i) all.push_back(payment("other" + std::to_string(i), "balance_topup_1", 7));
  all.push_back(payment("stx1"));
  all.push_back(withdrawal("w1"));
  play_history(all);
  CAF_CHECK(list({to_string(ours), to_string(payment_id::random()), "", "x", "x:y"}) == std::vector{paid});
  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 3u);
  CAF_CHECK_EQUAL(calls[0].target, "/bot7000000001:bot-token/getStarTransactions");
  CAF_CHECK_EQUAL(calls[0].document(), (json{{"offset", 0}, {"limit", 100}}));
  CAF_CHECK_EQUAL(calls[1].document().value("offset", 0), 99);
  CAF_CHECK_EQUAL(calls[2].document().value("offset", 0), 198);

  // From then on only what is new is read.
  const auto second = payment_id::random();
  happens(payment("stx2", to_string(second) + ":50000:RUB:500"));
  CAF_CHECK(list({to_string(second)}).at(0).price.currency == "RUB");
  const auto next = remote.take();
  CAF_REQUIRE_EQUAL(next.size(), 1u);
  CAF_CHECK_EQUAL(next[0].document().value("offset", 0), 251);
  CAF_CHECK(client->ask(find_charge{ours, {}}).value->items == std::vector{paid});
  CAF_CHECK(client->ask(find_charge{payment_id::random(), {}}).value->items.empty());
}

CAF_TEST(a page that is exactly full is followed by another) {
  std::vector<json> all;
  for (int i = 0; i < 99; ++i) all.push_back(withdrawal("w" + std::to_string(i)));
  all.push_back(payment("stx1"));
  play_history(all);
  CAF_CHECK(list({to_string(ours)}) == std::vector{paid});
  CAF_CHECK_EQUAL(remote.take().size(), 2u);
}

CAF_TEST(a second payment of a link has a name of its own) {
  play_history({payment("stx1"), payment("stx2")});
  auto second = paid;
  second.external_id = to_string(ours) + ":stx2";
  CAF_CHECK((list({to_string(ours)}) == std::vector{paid, second}));
  CAF_CHECK(list({to_string(ours) + ":stx1"}) == std::vector{paid});
  CAF_CHECK(list({to_string(ours) + ":stx2"}) == std::vector{second});
  CAF_CHECK(list({to_string(ours) + ":stx3"}).empty());
  CAF_CHECK((client->ask(find_charge{ours, {}}).value->items == std::vector{paid, second}));
}

CAF_TEST(another number of stars than the invoice asks for is shown as stars) {
  play_history({payment("stx1", payload, 499)});
  CAF_CHECK(list({to_string(ours)}).at(0).price == (money{499, "XTR"}));
  CAF_CHECK_EQUAL(to_decimal(money{499, "XTR"}), "499");
}

CAF_TEST(refunds are made once and as a whole) {
  play_history({payment("stx1"), payment("stx2")});
  const refund_charge all{ours, to_string(ours), {999, "USD"}};
  const auto made = client->ask(all);
  CAF_REQUIRE(made.value);
  CAF_CHECK(*made.value == refunded_one());
  auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 2u);
  CAF_CHECK_EQUAL(calls[1].target, "/bot7000000001:bot-token/refundStarPayment");
  CAF_CHECK_EQUAL(calls[1].document(), (json{{"user_id", 1001}, {"telegram_payment_charge_id", "stx1"}}));

  // The second payment of the link by its own name.
  CAF_CHECK(client->ask(refund_charge{ours, to_string(ours) + ":stx2", {999, "USD"}}).value);
  CAF_CHECK_EQUAL(remote.take().at(1).document().value("telegram_payment_charge_id", ""), "stx2");

  auto part = all;
  part.amount = {500, "USD"};
  CAF_CHECK_EQUAL(client->ask(part).failure.name, "NOT_SUPPORTED");
  CAF_CHECK(client->failure(refund_charge{payment_id::random(), "unknown", {999, "USD"}}) == ec::refused);
  remote.take();

  // Telegram's history says that it is done.
  happens(refund("stx1"));
  CAF_CHECK(list({to_string(ours) + ":stx1"}) == std::vector{refunded_one()});
  CAF_CHECK(client->ask(all).value == refunded_one());
  CAF_CHECK_EQUAL(remote.take().size(), 2u);
}

CAF_TEST(a refund whose answer was lost is found done) {
  std::atomic<bool> is_lost = true;
  remote.play([&](const incoming& request) {
    if (request.target.ends_with("getStarTransactions")) return ok({{"transactions", {payment("stx1")}}});
    return is_lost ? hang_up : bad_request("CHARGE_ALREADY_REFUNDED");
  });
  const refund_charge all{ours, to_string(ours), {999, "USD"}};
  CAF_CHECK(client->failure(all) == ec::timeout);
  is_lost = false;
  CAF_CHECK(client->ask(all).value == refunded_one());
  remote.play([](const incoming& request) {
    return request.target.ends_with("getStarTransactions") ? ok({{"transactions", {payment("stx1")}}})
                                                           : bad_request("USER_ID_INVALID");
  });
  CAF_CHECK(client->failure(all) == ec::upstream);
}

CAF_TEST(a history that is another one is read anew) {
  play_history({payment("old1", "other"), payment("old2", "other")});
  CAF_CHECK(list({to_string(ours)}).empty());
  play_history({payment("stx1")});
  CAF_CHECK(client->failure(list_charges{{to_string(ours)}}) == ec::upstream);
  CAF_CHECK(list({to_string(ours)}) == std::vector{paid});
}

CAF_TEST(many questions at once are answered by few readings) {
  remote.play([](const incoming&) {
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    return ok({{"transactions", {payment("stx1")}}});
  });
  std::vector<std::future<std::size_t>> asked;
  for (int i = 0; i < 8; ++i)
    asked.push_back(std::async(std::launch::async, [this] {
      return client->ask(list_charges{{to_string(ours)}}).value.value_or(charge_list{}).items.size();
    }));
  for (auto& each : asked) CAF_CHECK_EQUAL(each.get(), 1u);
  const auto readings = remote.take().size();
  CAF_CHECK(readings >= 1 && readings <= 3);

  play(hang_up);
  CAF_CHECK(client->failure(list_charges{{to_string(ours)}}) == ec::timeout);
  play(ok({{"transactions", {payment("stx1")}}}));
  CAF_CHECK_EQUAL(list({to_string(ours)}).size(), 1u);
}

CAF_TEST(the question before a payment is passed on and answered) {
  const auto event = hear(query_update());
  CAF_CHECK_EQUAL(event.event_id, "7");
  CAF_CHECK(!event.about && !event.is_proof);
  CAF_CHECK((event.asks == checkout{"4294967296", ours, {999, "USD"}}));
  CAF_CHECK((hear(query_update(payload, 1)).asks->price == money{1, "XTR"}));
  CAF_CHECK(!hear(query_update("another program's")).asks);
  CAF_CHECK(!hear(changed(query_update(), {{"pre_checkout_query", {{"currency", "USD"}}}})).asks);

  play(ok(true));
  CAF_CHECK(client->ask(answer_checkout{"4294967296", ""}).value);
  CAF_CHECK(client->ask(answer_checkout{"4294967296", "It is paid already"}).value);
  const auto calls = remote.take();
  CAF_CHECK_EQUAL(calls.at(0).target, "/bot7000000001:bot-token/answerPreCheckoutQuery");
  CAF_CHECK_EQUAL(calls[0].document(), (json{{"pre_checkout_query_id", "4294967296"}, {"ok", true}}));
  CAF_CHECK_EQUAL(
      calls[1].document(),
      (json{{"pre_checkout_query_id", "4294967296"}, {"ok", false}, {"error_message", "It is paid already"}}));
  play(bad_request("query is too old and response timeout expired or query ID is invalid"));
  CAF_CHECK(client->failure(answer_checkout{"4294967296", ""}) == ec::upstream);
}

CAF_TEST(payments and refunds are told by messages) {
  auto named = paid;
  named.external_id = to_string(ours) + ":stx1";
  const auto event = hear(message_update("successful_payment"));
  CAF_CHECK_EQUAL(event.event_id, "8");
  CAF_CHECK(event.about == named);
  CAF_CHECK(!event.asks && !event.is_proof);
  CAF_CHECK((hear(message_update("successful_payment", payload, 3)).about->price == money{3, "XTR"}));
  CAF_CHECK(!hear(message_update("successful_payment", "another program's")).about);
  const auto back = hear(message_update("refunded_payment")).about;
  CAF_REQUIRE(back);
  CAF_CHECK(back->state == charge_state::refunded);
  CAF_CHECK_EQUAL(back->refunded, 999);
  const auto chat = hear({{"update_id", 9}, {"message", {{"message_id", 1}, {"date", 1}, {"text", "hello"}}}});
  CAF_CHECK(!chat.about && !chat.asks);
  CAF_CHECK(!hear({{"update_id", 10}, {"my_chat_member", json::object()}}).about);
}

CAF_TEST(updates without the secret are nobodys) {
  const auto update = message_update("successful_payment");
  CAF_CHECK(client->failure(read_webhook{update.dump(), {}}) == ec::unauthenticated);
  for (const auto* wrong : {"", "webhook-secre", "webhook-secret0", "Webhook-secret"})
    CAF_CHECK(client->failure(hook(update, wrong)) == ec::unauthenticated);
  const auto signed_body = [&](const std::string& body) {
    return read_webhook{body, {{"x-telegram-bot-api-secret-token", webhook_secret}}};
  };
  for (const auto* odd :
       {"", "{", "[]", "7", "{}", R"({"update_id":"7"})", R"({"update_id":7,"message":7})",
        R"({"update_id":7,"pre_checkout_query":{}})", R"({"update_id":7,"message":{"successful_payment":7}})",
        R"({"update_id":7,"message":{"date":1,"successful_payment":{"invoice_payload":"x"}}})"})
    CAF_CHECK(client->failure(signed_body(odd)) == ec::malformed);
  start(remote.url(), token, "");
  CAF_CHECK(client->failure(hook(update, "")) == ec::unauthenticated);
}

CAF_TEST(methods are offered where a bot is given) {
  settings = {};
  CAF_CHECK(stars::methods(settings).empty());
  settings.telegram.bot_token = secret{token};
  CAF_REQUIRE_EQUAL(stars::methods(settings).size(), 1u);
  CAF_CHECK(!stars::methods(settings)[0].enabled);
  settings.stars.webhook_secret = secret{webhook_secret};
  const auto offered = stars::methods(settings).at(0);
  CAF_CHECK(offered.enabled && !offered.saves);
  CAF_CHECK_EQUAL(offered.id, "telegram_stars");
  CAF_CHECK_EQUAL(offered.provider, "stars");
  CAF_CHECK(offered.kind == method_kind::stars);
}

CAF_TEST(nonsense is the providers failure and the client lives on) {
  const list_charges by_id{{to_string(ours)}};
  for (const auto& odd : nonsense()) {
    play(odd);
    CAF_CHECK(client->failure(order()) == ec::upstream);
    CAF_CHECK(client->failure(by_id) == ec::upstream);
    CAF_CHECK(client->failure(answer_checkout{"1", ""}) == ec::upstream);
  }
  const json patches[]{{{"id", 1}},
                       {{"amount", "500"}},
                       {{"amount", 1e30}},
                       {{"date", nullptr}},
                       {{"source", 7}},
                       {{"source", {{"type", 1}}}},
                       {{"source", {{"user", nullptr}}}},
                       {{"source", {{"user", {{"id", "1001"}}}}}},
                       {{"source", {{"invoice_payload", 1}}}}};
  for (const auto& patch : patches) {
    play(ok({{"transactions", {changed(payment("stx1"), patch)}}}));
    CAF_CHECK(client->failure(by_id) == ec::upstream);
  }
  play(ok(""));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(ok(false));
  CAF_CHECK(client->failure(answer_checkout{"1", ""}) == ec::upstream);
  play(answer(401, R"({"ok":false,"error_code":401,"description":"Unauthorized"})"));
  CAF_CHECK(client->failure(order()) == ec::upstream);
  play(answer(429, R"({"ok":false,"error_code":429,"parameters":{"retry_after":9}})", "Retry-After: 9\r\n"));
  CAF_CHECK_EQUAL(client->ask(by_id).failure.retry_after.count(), 9);
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(lost answers and absent providers are told apart) {
  play(hang_up);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  CAF_CHECK_EQUAL(remote.take().size(), 1u);
  play(silence);
  CAF_CHECK(client->failure(order()) == ec::timeout);
  start(refused_url(), token, webhook_secret);
  CAF_CHECK(client->failure(order()) == ec::unavailable);
  CAF_CHECK(client->failure(list_charges{{to_string(ours)}}) == ec::unavailable);
}

CAF_TEST(a payment in the sandbox) {
  play(answer(200, "{}"));
  auto given = sandbox_options(remote.url());
  given.telegram_bot_token = token;
  given.payment_key = webhook_secret;
  const sandbox::sandbox fakes{given};
  start(fakes.url() + "/stars", token, webhook_secret);
  const auto made = client->ask(order());
  CAF_REQUIRE(made.value);
  CAF_CHECK(made.value->url.starts_with(fakes.url()));
  const json listed = read_control(fakes.url() + "/sandbox/stars/invoices?payload=" + to_string(ours));
  const auto& invoices = listed["items"];
  CAF_REQUIRE_EQUAL(invoices.size(), 1u);
  const auto pay = fakes.url() + "/sandbox/stars/invoices/" + invoices[0]["slug"].get<std::string>() + "/pay";
  const auto hear_hook = [&](const incoming& call) {
    return *client->ask(read_webhook{call.body, call.headers}).value;
  };

  // A buyer who is refused, and two who press at once.
  auto refused = std::async(std::launch::async, [&] { return control(pay); });
  auto asked = wait_for(remote, 1);
  const auto first = *hear_hook(asked.at(0)).asks;
  CAF_CHECK((first.payment == ours && first.price == money{999, "USD"}));
  CAF_CHECK(client->ask(answer_checkout{first.query_id, "Not today"}).value);
  const auto reason = refused.get()["payments"][0].value("reason", "");
  CAF_CHECK_EQUAL(reason, "Not today");
  CAF_CHECK(list({to_string(ours)}).empty());
  CAF_CHECK(client->failure(answer_checkout{first.query_id, ""}) == ec::upstream);

  auto both = std::async(std::launch::async, [&] { return control(pay, {{"times", 2}, {"buyer", 1001}}); });
  for (const auto& call : wait_for(remote, 2))
    CAF_CHECK(client->ask(answer_checkout{hear_hook(call).asks.value().query_id, ""}).value);
  const auto outcome = both.get();
  CAF_CHECK_EQUAL(outcome["payments"].size(), 2u);
  const auto all = client->ask(find_charge{ours, {}}).value->items;
  CAF_REQUIRE_EQUAL(all.size(), 2u);
  const auto told = wait_for(remote, 2);
  CAF_REQUIRE_EQUAL(told.size(), 2u);
  for (const auto& call : told) {
    const auto about = hear_hook(call).about.value();
    CAF_CHECK_EQUAL(list({about.external_id}).size(), 1u);
    CAF_CHECK(about.price == (money{999, "USD"}));
  }

  CAF_CHECK(client->ask(refund_charge{ours, all[1].external_id, all[1].price}).value->refunded == 999);
  CAF_CHECK(list({all[1].external_id}).at(0).state == charge_state::refunded);
  CAF_CHECK(list({all[0].external_id}).at(0).state == charge_state::paid);
  CAF_CHECK(hear_hook(wait_for(remote, 1).at(0)).about->state == charge_state::refunded);
  const auto id = read_control(fakes.url() + "/sandbox/stars/transactions")["items"][0]["id"].get<std::string>();
  control(fakes.url() + "/sandbox/stars/transactions/" + id + "/refund");
  CAF_CHECK(list({all[0].external_id}).at(0).state == charge_state::refunded);

  control(fakes.url() + "/sandbox/faults", {{"system", "stars"}, {"error_rate", 1}});
  CAF_CHECK(client->failure(order()) == ec::upstream);
  start(fakes.url() + "/stars", "7000000001:another", webhook_secret);
  CAF_CHECK(client->failure(order()) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
