#define CAF_SUITE http_mobile_sockets

#include "http/mobile/sockets.hpp"

#include <nlohmann/json.hpp>

#include "tests/http/sockets.hpp"

using namespace backstay;
using namespace backstay::websocket;
using namespace backstay::websocket::test;
using nlohmann::json;

namespace {

const std::vector<socket_endpoint> endpoints = http::mobile::sockets();
const socket_endpoint &notifications = endpoints.at(0), &monitoring = endpoints.at(1);

struct fixture : hub_fixture {
  visitor& enter_monitoring(role who) {
    return enter(make_session(account_id::random(), who), monitoring.encode, false);
  }

  /// What the server says to the client's text, as JSON.
  std::vector<json> ask(visitor& who, std::string_view text) {
    monitoring.on_text(*sockets, who.number, *who.socket, who.who, text);
    std::vector<json> said;
    for (auto& frame : heard_by(who)) said.push_back(json::parse(frame.substr(frame.find(':') + 1)));
    return said;
  }
  std::string ask_once(visitor& who, std::string_view text) {
    auto said = ask(who, text);
    return said.size() == 1 ? said[0].dump() : std::to_string(said.size()) + " answers";
  }
};

/// The event without the moment of its sending.
json written(const live::event& what) {
  auto message = json::parse(http::mobile::encode_event(what));
  CAF_CHECK(from_rfc3339(message["timestamp"].get<std::string>()).has_value());
  message.erase("timestamp");
  return message;
}

/// As the table of mobile-websocket.md section 3 has them, in the order of `available_topics`.
const std::vector<std::pair<role, std::vector<std::string>>> topics_of_roles{
    {role::super_admin, {"servers", "users", "system", "payments", "general"}},
    {role::admin, {"servers", "payments", "general"}},
    {role::operator_, {"servers", "general"}},
    {role::support, {"general"}},
    {role::viewer, {"general"}},
};

} // namespace

CAF_TEST(both sockets are served at both places) {
  CAF_CHECK_EQUAL(notifications.paths, (std::vector<std::string>{"/ws/notifications", "/api/v1/ws/notifications"}));
  CAF_CHECK_EQUAL(monitoring.paths, (std::vector<std::string>{"/ws/monitoring", "/api/v1/ws/monitoring"}));
}

CAF_TEST(notifications are for the account and say nothing by themselves) {
  CAF_CHECK(notifications.hears_account && notifications.hears_everyone);
  CAF_CHECK(!monitoring.hears_account && !monitoring.hears_everyone);
  CAF_CHECK(!notifications.greet && !notifications.on_text);
}

CAF_TEST(monitoring greets with the topics of the role) {
  for (auto& [who, topics] : topics_of_roles) {
    json expected{{"type", "available_topics"}, {"topics", topics}, {"role", name_of(who)}};
    CAF_CHECK_EQUAL(json::parse(monitoring.greet(hub_fixture::make_session({}, who))), expected);
  }
}

CAF_TEST_FIXTURE_SCOPE(mobile_socket_tests, fixture)

CAF_TEST(each role may subscribe to what the table says) {
  for (auto& [who, topics] : topics_of_roles) {
    auto& visitor = enter_monitoring(who);
    for (std::string topic : {"servers", "users", "system", "payments", "general"}) {
      bool allowed = std::find(topics.begin(), topics.end(), topic) != topics.end();
      json expected{{"type", "subscribed"}, {"topic", topic}};
      if (!allowed)
        expected = {{"type", "error"},
                    {"message", "Insufficient permissions to subscribe to topic: " + topic},
                    {"topic", topic}};
      CAF_CHECK_EQUAL(ask_once(visitor, json{{"type", "subscribe"}, {"topics", {topic}}}.dump()), expected.dump());
    }
  }
}

CAF_TEST(a subscriber hears its topic until it unsubscribes) {
  auto& admin = enter_monitoring(role::admin);
  live::event what = live::server_status_changed{node_id::random(), live::server_status::offline, 3};
  sockets->publish(live::topic::servers, what);
  CAF_CHECK(heard_by(admin).empty());
  ask(admin, R"({"type":"subscribe","topics":["servers"]})");
  sockets->publish(live::topic::servers, what);
  CAF_CHECK_EQUAL(heard_by(admin).size(), 1u);
  CAF_CHECK_EQUAL(ask_once(admin, R"({"type":"unsubscribe","topics":["servers"]})"),
                  R"({"topic":"servers","type":"unsubscribed"})");
  sockets->publish(live::topic::servers, what);
  CAF_CHECK(heard_by(admin).empty());
}

CAF_TEST(a refused subscriber hears nothing) {
  auto& viewer = enter_monitoring(role::viewer);
  ask(viewer, R"({"topics":["servers","payments"]})");
  sockets->publish(live::topic::servers, live::subscription_updated{});
  sockets->publish(live::topic::payments, live::subscription_updated{});
  CAF_CHECK(heard_by(viewer).empty());
}

CAF_TEST(each topic of a message has its answer) {
  auto& visitor = enter_monitoring(role::operator_);
  auto said = ask(visitor, R"({"topics":["general","users","nonsense","servers"]})"); // type: subscribe by default
  CAF_REQUIRE_EQUAL(said.size(), 4u);
  std::vector<std::string> types;
  for (auto& each : said) types.push_back(each["topic"].get<std::string>() + " " + each["type"].get<std::string>());
  CAF_CHECK_EQUAL(
      types, (std::vector<std::string>{"general subscribed", "users error", "nonsense error", "servers subscribed"}));
}

CAF_TEST(unsubscribing is confirmed also for what was never subscribed) {
  auto& visitor = enter_monitoring(role::viewer);
  for (std::string topic : {"users", "nonsense"})
    CAF_CHECK_EQUAL(ask_once(visitor, json{{"type", "unsubscribe"}, {"topics", {topic}}}.dump()),
                    (json{{"type", "unsubscribed"}, {"topic", topic}}.dump()));
}

CAF_TEST(ping is answered) {
  CAF_CHECK_EQUAL(ask_once(enter_monitoring(role::viewer), R"({"type":"ping"})"), R"({"type":"pong"})");
}

CAF_TEST(what is no message is complained about and the socket stays) {
  auto& visitor = enter_monitoring(role::viewer);
  for (auto bad : {"", "nonsense", "{", "[]", "5", "null", R"("ping")", R"({"type":5})", R"({"type":null})", "\xff"})
    CAF_CHECK_EQUAL(ask_once(visitor, bad), R"({"message":"Invalid JSON message","type":"error"})");
  CAF_CHECK_EQUAL(ask_once(visitor, R"({"type":"shout"})"),
                  R"({"message":"Unknown message type: shout","type":"error"})");
  CAF_CHECK_EQUAL(ask_once(visitor, json{{"type", std::string(1000, 'x')}}.dump()),
                  (json{{"type", "error"}, {"message", "Unknown message type: " + std::string(50, 'x')}}.dump()));
  CAF_CHECK_EQUAL(ask_once(visitor, std::string(60'000, '[')), R"({"message":"Invalid JSON message","type":"error"})");
  CAF_CHECK_EQUAL(ask_once(visitor, R"({"type":"ping"})"), R"({"type":"pong"})");
}

CAF_TEST(topics are at most twenty short names) {
  auto& visitor = enter_monitoring(role::viewer);
  constexpr auto complaint = R"({"message":"`topics` should be a list of at most 20 names","type":"error"})";
  for (auto bad : {R"({"type":"subscribe"})", R"({"topics":"general"})", R"({"topics":[5]})",
                   R"({"topics":{"a":"general"}})", R"({"topics":null})"})
    CAF_CHECK_EQUAL(ask_once(visitor, bad), complaint);
  CAF_CHECK_EQUAL(ask_once(visitor, json{{"topics", std::vector<std::string>(21, "general")}}.dump()), complaint);
  CAF_CHECK_EQUAL(ask_once(visitor, json{{"topics", {std::string(51, 'x')}}}.dump()), complaint);
  CAF_CHECK_EQUAL(ask(visitor, json{{"topics", std::vector<std::string>(20, "general")}}.dump()).size(), 20u);
  CAF_CHECK(ask(visitor, R"({"topics":[]})").empty());
}

CAF_TEST(a letter that is cut in the middle is replaced and not thrown over) {
  auto& visitor = enter_monitoring(role::viewer);
  auto said = ask(visitor, R"({"type":")" + std::string(49, 'x') + "\xd0\xb6\"}");
  CAF_REQUIRE_EQUAL(said.size(), 1u);
  CAF_CHECK(said[0]["message"].get<std::string>().ends_with("x\xef\xbf\xbd"));
}

CAF_TEST_FIXTURE_SCOPE_END()

// ---- events ----

CAF_TEST(each event is written as the app reads it) {
  auto id = *uuid::parse("550e8400-e29b-41d4-a716-446655440000");
  CAF_CHECK_EQUAL(written(live::server_status_changed{{id}, live::server_status::online, 17}), json::parse(R"({
    "type": "server_status_changed",
    "data": {"server_id": "550e8400-e29b-41d4-a716-446655440000", "status": "online", "current_users": 17}})"));
  CAF_CHECK_EQUAL(written(live::subscription_updated{{id}, "active"}), json::parse(R"({
    "type": "subscription_updated",
    "data": {"subscription_id": "550e8400-e29b-41d4-a716-446655440000", "status": "active"}})"));
  CAF_CHECK_EQUAL(written(live::force_disconnect{"Account suspended"}),
                  json::parse(R"({"type": "force_disconnect", "data": {"reason": "Account suspended"}})"));
  live::notification_received notice{id, live::notification_kind::payment_confirmed, "Payment received",
                                     "Premium is active", "/subscription"};
  CAF_CHECK_EQUAL(written(notice), json::parse(R"({
    "type": "notification_received",
    "data": {"id": "550e8400-e29b-41d4-a716-446655440000", "type": "paymentConfirmed", "title": "Payment received",
             "body": "Premium is active", "action_route": "/subscription"}})"));
  notice.action_route.reset();
  CAF_CHECK(!written(notice)["data"].contains("action_route"));
}

CAF_TEST(events of topics are written for the dashboard) {
  auto id = *uuid::parse("550e8400-e29b-41d4-a716-446655440000");
  auto change = written(live::server_status_changed{{id}, live::server_status::warning, 3, 42.5});
  CAF_CHECK_EQUAL(change["data"]["load"], 42.5);
  live::payment_changed payment{{id}, account_id{id}, "stripe", "held", {1999, "USD"}, "paid too little"};
  CAF_CHECK_EQUAL(written(payment), json::parse(R"({
    "type": "payment_changed",
    "data": {"payment_id": "550e8400-e29b-41d4-a716-446655440000", "provider": "stripe", "status": "held",
             "account_id": "550e8400-e29b-41d4-a716-446655440000", "amount": "19.99", "currency": "USD",
             "review": "paid too little"}})"));
  payment.account.reset();
  CAF_CHECK(written(payment)["data"]["account_id"].is_null());
  CAF_CHECK_EQUAL(written(live::account_changed{{id}, live::account_change::signed_in}), json::parse(R"({
    "type": "account_changed",
    "data": {"account_id": "550e8400-e29b-41d4-a716-446655440000", "what": "signed_in"}})"));
}

CAF_TEST(states are written many in a frame and a type for each kind) {
  node_id node{*uuid::parse("550e8400-e29b-41d4-a716-446655440000")};
  auto read = [](const live::state& what) {
    auto texts = http::mobile::encode_states({what});
    CAF_REQUIRE_EQUAL(texts.size(), 1u);
    auto message = json::parse(texts[0]);
    CAF_CHECK(from_rfc3339(message["timestamp"].get<std::string>()).has_value());
    message.erase("timestamp");
    return message;
  };
  live::node_sample sample{node, live::server_status::online, 17,         42.5, 1000,
                           50,   std::chrono::seconds{60},    timestamp{}};
  CAF_CHECK_EQUAL(read(sample), json::parse(R"({"type": "server_samples", "data": {"items": [
    {"server_id": "550e8400-e29b-41d4-a716-446655440000", "status": "online", "current_users": 17, "load": 42.5,
     "traffic_bytes": 1000, "bytes_per_second": 50, "uptime_seconds": 60, "measured_at": "1970-01-01T00:00:00Z"}]}})"));
  auto unknown = read(live::node_sample{.node = node})["data"]["items"][0];
  for (auto missing : {"load", "bytes_per_second", "uptime_seconds"}) CAF_CHECK(!unknown.contains(missing));
  CAF_CHECK_EQUAL(read(live::actor_state{"wallet", true, live::actor_condition::restarting, 3, 100, 2.5, 1, "boom"}),
                  json::parse(R"({"type": "actor_states", "data": {"items": [
    {"name": "wallet", "critical": true, "condition": "restarting", "mailbox": 3, "handled": 100, "per_second": 2.5,
     "restarts": 1, "last_cause": "boom"}]}})"));
  CAF_CHECK_EQUAL(read(live::queue_state{"mail", 5, 1, std::chrono::seconds{9}}), json::parse(R"({
    "type": "queue_states", "data": {"items": [{"name": "mail", "waiting": 5, "dead": 1, "lag_seconds": 9}]}})"));
  std::vector<live::state> many(1000, live::node_sample{.node = node});
  many.push_back(live::queue_state{});
  std::size_t samples = 0;
  for (auto& text : http::mobile::encode_states(many)) {
    CAF_CHECK(text.size() <= 16 * 1024);
    if (auto message = json::parse(text); message["type"] == "server_samples")
      samples += message["data"]["items"].size();
  }
  CAF_CHECK_EQUAL(samples, 1000u);
  CAF_CHECK(http::mobile::encode_states({}).empty());
}

CAF_TEST(kinds of notices have the names of the enumeration in the app) {
  std::vector<std::string> names;
  for (std::size_t kind = 0; kind < names_of<live::notification_kind>.size(); ++kind)
    names.push_back(
        written(live::notification_received{.kind = static_cast<live::notification_kind>(kind)})["data"]["type"]);
  CAF_CHECK_EQUAL(names,
                  (std::vector<std::string>{"subscriptionExpiring", "expired", "paymentConfirmed", "referralJoined",
                                            "securityAlert", "promotional", "serverMaintenance", "appUpdate"}));
}
