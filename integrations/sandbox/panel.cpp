#include "integrations/sandbox/panel_templates.hpp"
#include "integrations/sandbox/panel_validation.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace backstay::sandbox {

namespace {

using may_be = validation::may_be;
using namespace std::chrono_literals;

constexpr auto recorded_version = "3.3.2";
constexpr auto epoch = "2026-01-01T00:00:00.000Z";
constexpr auto squad_uuid = "ab2a7591-91dd-4c82-b889-7afff1c4d453";
constexpr auto inbound_uuid = "6d4919d9-2891-42de-b55e-cd72da210d6d";
constexpr auto profile_uuid = "5f3c1c2e-7d0a-4b7e-9c55-0c6a1f6f5b10";

/// A webhook that got no 2xx is repeated this often, this much later.
constexpr int webhook_retries = 3;
constexpr int webhook_retry_after_ms = 5000;

/// Percentages of the traffic limit that are announced.
constexpr std::array thresholds{60, 80};

constexpr std::string_view username_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
constexpr std::string_view hwid_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=-";
constexpr std::string_view tag_characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// What POST and PATCH take over as it is given.
constexpr std::array plain_members{"description", "tag", "email", "externalSquadUuid"};
constexpr std::array whole_number_members{"trafficLimitBytes", "telegramId", "hwidDeviceLimit"};

answer ok(const json& response, int status = 200) { return reply({{"response", response}}, status); }

struct seed_node {
  const char* uuid;
  const char* name;
  const char* city;
  const char* country;
  const char* address;
  int users_online;
};

constexpr seed_node seed_nodes[]{
    {"464b565c-0443-4079-8dde-a54f2359277f", "Frankfurt DE-1", "Frankfurt", "DE", "de1.sandbox.example", 42},
    {"8d1f0a34-52ab-4c0e-a8a0-3c8a4f0c7d21", "Amsterdam NL-1", "Amsterdam", "NL", "nl1.sandbox.example", 27},
    {"c2a6f8e0-19b3-4d57-b6f4-90e7d5b8a3f6", "Helsinki FI-1", "Helsinki", "FI", "fi1.sandbox.example", 13},
};

json inbound() {
  const json settings{{"clients", json::array()}, {"decryption", "none"}};
  const json sniffing{{"enabled", true}, {"destOverride", {"http", "tls", "quic"}}};
  return {{"uuid", inbound_uuid},
          {"profileUuid", profile_uuid},
          {"tag", "VLESS"},
          {"type", "vless"},
          {"network", "tcp"},
          {"security", "reality"},
          {"port", 443},
          {"rawInbound",
           {{"tag", "VLESS"}, {"port", 443}, {"protocol", "vless"}, {"settings", settings}, {"sniffing", sniffing}}}};
}

json node_system(const seed_node& seed) {
  return {{"info",
           {{"arch", "x64"},
            {"cpus", 2},
            {"cpuModel", "Sandbox CPU"},
            {"memoryTotal", 4'000'000'000},
            {"hostname", seed.address},
            {"platform", "linux"},
            {"release", "6.1.0"},
            {"type", "Linux"},
            {"version", "sandbox"},
            {"networkInterfaces", {"eth0"}}}},
          {"stats",
           {{"memoryFree", 3'000'000'000},
            {"memoryUsed", 1'000'000'000},
            {"uptime", 864'000},
            {"loadAvg", {0.2, 0.1, 0.1}},
            {"interface", nullptr}}}};
}

json make_node(const seed_node& seed, int id) {
  return {{"uuid", seed.uuid},
          {"id", id},
          {"name", seed.name},
          {"address", seed.address},
          {"port", 2222},
          {"proxyUrl", nullptr},
          {"isConnected", true},
          {"isConnecting", false},
          {"isDisabled", false},
          {"lastStatusChange", epoch},
          {"lastStatusMessage", nullptr},
          {"trafficResetDay", 1},
          {"consumptionMultiplier", 1},
          {"nodeConsumptionMultiplier", 1},
          {"isTrafficTrackingActive", false},
          {"trafficLimitBytes", 0},
          {"trafficUsedBytes", 0},
          {"notifyPercent", 80},
          {"note", nullptr},
          {"viewPosition", id},
          {"countryCode", seed.country},
          {"tags", json::array()},
          {"integrationUuids", json::array()},
          {"ips", json::array()},
          {"createdAt", epoch},
          {"updatedAt", epoch},
          {"configProfile", {{"activeConfigProfileUuid", profile_uuid}, {"activeInbounds", json::array({inbound()})}}},
          {"providerUuid", nullptr},
          {"provider", nullptr},
          {"activePluginUuid", nullptr},
          {"xrayUptime", 864'000},
          {"usersOnline", seed.users_online},
          {"system", node_system(seed)},
          {"versions", {{"xray", "26.2.6"}, {"node", recorded_version}}}};
}

/// "0", or binary units with two decimals.
std::string human_bytes(std::int64_t bytes) {
  constexpr const char* units[]{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes == 0) return "0";
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < std::size(units); ++unit) amount /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %s", amount, units[unit]);
  return text;
}

/// A JavaScript number as the panel's database takes it, which refuses fractions and what is over 63 bits.
std::optional<std::int64_t> whole_number(const json& value) {
  const auto number = value.get<double>();
  if (std::floor(number) != number || std::abs(number) >= 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::int64_t bytes_of(const json& user, const char* member) { return user["userTraffic"][member].get<std::int64_t>(); }

bool is_public(std::string_view path) { return path.starts_with("/api/sub/"); }

/// When the traffic of a user with that strategy was due to be set back last.
instant last_reset_due(const std::string& strategy, instant created, instant now) {
  using namespace std::chrono;
  const auto today = floor<days>(now);
  const year_month_day date{today};
  if (strategy == "DAY") return today;
  if (strategy == "WEEK") return today - (weekday{today} - Monday);
  if (strategy == "MONTH") return sys_days{date.year() / date.month() / 1};
  if (strategy != "MONTH_ROLLING") return instant::min();
  // On the day of the creation, or the last of a month that is too short for it.
  const auto in = [&](year_month month) {
    const auto last = (month / std::chrono::last).day();
    return sys_days{month / std::min(year_month_day{floor<days>(created)}.day(), last)};
  };
  const auto this_month = date.year() / date.month();
  return in(this_month) <= today ? in(this_month) : in(this_month - months{1});
}

/// Remnawave 3.3.2, as recorded: users and their devices, nodes, subscriptions, templates, and the jobs that turn users
/// EXPIRED and LIMITED and set their traffic back. It can play 2.8.1 instead.
class panel final : public fake {
public:
  explicit panel(world& w) : world_(w) {
    int id = 0;
    for (const auto& seed : seed_nodes) nodes_.push_back(make_node(seed, ++id));
    version_ = recorded_version;
  }

  std::string name() const override { return "panel"; }
  void declare(routes& table) override;
  void guard(const call& c) const override;
  answer unknown_route(const call& c) const override;
  answer malformed(const call& c) const override;
  json save() const override;
  void load(const json& state) override;
  void tick() override;

private:
  using user_action = void (panel::*)(json& user, const call& c);

  // System
  answer get_metadata() const;
  answer get_health() const;
  answer get_stats() const;

  // Users
  answer create_user(const call& c);
  answer update_user(const call& c);
  answer delete_user(const call& c);
  answer resolve_user(const call& c);
  answer stream_users(const call& c) const;
  answer list_users(const call& c) const;
  answer act(const call& c, user_action action);
  void enable(json& user, const call& c);
  void disable(json& user, const call& c);
  void reset_traffic(json& user, const call& c);
  void revoke(json& user, const call& c);
  void extend(json& user, const call& c);
  void set_status_for_change(json& user, const json& body);
  void take_over(json& user, const json& body, const json& failure) const;
  void renew_keys(json& user);
  void check_limits(json& user);
  void reset_if_due(json& user);
  void forget_traffic(json& user);
  void set_traffic(json& user, std::int64_t used);

  // Devices
  answer list_devices(const json& user) const;
  answer add_device(const call& c);
  answer delete_devices(const call& c, bool all);
  void register_device(json& user, const call& c);
  json& owner(const call& c, const json& body);

  // The version
  bool is_2() const { return version_.starts_with("2."); }
  void only_in(const call& c, bool has_it) const;
  answer play(const call& c);
  answer list_by(const call& c, const char* member, const json& value) const;

  // Nodes and squads
  answer list_nodes() const;
  answer set_node_disabled(const call& c, bool disabled);
  answer flip_node(const call& c);
  json describe_squad() const;

  // Subscriptions
  answer get_subscription_info(const json* user, const call& c) const;
  answer get_subscription(const call& c);
  std::vector<std::string> links(const json& user) const;

  // Looking up
  json failure(const call& c, const std::string& message, const std::string& code) const;
  [[noreturn]] void fail(const call& c, int status, const std::string& message, const std::string& code) const;
  const json* find_user_at(const call& c) const;
  json& user_at(const call& c, const std::string& code);
  json* find_user(const std::string& member, const json& value);
  const json* find_user(const std::string& member, const json& value) const;
  json* find_user(const json& body);
  json& node_at(const call& c);

  json present(const json& user) const;
  json present_node(json node) const;
  json present_device(const json& device, const json& user) const;
  std::string subscription_url(const json& user) const;
  instant time_of(const json& user, const char* member) const { return *parse_time(user[member].get<std::string>()); }
  std::string timestamp() const { return format_time(world_.now()); }
  void announce(const std::string& scope, const std::string& event, const json& data);
  void announce_user(const std::string& event, const json& user) { announce("user", event, present(user)); }

  world& world_;
  /// Each as the API shows it, but for the address of its subscription.
  std::map<std::int64_t, json> users_;
  std::vector<json> nodes_;
  /// By the user's id.
  std::map<std::int64_t, std::vector<json>> devices_;
  panel_templates templates_{[this](const call& c, int status, const std::string& message, const char* code) {
    fail(c, status, message, code);
  }};
  std::string version_;
  /// Counts failed inserts too, as the database's sequence does.
  std::int64_t next_id_ = 1;
};

void panel::declare(routes& table) {
  const auto api = [&](const char* method, const char* pattern, prompt_handler handle) {
    table.api(*this, method, pattern, std::move(handle));
  };
  api("GET", "/api/system/metadata", [this](const call&) { return get_metadata(); });
  api("GET", "/api/system/health", [this](const call&) { return get_health(); });
  api("GET", "/api/system/stats", [this](const call&) { return get_stats(); });

  api("POST", "/api/users", [this](const call& c) { return create_user(c); });
  api("PATCH", "/api/users", [this](const call& c) { return update_user(c); });
  api("GET", "/api/users", [this](const call& c) { return list_users(c); });
  api("GET", "/api/users/stream", [this](const call& c) { return stream_users(c); });
  api("POST", "/api/users/resolve", [this](const call& c) { return resolve_user(c); });
  api("GET", "/api/users/{userId}", [this](const call& c) { return ok(present(user_at(c, "A063"))); });
  api("DELETE", "/api/users/{userId}", [this](const call& c) { return delete_user(c); });
  const auto by = [&](const char* pattern, const char* parameter) {
    api("GET", pattern, [this, parameter](const call& c) {
      const auto* user = find_user(parameter, c.parameters.at(parameter));
      if (!user) fail(c, 404, "User with specified params not found", "A063");
      return ok(present(*user));
    });
  };
  const auto list = [&](const char* pattern, const char* member) {
    api("GET", pattern, [this, member](const call& c) {
      only_in(c, is_2());
      return list_by(c, member, c.parameters.at("value"));
    });
  };
  list("/api/users/by-email/{value}", "email");
  list("/api/users/by-tag/{value}", "tag");
  api("GET", "/api/users/by-telegram-id/{value}", [this](const call& c) {
    only_in(c, is_2());
    return list_by(c, "telegramId", parse_integer(c.parameters.at("value")).value_or(0));
  });
  by("/api/users/by-username/{username}", "username");
  by("/api/users/by-short-uuid/{shortUuid}", "shortUuid");
  const auto action = [&](const char* pattern, user_action act_on) {
    api("POST", pattern, [this, act_on](const call& c) { return act(c, act_on); });
  };
  action("/api/users/{userId}/actions/enable", &panel::enable);
  action("/api/users/{userId}/actions/disable", &panel::disable);
  action("/api/users/{userId}/actions/reset-traffic", &panel::reset_traffic);
  action("/api/users/{userId}/actions/revoke", &panel::revoke);
  api("POST", "/api/users/{userId}/actions/extend", [this](const call& c) {
    only_in(c, !is_2());
    return act(c, &panel::extend);
  });

  api("GET", "/api/hwid/devices/{userId}", [this](const call& c) { return list_devices(user_at(c, "A025")); });
  api("POST", "/api/hwid/devices", [this](const call& c) { return add_device(c); });
  api("POST", "/api/hwid/devices/delete", [this](const call& c) { return delete_devices(c, false); });
  api("POST", "/api/hwid/devices/delete-all", [this](const call& c) { return delete_devices(c, true); });
  templates_.declare(table, *this, [this] { world_.changed(); });

  api("GET", "/api/nodes", [this](const call&) { return list_nodes(); });
  api("GET", "/api/nodes/{uuid}", [this](const call& c) { return ok(present_node(node_at(c))); });
  api("POST", "/api/nodes/{uuid}/actions/enable", [this](const call& c) { return set_node_disabled(c, false); });
  api("POST", "/api/nodes/{uuid}/actions/disable", [this](const call& c) { return set_node_disabled(c, true); });
  api("GET", "/api/internal-squads", [this](const call&) {
    return ok({{"total", 1}, {"internalSquads", json::array({describe_squad()})}});
  });
  api("GET", "/api/internal-squads/{uuid}", [this](const call& c) {
    if (c.parameters.at("uuid") != squad_uuid) fail(c, 404, "Internal squad not found", "A118");
    return ok(describe_squad());
  });

  api("GET", "/api/sub/{shortUuid}", [this](const call& c) { return get_subscription(c); });
  api("GET", "/api/sub/{shortUuid}/info",
      [this](const call& c) { return get_subscription_info(find_user("shortUuid", c.parameters.at("shortUuid")), c); });
  api("GET", "/api/subscriptions/by-short-uuid/{shortUuid}",
      [this](const call& c) { return get_subscription_info(find_user("shortUuid", c.parameters.at("shortUuid")), c); });
  api("GET", "/api/subscriptions/by-username/{username}",
      [this](const call& c) { return get_subscription_info(find_user("username", c.parameters.at("username")), c); });
  const auto info_by = [&](const char* pattern, bool of_2) {
    api("GET", pattern, [this, of_2](const call& c) {
      only_in(c, is_2() == of_2);
      return get_subscription_info(find_user_at(c), c);
    });
  };
  info_by("/api/subscriptions/by-id/{userId}", false);
  info_by("/api/subscriptions/by-uuid/{userId}", true);

  table.control("GET", "/sandbox/panel/users", "List the panel's users", {}, [this](const call&) {
    auto items = json::array();
    for (const auto& [id, user] : users_) items.push_back(present(user));
    return reply({{"items", items}});
  });
  table.control("POST", "/sandbox/panel/users/{id}/traffic", "Let a user have used traffic",
                {{"id", "1"}, {"used_bytes", "1073741824"}}, [this](const call& c) {
                  const auto id = parse_integer(c.parameters.at("id"));
                  if (!id) refuse(400, "the id of a user is a number");
                  if (!users_.contains(*id)) refuse(404, "no such user");
                  const auto body = json::parse(c.body);
                  const auto used = body.is_object() ? body.find("used_bytes") : body.end();
                  if (used == body.end() || !used->is_number_integer() || *used < 0 || *used > 9'000'000'000'000'000)
                    refuse(400, "used_bytes must be a whole number, not negative and at most 9e15");
                  set_traffic(users_[*id], used->get<std::int64_t>());
                  return reply(present(users_[*id]));
                });
  table.control("POST", "/sandbox/panel/version", "Let the panel be of another version: 2.x or 3.x",
                {{"version", "2.8.1"}}, [this](const call& c) { return play(c); });
  table.control("POST", "/sandbox/panel/nodes/{uuid}", "Flip a node",
                {{"uuid", seed_nodes[0].uuid}, {"is_connected", "false"}, {"users_online", ""}, {"is_disabled", ""}},
                [this](const call& c) { return flip_node(c); });
}

/// Without a proxy in front the real one closes the connection. The public addresses that people open in a browser are
/// served as if there were one.
void check_proxy(const call& c) {
  if (is_public(c.path) || (!c.header("x-forwarded-for").empty() && c.header("x-forwarded-proto") == "https")) return;
  answer none;
  none.silent = true;
  throw refusal(none);
}

void panel::guard(const call& c) const {
  check_proxy(c);
  if (!is_public(c.path) && !same_secret(c.header("authorization"), "Bearer " + world_.given.panel_token))
    throw refusal(reply({{"message", "Unauthorized"}, {"statusCode", 401}}, 401));
}

answer panel::unknown_route(const call& c) const {
  check_proxy(c);
  return reply({{"message", "Cannot " + c.method + " " + c.path}, {"error", "Not Found"}, {"statusCode", 404}}, 404);
}

answer panel::malformed(const call&) const {
  return reply({{"message", "Unexpected end of JSON input"}, {"error", "Bad Request"}, {"statusCode", 400}}, 400);
}

json panel::save() const {
  auto all = json::array();
  for (const auto& [id, user] : users_) all.push_back(user);
  auto devices = json::array();
  for (const auto& [id, of_user] : devices_) devices.push_back({id, of_user});
  return {{"version", version_}, {"next_id", next_id_}, {"users", all},
          {"nodes", nodes_},     {"devices", devices},  {"templates", templates_.save()}};
}

void panel::load(const json& state) {
  state.at("next_id").get_to(next_id_);
  state.at("nodes").get_to(nodes_);
  state.at("version").get_to(version_);
  templates_.load(state.at("templates"));
  for (const auto& user : state.at("users")) users_.emplace(user.at("id").get<std::int64_t>(), user);
  for (const auto& entry : state.at("devices"))
    devices_.emplace(entry.at(0).get<std::int64_t>(), entry.at(1).get<std::vector<json>>());
}

void panel::tick() {
  for (auto& [id, user] : users_) {
    reset_if_due(user);
    check_limits(user);
  }
}

/// The panel's job: traffic is counted from the beginning of each period.
void panel::reset_if_due(json& user) {
  const auto created = time_of(user, "createdAt");
  const auto last = user["lastTrafficResetAt"].is_null() ? created : time_of(user, "lastTrafficResetAt");
  if (last >= last_reset_due(user["trafficLimitStrategy"].get<std::string>(), created, world_.now())) return;
  forget_traffic(user);
  world_.changed();
}

/// The panel's job: who is past the date is EXPIRED, who is over the limit is LIMITED.
void panel::check_limits(json& user) {
  const auto become = [&](const char* status, const char* event) {
    user["status"] = status;
    world_.changed();
    announce_user(event, user);
  };
  if (user["status"] != "ACTIVE" && user["status"] != "LIMITED") return;
  if (time_of(user, "expireAt") <= world_.now()) return become("EXPIRED", "user.expired");
  const auto limit = user["trafficLimitBytes"].get<std::int64_t>();
  const auto used = bytes_of(user, "usedTrafficBytes");
  if (limit == 0 || user["status"] == "LIMITED") return;
  for (const auto threshold : thresholds)
    if (used / 100.0 * 100 >= limit / 100.0 * threshold && user["lastTriggeredThreshold"] < threshold) {
      user["lastTriggeredThreshold"] = threshold;
      announce_user("user.bandwidth_usage_threshold_reached", user);
    }
  if (used >= limit) become("LIMITED", "user.limited");
}

// System

answer panel::get_metadata() const {
  const std::string commit(40, '0');
  const auto link = [&](const std::string& part) {
    return "https://github.com/remnawave/" + part + "/commit/" + commit;
  };
  return ok({{"version", version_},
             {"build", {{"time", epoch}, {"number", "0"}}},
             {"git",
              {{"backend", {{"commitSha", commit}, {"branch", "sandbox"}, {"commitUrl", link("backend")}}},
               {"frontend", {{"commitSha", commit}, {"commitUrl", link("frontend")}}}}}});
}

answer panel::get_health() const {
  auto metrics = json::array();
  for (const auto* type : {"api", "scheduler", "processor"})
    metrics.push_back({{"rss", 300'000'000},
                       {"heapUsed", 120'000'000},
                       {"heapTotal", 240'000'000},
                       {"external", 9'000'000},
                       {"arrayBuffers", 3'000'000},
                       {"eventLoopDelayMs", 0},
                       {"eventLoopP99Ms", 0},
                       {"activeHandles", 50},
                       {"uptime", 864'000},
                       {"pid", 1},
                       {"timestamp", world_.now().time_since_epoch().count()},
                       {"instanceId", "0"},
                       {"instanceType", type}});
  return ok({{"runtimeMetrics", metrics}});
}

answer panel::get_stats() const {
  json counts{{"ACTIVE", 0}, {"DISABLED", 0}, {"LIMITED", 0}, {"EXPIRED", 0}};
  std::int64_t lifetime_bytes = 0, never_online = 0, online = 0;
  for (const auto& [id, user] : users_) {
    auto& count = counts[user["status"].get<std::string>()];
    count = count.get<int>() + 1;
    lifetime_bytes += bytes_of(user, "lifetimeUsedTrafficBytes");
    never_online += user["userTraffic"]["onlineAt"].is_null();
  }
  std::int64_t connected = 0;
  for (const auto& node : nodes_) {
    connected += node["isConnected"].get<bool>();
    online += node["usersOnline"].get<std::int64_t>();
  }
  const auto were_online = static_cast<std::int64_t>(users_.size()) - never_online;
  return ok(
      {{"cpu", {{"cores", 2}}},
       {"memory", {{"total", 4'000'000'000}, {"free", 3'000'000'000}, {"used", 1'000'000'000}}},
       {"uptime", 864'000},
       {"timestamp", world_.now().time_since_epoch().count()},
       {"users", {{"statusCounts", counts}, {"totalUsers", users_.size()}}},
       {"onlineStats",
        {{"onlineNow", online}, {"lastDay", were_online}, {"lastWeek", were_online}, {"neverOnline", never_online}}},
       {"nodes", {{"totalOnline", connected}, {"totalBytesLifetime", std::to_string(lifetime_bytes)}}}});
}

// Users

/// The fields that POST and PATCH have in common.
void check_user(validation& v) {
  v.number("trafficLimitBytes", 0);
  v.choice("trafficLimitStrategy", {"NO_RESET", "DAY", "WEEK", "MONTH", "MONTH_ROLLING"});
  v.text("description", 0, 4096, may_be::absent_or_null);
  v.text("tag", 0, 16, may_be::absent_or_null);
  v.characters("tag", tag_characters, "/^[A-Z0-9_]+$/", "Tag can only contain uppercase letters, numbers, underscores");
  v.number("telegramId", -9e18, may_be::absent_or_null);
  v.email("email");
  v.integer("hwidDeviceLimit", 0, 2'147'483'647, may_be::absent_or_null);
  v.uuids("activeInternalSquads");
  v.uuid("externalSquadUuid", may_be::absent_or_null);
}

void check_new_user(const json& body) {
  validation v(body);
  v.text("username", 3, 36, may_be::required);
  v.characters("username", username_characters, "/^[a-zA-Z0-9_-]+$/",
               "Username can only contain letters, numbers, underscores and dashes");
  v.choice("status", {"ACTIVE", "DISABLED", "LIMITED", "EXPIRED"});
  v.text("shortUuid", 1, 64);
  v.text("trojanPassword", 8, 32);
  v.text("ssPassword", 8, 32);
  v.uuid("vlessUuid");
  v.date("expireAt", may_be::required);
  v.date("createdAt");
  v.date("lastTrafficResetAt");
  check_user(v);
  v.finish();
}

/// @param key what a user is named by, besides the name
void check_changed_user(const json& body, const char* key, instant now) {
  validation v(body);
  if (!body.contains(key) && !body.contains("username"))
    v.fail({}, std::string("At least one of username, ") + key + " must be provided");
  v.number("id", 0);
  v.uuid("uuid");
  v.text("username", 0, 36);
  v.choice("status", {"ACTIVE", "DISABLED"});
  v.date("expireAt");
  check_user(v);
  v.finish();
  if (body.contains("expireAt") && parse_time(body["expireAt"].get<std::string>()) <= now)
    v.fail("expireAt", "Expiration date cannot be in the past");
  v.finish();
}

std::string given_or(const json& body, const char* member, const std::string& otherwise) {
  return body.value(member, otherwise);
}

answer panel::create_user(const call& c) {
  const auto body = json::parse(c.body);
  check_new_user(body);
  const auto id = next_id_++;
  world_.changed();
  const auto username = body["username"].get<std::string>();
  const auto short_uuid = given_or(body, "shortUuid", random_token(16));
  if (find_user("username", username)) fail(c, 400, "User username already exists", "A019");
  if (find_user("shortUuid", short_uuid)) fail(c, 400, "User short UUID already exists", "A020");
  const auto created = format_time(*parse_time(given_or(body, "createdAt", timestamp())));
  json user{{"uuid", random_uuid()},
            {"id", id},
            {"shortUuid", short_uuid},
            {"username", username},
            {"status", given_or(body, "status", "ACTIVE")},
            {"trafficLimitBytes", 0},
            {"trafficLimitStrategy", given_or(body, "trafficLimitStrategy", "NO_RESET")},
            {"expireAt", nullptr},
            {"telegramId", nullptr},
            {"email", nullptr},
            {"description", nullptr},
            {"tag", nullptr},
            {"hwidDeviceLimit", nullptr},
            {"externalSquadUuid", nullptr},
            {"trojanPassword", given_or(body, "trojanPassword", random_token(32))},
            {"vlessUuid", given_or(body, "vlessUuid", random_uuid())},
            {"ssPassword", given_or(body, "ssPassword", random_token(32))},
            {"lastTriggeredThreshold", 0},
            {"subRevokedAt", nullptr},
            {"lastTrafficResetAt", nullptr},
            {"createdAt", created},
            {"updatedAt", created},
            {"subscriptionUrl", nullptr},
            {"activeInternalSquads", json::array()},
            {"userTraffic",
             {{"usedTrafficBytes", 0},
              {"lifetimeUsedTrafficBytes", 0},
              {"onlineAt", nullptr},
              {"lastConnectedNodeUuid", nullptr},
              {"firstConnectedAt", nullptr}}}};
  take_over(user, body, failure(c, "Failed to create user", "A018"));
  const auto& stored = users_.emplace(id, std::move(user)).first->second;
  announce_user("user.created", stored);
  return ok(present(stored), 201);
}

/// Writes the given fields into a user, or none of them.
/// @throws refusal 500 with `failure` for what only the panel's database refuses.
void panel::take_over(json& user, const json& body, const json& failure) const {
  auto changed = user;
  const auto give_up = [&] { throw refusal(reply(failure, 500)); };
  for (const auto* member : plain_members)
    if (body.contains(member)) changed[member] = body[member];
  for (const auto* member : whole_number_members) {
    if (!body.contains(member)) continue;
    changed[member] = body[member];
    if (body[member].is_null()) continue;
    const auto number = whole_number(body[member]);
    if (!number) give_up();
    changed[member] = *number;
  }
  for (const auto* member : {"expireAt", "lastTrafficResetAt"})
    if (body.contains(member)) changed[member] = format_time(*parse_time(body[member].get<std::string>()));
  if (body.contains("trafficLimitStrategy")) changed["trafficLimitStrategy"] = body["trafficLimitStrategy"];
  if (body.contains("activeInternalSquads")) {
    changed["activeInternalSquads"] = json::array();
    for (const auto& uuid : body["activeInternalSquads"]) {
      if (uuid != squad_uuid) give_up();
      changed["activeInternalSquads"] = json::array({{{"uuid", uuid}, {"name", "Default-Squad"}}});
    }
  }
  user = std::move(changed);
}

answer panel::update_user(const call& c) {
  const auto body = json::parse(c.body);
  check_changed_user(body, is_2() ? "uuid" : "id", world_.now());
  auto* user = find_user(body);
  if (!user) fail(c, 404, "User not found", "A025");
  auto changed = *user;
  take_over(changed, body, failure(c, "Failed to update user", "A039"));
  set_status_for_change(changed, body);
  if (changed["trafficLimitBytes"] != (*user)["trafficLimitBytes"]) changed["lastTriggeredThreshold"] = 0;
  changed["updatedAt"] = timestamp();
  *user = std::move(changed);
  world_.changed();
  announce_user("user.modified", *user);
  return ok(present(*user));
}

/// What a new date or limit means for the status, where none is given.
void panel::set_status_for_change(json& user, const json& body) {
  if (body.contains("status")) user["status"] = body["status"];
  else if (user["status"] == "EXPIRED" && body.contains("expireAt")) user["status"] = "ACTIVE";
  else if (user["status"] == "LIMITED" && body.contains("trafficLimitBytes")) {
    const auto before = users_.at(user["id"].get<std::int64_t>())["trafficLimitBytes"].get<std::int64_t>();
    const auto limit = user["trafficLimitBytes"].get<std::int64_t>();
    if (limit == 0 || limit > before) user["status"] = "ACTIVE";
  }
}

answer panel::delete_user(const call& c) {
  auto& user = user_at(c, "A025");
  announce_user("user.deleted", user);
  devices_.erase(user["id"].get<std::int64_t>());
  users_.erase(user["id"].get<std::int64_t>());
  world_.changed();
  return is_2() ? ok({{"isDeleted", true}}) : answer{204};
}

answer panel::resolve_user(const call& c) {
  const auto body = json::parse(c.body);
  validation v(body);
  v.number("id", 0);
  v.uuid("uuid");
  v.text("shortUuid", 0, 64);
  v.text("username", 0, 36);
  v.finish();
  if (body.contains(is_2() ? "uuid" : "id") + body.contains("shortUuid") + body.contains("username") != 1)
    v.fail({}, "Exactly one of id, shortUuid, username must be provided");
  v.finish();
  const auto* user = find_user(body);
  if (!user) fail(c, 404, "User not found", "A025");
  json found{{"id", (*user)["id"]}, {"shortUuid", (*user)["shortUuid"]}, {"username", (*user)["username"]}};
  if (is_2()) found["uuid"] = (*user)["uuid"];
  return ok(found);
}

answer panel::stream_users(const call& c) const {
  const auto query = numbers_of(c.query);
  validation v(query);
  v.integer("cursor", 0, INT64_MAX);
  v.integer("size", 1, 1000);
  v.number("telegramId", -9e18);
  v.choice("status", {"ACTIVE", "DISABLED", "LIMITED", "EXPIRED"});
  v.choice("trafficLimitStrategy", {"NO_RESET", "DAY", "WEEK", "MONTH", "MONTH_ROLLING"});
  v.finish();
  const auto wanted = [&](const json& user) {
    for (const auto* member : {"status", "trafficLimitStrategy", "email", "tag", "externalSquadUuid"})
      if (c.query.contains(member) && user[member] != c.query.at(member)) return false;
    return !query.contains("telegramId") || user["telegramId"] == query["telegramId"];
  };
  const auto size = query.value("size", std::size_t{250});
  auto found = json::array();
  for (auto i = users_.upper_bound(query.value("cursor", std::int64_t{0})); i != users_.end(); ++i) {
    if (!wanted(i->second)) continue;
    if (found.size() == size) {
      const auto last = std::to_string(found.back()["id"].get<std::int64_t>());
      return ok({{"users", found}, {"nextCursor", last}, {"hasMore", true}});
    }
    found.push_back(present(i->second));
  }
  return ok({{"users", found}, {"nextCursor", nullptr}, {"hasMore", false}});
}

/// The filters of the panel's own page, `[{"id":"telegramId","value":"1001"}]`: all must be contained.
bool passes(const json& user, const json& filters) {
  return std::all_of(filters.begin(), filters.end(), [&](const json& filter) {
    const auto member = filter.is_object() ? filter.value("id", json()) : json();
    const auto value = filter.is_object() ? filter.value("value", json()) : json();
    if (!member.is_string() || !value.is_string()) return true;
    const auto found = user.find(member.get<std::string>());
    if (found == user.end()) return true;
    const auto text = found->is_string() ? found->get<std::string>() : dump(*found);
    return lower_case(text).find(lower_case(value.get<std::string>())) != std::string::npos;
  });
}

answer panel::list_users(const call& c) const {
  const auto query = numbers_of(c.query);
  validation v(query);
  v.integer("start", 0, INT64_MAX);
  v.integer("size", 1, 1000, may_be::absent, "Size (limit) must be less than 1000");
  const auto filters = json::parse(c.query.contains("filters") ? c.query.at("filters") : "[]", nullptr, false);
  if (!filters.is_array()) v.fail("filters", "Invalid filters");
  v.finish();
  const auto start = query.value("start", std::int64_t{0});
  const auto size = query.value("size", std::int64_t{25});
  std::int64_t total = 0;
  auto page = json::array();
  for (auto i = users_.rbegin(); i != users_.rend(); ++i) {
    if (!passes(i->second, filters)) continue;
    if (total >= start && total - start < size) page.push_back(present(i->second));
    ++total;
  }
  return ok({{"total", total}, {"users", page}});
}

answer panel::act(const call& c, user_action action) {
  auto& user = user_at(c, "A025");
  (this->*action)(user, c);
  world_.changed();
  return ok(present(user));
}

// Neither touches updatedAt, as observed.
void panel::enable(json& user, const call& c) {
  if (user["status"] == "ACTIVE") fail(c, 400, "User already enabled", "A030");
  user["status"] = "ACTIVE";
  announce_user("user.enabled", user);
}

void panel::disable(json& user, const call& c) {
  if (user["status"] == "DISABLED") fail(c, 400, "User already disabled", "A029");
  user["status"] = "DISABLED";
  announce_user("user.disabled", user);
}

void panel::reset_traffic(json& user, const call&) { forget_traffic(user); }

void panel::forget_traffic(json& user) {
  user["userTraffic"]["usedTrafficBytes"] = 0;
  user["lastTriggeredThreshold"] = 0;
  user["lastTrafficResetAt"] = user["updatedAt"] = timestamp();
  if (user["status"] == "LIMITED") user["status"] = "ACTIVE";
  announce_user("user.traffic_reset", user);
}

void panel::revoke(json& user, const call& c) {
  const auto body = c.body.empty() ? json::object() : json::parse(c.body);
  validation v(body);
  v.flag("revokeOnlyPasswords");
  v.text("shortUuid", 16, 64);
  v.finish();
  const auto short_uuid = given_or(body, "shortUuid", random_token(16));
  if (!body.value("revokeOnlyPasswords", false)) {
    if (find_user("shortUuid", short_uuid)) fail(c, 400, "User short UUID already exists", "A020");
    user["shortUuid"] = short_uuid;
  }
  renew_keys(user);
  user["subRevokedAt"] = user["updatedAt"] = timestamp();
  announce_user("user.revoked", user);
}

void panel::renew_keys(json& user) {
  user["trojanPassword"] = random_token(32);
  user["vlessUuid"] = random_uuid();
  user["ssPassword"] = random_token(32);
}

void panel::extend(json& user, const call& c) {
  const auto body = json::parse(c.body);
  validation v(body);
  v.integer("days", 1, 9999, may_be::required);
  v.finish();
  const bool expired = user["status"] == "EXPIRED";
  const auto from = expired ? world_.now() : time_of(user, "expireAt");
  user["expireAt"] = format_time(from + std::chrono::days(*whole_number(body["days"])));
  if (expired) user["status"] = "ACTIVE";
  user["updatedAt"] = timestamp();
  announce_user("user.modified", user);
}

/// What a connected client would have caused.
void panel::set_traffic(json& user, std::int64_t used) {
  auto& traffic = user["userTraffic"];
  const auto more = used - bytes_of(user, "usedTrafficBytes");
  traffic["lifetimeUsedTrafficBytes"] = bytes_of(user, "lifetimeUsedTrafficBytes") + std::max<std::int64_t>(more, 0);
  traffic["usedTrafficBytes"] = used;
  traffic["onlineAt"] = timestamp();
  traffic["lastConnectedNodeUuid"] = nodes_.front()["uuid"];
  world_.changed();
  if (traffic["firstConnectedAt"].is_null()) {
    traffic["firstConnectedAt"] = timestamp();
    announce_user("user.first_connected", user);
  }
  check_limits(user);
}

// Devices

answer panel::list_devices(const json& user) const {
  auto shown = json::array();
  const auto found = devices_.find(user["id"].get<std::int64_t>());
  if (found != devices_.end())
    for (const auto& device : found->second) shown.push_back(present_device(device, user));
  return ok({{"total", shown.size()}, {"devices", shown}});
}

json panel::present_device(const json& device, const json& user) const {
  json shown{{"hwid", device["hwid"]}};
  if (is_2()) shown["userUuid"] = user["uuid"];
  else shown["userId"] = user["id"];
  shown.update(device);
  return shown;
}

/// The user that a body about devices names.
json& panel::owner(const call& c, const json& body) {
  validation v(body);
  if (is_2()) v.uuid("userUuid", may_be::required);
  else v.number("userId", 0, may_be::required);
  v.finish();
  auto* user = is_2() ? find_user("uuid", body["userUuid"]) : find_user("id", body["userId"]);
  if (!user) fail(c, 404, "User not found", "A025");
  return *user;
}

json text_or_null(const json& body, const char* member) { return body.value(member, json()); }

answer panel::add_device(const call& c) {
  const auto body = json::parse(c.body);
  validation v(body);
  v.text("hwid", 10, 64, may_be::required);
  v.characters("hwid", hwid_characters, "/^[a-zA-Z0-9=-]+$/", "Invalid HWID");
  v.finish();
  auto& user = owner(c, body);
  auto& devices = devices_[user["id"].get<std::int64_t>()];
  if (std::any_of(devices.begin(), devices.end(), [&](const json& each) { return each["hwid"] == body["hwid"]; }))
    fail(c, 400, "User hwid device already exists", "A098");
  const auto& limit = user["hwidDeviceLimit"];
  if (limit.is_number() && devices.size() >= limit.get<std::size_t>())
    fail(c, 400, "User hwid device limit reached", "A099");
  const auto now = timestamp();
  const json device{{"hwid", body["hwid"]},
                    {"platform", text_or_null(body, "platform")},
                    {"osVersion", text_or_null(body, "osVersion")},
                    {"deviceModel", text_or_null(body, "deviceModel")},
                    {"userAgent", text_or_null(body, "userAgent")},
                    {"requestIp", nullptr},
                    {"createdAt", now},
                    {"updatedAt", now}};
  devices.insert(devices.begin(), device);
  world_.changed();
  announce("user_hwid_devices", "user_hwid_devices.added",
           {{"hwidUserDevice", present_device(devices.front(), user)}, {"user", present(user)}});
  return list_devices(user);
}

answer panel::delete_devices(const call& c, bool all) {
  const auto body = json::parse(c.body);
  if (!all) {
    validation v(body);
    v.text("hwid", 1, 64, may_be::required);
    v.finish();
  }
  auto& user = owner(c, body);
  auto& devices = devices_[user["id"].get<std::int64_t>()];
  std::erase_if(devices, [&](const json& each) { return all || each["hwid"] == body["hwid"]; });
  world_.changed();
  return list_devices(user);
}

/// A client that says which device it runs on is remembered, as far as the limit goes.
void panel::register_device(json& user, const call& c) {
  const auto hwid = c.header("x-hwid");
  auto& devices = devices_[user["id"].get<std::int64_t>()];
  const bool is_known =
      std::any_of(devices.begin(), devices.end(), [&](const json& each) { return each["hwid"] == hwid; });
  const auto& limit = user["hwidDeviceLimit"];
  const bool is_full = limit.is_number() && devices.size() >= limit.get<std::size_t>();
  if (hwid.size() < 10 || hwid.size() > 64 || is_known || is_full) return;
  const auto given = [&](const char* header) { return c.header(header).empty() ? json() : json(c.header(header)); };
  const auto now = timestamp();
  devices.push_back({{"hwid", hwid},
                     {"platform", given("x-device-os")},
                     {"osVersion", given("x-ver-os")},
                     {"deviceModel", given("x-device-model")},
                     {"userAgent", given("user-agent")},
                     {"requestIp", "127.0.0.1"},
                     {"createdAt", now},
                     {"updatedAt", now}});
  world_.changed();
}

// The version

void panel::only_in(const call& c, bool has_it) const {
  if (!has_it) throw refusal(unknown_route(c));
}

answer panel::play(const call& c) {
  const auto body = json::parse(c.body);
  const auto version = body.is_object() ? body.value("version", json()) : json();
  const bool is_known = version.is_string() &&
                        (version.get<std::string>().starts_with("2.") || version.get<std::string>().starts_with("3."));
  if (!is_known) refuse(400, "version must be a text such as 2.8.1 or 3.3.2");
  version_ = version.get<std::string>();
  world_.changed();
  return reply({{"version", version_}});
}

/// The lists of 2.x; nobody found is an empty one.
answer panel::list_by(const call&, const char* member, const json& value) const {
  auto found = json::array();
  for (const auto& [id, user] : users_)
    if (user[member] == value) found.push_back(present(user));
  return ok(found);
}

// Nodes and squads

json panel::present_node(json node) const {
  if (is_2())
    for (const auto* member : {"id", "integrationUuids", "ips"}) node.erase(member);
  return node;
}

answer panel::list_nodes() const {
  auto shown = json::array();
  for (const auto& node : nodes_) shown.push_back(present_node(node));
  return ok(shown);
}

void set_connected(json& node, bool connected, const std::string& now) {
  node["isConnected"] = connected;
  node["lastStatusChange"] = node["updatedAt"] = now;
  node["lastStatusMessage"] = nullptr;
  if (connected) return;
  node["usersOnline"] = 0;
  node["xrayUptime"] = 0;
}

answer panel::set_node_disabled(const call& c, bool disabled) {
  auto& node = node_at(c);
  set_connected(node, !disabled, timestamp());
  node["isDisabled"] = disabled;
  world_.changed();
  announce("node", disabled ? "node.disabled" : "node.enabled", node);
  return ok(present_node(node));
}

answer panel::flip_node(const call& c) {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(),
                                  [&](const json& node) { return node["uuid"] == c.parameters.at("uuid"); });
  if (found == nodes_.end()) refuse(404, "no such node");
  const auto body = json::parse(c.body);
  if (!body.is_object()) refuse(400, "the body must be a JSON object");
  for (const auto& [name, value] : body.items()) {
    const bool known = name == "is_connected" || name == "is_disabled"
                           ? value.is_boolean()
                           : name == "users_online" && value.is_number_integer();
    if (!known || (value.is_number() && (value < 0 || value > 1'000'000)))
      refuse(400, "is_connected and is_disabled are true or false, users_online is 0 to 1000000; wrong: " + name);
  }
  auto& node = *found;
  const auto changes = [&](const char* name, const char* member) {
    return body.contains(name) && body[name] != node[member];
  };
  if (changes("is_disabled", "isDisabled")) {
    node["isDisabled"] = body["is_disabled"];
    announce("node", body["is_disabled"] ? "node.disabled" : "node.enabled", node);
  }
  if (changes("is_connected", "isConnected")) {
    const bool connected = body["is_connected"];
    set_connected(node, connected, timestamp());
    // The real message is a JSON string inside the string.
    if (!connected)
      node["lastStatusMessage"] = "\"connect ECONNREFUSED " + node["address"].get<std::string>() + ":2222\"";
    announce("node", connected ? "node.connection_restored" : "node.connection_lost", node);
  }
  if (body.contains("users_online")) node["usersOnline"] = body["users_online"];
  world_.changed();
  return reply(node);
}

json panel::describe_squad() const {
  const auto members = std::count_if(users_.begin(), users_.end(),
                                     [](const auto& entry) { return !entry.second["activeInternalSquads"].empty(); });
  return {{"uuid", squad_uuid},
          {"viewPosition", 1},
          {"name", "Default-Squad"},
          {"info", {{"membersCount", members}, {"inboundsCount", 1}}},
          {"inbounds", json::array({inbound()})},
          {"createdAt", epoch},
          {"updatedAt", epoch}};
}

// Subscriptions

std::vector<std::string> panel::links(const json& user) const {
  if (user["activeInternalSquads"].empty()) return {};
  if (user["status"] != "ACTIVE")
    return {"vless://00000000-0000-0000-0000-000000000000@0.0.0.0:1?encryption=none&type=tcp&security=none#" +
            percent_encode("Subscription " + lower_case(user["status"].get<std::string>()))};
  std::vector<std::string> all;
  for (const auto& node : nodes_)
    if (!node["isDisabled"])
      all.push_back("vless://" + user["vlessUuid"].get<std::string>() + "@" + node["address"].get<std::string>() +
                    ":443?encryption=none&type=tcp&security=reality&flow=xtls-rprx-vision&fp=chrome"
                    "&sni=www.example.com&pbk=Zm9yLXRoZS1zYW5kYm94LW9ubHktbm90LWEta2V5LTE&sid=0123abcd#" +
                    percent_encode(node["name"].get<std::string>()));
  return all;
}

answer panel::get_subscription_info(const json* user, const call& c) const {
  if (!user) fail(c, 404, "User not found", "A025");
  const auto limit = (*user)["trafficLimitBytes"].get<std::int64_t>();
  const auto used = bytes_of(*user, "usedTrafficBytes");
  const auto lifetime = bytes_of(*user, "lifetimeUsedTrafficBytes");
  const auto left = std::chrono::floor<std::chrono::days>(time_of(*user, "expireAt") - world_.now());
  return ok({{"isFound", true},
             {"user",
              {{"shortUuid", (*user)["shortUuid"]},
               {"daysLeft", left.count()},
               {"trafficUsed", human_bytes(used)},
               {"trafficLimit", human_bytes(limit)},
               {"lifetimeTrafficUsed", human_bytes(lifetime)},
               {"lifetimeTrafficUsedBytes", std::to_string(lifetime)},
               {"trafficLimitBytes", std::to_string(limit)},
               {"trafficUsedBytes", std::to_string(used)},
               {"username", (*user)["username"]},
               {"expiresAt", (*user)["expireAt"]},
               {"isActive", (*user)["status"] == "ACTIVE"},
               {"userStatus", (*user)["status"]},
               {"trafficLimitStrategy", (*user)["trafficLimitStrategy"]}}},
             {"links", links(*user)},
             {"ssConfLinks", json::object()},
             {"subscriptionUrl", subscription_url(*user)}});
}

answer panel::get_subscription(const call& c) {
  auto* user = find_user("shortUuid", c.parameters.at("shortUuid"));
  if (!user) return reply({{"isFound", false}, {"statusCode", 404}, {"message", "Resource not found"}}, 404);
  register_device(*user, c);
  std::string list;
  for (const auto& link : links(*user)) list += (list.empty() ? "" : "\n") + link;
  const auto number = [&](const char* member) { return std::to_string((*user)[member].get<std::int64_t>()); };
  const auto expire = std::chrono::floor<std::chrono::seconds>(time_of(*user, "expireAt")).time_since_epoch().count();
  return {
      200,
      base64(list),
      {{"content-disposition", "attachment; filename=" + (*user)["username"].get<std::string>()},
       {"subscription-userinfo", "upload=0; download=" + std::to_string(bytes_of(*user, "usedTrafficBytes")) +
                                     "; total=" + number("trafficLimitBytes") + "; expire=" + std::to_string(expire)},
       {"support-url", "https://support.sandbox.example"},
       {"profile-title", "base64:" + base64("Backstay sandbox")},
       {"profile-web-page-url", subscription_url(*user)},
       {"profile-update-interval", "12"}},
      "text/plain; charset=utf-8"};
}

// Looking up

json panel::failure(const call& c, const std::string& message, const std::string& code) const {
  return {{"timestamp", timestamp()}, {"path", c.path}, {"message", message}, {"errorCode", code}};
}

void panel::fail(const call& c, int status, const std::string& message, const std::string& code) const {
  throw refusal(reply(failure(c, message, code), status));
}

[[noreturn]] void refuse_key(const char* expected, const char* received) {
  const json error{{"expected", expected},
                   {"code", "invalid_type"},
                   {"received", received},
                   {"path", {"userId"}},
                   {"message", std::string("Invalid input: expected ") + expected + ", received " + received}};
  throw refusal(reply({{"statusCode", 400}, {"message", "Validation failed"}, {"errors", json::array({error})}}, 400));
}

/// What paths name a user by: the number, and in 2.x the UUID. The other one is no key at all.
const json* panel::find_user_at(const call& c) const {
  const auto& key = c.parameters.at("userId");
  if (is_2()) {
    if (key.size() != 36) refuse_key("uuid", "string");
    return find_user("uuid", key);
  }
  const auto id = parse_integer(key);
  if (!id) refuse_key("number", "NaN");
  return find_user("id", *id);
}

json& panel::user_at(const call& c, const std::string& code) {
  const auto* found = find_user_at(c);
  if (!found) fail(c, 404, code == "A063" ? "User with specified params not found" : "User not found", code);
  return const_cast<json&>(*found);
}

const json* panel::find_user(const std::string& member, const json& value) const {
  if (member == "id") {
    const auto id = whole_number(value);
    const auto found = id ? users_.find(*id) : users_.end();
    return found == users_.end() ? nullptr : &found->second;
  }
  const auto found =
      std::find_if(users_.begin(), users_.end(), [&](const auto& entry) { return entry.second[member] == value; });
  return found == users_.end() ? nullptr : &found->second;
}

json* panel::find_user(const std::string& member, const json& value) {
  return const_cast<json*>(std::as_const(*this).find_user(member, value));
}

/// By what a body identifies its user with.
json* panel::find_user(const json& body) {
  for (const auto* member : {is_2() ? "uuid" : "id", "username", "shortUuid"})
    if (body.contains(member)) return find_user(member, body[member]);
  return nullptr;
}

json& panel::node_at(const call& c) {
  const auto& uuid = c.parameters.at("uuid");
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const json& node) { return node["uuid"] == uuid; });
  if (found == nodes_.end()) fail(c, 404, "Node not found", "A011");
  return *found;
}

std::string panel::subscription_url(const json& user) const {
  return world_.base_url() + "/panel/api/sub/" + percent_encode(user["shortUuid"].get<std::string>());
}

json panel::present(const json& user) const {
  auto shown = user;
  if (!is_2()) shown.erase("uuid");
  shown["subscriptionUrl"] = subscription_url(user);
  return shown;
}

void panel::announce(const std::string& scope, const std::string& event, const json& data) {
  const auto now = timestamp();
  json content{{"scope", scope}, {"event", event}, {"timestamp", now}, {"data", data}};
  if (scope == "user") content["meta"] = nullptr;
  const auto body = dump(content);
  world_.send({name(),
               "/api/v1/webhooks/remnawave",
               {{"content-type", "application/json"},
                {"user-agent", "Remnawave"},
                {"x-remnawave-signature", hmac_sha256_hex(world_.given.panel_webhook_secret, body)},
                {"x-remnawave-timestamp", now}},
               body,
               webhook_retries,
               webhook_retry_after_ms});
}

} // namespace

std::unique_ptr<fake> make_panel(world& w) { return std::make_unique<panel>(w); }

} // namespace backstay::sandbox
