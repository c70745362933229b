#include "integrations/panel/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <regex>

namespace backstay::panel::api {

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

/// The panel's names of `user_status`, `traffic_reset` and `template_kind`, in their order.
constexpr std::array<std::string_view, 4> statuses{"ACTIVE", "DISABLED", "LIMITED", "EXPIRED"};
constexpr std::array<std::string_view, 5> resets{"NO_RESET", "DAY", "WEEK", "MONTH", "MONTH_ROLLING"};
constexpr std::array<std::string_view, 5> kinds{"XRAY_JSON", "MIHOMO", "STASH", "CLASH", "SINGBOX"};

template <class Enum, std::size_t Count>
std::string_view word_for(const std::array<std::string_view, Count>& words, Enum value) {
  return words[static_cast<std::size_t>(value)];
}

template <class Enum, std::size_t Count>
std::optional<Enum> find_word(const std::array<std::string_view, Count>& words, const std::string& word) {
  const auto found = std::find(words.begin(), words.end(), word);
  return found == words.end() ? std::nullopt : std::optional{static_cast<Enum>(found - words.begin())};
}

template <class Enum, std::size_t Count>
Enum read_word(const std::array<std::string_view, Count>& words, const std::string& word, const char* of) {
  const auto value = find_word<Enum>(words, word);
  if (!value) fail_outside(ec::upstream, std::string{"unknown "} + of);
  return *value;
}

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

std::optional<std::string> email_for(const put_user& wish) {
  return wish.email && is_acceptable(*wish.email) ? wish.email : std::nullopt;
}

json wish_fields(const put_user& wish, const squad_list& squads) {
  json body{{"username", wish.username},
            {"status", word_for(statuses, user_status::active)},
            {"expireAt", to_rfc3339(wish.expires_at)},
            {"trafficLimitBytes", wish.traffic_limit_bytes},
            {"trafficLimitStrategy", word_for(resets, wish.reset)},
            {"activeInternalSquads", squads}};
  if (const auto email = email_for(wish)) body["email"] = *email;
  if (wish.device_limit) body["hwidDeviceLimit"] = *wish.device_limit;
  return body;
}

/// Addresses that differ in case alone are the same to us, and whatever the panel makes of the case is right.
std::optional<std::string> lower_case(std::optional<std::string> email) {
  if (email)
    std::transform(email->begin(), email->end(), email->begin(), [](unsigned char c) { return std::tolower(c); });
  return email;
}

std::string read_key(const fields& in, const dialect& spoken) {
  const auto* name = spoken.user_key;
  const auto key = spoken.is_key_number ? std::to_string(in.get<std::int64_t>(name)) : in.get<std::string>(name);
  // It becomes a part of paths.
  if (!is_name(key)) fail_outside(ec::upstream, "the key of a user is none");
  return key;
}

squad_list read_squad_ids(const fields& of, const char* name) {
  squad_list squads;
  for (const auto& squad : of.each(name)) squads.push_back(squad.get<std::string>("uuid"));
  return squads;
}

std::string sorted_text(squad_list squads) {
  std::sort(squads.begin(), squads.end());
  return dump(squads);
}

/// A UUID, since it becomes a part of paths.
std::string read_template_id(const fields& in) {
  const auto id = uuid::parse(in.get<std::string>("uuid"));
  if (!id) fail_outside(ec::upstream, "the id of a template is not a UUID");
  return to_string(*id);
}

/// JSON for clients of the Xray and sing-box kind, YAML for those of the Clash kind.
bool is_json(template_kind kind) { return kind == template_kind::xray_json || kind == template_kind::singbox; }

std::string read_content(const json& response) {
  const auto& object = response.value("templateJson", json{});
  if (!object.is_null()) return dump(object);
  const auto& encoded = response.value("encodedTemplateYaml", json{});
  if (encoded.is_null()) return {};
  const auto text = encoded.is_string() ? crypto::from_base64(encoded.get<std::string>()) : std::nullopt;
  if (!text) fail_outside(ec::upstream, "the content of a template is not readable");
  return *text;
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

/// What happens to a user without changing what we told the panel.
constexpr std::array<std::string_view, 5> mere_news{"user.first_connected", "user.bandwidth_usage_threshold_reached",
                                                    "user.not_connected", "user.expiration", "user.disabled"};

/// The panel numbers no events: the same event about the same user at the same time is the same.
webhook_hint read_user_event(const fields& event, const fields& user) {
  const auto name = event.get<std::string>("event");
  const auto username = user.get<std::string>("username");
  const bool is_news = std::find(mere_news.begin(), mere_news.end(), name) != mere_news.end();
  const bool is_stopped = user.get<std::string>("status") == word_for(statuses, user_status::disabled);
  return {.about = hint::user_changed,
          .username = username,
          .may_differ = !is_news && !is_stopped,
          .key = name + " " + username + " " + event.get<std::string>("timestamp")};
}

webhook_hint read_event(const fields& event) {
  const auto scope = event.get<std::string>("scope");
  if (scope == "node") return {.about = hint::node_changed};
  if (scope == "user") return read_user_event(event, event.in("data"));
  if (scope != "user_hwid_devices") return {};
  auto hint = read_user_event(event, event.in("data").in("user"));
  hint.may_differ = false; // devices are the user's own business
  return hint;
}

} // namespace

bool is_name(const std::string& name) {
  constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !name.empty() && name.size() <= 64 && name.find_first_not_of(allowed) == std::string::npos;
}

http_request get_metadata(const settings& where) { return authorized(where, "GET", "/api/system/metadata"); }

const dialect& read_dialect(const http_response& answer) {
  const auto document = parse_answer(answer);
  const auto version = fields{document}.in("response").get<std::string>("version");
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  if (major < 2) fail_outside(ec::upstream, "a version that is not known");
  return dialects[std::min<std::size_t>(major - 2, std::size(dialects) - 1)];
}

http_request list_squads(const settings& where) { return authorized(where, "GET", "/api/internal-squads"); }

squad_list read_squads(const http_response& answer) {
  const auto document = parse_answer(answer);
  return read_squad_ids(fields{document}.in("response"), "internalSquads");
}

http_request create_user(const settings& where, const put_user& wish, const squad_list& squads) {
  return authorized(where, "POST", "/api/users", wish_fields(wish, squads));
}

http_request update_user(const settings& where, const put_user& wish, const squad_list& squads) {
  auto body = wish_fields(wish, squads);
  // What is not wished for is taken back: here, other than at creation, the panel takes null.
  if (!body.contains("email")) body["email"] = nullptr;
  if (!body.contains("hwidDeviceLimit")) body["hwidDeviceLimit"] = nullptr;
  return authorized(where, "PATCH", "/api/users", body);
}

http_request disable_user(const settings& where, const std::string& username) {
  return authorized(where, "PATCH", "/api/users",
                    {{"username", username}, {"status", word_for(statuses, user_status::disabled)}});
}

http_request reset_traffic(const settings& where, const user& whose) {
  return authorized(where, "POST", "/api/users/" + whose.key + "/actions/reset-traffic");
}

http_request get_user(const settings& where, const std::string& username) {
  return authorized(where, "GET", "/api/users/by-username/" + username);
}

user read_user(const http_response& answer, const dialect& spoken) {
  const auto document = parse_answer(answer);
  const auto in = fields{document}.in("response");
  const auto traffic = in.in("userTraffic");
  return {.id = in.get<std::optional<std::int64_t>>("id").value_or(0),
          .short_uuid = in.get<std::string>("shortUuid"),
          .username = in.get<std::string>("username"),
          .status = read_word<user_status>(statuses, in.get<std::string>("status"), "status of a user"),
          .traffic_limit_bytes = in.get<std::int64_t>("trafficLimitBytes"),
          .used_traffic_bytes = traffic.get<std::int64_t>("usedTrafficBytes"),
          .device_limit = in.get<std::optional<int>>("hwidDeviceLimit"),
          .expires_at = in.get<timestamp>("expireAt"),
          .is_revoked = in.get<std::optional<timestamp>>("subRevokedAt").has_value(),
          .subscription_url = in.get<std::string>("subscriptionUrl"),
          .key = read_key(in, spoken),
          .email = in.get<std::optional<std::string>>("email"),
          .reset = read_word<traffic_reset>(resets, in.get<std::string>("trafficLimitStrategy"), "traffic strategy"),
          .traffic_since =
              in.get<std::optional<timestamp>>("lastTrafficResetAt").value_or(in.get<timestamp>("createdAt")),
          .online_at = traffic.get<std::optional<timestamp>>("onlineAt"),
          .squads = read_squad_ids(in, "activeInternalSquads")};
}

bool is_as_wished(const user& found, const put_user& wish, const squad_list& squads) {
  using std::chrono::floor;
  using std::chrono::seconds;
  return floor<seconds>(found.expires_at) == floor<seconds>(wish.expires_at) && // the precision that is sent
         found.traffic_limit_bytes == wish.traffic_limit_bytes && found.device_limit == wish.device_limit &&
         found.reset == wish.reset && lower_case(found.email) == lower_case(email_for(wish)) &&
         sorted_text(found.squads) == sorted_text(squads);
}

http_request list_devices(const settings& where, const user& whose) {
  return authorized(where, "GET", "/api/hwid/devices/" + whose.key);
}

int read_device_count(const http_response& answer) {
  const auto document = parse_answer(answer);
  return fields{document}.in("response").get<int>("total");
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

http_request list_templates(const settings& where) { return authorized(where, "GET", "/api/subscription-templates"); }

std::vector<subscription_template> read_templates(const http_response& answer) {
  const auto document = parse_answer(answer);
  std::vector<subscription_template> templates;
  for (const auto& entry : fields{document}.in("response").each("templates")) {
    // Lists of links have no content, and kinds of a later panel no reader.
    const auto kind = find_word<template_kind>(kinds, entry.get<std::string>("templateType"));
    if (kind) templates.push_back({read_template_id(entry), entry.get<std::string>("name"), *kind, {}});
  }
  return templates;
}

http_request get_template(const settings& where, const std::string& id) {
  return authorized(where, "GET", "/api/subscription-templates/" + id);
}

http_request add_template(const settings& where, const create_template& wish) {
  return authorized(where, "POST", "/api/subscription-templates",
                    {{"name", wish.name}, {"templateType", word_for(kinds, wish.kind)}});
}

http_request fill_template(const settings& where, const std::string& id, const create_template& wish) {
  json body{{"uuid", id}};
  if (is_json(wish.kind)) body["templateJson"] = parse(wish.content, ec::invalid);
  else body["encodedTemplateYaml"] = crypto::to_base64(wish.content); // JSON is YAML (YAML 1.2.2, section 1.3)
  return authorized(where, "PATCH", "/api/subscription-templates", body);
}

subscription_template read_template(const http_response& answer) {
  const auto document = parse_answer(answer);
  const auto in = fields{document}.in("response");
  return {read_template_id(in), in.get<std::string>("name"),
          read_word<template_kind>(kinds, in.get<std::string>("templateType"), "type of a template"),
          read_content(document["response"])};
}

bool is_name_taken(const http_response& answer) {
  return answer.status == 400 && (error_code(answer) == "A019" || error_code(answer) == "A176");
}

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

} // namespace backstay::panel::api
