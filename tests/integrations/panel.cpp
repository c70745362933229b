#define CAF_SUITE integrations.panel

#include "actors/kernel/crypto.hpp"
#include "integrations/panel/client.hpp"
#include "tests/integrations/harness.hpp"

#include <map>
#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::panel;
using namespace backstay::testing;

namespace {

/// 3.3.2 as it was recorded.
const json& recording(const std::string& label) {
  static const auto calls = read_json_file("tests/fixtures/panel/panel-calls.json");
  return *std::find_if(calls.begin(), calls.end(), [&](const json& call) { return call["label"] == label; });
}

std::string recorded(const std::string& label) {
  const auto& call = recording(label);
  return answer(call["status"], call["response"], {}, call["headers"]["Content-Type"]);
}

json recorded_response(const std::string& label) {
  return json::parse(recording(label)["response"].get<std::string>())["response"];
}

/// One answer for each `METHOD /path`; all else is a route that the panel does not have, but for its version.
scripted_system::script routes(std::map<std::string, std::string> table) {
  table.try_emplace("GET /panel/api/system/metadata", recorded("metadata"));
  return [table = std::move(table)](const incoming& request) {
    const auto row = table.find(request.method + " " + request.target);
    return row == table.end() ? recorded("unknown route") : row->second;
  };
}

const std::string metadata = "GET /panel/api/system/metadata", squads = "GET /panel/api/internal-squads",
                  create = "POST /panel/api/users", update = "PATCH /panel/api/users",
                  user_url = "GET /panel/api/users/by-username/tg_1001";
const std::string default_squad = "ab2a7591-91dd-4c82-b889-7afff1c4d453";

struct fixture {
  scripted_system remote{routes({})};
  config::settings::panel_section settings;
  std::optional<harness> client;

  fixture() { start(remote.url() + "/panel"); }

  void start(const std::string& url) {
    settings = {.url = url, .token = secret{"panel-token"}, .webhook_secret = secret{"webhook-key"}};
    client.emplace("panel", [this](auto* parent, auto context) { return spawn_panel(parent, context, settings); });
    client->set_clock("2026-11-22T13:10:00Z");
  }

  put_user wish() const {
    return {.username = "tg_1001",
            .email = "a@example.com",
            .expires_at = *from_rfc3339("2026-12-22T13:10:01.5Z"),
            .traffic_limit_bytes = 107374182400,
            .device_limit = 3};
  }

  /// What came in, but for the question of the version, as "METHOD /path".
  std::vector<std::string> take_calls() {
    std::vector<std::string> calls;
    for (const auto& call : remote.take())
      if (const auto line = call.method + " " + call.target; line != metadata) calls.push_back(line);
    return calls;
  }

  /// The recorded user is as wished, but for what a test changes.
  put_user wish_for_recorded() const {
    auto same = wish();
    same.reset = traffic_reset::monthly;
    return same;
  }

  put_user ended_wish() const {
    auto ended = wish();
    ended.expires_at = *from_rfc3339("2026-11-20T00:00:00Z");
    return ended;
  }

  /// A recorded user with one field, named by a JSON pointer, replaced.
  std::string user_with(const std::string& pointer, const json& value) const {
    auto user = recorded_response("get by id");
    user[json::json_pointer{pointer}] = value;
    return answer(200, json{{"response", user}}.dump());
  }

  read_webhook signed_hook(const std::string& body, const std::string& key = "webhook-key") const {
    return {body, {{"x-remnawave-signature", crypto::to_hex(crypto::hmac(key, body))}}};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(panel_tests, fixture)

CAF_TEST(a new user is created with every squad) {
  remote.play(routes({{squads, recorded("list internal squads")},
                      {user_url, recorded("by username missing")},
                      {create, recorded("create user")}}));
  auto wanted = wish();
  wanted.reset = traffic_reset::rolling;
  const auto made = client->ask(wanted);
  CAF_REQUIRE(made.value);
  CAF_CHECK_EQUAL(made.value->id, 2);
  CAF_CHECK_EQUAL(made.value->key, "2");
  CAF_CHECK_EQUAL(made.value->short_uuid, "NDwnKREmKwLBGCYG");
  CAF_CHECK_EQUAL(made.value->username, "tg_1001");
  CAF_CHECK(made.value->status == user_status::active);
  CAF_CHECK_EQUAL(made.value->traffic_limit_bytes, 107374182400);
  CAF_CHECK(made.value->reset == traffic_reset::monthly);
  CAF_CHECK_EQUAL(to_rfc3339(made.value->traffic_since), "2026-11-22T13:10:01Z"); // its creation
  CAF_CHECK_EQUAL(made.value->device_limit.value_or(0), 3);
  CAF_CHECK_EQUAL(made.value->email.value_or(""), "a@example.com");
  CAF_CHECK_EQUAL(to_rfc3339(made.value->expires_at), "2026-12-22T13:10:01Z");
  CAF_CHECK(!made.value->is_revoked);
  CAF_CHECK(!made.value->online_at);
  CAF_CHECK_EQUAL(made.value->squads, std::vector<std::string>{default_squad});
  CAF_CHECK_EQUAL(made.value->subscription_url, "https://panel.localhost/api/sub/NDwnKREmKwLBGCYG");

  const auto calls = remote.take();
  CAF_REQUIRE_EQUAL(calls.size(), 4u);
  for (const auto& call : calls) {
    CAF_CHECK_EQUAL(call.header("authorization"), "Bearer panel-token");
    CAF_CHECK_EQUAL(call.header("x-forwarded-for"), "127.0.0.1");
    CAF_CHECK_EQUAL(call.header("x-forwarded-proto"), "https");
  }
  CAF_CHECK_EQUAL(calls[3].header("content-type"), "application/json");
  const json expected{{"username", "tg_1001"},
                      {"email", "a@example.com"},
                      {"status", "ACTIVE"},
                      {"expireAt", "2026-12-22T13:10:01Z"},
                      {"trafficLimitBytes", 107374182400},
                      {"trafficLimitStrategy", "MONTH_ROLLING"},
                      {"hwidDeviceLimit", 3},
                      {"activeInternalSquads", {default_squad}}};
  CAF_CHECK_EQUAL(calls[3].document(), expected);
}

CAF_TEST(every strategy has the panels name) {
  const std::pair<traffic_reset, const char*> names[]{{traffic_reset::never, "NO_RESET"},
                                                      {traffic_reset::daily, "DAY"},
                                                      {traffic_reset::weekly, "WEEK"},
                                                      {traffic_reset::monthly, "MONTH"},
                                                      {traffic_reset::rolling, "MONTH_ROLLING"}};
  for (const auto& [reset, name] : names) {
    remote.play(routes({{squads, recorded("list internal squads")},
                        {user_url, user_with("/trafficLimitStrategy", name)},
                        {update, user_with("/trafficLimitStrategy", name)}}));
    auto wanted = wish();
    wanted.traffic_limit_bytes = 1; // so that it is written
    wanted.reset = reset;
    const auto updated = client->ask(wanted);
    CAF_REQUIRE(updated.value);
    CAF_CHECK(updated.value->reset == reset);
    CAF_CHECK_EQUAL(remote.take().back().document().value("trafficLimitStrategy", ""), name);
  }
}

CAF_TEST(what the panel would refuse for its form is left out) {
  remote.play(routes({{squads, recorded("list internal squads")},
                      {user_url, recorded("by username missing")},
                      {create, recorded("create user")}}));
  for (const auto* email : {"пример@example.com", ".a@example.com", "a..b@example.com", "a@localhost", "a\xff@b.org"}) {
    auto odd = wish();
    odd.email = email;
    odd.device_limit.reset();
    CAF_CHECK(client->ask(odd).value);
    const auto body = remote.take().back().document();
    CAF_CHECK(!body.contains("email"));
    CAF_CHECK(!body.contains("hwidDeviceLimit"));
  }
}

CAF_TEST(an existing user is made as described) {
  remote.play(routes({{squads, recorded("list internal squads")},
                      {user_url, recorded("by username")},
                      {update, recorded("update expiry + limit")}}));
  auto changed = wish();
  changed.device_limit.reset();
  const auto updated = client->ask(changed);
  CAF_REQUIRE(updated.value);
  CAF_CHECK_EQUAL(updated.value->traffic_limit_bytes, 214748364800);
  const json expected{{"username", "tg_1001"},
                      {"email", "a@example.com"},
                      {"status", "ACTIVE"},
                      {"expireAt", "2026-12-22T13:10:01Z"},
                      {"trafficLimitBytes", 107374182400},
                      {"trafficLimitStrategy", "NO_RESET"},
                      {"hwidDeviceLimit", nullptr},
                      {"activeInternalSquads", {default_squad}}};
  CAF_CHECK_EQUAL(remote.take().back().document(), expected);
}

CAF_TEST(a user that is as wished is not written) {
  std::map<std::string, std::string> table{{squads, recorded("list internal squads")},
                                           {user_url, recorded("by username")}};
  remote.play(routes(table));
  auto same = wish_for_recorded();
  same.email = "A@Example.COM"; // the case of an address is nothing to write for
  CAF_CHECK(client->ask(same).value);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url}));

  const std::pair<const char*, json> changes[]{
      {"/expireAt", "2026-12-22T13:10:02.000Z"},
      {"/trafficLimitBytes", 1},
      {"/trafficLimitStrategy", "DAY"},
      {"/hwidDeviceLimit", nullptr},
      {"/email", "b@example.com"},
      {"/status", "DISABLED"},
      {"/activeInternalSquads", json::array()},
  };
  table[update] = recorded("by username");
  for (const auto& [pointer, value] : changes) {
    table[user_url] = user_with(pointer, value);
    remote.play(routes(table));
    CAF_CHECK(client->ask(wish_for_recorded()).value);
    CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{user_url, update}));
  }
  for (const auto* status : {"LIMITED", "EXPIRED"}) { // the panel's own affair, as long as the rest is right
    table[user_url] = user_with("/status", status);
    remote.play(routes(table));
    CAF_CHECK(client->ask(wish_for_recorded()).value);
    CAF_CHECK_EQUAL(take_calls(), std::vector<std::string>{user_url});
  }
}

CAF_TEST(whom an operator has disabled stays so until something new is wished for) {
  remote.play(routes({{squads, recorded("list internal squads")},
                      {user_url, user_with("/status", "DISABLED")},
                      {update, recorded("by username")}}));
  auto again = wish();
  again.is_repetition = true;
  CAF_CHECK(client->ask(again).value->status == user_status::disabled);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url}));
  CAF_CHECK(client->ask(wish()).value->status == user_status::active);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{user_url, update}));
}

CAF_TEST(traffic is set back once a period) {
  const std::string reset = "POST /panel/api/users/2/actions/reset-traffic";
  remote.play(routes({{squads, recorded("list internal squads")},
                      {user_url, recorded("by username")},
                      {reset, recorded("reset traffic")}}));
  auto renewed = wish_for_recorded();
  const auto counted_since = *from_rfc3339("2026-11-22T13:10:01.409Z");
  renewed.traffic_since = counted_since + std::chrono::minutes{5};
  CAF_CHECK(client->ask(renewed).value);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url})); // the clocks differ
  renewed.traffic_since = counted_since + std::chrono::minutes{6};
  const auto fresh = client->ask(renewed);
  CAF_REQUIRE(fresh.value);
  CAF_CHECK_EQUAL(fresh.value->used_traffic_bytes, 0);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{user_url, reset}));

  remote.play(routes({{user_url, user_with("/lastTrafficResetAt", "2026-11-22T13:16:30.000Z")}}));
  CAF_CHECK(client->ask(renewed).value);
  CAF_CHECK_EQUAL(take_calls(), std::vector<std::string>{user_url});
}

CAF_TEST(of two that create the same user one updates it) {
  auto missing = std::make_shared<bool>(true);
  const auto table = routes({{squads, recorded("list internal squads")},
                             {user_url, recorded("by username")},
                             {create, recorded("create user: duplicate username")},
                             {update, recorded("update expiry + limit")}});
  remote.play([missing, table](const incoming& request) {
    const bool is_first = request.method + " " + request.target == user_url && std::exchange(*missing, false);
    return is_first ? recorded("by username missing") : table(request);
  });
  CAF_CHECK(client->ask(wish()).value);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url, create, user_url, update}));
}

CAF_TEST(an ended subscription stops a user that would run on) {
  remote.play(routes({{squads, recorded("list internal squads")},
                      {user_url, recorded("by username")},
                      {update, recorded("disable")}}));
  CAF_CHECK(client->ask(ended_wish()).value->status == user_status::disabled);
  const auto calls = remote.take();
  CAF_CHECK_EQUAL(calls.back().method, "PATCH");
  CAF_CHECK_EQUAL(calls.back().document(), (json{{"username", "tg_1001"}, {"status", "DISABLED"}}));
}

CAF_TEST(an ended subscription leaves an ended user alone) {
  std::map<std::string, std::string> table{{squads, recorded("list internal squads")},
                                           {user_url, recorded("by username")}};
  remote.play(routes(table));
  client->set_clock("2027-02-01T00:00:00Z"); // after the recorded user's end
  CAF_CHECK(client->ask(ended_wish()).value);
  client->set_clock("2026-11-22T13:10:00Z");
  table[user_url] = user_with("/status", "DISABLED");
  remote.play(routes(table));
  CAF_CHECK(client->ask(ended_wish()).value);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url, user_url}));
}

CAF_TEST(squads are remembered until a write is refused) {
  std::map<std::string, std::string> table{{squads, recorded("list internal squads")},
                                           {user_url, recorded("by username missing")},
                                           {create, recorded("create user")}};
  remote.play(routes(table));
  CAF_CHECK(client->ask(wish()).value);
  CAF_CHECK(client->ask(wish()).value);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url, create, user_url, create}));

  table[create] = recorded("create user: unknown squad");
  remote.play(routes(table));
  CAF_CHECK(client->failure(wish()) == ec::upstream);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{user_url, create}));
  CAF_CHECK(client->failure(wish()) == ec::upstream);
  CAF_CHECK_EQUAL(take_calls(), (std::vector<std::string>{squads, user_url, create}));
}

CAF_TEST(the version is found out once and again after what smells of another) {
  const std::string uuid = "0c6a1f6f-5b10-4b7e-9c55-5f3c1c2e7d0a";
  const auto says = [](const char* version) { return answer(200, json{{"response", {{"version", version}}}}.dump()); };
  const auto devices_of = [](const std::string& key) { return "GET /panel/api/hwid/devices/" + key; };
  std::map<std::string, std::string> of_3{{user_url, recorded("by username")},
                                          {devices_of("2"), recorded("hwid of user")}};
  auto of_2 = of_3;
  of_2[metadata] = says("2.8.1");
  of_2[user_url] = user_with("/uuid", uuid);
  of_2[devices_of(uuid)] = recorded("hwid of user");
  // As 2.8.1 refuses a number (section 13 of what was seen of it).
  of_2[devices_of("2")] = answer(400, R"({"statusCode":400,"message":"Validation failed","errors":[]})");

  remote.play(routes(of_3));
  CAF_CHECK(client->ask(get_usage{"tg_1001"}).value->device_count == 2);
  CAF_CHECK(client->ask(get_usage{"tg_1001"}).value);
  CAF_CHECK_EQUAL(remote.take().size(), 5u); // one of them for the version

  remote.play(routes(of_2));
  CAF_CHECK(client->failure(get_usage{"tg_1001"}) == ec::upstream);
  const auto usage = client->ask(get_usage{"tg_1001"});
  CAF_REQUIRE(usage.value);
  CAF_CHECK_EQUAL(usage.value->device_count, 2);
  CAF_CHECK_EQUAL(usage.value->user.key, uuid);
  CAF_CHECK(remote.take().back().target == "/panel/api/hwid/devices/" + uuid);

  remote.play(routes(of_3)); // has no uuid any more
  CAF_CHECK(client->failure(get_usage{"tg_1001"}) == ec::upstream);
  CAF_CHECK(client->ask(get_usage{"tg_1001"}).value);

  for (const auto* version : {"4.0.0", "10.1", "3"}) {
    of_3[metadata] = says(version);
    remote.play(routes(of_3));
    client.emplace("panel", [this](auto* parent, auto context) { return spawn_panel(parent, context, settings); });
    CAF_CHECK(client->ask(get_user{"tg_1001"}).value->key == "2");
  }
  for (const auto* version : {"", "1.9.0", "next"}) {
    of_3[metadata] = says(version);
    remote.play(routes(of_3));
    client.emplace("panel", [this](auto* parent, auto context) { return spawn_panel(parent, context, settings); });
    CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::upstream);
  }
}

CAF_TEST(an address in the panels name is no path) {
  for (const json& key : {json{"../nodes"}, json{""}, json{7}}) {
    remote.play(
        routes({{metadata, answer(200, R"({"response":{"version":"2.8.1"}})")}, {user_url, user_with("/uuid", key)}}));
    CAF_CHECK(client->failure(get_usage{"tg_1001"}) == ec::upstream);
  }
}

CAF_TEST(templates are read with what they say) {
  const std::string list = "GET /panel/api/subscription-templates", first = "5f3c1c2e-7d0a-4b7e-9c55-0c6a1f6f5b10",
                    second = "8d1f0a34-52ab-4c0e-a8a0-3c8a4f0c7d21";
  const auto row = [](const std::string& uuid, const char* type, const json& object, const json& yaml) {
    return json{{"uuid", uuid},         {"viewPosition", 1},      {"name", "Default"},
                {"templateType", type}, {"templateJson", object}, {"encodedTemplateYaml", yaml}};
  };
  const auto of = [](const json& response) { return answer(200, json{{"response", response}}.dump()); };
  const json listed = {row(first, "SINGBOX", nullptr, nullptr), row(second, "CLASH", nullptr, nullptr),
                       row(first, "XRAY_BASE64", nullptr, nullptr), row(first, "SURGE", nullptr, nullptr)};
  std::map<std::string, std::string> table{
      {list, of({{"total", 4}, {"templates", listed}})},
      {list + "/" + first, of(row(first, "SINGBOX", {{"log", "on"}}, nullptr))},
      {list + "/" + second, of(row(second, "CLASH", nullptr, crypto::to_base64("mode: rule\n")))}};
  remote.play(routes(table));
  const auto all = client->ask(list_templates{});
  CAF_REQUIRE(all.value);
  const std::vector<subscription_template> expected{{first, "Default", template_kind::singbox, R"({"log":"on"})"},
                                                    {second, "Default", template_kind::clash, "mode: rule\n"}};
  CAF_CHECK(all.value->items == expected);

  table[list + "/" + second] = of(row(second, "CLASH", nullptr, "not base64"));
  remote.play(routes(table));
  CAF_CHECK(client->failure(list_templates{}) == ec::upstream);
  table[list] = of({{"total", 1}, {"templates", json::array({row("../users", "CLASH", nullptr, nullptr)})}});
  remote.play(routes(table));
  CAF_CHECK(client->failure(list_templates{}) == ec::upstream);
}

CAF_TEST(a user is found by name or is not there) {
  remote.play(routes({{user_url, recorded("update by username")},
                      {"GET /panel/api/users/by-username/nope", recorded("by username missing")}}));
  const auto found = client->ask(get_user{"tg_1001"});
  CAF_REQUIRE(found.value);
  CAF_CHECK_EQUAL(found.value->device_limit.value_or(0), 5);
  CAF_CHECK_EQUAL(to_rfc3339(found.value->expires_at), "2027-01-21T13:10:01Z");
  CAF_CHECK(client->failure(get_user{"nope"}) == ec::not_found);
  CAF_CHECK(client->failure(get_usage{"nope"}) == ec::not_found);
  remote.take();
  for (const auto* odd : {"", "../nodes", "a b", "a/b", "a\r\nb", "a?b", "\xff"})
    CAF_CHECK(client->failure(get_user{odd}) == ec::not_found);
  CAF_CHECK(remote.take().empty());
}

CAF_TEST(revoked users and their states are told) {
  remote.play(routes({{user_url, user_with("/subRevokedAt", "2026-11-22T13:00:00.000Z")}}));
  CAF_CHECK(client->ask(get_user{"tg_1001"}).value->is_revoked);
  const std::pair<const char*, user_status> states[]{{"ACTIVE", user_status::active},
                                                     {"DISABLED", user_status::disabled},
                                                     {"LIMITED", user_status::limited},
                                                     {"EXPIRED", user_status::expired}};
  for (const auto& [name, status] : states) {
    remote.play(routes({{user_url, user_with("/status", name)}}));
    CAF_CHECK(client->ask(get_user{"tg_1001"}).value->status == status);
  }
}

CAF_TEST(no route and no permission are the panels failures) {
  remote.play(routes({}));
  CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::upstream);
  CAF_CHECK(client->failure(list_nodes{}) == ec::upstream);
  CAF_CHECK(client->failure(get_subscription_text{"GUHE1cvCSDLoLc1b"}) == ec::upstream);
  remote.play([](const incoming&) { return recorded("garbage token"); });
  CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::upstream);
}

CAF_TEST(a subscription is what a client would import) {
  remote.play(routes({{"GET /panel/api/sub/GUHE1cvCSDLoLc1b", recorded("sub raw as v2rayNG")},
                      {"GET /panel/api/sub/NDwnKREmKwLBGCYG", recorded("sub raw, revoked short uuid")}}));
  const auto text = client->ask(get_subscription_text{"GUHE1cvCSDLoLc1b"});
  CAF_REQUIRE(text.value);
  CAF_CHECK_EQUAL(text.value->text, recording("sub raw as v2rayNG")["response"].get<std::string>());
  const auto call = remote.take().back();
  CAF_CHECK_EQUAL(call.header("authorization"), "");
  CAF_CHECK_EQUAL(call.header("x-forwarded-proto"), "https");
  CAF_CHECK(call.header("user-agent").starts_with("backstay/"));
  CAF_CHECK(client->failure(get_subscription_text{"NDwnKREmKwLBGCYG"}) == ec::not_found);
  CAF_CHECK(client->failure(get_subscription_text{"a/info"}) == ec::not_found);
  for (const auto& odd : {answer(200, ""), answer(200, "<html>", {}, "text/html; charset=utf-8")}) {
    remote.play([odd](const incoming&) { return odd; });
    CAF_CHECK(client->failure(get_subscription_text{"GUHE1cvCSDLoLc1b"}) == ec::upstream);
  }
}

CAF_TEST(nodes are listed) {
  remote.play(routes({{"GET /panel/api/nodes", recorded("list nodes")}}));
  const auto nodes = client->ask(list_nodes{});
  CAF_REQUIRE(nodes.value);
  CAF_REQUIRE_EQUAL(nodes.value->items.size(), 1u);
  const node expected{.id = *node_id::parse("464b565c-0443-4079-8dde-a54f2359277f"),
                      .name = "test-node-1",
                      .address = "127.0.0.1",
                      .country_code = "DE",
                      .port = 2222,
                      .inbound_count = 1,
                      .created_at = *from_rfc3339("2026-11-22T13:10:01.299Z"),
                      .updated_at = *from_rfc3339("2026-11-22T13:10:01.299Z")};
  CAF_CHECK(nodes.value->items[0] == expected);

  auto changed = recorded_response("list nodes");
  changed[0].update({{"isConnected", true},
                     {"isDisabled", true},
                     {"isConnecting", true},
                     {"port", nullptr},
                     {"trafficUsedBytes", 7000000000},
                     {"usersOnline", 12}});
  remote.play(routes({{"GET /panel/api/nodes", answer(200, json{{"response", changed}}.dump())}}));
  const auto node = client->ask(list_nodes{}).value->items.at(0);
  CAF_CHECK(node.is_connected && node.is_disabled && node.is_connecting && !node.port);
  CAF_CHECK_EQUAL(node.traffic_used_bytes, 7000000000);
  CAF_CHECK_EQUAL(node.users_online, 12);
}

CAF_TEST(nonsense is the panels failure and the client lives on) {
  for (const auto& odd : nonsense()) {
    remote.play([odd](const incoming&) { return odd; });
    CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::upstream);
    CAF_CHECK(client->failure(list_nodes{}) == ec::upstream);
    CAF_CHECK(client->failure(wish()) == ec::upstream);
    CAF_CHECK(client->failure(get_usage{"tg_1001"}) == ec::upstream);
    CAF_CHECK(client->failure(list_templates{}) == ec::upstream);
    CAF_CHECK(client->failure(create_template{.name = "Mine", .content = "{}"}) == ec::upstream);
  }
  for (const auto* pointer :
       {"/id", "/shortUuid", "/username", "/status", "/trafficLimitBytes", "/hwidDeviceLimit", "/expireAt",
        "/subRevokedAt", "/subscriptionUrl", "/userTraffic", "/userTraffic/usedTrafficBytes"})
    for (const json& value : {json{{"a", 1}}, json{"list"}, json{1.5}, json{true}}) {
      remote.play(routes({{user_url, user_with(pointer, value)}}));
      CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::upstream);
    }
  const std::pair<const char*, json> out_of_range[]{{"/id", 18446744073709551615u},
                                                    {"/hwidDeviceLimit", 3000000000},
                                                    {"/expireAt", "yesterday"},
                                                    {"/status", "active"}};
  for (const auto& [pointer, value] : out_of_range) {
    remote.play(routes({{user_url, user_with(pointer, value)}}));
    CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::upstream);
  }
  const std::set<std::string> read{"uuid",        "name",         "address",         "countryCode", "port",
                                   "isConnected", "isConnecting", "isDisabled",      "usersOnline", "configProfile",
                                   "createdAt",   "updatedAt",    "trafficUsedBytes"};
  const auto recorded_nodes = recorded_response("list nodes");
  for (const auto& [name, value] : recorded_nodes[0].items()) {
    auto nodes = recorded_nodes;
    nodes[0][name] = json{{"a", 1.5}};
    remote.play(routes({{"GET /panel/api/nodes", answer(200, json{{"response", nodes}}.dump())}}));
    CAF_CHECK(client->failure(list_nodes{}) == (read.contains(name) ? ec::upstream : ec::none));
  }
  CAF_CHECK_EQUAL(client->pulse->restarts, 0u);
}

CAF_TEST(a busy panel says when to come back) {
  const std::tuple<int, std::string, int> cases[]{{429, "Retry-After: 7\r\n", 7},
                                                  {503, "Retry-After: 30\r\n", 30},
                                                  {429, "", 1},
                                                  {429, "Retry-After: 99999999999999999999\r\n", 3600},
                                                  {429, "Retry-After: -5\r\n", 1},
                                                  {500, "", 0}};
  for (const auto& [status, headers, seconds] : cases) {
    remote.play([text = answer(status, "{}", headers)](const incoming&) { return text; });
    const auto failure = client->ask(list_nodes{}).failure;
    CAF_CHECK(failure.code == ec::upstream);
    CAF_CHECK_EQUAL(failure.retry_after.count(), seconds);
  }
}

CAF_TEST(lost answers and absent panels are told apart) {
  remote.play([](const incoming&) { return hang_up; });
  CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::timeout);
  remote.play([](const incoming&) { return silence; });
  const auto began = std::chrono::steady_clock::now();
  CAF_CHECK(client->failure(list_nodes{}) == ec::timeout);
  CAF_CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{4});
  for (const auto& url : {refused_url(), std::string{}, std::string{"nonsense"}, std::string{"file:///etc"}}) {
    start(url);
    CAF_CHECK(client->failure(list_nodes{}) == ec::unavailable);
  }
}

CAF_TEST(a client that dies loses only what it waited for) {
  remote.play([](const incoming&) { return silence; });
  caf::scoped_actor self{client->system};
  const auto guard = client->guard();
  self->send(guard, get_user{"tg_1001"});
  while (remote.take().empty()) std::this_thread::yield();
  client->ask(crash{drill::exit});
  remote.play(routes({{user_url, recorded("get by id")}}));
  while (client->pulse->restarts == 0u) std::this_thread::yield();
  CAF_CHECK(client->ask(get_user{"tg_1001"}).value);
  client->ask(crash{drill::fault});
  CAF_CHECK(client->failure(get_user{"tg_1001"}) == ec::internal);
  while (client->pulse->restarts == 1u) std::this_thread::yield();
  while (client->failure(get_user{"tg_1001"}) == ec::restarting) std::this_thread::yield();
  CAF_CHECK(client->ask(get_user{"tg_1001"}).value);
}

CAF_TEST(webhooks are hints once their signature is right) {
  // HMAC-SHA256 by another program (OpenSSL's command line).
  const std::string body =
      R"({"scope":"node","event":"node.connection_lost","timestamp":"2026-11-22T13:10:00.000Z","data":{}})";
  const std::string known = "71b6bcdbf625891698f9e6d04560520115c9922f401a9a1fcbe458bac7bf2a86";
  CAF_CHECK(client->ask(read_webhook{body, {{"x-remnawave-signature", known}}}).value->about == hint::node_changed);

  std::ifstream file{"tests/fixtures/panel/panel-webhooks.jsonl"};
  std::size_t count = 0, users = 0;
  std::set<std::string> keys;
  for (std::string line; std::getline(file, line); ++count) {
    const auto hook = json::parse(line);
    const auto text = hook["body"].get<std::string>();
    const auto event = json::parse(text);
    client->set_clock(hook["headers"]["x-remnawave-timestamp"]);
    const auto seen = client->ask(signed_hook(text));
    CAF_REQUIRE(seen.value);
    const auto scope = event["scope"].get<std::string>(), name = event["event"].get<std::string>();
    const bool is_users = scope == "user" || scope == "user_hwid_devices";
    const auto expected = is_users ? hint::user_changed : scope == "node" ? hint::node_changed : hint::other;
    CAF_CHECK(seen.value->about == expected);
    const auto user = scope == "user" ? event["data"] : is_users ? event["data"]["user"] : json::object();
    CAF_CHECK_EQUAL(seen.value->username, user.value("username", ""));
    const std::set<std::string> orders{"user.created", "user.modified", "user.deleted", "user.revoked",
                                       "user.enabled", "user.limited",  "user.expired", "user.traffic_reset"};
    CAF_CHECK_EQUAL(seen.value->may_differ, orders.contains(name) && user["status"] != "DISABLED");
    if (is_users) keys.insert(seen.value->key);
    users += is_users;

    // The same call with the signature that it was recorded with: under another key.
    const read_webhook foreign{text, {{"x-remnawave-signature", hook["headers"]["x-remnawave-signature"]}}};
    CAF_CHECK(client->failure(foreign) == ec::unauthenticated);
    auto tampered = signed_hook(text);
    tampered.body[tampered.body.size() / 2] ^= 1;
    CAF_CHECK(client->failure(tampered) == ec::unauthenticated);
  }
  CAF_CHECK_EQUAL(count, 29u);
  CAF_CHECK_EQUAL(keys.size(), users); // each event has its own
}

CAF_TEST(webhooks without a valid signature or time are nobodys) {
  const auto body = [](const std::string& time) {
    return R"({"scope":"service","event":"service.panel_started","data":{},"timestamp":")" + time + "\"}";
  };
  CAF_CHECK(client->ask(signed_hook(body("2026-11-22T13:05:30.000Z"))).value);
  CAF_CHECK(client->ask(signed_hook(body("2026-11-22T13:14:30.000Z"))).value);
  CAF_CHECK(client->failure(signed_hook(body("2026-11-22T13:04:30.000Z"))) == ec::unauthenticated);
  CAF_CHECK(client->failure(signed_hook(body("2026-11-22T13:15:30.000Z"))) == ec::unauthenticated);
  CAF_CHECK(client->failure(read_webhook{body("2026-11-22T13:10:00.000Z"), {}}) == ec::unauthenticated);
  for (const auto* odd : {"", "{", "null", "[]", "{}", R"({"timestamp":7})", R"({"timestamp":"2026-11-22T13:10:00Z"})",
                          R"({"timestamp":"2026-11-22T13:10:00Z","scope":"user"})",
                          R"({"timestamp":"2026-11-22T13:10:00Z","scope":"user","data":{"username":7}})"})
    CAF_CHECK(client->failure(signed_hook(odd)) == ec::malformed);

  settings.webhook_secret = secret{};
  client.emplace("panel", [this](auto* parent, auto context) { return spawn_panel(parent, context, settings); });
  client->set_clock("2026-11-22T13:10:00Z");
  CAF_CHECK(client->failure(signed_hook(body("2026-11-22T13:10:00.000Z"), "")) == ec::unauthenticated);
}

CAF_TEST(a subscribers life in the sandbox) {
  remote.play([](const incoming&) { return answer(200, "{}"); });
  const sandbox::sandbox fakes{sandbox_options(remote.url())};
  start(fakes.url() + "/panel");
  client->clock->set_offset({});
  const auto now = client->clock->now();
  auto subscriber = wish();
  subscriber.expires_at = now + std::chrono::hours{24};

  const auto made = client->ask(subscriber);
  CAF_REQUIRE(made.value);
  CAF_CHECK(made.value->status == user_status::active);
  CAF_CHECK(client->ask(subscriber).value == made.value);
  CAF_CHECK(client->ask(get_user{"tg_1001"}).value == made.value);
  CAF_CHECK(client->failure(get_user{"nobody"}) == ec::not_found);
  const auto text = client->ask(get_subscription_text{made.value->short_uuid});
  CAF_CHECK(text.value && !text.value->text.empty());
  CAF_CHECK(client->failure(get_subscription_text{"nobody"}) == ec::not_found);

  const auto used = fakes.url() + "/sandbox/panel/users/" + std::to_string(made.value->id) + "/traffic";
  control(used, {{"used_bytes", 1234}});
  CAF_CHECK(client->ask(get_usage{"tg_1001"}).value->user.used_traffic_bytes == 1234);
  subscriber.expires_at += std::chrono::hours{24};
  subscriber.traffic_limit_bytes = 0;
  subscriber.device_limit.reset();
  const auto extended = client->ask(subscriber);
  CAF_REQUIRE(extended.value);
  CAF_CHECK_EQUAL(extended.value->id, made.value->id);
  CAF_CHECK_EQUAL(extended.value->short_uuid, made.value->short_uuid);
  CAF_CHECK_EQUAL(extended.value->used_traffic_bytes, 1234);
  CAF_CHECK_EQUAL(extended.value->traffic_limit_bytes, 0);
  CAF_CHECK(!extended.value->device_limit);
  CAF_CHECK(extended.value->expires_at > made.value->expires_at);

  subscriber.expires_at = now - std::chrono::hours{1};
  CAF_CHECK(client->ask(subscriber).value->status == user_status::disabled);
  subscriber.expires_at = now + std::chrono::hours{1};
  CAF_CHECK(client->ask(subscriber).value->status == user_status::active);

  // Two at once: one creates, the other one updates.
  subscriber.username = "both";
  std::optional<outcome<put_user>> other;
  std::thread second{[&] { other = client->ask(subscriber); }};
  const auto first = client->ask(subscriber);
  second.join();
  CAF_REQUIRE(first.value && other->value);
  CAF_CHECK_EQUAL(first.value->id, other->value->id);

  const auto nodes = client->ask(list_nodes{});
  CAF_REQUIRE(nodes.value);
  CAF_CHECK_EQUAL(nodes.value->items.size(), 3u);
  CAF_CHECK(nodes.value->items[0].is_connected);
  remote.take();
  control(fakes.url() + "/sandbox/panel/nodes/" + to_string(nodes.value->items[0].id), {{"is_connected", false}});
  CAF_CHECK(!client->ask(list_nodes{}).value->items[0].is_connected);

  std::optional<incoming> hook; // those of users may still be on their way
  for (int i = 0; i < 20 && !hook; ++i)
    for (const auto& each : wait_for(remote, 1))
      if (each.document()["scope"] == "node") hook = each;
  CAF_REQUIRE(hook);
  CAF_CHECK(client->ask(read_webhook{hook->body, hook->headers}).value->about == hint::node_changed);
}

CAF_TEST(both versions of the sandbox are spoken to) {
  remote.play([](const incoming&) { return answer(200, "{}"); });
  const sandbox::sandbox fakes{sandbox_options(remote.url())};
  start(fakes.url() + "/panel");
  client->clock->set_offset({});
  auto subscriber = wish();
  subscriber.expires_at = client->clock->now() + std::chrono::hours{24};
  subscriber.reset = traffic_reset::daily;
  for (const auto* version : {"3.3.2", "2.8.1", "2.6.4", "3.0.0"}) {
    control(fakes.url() + "/sandbox/panel/version", {{"version", version}});
    client.emplace("panel", [this](auto* parent, auto context) { return spawn_panel(parent, context, settings); });
    subscriber.traffic_limit_bytes += 1;
    const auto put = client->ask(subscriber);
    CAF_REQUIRE(put.value);
    CAF_CHECK_EQUAL(put.value->traffic_limit_bytes, subscriber.traffic_limit_bytes);
    CAF_CHECK_EQUAL(put.value->key.size(), version[0] == '2' ? 36u : 1u);
    const auto used = fakes.url() + "/sandbox/panel/users/" + std::to_string(put.value->id) + "/traffic";
    control(used, {{"used_bytes", 77}});
    auto next_period = subscriber;
    next_period.traffic_since = client->clock->now() + std::chrono::minutes{6};
    CAF_CHECK(client->ask(next_period).value->used_traffic_bytes == 0);
    const auto usage = client->ask(get_usage{"tg_1001"});
    CAF_REQUIRE(usage.value);
    CAF_CHECK_EQUAL(usage.value->device_count, 0);
    CAF_CHECK(usage.value->user.online_at);
    CAF_CHECK_EQUAL(client->ask(list_nodes{}).value->items.size(), 3u);
    CAF_CHECK_EQUAL(client->ask(list_templates{}).value->items.size(), 5u);
  }
}

CAF_TEST(templates are made once in the sandbox) {
  remote.play([](const incoming&) { return answer(200, "{}"); });
  const sandbox::sandbox fakes{sandbox_options(remote.url())};
  start(fakes.url() + "/panel");
  for (const auto kind : {template_kind::singbox, template_kind::stash}) {
    const create_template mine{.name = "Mine", .kind = kind, .content = R"({"log":{"level":"warn"}})"};
    const auto made = client->ask(mine);
    CAF_REQUIRE(made.value);
    CAF_CHECK_EQUAL(made.value->content, mine.content);
    CAF_CHECK(client->failure(mine) == ec::conflict);
    auto again = mine;
    again.is_repetition = true;
    again.content = "{}";
    CAF_CHECK(client->ask(again).value->id == made.value->id);
    const auto all = client->ask(list_templates{}).value->items;
    CAF_CHECK(std::find(all.begin(), all.end(), subscription_template{made.value->id, "Mine", kind, "{}"}) !=
              all.end());
  }
  CAF_CHECK(client->ask(create_template{.name = "Empty"}).value->content.find("outbounds") != std::string::npos);
  CAF_CHECK(client->failure(create_template{.name = "Default"}) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
