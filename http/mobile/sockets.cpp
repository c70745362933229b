#include "http/mobile/sockets.hpp"

#include "http/kernel/shape.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace backstay::http::mobile {

namespace {

using websocket::hub;
using websocket::session;

constexpr std::size_t most_topics = 20;

/// camelCase: what the app's enumeration is called.
std::string kind_for_app(live::notification_kind kind) {
  std::string out;
  bool upper = false;
  for (char c : name_of(kind)) {
    if (c == '_') upper = true;
    else out += std::exchange(upper, false) ? static_cast<char>(c - 32) : c;
  }
  return out;
}

struct event_writer {
  json operator()(const live::server_status_changed& e) const {
    json data{{"server_id", to_string(e.server)}, {"status", name_of(e.status)}, {"current_users", e.current_users}};
    if (e.load) data["load"] = *e.load;
    return {{"type", "server_status_changed"}, {"data", data}};
  }
  json operator()(const live::subscription_updated& e) const {
    return {{"type", "subscription_updated"},
            {"data", {{"subscription_id", to_string(e.subscription)}, {"status", e.status}}}};
  }
  json operator()(const live::notification_received& e) const {
    json data{{"id", to_string(e.id)}, {"type", kind_for_app(e.kind)}, {"title", e.title}, {"body", e.body}};
    if (e.action_route) data["action_route"] = *e.action_route;
    return {{"type", "notification_received"}, {"data", data}};
  }
  json operator()(const live::force_disconnect& e) const {
    return {{"type", "force_disconnect"}, {"data", {{"reason", e.reason}}}};
  }
  json operator()(const live::payment_changed& e) const {
    json data{{"payment_id", to_string(e.payment)},
              {"provider", e.provider},
              {"status", e.state},
              {"amount", to_decimal(e.amount)},
              {"currency", e.amount.currency},
              {"review", e.review},
              {"account_id", e.account ? json(to_string(*e.account)) : json(nullptr)}};
    return {{"type", "payment_changed"}, {"data", data}};
  }
  json operator()(const live::account_changed& e) const {
    return {{"type", "account_changed"}, {"data", {{"account_id", to_string(e.account)}, {"what", name_of(e.what)}}}};
  }
};

/// One state as an object; the types of their frames are in `state_types`.
struct state_writer {
  json operator()(const live::node_sample& s) const {
    json item{{"server_id", to_string(s.node)},
              {"status", name_of(s.status)},
              {"current_users", s.current_users},
              {"traffic_bytes", s.traffic_bytes},
              {"measured_at", to_rfc3339(s.measured_at)}};
    if (s.load) item["load"] = *s.load;
    if (s.bytes_per_second) item["bytes_per_second"] = *s.bytes_per_second;
    if (s.uptime) item["uptime_seconds"] = s.uptime->count();
    return item;
  }
  json operator()(const live::actor_state& s) const {
    return {{"name", s.name},         {"critical", s.is_critical}, {"condition", name_of(s.condition)},
            {"mailbox", s.mailbox},   {"handled", s.handled},      {"per_second", s.per_second},
            {"restarts", s.restarts}, {"last_cause", s.last_cause}};
  }
  json operator()(const live::queue_state& s) const {
    return {{"name", s.name}, {"waiting", s.waiting}, {"dead", s.dead}, {"lag_seconds", s.lag.count()}};
  }
};

/// What a frame of states is called, by their alternative.
constexpr std::array state_types{"server_samples", "actor_states", "queue_states"};
static_assert(state_types.size() == std::variant_size_v<live::state>);

constexpr std::size_t states_in_a_frame = 64;

std::string now_as_text() {
  return to_rfc3339(std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()));
}

std::string dump(const json& message) { return message.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string write_states(std::size_t kind, json& items) {
  return dump({{"type", state_types[kind]},
               {"data", {{"items", std::exchange(items, json::array())}}},
               {"timestamp", now_as_text()}});
}

/// Which role may hear what: the matrix of mobile-websocket.md section 3.
bool may_hear(role who, live::topic topic) {
  switch (topic) {
  case live::topic::general:
    return true;
  case live::topic::servers:
    return may(who, permission::monitoring_read);
  case live::topic::payments:
    return may(who, permission::manage);
  case live::topic::users:
  case live::topic::system:
    return may(who, permission::roles_and_keys);
  }
  return false;
}

std::string greet_monitor(const sessions::session_view& who) {
  json topics = json::array();
  for (auto topic :
       {live::topic::servers, live::topic::users, live::topic::system, live::topic::payments, live::topic::general})
    if (may_hear(who.account.role, topic)) topics.push_back(name_of(topic));
  return json{{"type", "available_topics"}, {"topics", topics}, {"role", name_of(who.account.role)}}.dump();
}

void say(session& to, const json& what) {
  // Client text that we repeat may hold what JSON cannot: replaced, never thrown over.
  to.send(websocket::encode_text(what.dump(-1, ' ', false, json::error_handler_t::replace)));
}

void complain(session& to, const std::string& text) { say(to, {{"type", "error"}, {"message", text}}); }

void change_subscription(hub& sockets, hub::socket_number number, session& to, role who, const std::string& name,
                         bool add) {
  auto topic = from_name<live::topic>(name);
  if (add && (!topic || !may_hear(who, *topic)))
    return say(
        to,
        {{"type", "error"}, {"message", "Insufficient permissions to subscribe to topic: " + name}, {"topic", name}});
  if (topic) add ? sockets.subscribe(number, *topic) : sockets.unsubscribe(number, *topic);
  say(to, {{"type", add ? "subscribed" : "unsubscribed"}, {"topic", name}});
}

std::optional<std::vector<std::string>> topics_of(const json& message) {
  auto found = message.find("topics");
  if (found == message.end() || !found->is_array() || found->size() > most_topics) return std::nullopt;
  std::vector<std::string> topics;
  for (auto& item : *found) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > 50) return std::nullopt;
    topics.push_back(item);
  }
  return topics;
}

void answer_monitor(hub& sockets, hub::socket_number number, session& to, const sessions::session_view& who,
                    std::string_view text) {
  auto message = json::parse(text, nullptr, false);
  if (message.is_discarded() || !message.is_object()) return complain(to, "Invalid JSON message");
  auto found = message.find("type");
  if (found != message.end() && !found->is_string()) return complain(to, "Invalid JSON message");
  auto type = found == message.end() ? "subscribe" : found->get<std::string>();
  if (type == "ping") return say(to, {{"type", "pong"}});
  if (type != "subscribe" && type != "unsubscribe") return complain(to, "Unknown message type: " + type.substr(0, 50));
  auto topics = topics_of(message);
  if (!topics) return complain(to, "`topics` should be a list of at most 20 names");
  for (auto& name : *topics) change_subscription(sockets, number, to, who.account.role, name, type == "subscribe");
}

} // namespace

std::string encode_event(const live::event& what) {
  auto message = std::visit(event_writer{}, what);
  message["timestamp"] = now_as_text();
  return dump(message);
}

std::vector<std::string> encode_states(const std::vector<live::state>& latest) {
  std::vector<std::string> texts;
  std::array<json, state_types.size()> items;
  items.fill(json::array());
  for (auto& state : latest) {
    auto& of_kind = items[state.index()];
    of_kind.push_back(std::visit(state_writer{}, state));
    if (of_kind.size() == states_in_a_frame) texts.push_back(write_states(state.index(), of_kind));
  }
  for (std::size_t kind = 0; kind < items.size(); ++kind)
    if (!items[kind].empty()) texts.push_back(write_states(kind, items[kind]));
  return texts;
}

std::vector<websocket::socket_endpoint> sockets() {
  return {
      {.paths = {"/ws/notifications", "/api/v1/ws/notifications"},
       .encode = encode_event,
       .hears_account = true,
       .hears_everyone = true},
      {.paths = {"/ws/monitoring", "/api/v1/ws/monitoring"},
       .encode = encode_event,
       .encode_states = encode_states,
       .greet = greet_monitor,
       .on_text = answer_monitor},
  };
}

} // namespace backstay::http::mobile
