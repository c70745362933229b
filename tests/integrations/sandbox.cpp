#define CAF_SUITE integrations.sandbox

#include "integrations/sandbox/sandbox.hpp"

#include "integrations/http_client.hpp"
#include "integrations/sandbox/values.hpp"

#include <algorithm>
#include <asio.hpp>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::integrations;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr auto panel_token = "panel-token";
constexpr auto panel_secret = "panel-webhook-secret";
constexpr auto cryptobot_token = "1:cryptobot-token";
constexpr auto mail_key = "re_mail_key";

/// What the server would be to the sandbox: takes webhooks and control calls, and answers all with one status.
class backend {
public:
  struct received {
    std::string head;
    std::string body;

    std::string path() const { return head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1); }
    std::string header(const std::string& name) const {
      const auto at = head.find("\r\n" + name + ": ");
      if (at == std::string::npos) return {};
      const auto begin = at + name.size() + 4;
      return head.substr(begin, head.find("\r\n", begin) - begin);
    }
  };

  backend() : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
    thread_ = std::thread([this] { serve(); });
  }

  ~backend() {
    stopping_ = true;
    asio::error_code ignored;
    asio::ip::tcp::socket(context_).connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

  /// The next request; one without a path when none comes.
  received next(std::chrono::milliseconds patience = 5s) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, patience, [this] { return !requests_.empty(); })) return {};
    auto first = std::move(requests_.front());
    requests_.pop_front();
    return first;
  }

  bool is_quiet() { return next(300ms).head.empty(); }

  std::atomic<int> status = 200;

private:
  void serve() {
    for (;;) {
      asio::ip::tcp::socket socket = acceptor_.accept();
      if (stopping_) return;
      asio::error_code error;
      asio::streambuf input;
      asio::read_until(socket, input, "\r\n\r\n", error);
      const std::string text{asio::buffers_begin(input.data()), asio::buffers_end(input.data())};
      const auto end = text.find("\r\n\r\n");
      if (error || end == std::string::npos) continue;
      received request{text.substr(0, end + 2), text.substr(end + 4)};
      const auto length = std::stoul("0" + request.header("Content-Length"));
      while (!error && request.body.size() < length) {
        char more[4096];
        request.body.append(more, socket.read_some(asio::buffer(more), error));
      }
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
      }
      arrived_.notify_all();
      const auto answer =
          "HTTP/1.1 " + std::to_string(status) + " \r\nConnection: close\r\nContent-Length: 11\r\n\r\n{\"ok\":true}";
      asio::write(socket, asio::buffer(answer), error);
    }
  }

  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<received> requests_;
  std::thread thread_;
};

/// What a JSON pointer leads to.
json at(const json& document, const std::string& pointer) {
  const json::json_pointer p(pointer);
  return document.contains(p) ? document.at(p) : json("<missing>");
}

struct result {
  transport_failure failure;
  int status;
  std::string body;
  http_headers headers;

  json object() const { return json::parse(body, nullptr, false); }
  json operator[](const std::string& pointer) const { return at(object(), pointer); }
};

struct fixture {
  backend server;
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("backstay-sandbox-" + sandbox::random_token(12));
  sandbox::options given;
  std::unique_ptr<sandbox::sandbox> box;
  http_client client;

  fixture() {
    given.port = 0;
    given.backend = server.url();
    given.data = directory;
    given.cryptobot_token = cryptobot_token;
    given.panel_token = panel_token;
    given.panel_webhook_secret = panel_secret;
    given.mail_key = mail_key;
    given.control_file = directory / "control.json";
    restart();
  }

  ~fixture() {
    box.reset();
    std::filesystem::remove_all(directory);
  }

  void restart() {
    box.reset();
    box = std::make_unique<sandbox::sandbox>(given);
  }

  result send(http_request request) {
    std::promise<http_result> promise;
    client.send(std::move(request), [&](http_result r) { promise.set_value(std::move(r)); });
    auto r = promise.get_future().get();
    return {r.failure, r.response.status, r.response.body, r.response.headers};
  }

  result control(const std::string& method, const std::string& path, const std::string& body = {}) {
    return send({method, box->url() + path, {}, body});
  }

  result panel(const std::string& method, const std::string& path, const std::string& body = {},
               const std::string& token = panel_token) {
    http_request request{method, box->url() + "/panel" + path, {}, body};
    request.headers = {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}};
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    return send(std::move(request));
  }

  result cryptobot(const std::string& method, const json& parameters = json::object()) {
    return send({"POST",
                 box->url() + "/cryptobot/api/" + method,
                 {{"Crypto-Pay-API-Token", cryptobot_token}},
                 parameters.dump()});
  }

  result mail(const json& content, const std::string& key = {}) {
    http_request request{"POST", box->url() + "/mail/emails", {}, content.dump()};
    request.headers = {{"Authorization", std::string("Bearer ") + mail_key}};
    if (!key.empty()) request.headers.emplace_back("Idempotency-Key", key);
    return send(std::move(request));
  }

  json create_user(const std::string& name, const json& more = json::object()) {
    json body{{"username", name}, {"expireAt", "2099-01-01T00:00:00Z"}};
    body.update(more);
    const auto created = panel("POST", "/api/users", body.dump());
    CAF_REQUIRE_EQUAL(created.status, 201);
    return created["/response"];
  }

  /// The next webhook, which has to be signed and for the panel's path.
  json next_panel_event() {
    const auto hook = server.next();
    CAF_REQUIRE_EQUAL(hook.path(), "/api/v1/webhooks/remnawave");
    CAF_CHECK_EQUAL(hook.header("x-remnawave-signature"), sandbox::hmac_sha256_hex(panel_secret, hook.body));
    const auto event = json::parse(hook.body);
    CAF_CHECK_EQUAL(hook.header("x-remnawave-timestamp"), event["timestamp"].get<std::string>());
    return event;
  }

  std::string next_panel_event_name() { return next_panel_event()["event"]; }

  json create_invoice(const json& more = json::object()) {
    json parameters{{"currency_type", "fiat"}, {"fiat", "USD"}, {"amount", "9.99"}, {"payload", "order-1"}};
    parameters.update(more);
    const auto created = cryptobot("createInvoice", parameters);
    CAF_REQUIRE_EQUAL(created.status, 200);
    return created["/result"];
  }

  /// The id in the next webhook, which has to be Crypto Pay's.
  json next_paid_invoice() { return at(json::parse(server.next().body, nullptr, false), "/payload/invoice_id"); }

  static std::string invoice_path(const json& invoice, const std::string& action) {
    return "/sandbox/cryptobot/invoices/" + invoice["invoice_id"].dump() + "/" + action;
  }
};

/// Where two documents differ in the names of their members; a null stands for any shape.
void compare_shapes(const json& recorded, const json& ours, const std::string& where,
                    std::vector<std::string>& differences) {
  if (recorded.is_null() || ours.is_null()) return;
  if (recorded.type_name() != std::string_view(ours.type_name())) {
    differences.push_back(where + ": " + recorded.type_name() + ", not " + ours.type_name());
  } else if (recorded.is_array() && !recorded.empty() && !ours.empty()) {
    compare_shapes(recorded[0], ours[0], where + "/0", differences);
  } else if (recorded.is_object()) {
    std::set<std::string> names;
    for (const auto* document : {&recorded, &ours})
      for (const auto& [name, value] : document->items()) names.insert(name);
    for (const auto& name : names) {
      if (!recorded.contains(name) || !ours.contains(name))
        differences.push_back(where + "/" + name + (ours.contains(name) ? ": not recorded" : ": missing"));
      else if (name != "rawInbound") // the operator's own Xray configuration
        compare_shapes(recorded[name], ours[name], where + "/" + name, differences);
    }
  }
}

/// Where a recording and the sandbox made up different names for the same thing.
void learn_names(const json& recorded, const json& ours, std::map<std::string, std::string>& names) {
  if (!recorded.is_object() || !ours.is_object()) return;
  for (const auto& [name, value] : recorded.items())
    if (name == "shortUuid" && ours.contains(name)) names[value.get<std::string>()] = ours[name].get<std::string>();
    else if (ours.contains(name)) learn_names(value, ours[name], names);
}

std::string translate(std::string text, const std::map<std::string, std::string>& names) {
  for (const auto& [theirs, ours] : names)
    for (auto at = text.find(theirs); at != std::string::npos; at = text.find(theirs, at + ours.size()))
      text.replace(at, theirs.size(), ours);
  return text;
}

/// Recorded, and not part of the sandbox.
const std::set<std::string> unsupported{"create node",
                                        "create node invalid",
                                        "create host",
                                        "list hosts",
                                        "accessible nodes",
                                        "srh",
                                        "tags",
                                        "subscriptions list",
                                        "connection keys",
                                        "subscription settings",
                                        "squad nodes",
                                        "create squad",
                                        "create squad duplicate",
                                        "squad add users",
                                        "squad remove users",
                                        "delete squad",
                                        "external squads",
                                        "bandwidth",
                                        "nodes stats",
                                        "recap",
                                        "digest",
                                        "http stats",
                                        "configuration",
                                        "nodes metrics",
                                        "bw nodes",
                                        "bw node users",
                                        "bw user",
                                        "bw nodes usage",
                                        "bw squad usage",
                                        "bw bad date",
                                        "bulk extend",
                                        "bulk update",
                                        "bulk reset",
                                        "bulk squads",
                                        "connections by user",
                                        "drop connections",
                                        "put metadata",
                                        "get metadata",
                                        "node restart",
                                        "restart all"};

} // namespace

CAF_TEST_FIXTURE_SCOPE(sandbox_tests, fixture)

CAF_TEST(the panel answers as it was recorded) {
  std::ifstream file("tests/fixtures/panel/panel-calls.json");
  CAF_REQUIRE(file.is_open());
  const auto calls = json::parse(file);
  // Two seconds after the recording began: the offset has whole seconds, and days left are counted down from 13:10:01.
  CAF_REQUIRE_EQUAL(control("POST", "/sandbox/clock", R"({"now":"2026-11-22T13:10:03Z"})").status, 200);
  create_user("the_one_before_the_recording");
  std::map<std::string, std::string> names;
  std::size_t replayed = 0;
  for (const auto& recorded : calls) {
    const auto label = recorded["label"].get<std::string>();
    if (unsupported.contains(label)) continue;
    const auto token = label == "no token" ? "" : label == "garbage token" ? "garbage" : panel_token;
    const auto ours =
        panel(recorded["method"], translate(recorded["path"], names), translate(recorded["body"], names), token);
    ++replayed;
    const auto named = [&](const auto& value) { return label + ": " + json(value).dump(); };
    CAF_CHECK_EQUAL(named(ours.status), named(recorded["status"].get<int>()));
    const auto expected = json::parse(recorded["response"].get<std::string>(), nullptr, false);
    if (expected.is_discarded()) continue; // no content, or a subscription's text
    std::vector<std::string> differences;
    compare_shapes(expected, ours.object(), "", differences);
    CAF_CHECK_EQUAL(named(differences), named(std::vector<std::string>{}));
    learn_names(expected, ours.object(), names);
    for (const auto* exact : {"/errorCode", "/message", "/response/id", "/response/status", "/response/expireAt",
                              "/response/trafficLimitBytes", "/response/user/daysLeft", "/response/user/trafficLimit"})
      if (!recorded["path"].get<std::string>().starts_with("/api/nodes")) // those are not the recorded ones
        CAF_CHECK_EQUAL(named(ours[exact]), named(at(expected, exact)));
  }
  CAF_CHECK_EQUAL(replayed + unsupported.size(), calls.size());
}

CAF_TEST(the panel says nothing where no proxy is in front) {
  const auto direct = send({"GET", box->url() + "/panel/api/users", {{"Authorization", "Bearer panel-token"}}});
  CAF_CHECK(direct.failure == transport_failure::broken);
  CAF_CHECK_EQUAL(panel("GET", "/api/users").status, 200);
}

CAF_TEST(a subscription lists a link for each node) {
  const auto user = create_user("with_links", {{"activeInternalSquads", {"ab2a7591-91dd-4c82-b889-7afff1c4d453"}}});
  const auto url = user["subscriptionUrl"].get<std::string>();
  const auto subscription = send({"GET", url});
  CAF_CHECK_EQUAL(subscription.status, 200);
  const auto info = send({"GET", url + "/info"});
  CAF_REQUIRE_EQUAL(info["/response/links"].size(), 3u);
  std::string list, prefix = "vless://@";
  prefix.insert(8, user["vlessUuid"].get<std::string>());
  for (const auto& link : info["/response/links"]) {
    CAF_CHECK_EQUAL(link.get<std::string>().substr(0, 45), prefix);
    if (!list.empty()) list += '\n';
    list += link.get<std::string>();
  }
  CAF_CHECK_EQUAL(subscription.body, sandbox::base64(list));
  const auto& headers = subscription.headers;
  CAF_CHECK(std::find(headers.begin(), headers.end(),
                      std::pair<std::string, std::string>("subscription-userinfo",
                                                          "upload=0; download=0; total=0; expire=4070908800")) !=
            headers.end());
}

CAF_TEST(changes of users are announced) {
  const auto user = create_user("announced");
  const auto event = next_panel_event();
  CAF_CHECK_EQUAL(event["event"], "user.created");
  CAF_CHECK_EQUAL(event["scope"], "user");
  CAF_CHECK(event.contains("meta"));
  CAF_CHECK_EQUAL(event["data"], user);
  panel("PATCH", "/api/users", R"({"username":"announced","description":"x"})");
  CAF_CHECK_EQUAL(next_panel_event_name(), "user.modified");
  panel("DELETE", "/api/users/" + user["id"].dump());
  CAF_CHECK_EQUAL(next_panel_event_name(), "user.deleted");
}

CAF_TEST(users expire by the clock of the sandbox) {
  const auto user = create_user("expires", {{"expireAt", "2099-01-01T00:00:00Z"}});
  next_panel_event();
  control("POST", "/sandbox/clock", R"({"now":"2099-01-01T00:00:05Z"})");
  CAF_CHECK_EQUAL(next_panel_event_name(), "user.expired");
  const auto path = "/api/users/" + user["id"].dump();
  CAF_CHECK_EQUAL(panel("GET", path)["/response/status"], "EXPIRED");
  const auto extended = panel("POST", path + "/actions/extend", R"({"days":1})");
  CAF_CHECK_EQUAL(extended["/response/status"], "ACTIVE");
  CAF_CHECK(extended["/response/expireAt"].get<std::string>().starts_with("2099-01-02T00:00:"));
}

CAF_TEST(users are limited by their traffic) {
  const auto user = create_user("limited", {{"trafficLimitBytes", 1000}});
  const auto path = "/sandbox/panel/users/" + user["id"].dump() + "/traffic";
  next_panel_event();
  CAF_CHECK_EQUAL(control("POST", path, R"({"used_bytes":700})")["/status"], "ACTIVE");
  std::set<std::string> events{next_panel_event_name(), next_panel_event_name()};
  CAF_CHECK_EQUAL(events, (std::set<std::string>{"user.first_connected", "user.bandwidth_usage_threshold_reached"}));
  CAF_CHECK_EQUAL(control("POST", path, R"({"used_bytes":1000})")["/status"], "LIMITED");
  const auto raised = panel("PATCH", "/api/users", R"({"username":"limited","trafficLimitBytes":0})");
  CAF_CHECK_EQUAL(raised["/response/status"], "ACTIVE");
  CAF_CHECK_EQUAL(raised["/response/userTraffic/lifetimeUsedTrafficBytes"], 1000);
  for (const auto* bad : {"", "{}", "[]", R"({"used_bytes":-1})", R"({"used_bytes":"1"})", R"({"used_bytes":1e30})"})
    CAF_CHECK_EQUAL(control("POST", path, bad).status, 400);
  CAF_CHECK_EQUAL(control("POST", "/sandbox/panel/users/999/traffic", R"({"used_bytes":1})").status, 404);
}

CAF_TEST(traffic is set back when the users strategy says so) {
  control("POST", "/sandbox/clock", R"({"now":"2027-01-31T12:00:00Z"})"); // a Sunday
  const std::map<std::string, const char*> due{{"DAY", "2027-02-01T00:00:01Z"},
                                               {"WEEK", "2027-02-01T00:00:01Z"},
                                               {"MONTH", "2027-02-01T00:00:01Z"},
                                               {"MONTH_ROLLING", "2027-02-28T00:00:01Z"}};
  std::map<std::string, std::string> ids;
  for (const auto* strategy : {"NO_RESET", "DAY", "WEEK", "MONTH", "MONTH_ROLLING"}) {
    ids[strategy] = create_user(strategy, {{"trafficLimitStrategy", strategy}})["id"].dump();
    control("POST", "/sandbox/panel/users/" + ids[strategy] + "/traffic", R"({"used_bytes":700})");
  }
  const auto used = [&](const std::string& strategy) {
    return panel("GET", "/api/users/" + ids[strategy])["/response/userTraffic/usedTrafficBytes"].get<int>();
  };
  for (const auto* moment : {"2027-01-31T23:59:00Z", "2027-02-01T00:00:01Z", "2027-02-28T00:00:01Z"}) {
    control("POST", "/sandbox/clock", json{{"now", moment}}.dump());
    CAF_CHECK_EQUAL(used("NO_RESET"), 700);
    for (const auto& [strategy, when] : due)
      CAF_CHECK_EQUAL(used(strategy), std::string(moment) < std::string(when) ? 700 : 0);
  }
}

CAF_TEST(devices are registered by clients and up to the limit) {
  const auto user = create_user("with_devices", {{"hwidDeviceLimit", 2}});
  const auto path = "/api/hwid/devices/" + user["id"].dump();
  for (const auto* hwid : {"device-one", "device-one", "device-two", "device-three", "short"})
    CAF_CHECK_EQUAL(send({"GET", user["subscriptionUrl"], {{"X-Hwid", hwid}}}).status, 200);
  CAF_CHECK_EQUAL(panel("GET", path)["/response/total"], 2);
  const json third{{"userId", user["id"]}, {"hwid", "device-three"}};
  CAF_CHECK_EQUAL(panel("POST", "/api/hwid/devices", third.dump())["/errorCode"], "A099");
  const json first{{"userId", user["id"]}, {"hwid", "device-one"}};
  CAF_CHECK_EQUAL(panel("POST", "/api/hwid/devices/delete", first.dump())["/response/total"], 1);
  CAF_CHECK_EQUAL(panel("POST", "/api/hwid/devices", third.dump())["/response/total"], 2);
  CAF_CHECK_EQUAL(panel("POST", "/api/hwid/devices", third.dump())["/errorCode"], "A098");
}

CAF_TEST(the panel can be of version two) {
  const auto in_3 = create_user("changing");
  CAF_CHECK(!in_3.contains("uuid"));
  CAF_CHECK_EQUAL(control("POST", "/sandbox/panel/version", R"({"version":"2.8.1"})").status, 200);
  CAF_CHECK_EQUAL(panel("GET", "/api/system/metadata")["/response/version"], "2.8.1");
  const auto user = panel("GET", "/api/users/by-username/changing")["/response"];
  CAF_CHECK_EQUAL(user["id"], in_3["id"]);
  const auto uuid = user["uuid"].get<std::string>(), path = "/api/users/" + uuid;
  CAF_CHECK_EQUAL(panel("GET", path).status, 200);
  CAF_CHECK_EQUAL(panel("GET", "/api/users/" + in_3["id"].dump()).status, 400);
  CAF_CHECK_EQUAL(panel("POST", path + "/actions/extend", R"({"days":1})").status, 404);
  CAF_CHECK_EQUAL(panel("POST", path + "/actions/reset-traffic").status, 200);
  CAF_CHECK_EQUAL(panel("GET", "/api/users/by-email/nobody@example.com")["/response"], json::array());
  CAF_CHECK_EQUAL(panel("PATCH", "/api/users", json{{"id", in_3["id"]}, {"tag", "A"}}.dump()).status, 400);
  CAF_CHECK_EQUAL(panel("PATCH", "/api/users", json{{"uuid", uuid}, {"tag", "A"}}.dump()).status, 200);
  CAF_CHECK_EQUAL(panel("GET", "/api/users/by-tag/A")["/response/0/uuid"], uuid);
  CAF_CHECK_EQUAL(panel("GET", "/api/subscriptions/by-uuid/" + uuid).status, 200);
  const json device{{"userUuid", uuid}, {"hwid", "device-0123456789"}};
  CAF_CHECK_EQUAL(panel("POST", "/api/hwid/devices", device.dump())["/response/devices/0/userUuid"], uuid);
  CAF_CHECK(!panel("GET", "/api/nodes")["/response/0"].contains("ips"));
  restart();
  CAF_CHECK_EQUAL(panel("GET", "/api/hwid/devices/" + uuid)["/response/total"], 1);
  CAF_CHECK_EQUAL(panel("DELETE", path)["/response/isDeleted"], true);
  for (const auto* bad : {"", "[]", "{}", R"({"version":3})", R"({"version":"1.0"})"})
    CAF_CHECK_EQUAL(control("POST", "/sandbox/panel/version", bad).status, 400);
}

CAF_TEST(templates answer as the document says) {
  std::ifstream file("tests/fixtures/panel/panel-openapi.json");
  const auto schemas = json::parse(file)["components"]["schemas"];
  const auto check = [&](const std::string& schema, const json& response) {
    std::vector<std::string> expected = schemas[schema]["properties"]["response"]["required"];
    std::set<std::string> names, wanted(expected.begin(), expected.end());
    for (const auto& [name, value] : response.items()) names.insert(name);
    CAF_CHECK_EQUAL(names, wanted);
  };
  const std::string path = "/api/subscription-templates";
  const auto list = panel("GET", path);
  check("GetTemplatesResponseDto", list["/response"]);
  CAF_CHECK_EQUAL(list["/response/total"], 5);
  CAF_CHECK(list["/response/templates/0/templateJson"].is_null());
  const auto made = panel("POST", path, R"({"name":"Mine","templateType":"SINGBOX"})");
  CAF_CHECK_EQUAL(made.status, 201);
  check("CreateSubscriptionTemplateResponseDto", made["/response"]);
  const auto uuid = made["/response/uuid"];
  const auto filled = panel("PATCH", path, json{{"uuid", uuid}, {"templateJson", {{"a", 1}}}}.dump());
  check("UpdateTemplateResponseDto", filled["/response"]);
  CAF_CHECK_EQUAL(panel("GET", path + "/" + uuid.get<std::string>())["/response/templateJson/a"], 1);

  const auto refused = [&](const char* method, const json& body) {
    return panel(method, path, body.dump())["/errorCode"];
  };
  CAF_CHECK_EQUAL(refused("POST", {{"name", "Mine"}, {"templateType", "SINGBOX"}}), "A176");
  CAF_CHECK_EQUAL(refused("POST", {{"name", "Default"}, {"templateType", "STASH"}}), "A172");
  CAF_CHECK_EQUAL(refused("POST", {{"name", "Mine"}, {"templateType", "XRAY_BASE64"}}), "A180");
  CAF_CHECK_EQUAL(refused("PATCH", {{"uuid", uuid}, {"encodedTemplateYaml", "YQ=="}}), "A174");
  CAF_CHECK_EQUAL(refused("PATCH", {{"uuid", "11111111-1111-4111-8111-111111111111"}}), "A170");
  const std::pair<const char*, const char*> invalid[]{{"a", "CLASH"}, {"a.b", "CLASH"}, {"ab", "OTHER"}};
  for (const auto& [name, type] : invalid)
    CAF_CHECK_EQUAL(panel("POST", path, json{{"name", name}, {"templateType", type}}.dump()).status, 400);
  CAF_CHECK_EQUAL(panel("DELETE", path + "/" + uuid.get<std::string>()).status, 204);
  const auto kept = list["/response/templates/0/uuid"].get<std::string>();
  CAF_CHECK_EQUAL(panel("DELETE", path + "/" + kept)["/errorCode"], "A178");
}

CAF_TEST(nodes flip and say so) {
  const auto node = panel("GET", "/api/nodes")["/response/0"];
  const auto path = "/sandbox/panel/nodes/" + node["uuid"].get<std::string>();
  CAF_CHECK_EQUAL(node["name"], "Frankfurt DE-1");
  CAF_CHECK_EQUAL(control("POST", path, R"({"is_connected":false})")["/isConnected"], false);
  const auto event = next_panel_event();
  CAF_CHECK_EQUAL(event["event"], "node.connection_lost");
  CAF_CHECK_EQUAL(event["data"]["uuid"], node["uuid"]);
  CAF_CHECK(!event.contains("meta"));
  CAF_CHECK_EQUAL(panel("GET", "/api/nodes/" + node["uuid"].get<std::string>())["/response/isConnected"], false);
  CAF_CHECK_EQUAL(control("POST", path, R"({"is_connected":true,"users_online":7})")["/usersOnline"], 7);
  CAF_CHECK_EQUAL(next_panel_event_name(), "node.connection_restored");
  CAF_CHECK_EQUAL(control("POST", path, R"({"is_connected":true})").status, 200);
  CAF_CHECK(server.is_quiet());
  for (const auto* bad : {"", "[]", R"({"is_connected":1})", R"({"users_online":-1})", R"({"color":"red"})"})
    CAF_CHECK_EQUAL(control("POST", path, bad).status, 400);
  CAF_CHECK_EQUAL(control("POST", "/sandbox/panel/nodes/none", "{}").status, 404);
}

CAF_TEST(an invoice is paid once and announced) {
  const auto invoice = create_invoice();
  CAF_CHECK_EQUAL(invoice["status"], "active");
  CAF_CHECK_EQUAL(invoice["amount"], "9.99");
  const auto paid = control("POST", invoice_path(invoice, "pay"));
  CAF_CHECK_EQUAL(paid["/status"], "paid");
  CAF_CHECK_EQUAL(paid["/paid_asset"], "USDT");
  CAF_CHECK_EQUAL(paid["/paid_amount"], "9.99");
  const auto hook = server.next();
  CAF_CHECK_EQUAL(hook.path(), "/api/v1/webhooks/cryptobot");
  CAF_CHECK_EQUAL(hook.header("crypto-pay-api-signature"),
                  sandbox::hmac_sha256_hex(sandbox::sha256(cryptobot_token), hook.body));
  const auto update = json::parse(hook.body);
  CAF_CHECK_EQUAL(update["update_type"], "invoice_paid");
  CAF_CHECK_EQUAL(update["payload"], paid.object());
  CAF_CHECK_EQUAL(control("POST", invoice_path(invoice, "pay")).status, 409);
  CAF_CHECK_EQUAL(control("POST", invoice_path(invoice, "expire")).status, 409);
  CAF_CHECK_EQUAL(control("POST", "/sandbox/cryptobot/invoices/999/pay").status, 404);
  CAF_CHECK_EQUAL(control("POST", "/sandbox/cryptobot/invoices/x/pay").status, 400);
  CAF_CHECK(server.is_quiet());
}

CAF_TEST(invoices are found and deleted and expire) {
  const auto first = create_invoice(), second = create_invoice({{"payload", "order-2"}, {"expires_in", 60}});
  const auto third = create_invoice({{"currency_type", "crypto"}, {"asset", "TON"}, {"amount", "0.5"}});
  const auto both = first["invoice_id"].dump() + "," + second["invoice_id"].dump();
  CAF_CHECK_EQUAL(cryptobot("getInvoices", {{"invoice_ids", both}})["/result/items"].size(), 2u);
  CAF_CHECK_EQUAL(cryptobot("getInvoices", {{"count", 1}, {"offset", 1}})["/result/items/0/invoice_id"],
                  second["invoice_id"]);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/cryptobot/invoices?payload=order-2")["/items"].size(), 1u);
  control("POST", "/sandbox/clock", R"({"advance_seconds":61})");
  CAF_CHECK_EQUAL(cryptobot("getInvoices", {{"status", "expired"}})["/result/items/0/invoice_id"],
                  second["invoice_id"]);
  CAF_CHECK_EQUAL(cryptobot("getInvoices", {{"status", "active"}})["/result/items"].size(), 2u);
  CAF_CHECK_EQUAL(cryptobot("deleteInvoice", {{"invoice_id", first["invoice_id"]}})["/result"], true);
  CAF_CHECK_EQUAL(control("POST", invoice_path(first, "pay")).status, 404);
  CAF_CHECK_EQUAL(cryptobot("getMe")["/ok"], true);
  control("POST", invoice_path(third, "pay"));
  CAF_CHECK_EQUAL(cryptobot("getBalance")["/result/1/available"], "0.485");
}

CAF_TEST(what crypto pay refuses) {
  const auto name = [&](const json& parameters) { return cryptobot("createInvoice", parameters)["/error/name"]; };
  CAF_CHECK_EQUAL(name({{"asset", "USDT"}}), "AMOUNT_INVALID");
  for (const auto* amount : {"0", "-1", "1e3", "x", "1.", ".5", "0.0"})
    CAF_CHECK_EQUAL(name({{"asset", "USDT"}, {"amount", amount}}), "AMOUNT_INVALID");
  CAF_CHECK_EQUAL(name({{"asset", "USD"}, {"amount", "1"}}), "ASSET_INVALID");
  CAF_CHECK_EQUAL(name({{"currency_type", "fiat"}, {"fiat", "USDT"}, {"amount", "1"}}), "FIAT_INVALID");
  CAF_CHECK_EQUAL(name({{"asset", "USDT"}, {"amount", "1"}, {"expires_in", 0}}), "EXPIRES_IN_INVALID");
  CAF_CHECK_EQUAL(cryptobot("nothing").status, 405);
  const auto stranger = send({"GET", box->url() + "/cryptobot/api/getMe", {{"Crypto-Pay-API-Token", "1:other"}}});
  CAF_CHECK_EQUAL(stranger.status, 401);
  CAF_CHECK_EQUAL(stranger["/error/name"], "UNAUTHORIZED");
}

CAF_TEST(a person pays on the invoice page) {
  const auto invoice = create_invoice({{"description", "<script>alert(1)</script>"}});
  const auto url = invoice["bot_invoice_url"].get<std::string>();
  CAF_CHECK(send({"GET", url}).body.find("<script>") == std::string::npos);
  CAF_CHECK(send({"GET", url}).body.find("action=\"/cryptobot/pay/") != std::string::npos);
  CAF_CHECK_EQUAL(send({"POST", url + "/pay", {{"Origin", "https://elsewhere.example"}}}).status, 403);
  CAF_CHECK_EQUAL(send({"POST", url + "/pay", {{"Origin", box->url()}}}).status, 303);
  CAF_CHECK(send({"GET", url}).body.find("<b>paid</b>") != std::string::npos);
}

CAF_TEST(mails arrive in the mailbox) {
  const json content{{"from", "Backstay <no-reply@example.com>"},
                     {"to", {"Ann <Ann@example.com>", "bob@example.com"}},
                     {"subject", "Code"},
                     {"html", "<b>123456</b>"},
                     {"text", "123456"}};
  const auto first = mail(content, "key-1"), again = mail(content, "key-1");
  CAF_CHECK_EQUAL(first.status, 200);
  CAF_CHECK_EQUAL(first["/id"], again["/id"]);
  auto other = content;
  other["subject"] = "Newer";
  CAF_CHECK_EQUAL(mail(other, "key-1").status, 409);
  CAF_CHECK_EQUAL(mail(other).status, 200);
  const auto inbox = control("GET", "/sandbox/mail?to=ann%40example.com");
  CAF_REQUIRE_EQUAL(inbox["/items"].size(), 2u);
  CAF_CHECK_EQUAL(inbox["/items/0/subject"], "Newer");
  CAF_CHECK_EQUAL(inbox["/items/1/text"], "123456");
  CAF_CHECK_EQUAL(control("GET", "/sandbox/mail?to=nobody@example.com")["/items"].size(), 0u);
  CAF_CHECK_EQUAL(mail({{"to", "a@example.com"}}).status, 422);
  CAF_CHECK_EQUAL(send({"POST", box->url() + "/mail/emails", {{"Authorization", "Bearer wrong"}}, "{}"}).status, 403);
  CAF_CHECK_EQUAL(control("DELETE", "/sandbox/mail").status, 204);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/mail")["/items"].size(), 0u);
}

CAF_TEST(a lost answer leaves an invoice behind) {
  control("POST", "/sandbox/faults", R"({"system":"cryptobot","lose_answer_rate":1})");
  CAF_CHECK(cryptobot("createInvoice", {{"asset", "USDT"}, {"amount", "1"}}).failure == transport_failure::broken);
  control("DELETE", "/sandbox/faults");
  CAF_CHECK_EQUAL(cryptobot("getInvoices")["/result/items"].size(), 1u);
}

CAF_TEST(a stop does not wait for slow answers) {
  control("POST", "/sandbox/faults", R"({"system":"cryptobot","latency_ms":20000})");
  std::promise<http_result> promise;
  client.send({"GET", box->url() + "/cryptobot/api/getMe", {}, {}, 25s},
              [&](http_result r) { promise.set_value(std::move(r)); });
  control("GET", "/sandbox/health"); // by now the other call has arrived as well, or is never seen
  box.reset();
  CAF_CHECK(promise.get_future().get().failure != transport_failure::timeout);
  restart();
}

CAF_TEST(faults strike their system only) {
  control("POST", "/sandbox/faults", R"({"system":"cryptobot","error_rate":1})");
  CAF_CHECK_EQUAL(cryptobot("createInvoice", {{"asset", "USDT"}, {"amount", "1"}}).status, 503);
  CAF_CHECK_EQUAL(panel("GET", "/api/nodes").status, 200);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/cryptobot/invoices")["/items"].size(), 0u);
  control("POST", "/sandbox/faults", R"({"system":"cryptobot","error_rate":0,"latency_ms":200})");
  const auto begin = std::chrono::steady_clock::now();
  CAF_CHECK_EQUAL(cryptobot("getMe").status, 200);
  CAF_CHECK(std::chrono::steady_clock::now() - begin >= 200ms);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/faults")["/cryptobot/latency_ms"], 200);
  CAF_CHECK_EQUAL(control("DELETE", "/sandbox/faults")["/cryptobot/latency_ms"], 0);
  for (const auto* bad : {"", "[]", "{}", R"({"system":"moon"})", R"({"system":"mail","error_rate":2})",
                          R"({"system":"mail","webhooks":"sometimes"})", R"({"system":"mail","latency_ms":-1})",
                          R"({"system":"mail","mood":"bad"})"})
    CAF_CHECK_EQUAL(control("POST", "/sandbox/faults", bad).status, 400);
}

CAF_TEST(webhooks are dropped and doubled and reordered) {
  const auto pay = [&](const std::string& mode, int count) {
    control("POST", "/sandbox/faults", R"({"system":"cryptobot","webhooks":")" + mode + "\"}");
    std::vector<json> ids;
    for (int i = 0; i < count; ++i) ids.push_back(create_invoice()["invoice_id"]);
    for (const auto& id : ids) control("POST", "/sandbox/cryptobot/invoices/" + id.dump() + "/pay");
    return ids;
  };
  pay("drop", 1);
  CAF_CHECK(server.is_quiet());
  const auto doubled = pay("duplicate", 1);
  CAF_CHECK_EQUAL(next_paid_invoice(), doubled[0]);
  CAF_CHECK_EQUAL(next_paid_invoice(), doubled[0]);
  const auto swapped = pay("reorder", 2);
  CAF_CHECK_EQUAL(next_paid_invoice(), swapped[1]);
  CAF_CHECK_EQUAL(next_paid_invoice(), swapped[0]);
  CAF_CHECK(server.is_quiet());
}

CAF_TEST(an undelivered webhook comes again even after a restart) {
  server.status = 500;
  const auto invoice = create_invoice();
  control("POST", invoice_path(invoice, "pay"));
  CAF_CHECK_EQUAL(server.next().path(), "/api/v1/webhooks/cryptobot");
  server.status = 200;
  restart();
  CAF_CHECK_EQUAL(next_paid_invoice(), invoice["invoice_id"]);
  CAF_CHECK(server.is_quiet());
}

CAF_TEST(the state survives a restart) {
  const auto user = create_user("survivor");
  const auto invoice = create_invoice();
  mail({{"from", "a@example.com"}, {"to", "b@example.com"}, {"subject", "s"}, {"text", "t"}});
  control("POST", "/sandbox/clock", R"({"offset_seconds":86400})");
  control("POST", "/sandbox/faults", R"({"system":"panel","latency_ms":1})");
  restart();
  auto survivor = panel("GET", "/api/users/by-username/survivor")["/response"];
  CAF_CHECK(survivor["subscriptionUrl"].get<std::string>().starts_with(box->url()));
  survivor["subscriptionUrl"] = user["subscriptionUrl"];
  CAF_CHECK_EQUAL(survivor, user);
  CAF_CHECK_EQUAL(create_user("next").at("id").get<int>(), user["id"].get<int>() + 1);
  CAF_CHECK_EQUAL(create_invoice().at("invoice_id").get<int>(), invoice["invoice_id"].get<int>() + 1);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/mail")["/items"].size(), 1u);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/clock")["/offset_seconds"], 86400);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/faults")["/panel/latency_ms"], 1);
  const auto state = directory / "sandbox.json";
  CAF_CHECK((std::filesystem::status(state).permissions() & std::filesystem::perms::others_all) ==
            std::filesystem::perms::none);
}

CAF_TEST(a state that cannot be read is set aside) {
  create_user("lost");
  box.reset();
  for (const auto* content : {"{\"wor", "{}", "[]", R"({"fakes":{"panel":{}},"world":{}})"}) {
    std::ofstream(directory / "sandbox.json") << content;
    restart();
    CAF_CHECK_EQUAL(panel("GET", "/api/users")["/response/total"], 0);
    CAF_CHECK(std::filesystem::exists(directory / "sandbox.json.broken"));
    box.reset();
    std::filesystem::remove(directory / "sandbox.json.broken");
  }
  restart();
}

CAF_TEST(the clock moves and the server is told) {
  std::ofstream(given.control_file) << json{{"url", server.url()}, {"token", "secret"}};
  const auto moved = control("POST", "/sandbox/clock", R"({"advance_seconds":3600})");
  CAF_CHECK_EQUAL(moved["/offset_seconds"], 3600);
  CAF_CHECK_EQUAL(moved["/server_told"], true);
  const auto told = server.next();
  CAF_CHECK_EQUAL(told.path(), "/control/clock");
  CAF_CHECK_EQUAL(told.header("Authorization"), "Bearer secret");
  CAF_CHECK_EQUAL(json::parse(told.body), (json{{"offset_seconds", 3600}}));
  CAF_CHECK_EQUAL(control("POST", "/sandbox/clock", R"({"advance_seconds":3600})")["/offset_seconds"], 7200);
  CAF_CHECK_EQUAL(control("POST", "/sandbox/clock", R"({"offset_seconds":-5})")["/offset_seconds"], -5);
  for (const auto* bad :
       {"", "{}", "[]", "3", R"({"now":"tomorrow"})", R"({"offset_seconds":1.5})", R"({"offset_seconds":99999999999})",
        R"({"now":"9999-01-01T00:00:00Z"})", R"({"now":"2027-01-01T00:00:00Z","offset_seconds":1})", R"({"later":1})"})
    CAF_CHECK_EQUAL(control("POST", "/sandbox/clock", bad).status, 400);
  CAF_CHECK_EQUAL(control("GET", "/sandbox/clock")["/offset_seconds"], -5);
}

CAF_TEST(crashes are passed on to the server) {
  CAF_CHECK_EQUAL(control("POST", "/sandbox/crash/payments").status, 502);
  std::ofstream(given.control_file) << json{{"url", server.url()}, {"token", "secret"}};
  server.status = 202;
  const auto crashed = control("POST", "/sandbox/crash/payments?how=throw");
  CAF_CHECK_EQUAL(crashed.status, 202);
  CAF_CHECK_EQUAL(crashed["/ok"], true);
  CAF_CHECK_EQUAL(server.next().path(), "/control/crash/payments?how=throw");
  CAF_CHECK_EQUAL(control("POST", "/sandbox/crash/pay%2Fments").status, 400);
  CAF_CHECK_EQUAL(control("POST", "/sandbox/crash/payments?how=a%20b").status, 400);
  std::ofstream(given.control_file) << json{{"url", "http://elsewhere.example:80"}, {"token", "secret"}};
  CAF_CHECK_EQUAL(control("POST", "/sandbox/crash/payments").status, 502);
}

CAF_TEST(strangers and bad calls are refused) {
  const auto with_host = [&](const std::string& host) {
    return send({"GET", box->url() + "/sandbox/health", {{"Host", host}}}).status;
  };
  for (const auto* good : {"localhost", "LOCALHOST:1", "127.0.0.1:8090", "[::1]", "[::1]:8090"})
    CAF_CHECK_EQUAL(with_host(good), 200);
  for (const auto* bad :
       {"example.com", "localhost.example.com", "127.0.0.1.example.com", "127.0.0.1:x", "[::1].com", "[", "::1"})
    CAF_CHECK_EQUAL(with_host(bad), 421);
  CAF_CHECK_EQUAL(control("GET", "/nothing").status, 404);
  CAF_CHECK_EQUAL(control("GET", "/").status, 404);
  CAF_CHECK_EQUAL(control("GET", "//").status, 404);
  CAF_CHECK_EQUAL(control("GET", "/panelx/api/users").status, 404);
  const auto wrong_method = control("PUT", "/sandbox/mail");
  CAF_CHECK_EQUAL(wrong_method.status, 405);
  CAF_CHECK(std::find(wrong_method.headers.begin(), wrong_method.headers.end(),
                      std::pair<std::string, std::string>("allow", "GET, DELETE")) != wrong_method.headers.end());
  const std::string deep(100'000, '['), nested = deep + std::string(deep.size(), ']');
  for (const auto& body :
       {deep, std::string(R"({"a":1e999})"), std::string("\"\xff\""), std::string("{\"system\":\"\xff\"}")})
    CAF_CHECK_EQUAL(control("POST", "/sandbox/faults", body).status, 400);
  CAF_CHECK_EQUAL(panel("GET", "/api/%ff").status, 404);
  CAF_CHECK_EQUAL(panel("GET", "/api/users/by-username/%ff%00").status, 404);
  CAF_CHECK_EQUAL(panel("POST", "/api/users", deep).status, 400);
  CAF_CHECK_EQUAL(panel("POST", "/api/users", R"({"username":)" + nested + "}").status, 400);
  CAF_CHECK_EQUAL(panel("POST", "/api/users", "7").status, 400);
  CAF_CHECK_EQUAL(panel("PATCH", "/api/users", R"({"id":1e300})").status, 404);
  CAF_CHECK_EQUAL(panel("PATCH", "/api/users", R"({"id":"1"})").status, 400);
  CAF_CHECK_EQUAL(panel("GET", "/api/users/99999999999999999999").status, 400);
}

CAF_TEST(the page has a form for every control call) {
  const auto page = send({"GET", box->url() + "/sandbox"});
  CAF_CHECK_EQUAL(page.status, 200);
  for (const auto* target :
       {"POST /sandbox/cryptobot/invoices/{id}/pay", "POST /sandbox/panel/nodes/{uuid}", "POST /sandbox/clock",
        "POST /sandbox/crash/{domain}", "GET /sandbox/mail", "POST /sandbox/faults"})
    CAF_CHECK(page.body.find("data-call=\"" + std::string(target) + "\"") != std::string::npos);
}

CAF_TEST(only a free loopback port will do) {
  auto wrong = given;
  for (const auto* address : {"0.0.0.0", "192.0.2.1", "::", "localhost", ""}) {
    wrong.address = address;
    CAF_CHECK_EQUAL(sandbox::run(wrong), 78);
  }
  auto second = given;
  second.data.clear();
  second.port = static_cast<std::uint16_t>(std::stoi(box->url().substr(box->url().rfind(':') + 1)));
  CAF_CHECK_EQUAL(sandbox::run(second), 75);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(times are read and written) {
  const auto round_trip = [](const std::string& text) {
    const auto time = sandbox::parse_time(text);
    return time ? sandbox::format_time(*time) : "none";
  };
  CAF_CHECK_EQUAL(round_trip("2026-12-22T12:50:51.000Z"), "2026-12-22T12:50:51.000Z");
  CAF_CHECK_EQUAL(round_trip("2026-12-31T00:00:00"), "2026-12-31T00:00:00.000Z");
  CAF_CHECK_EQUAL(round_trip("2026-12-31T23:30:00.1239+01:30"), "2026-12-31T22:00:00.123Z");
  CAF_CHECK_EQUAL(round_trip("2024-02-29T23:59Z"), "2024-02-29T23:59:00.000Z");
  for (const auto* bad :
       {"", "2026-13-01", "2026-12-22", "2026-02-29T00:00:00Z", "2026-12-22T24:00:00Z", "2026-12-22T12:50:51.Z",
        "2026-12-22T12:50:51ZZ", "2026-12-22 12:50:51Z", "26-12-22T12:50:51Z", "2026-12-22T12:50:51+1:00"})
    CAF_CHECK_EQUAL(round_trip(bad), "none");
}
