#include "integrations/panel/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

#include <algorithm>
#include <regex>

namespace backstay::panel::v3 {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::fields;
using integrations::is_success;
using integrations::json;
using integrations::parse;

/// How far a webhook's time may be off.
constexpr std::chrono::minutes webhook_age{5};

/// In production mode the panel closes the connection of a request that did not come through a proxy.
http_request request(const settings& where, std::string method, const std::string& path) {
  return {std::move(method), where.url + path, {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}}, {}};
}

http_request authorized(const settings& where, std::string method, const std::string& path) {
  auto made = request(where, std::move(method), path);
  made.headers.emplace_back("Authorization", "Bearer " + where.token.reveal());
  return made;
}

http_request authorized(const settings& where, std::string method, const std::string& path, const json& body) {
  auto made = authorized(where, std::move(method), path);
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = dump(body);
  return made;
}

/// The panel's own code of an error, such as `A019`; empty where there is none.
std::string error_code(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  if (!document.is_object()) return {};
  const auto found = document.find("errorCode");
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

json parse_answer(const http_response& answer) {
  if (!is_success(answer)) fail_status(answer, error_code(answer));
  return parse(answer.body);
}

/// The panel's own rule. It knows addresses for its operators only, so one that it would refuse is not worth failing.
bool is_acceptable(const std::string& email) {
  static const std::regex rule{
      R"((?!\.)(?!.*\.\.)[A-Za-z0-9_'+\-.]*[A-Za-z0-9_+\-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,})"};
  return email.size() <= 254 && std::regex_match(email, rule);
}

json wish_fields(const put_user& wish, const squad_list& squads) {
  json body{
      {"username", wish.username}, {"trafficLimitBytes", wish.traffic_limit_bytes}, {"activeInternalSquads", squads}};
  if (wish.email && is_acceptable(*wish.email)) body["email"] = *wish.email;
  if (wish.device_limit) body["hwidDeviceLimit"] = *wish.device_limit;
  return body;
}

user_status read_status(const std::string& name) {
  if (name == "ACTIVE") return user_status::active;
  if (name == "DISABLED") return user_status::disabled;
  if (name == "LIMITED") return user_status::limited;
  if (name == "EXPIRED") return user_status::expired;
  fail_outside(ec::upstream, "unknown status of a user");
}

node read_node(const fields& in) {
  const auto id = node_id::parse(in.get<std::string>("uuid"));
  if (!id) fail_outside(ec::upstream, "the id of a node is not a UUID");
  return {.id = *id,
          .name = in.get<std::string>("name"),
          .address = in.get<std::string>("address"),
          .country_code = in.get<std::string>("countryCode"),
          .port = in.get<std::optional<int>>("port"),
          .is_connected = in.get<bool>("isConnected"),
          .is_connecting = in.get<bool>("isConnecting"),
          .is_disabled = in.get<bool>("isDisabled"),
          .traffic_used_bytes = in.get<std::optional<std::int64_t>>("trafficUsedBytes").value_or(0),
          .inbound_count = static_cast<int>(in.in("configProfile").each("activeInbounds").size()),
          .users_online = in.get<std::optional<int>>("usersOnline").value_or(0),
          .created_at = in.get<timestamp>("createdAt"),
          .updated_at = in.get<timestamp>("updatedAt")};
}

webhook_hint read_event(const fields& event) {
  const auto scope = event.get<std::string>("scope");
  if (scope == "node") return {hint::node_changed, {}};
  if (scope == "user") return {hint::user_changed, event.in("data").get<std::string>("username")};
  return {};
}

} // namespace

bool is_name(const std::string& name) {
  constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !name.empty() && name.size() <= 64 && name.find_first_not_of(allowed) == std::string::npos;
}

http_request list_squads(const settings& where) { return authorized(where, "GET", "/api/internal-squads"); }

squad_list read_squads(const http_response& answer) {
  const auto document = parse_answer(answer);
  squad_list squads;
  for (const auto& squad : fields{document}.in("response").each("internalSquads"))
    squads.push_back(squad.get<std::string>("uuid"));
  return squads;
}

http_request create_user(const settings& where, const put_user& wish, const squad_list& squads) {
  auto body = wish_fields(wish, squads);
  body["status"] = "ACTIVE";
  body["expireAt"] = to_rfc3339(wish.expires_at);
  return authorized(where, "POST", "/api/users", body);
}

http_request update_user(const settings& where, const put_user& wish, const squad_list& squads, timestamp now) {
  auto body = wish_fields(wish, squads);
  // What is not wished for is taken back: here, other than at creation, the panel takes null.
  if (!body.contains("email")) body["email"] = nullptr;
  if (!body.contains("hwidDeviceLimit")) body["hwidDeviceLimit"] = nullptr;
  if (wish.expires_at > now) {
    body["status"] = "ACTIVE";
    body["expireAt"] = to_rfc3339(wish.expires_at);
  }
  return authorized(where, "PATCH", "/api/users", body);
}

http_request disable_user(const settings& where, const std::string& username) {
  return authorized(where, "PATCH", "/api/users", {{"username", username}, {"status", "DISABLED"}});
}

http_request get_user(const settings& where, const std::string& username) {
  return authorized(where, "GET", "/api/users/by-username/" + username);
}

user read_user(const http_response& answer) {
  const auto document = parse_answer(answer);
  const auto in = fields{document}.in("response");
  return {.id = in.get<std::int64_t>("id"),
          .short_uuid = in.get<std::string>("shortUuid"),
          .username = in.get<std::string>("username"),
          .status = read_status(in.get<std::string>("status")),
          .traffic_limit_bytes = in.get<std::int64_t>("trafficLimitBytes"),
          .used_traffic_bytes = in.in("userTraffic").get<std::int64_t>("usedTrafficBytes"),
          .device_limit = in.get<std::optional<int>>("hwidDeviceLimit"),
          .expires_at = in.get<timestamp>("expireAt"),
          .is_revoked = in.get<std::optional<timestamp>>("subRevokedAt").has_value(),
          .subscription_url = in.get<std::string>("subscriptionUrl")};
}

http_request get_subscription(const settings& where, const std::string& short_uuid) {
  return request(where, "GET", "/api/sub/" + short_uuid);
}

std::string read_subscription(const http_response& answer) {
  if (!is_success(answer)) fail_status(answer, error_code(answer));
  const auto type = integrations::find_header(answer.headers, "content-type");
  if (answer.body.empty() || type.starts_with("text/html")) fail_outside(ec::upstream, "not a subscription");
  return answer.body;
}

http_request list_nodes(const settings& where) { return authorized(where, "GET", "/api/nodes"); }

std::vector<node> read_nodes(const http_response& answer) {
  const auto document = parse_answer(answer);
  std::vector<node> nodes;
  for (const auto& entry : fields{document}.each("response")) nodes.push_back(read_node(entry));
  return nodes;
}

bool is_name_taken(const http_response& answer) { return answer.status == 400 && error_code(answer) == "A019"; }

bool is_missing(const http_response& answer) {
  if (answer.status != 404) return false;
  const auto document = json::parse(answer.body, nullptr, false);
  return document.is_object() && (document.contains("errorCode") || document.contains("isFound"));
}

webhook_hint read_webhook(const panel::read_webhook& hook, const secret& key, timestamp now) {
  const auto signature = integrations::find_header(hook.headers, "x-remnawave-signature");
  // Everybody can sign with no key.
  if (key.empty() || !crypto::equal(crypto::to_hex(crypto::hmac(key.reveal(), hook.body)), signature))
    fail(ec::unauthenticated);
  const auto document = parse(hook.body, ec::malformed);
  const fields event{document, ec::malformed};
  if (std::chrono::abs(now - event.get<timestamp>("timestamp")) > webhook_age) fail(ec::unauthenticated);
  return read_event(event);
}

} // namespace backstay::panel::v3
