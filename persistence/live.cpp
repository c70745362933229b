#include "actors/live/store.hpp"

#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace backstay::live::store {

namespace {

using nlohmann::json;

/// The names of `event`'s alternatives, in their order.
constexpr std::array kinds{"server_status_changed", "subscription_updated", "notification_received",
                           "force_disconnect",      "payment_changed",      "account_changed"};
static_assert(kinds.size() == std::variant_size_v<event>);

json to_json(const server_status_changed& event) {
  json object{
      {"server", to_string(event.server)}, {"status", name_of(event.status)}, {"current_users", event.current_users}};
  if (event.load) object["load"] = *event.load;
  return object;
}

json to_json(const subscription_updated& event) {
  return {{"subscription", to_string(event.subscription)}, {"status", event.status}};
}

json to_json(const notification_received& event) {
  json object{{"id", to_string(event.id)}, {"kind", name_of(event.kind)}, {"title", event.title}, {"body", event.body}};
  if (event.action_route) object["action_route"] = *event.action_route;
  return object;
}

json to_json(const force_disconnect& event) {
  json object{{"reason", event.reason}};
  if (event.only) object["only"] = to_string(*event.only);
  if (event.except) object["except"] = to_string(*event.except);
  return object;
}

json to_json(const payment_changed& event) {
  json object{{"payment", to_string(event.payment)}, {"provider", event.provider},        {"state", event.state},
              {"amount", event.amount.minor},        {"currency", event.amount.currency}, {"review", event.review}};
  if (event.account) object["account"] = to_string(*event.account);
  return object;
}

json to_json(const account_changed& event) {
  return {{"account", to_string(event.account)}, {"what", name_of(event.what)}};
}

template <class Id>
Id read_id(const json& object, const char* name) {
  return Id::parse(object.at(name).get<std::string>()).value();
}

template <named_enum E>
E read_name(const json& object, const char* name) {
  return from_name<E>(object.at(name).get<std::string>()).value();
}

event read_server_status_changed(const json& object) {
  server_status_changed event{read_id<node_id>(object, "server"), read_name<server_status>(object, "status"),
                              object.at("current_users")};
  if (object.contains("load")) event.load = object["load"].get<double>();
  return event;
}

event read_subscription_updated(const json& object) {
  return subscription_updated{read_id<subscription_id>(object, "subscription"), object.at("status")};
}

event read_notification_received(const json& object) {
  notification_received event{read_id<uuid>(object, "id"), read_name<notification_kind>(object, "kind"),
                              object.at("title"), object.at("body"), std::nullopt};
  if (object.contains("action_route")) event.action_route = object["action_route"].get<std::string>();
  return event;
}

event read_force_disconnect(const json& object) {
  force_disconnect event{object.at("reason")};
  if (object.contains("only")) event.only = read_id<session_id>(object, "only");
  if (object.contains("except")) event.except = read_id<session_id>(object, "except");
  return event;
}

event read_payment_changed(const json& object) {
  payment_changed event{
      read_id<payment_id>(object, "payment"),       std::nullopt,       object.at("provider"), object.at("state"),
      {object.at("amount"), object.at("currency")}, object.at("review")};
  if (object.contains("account")) event.account = read_id<account_id>(object, "account");
  return event;
}

event read_account_changed(const json& object) {
  return account_changed{read_id<account_id>(object, "account"), read_name<account_change>(object, "what")};
}

/// In the order of `kinds`.
constexpr std::array readers{read_server_status_changed, read_subscription_updated, read_notification_received,
                             read_force_disconnect,      read_payment_changed,      read_account_changed};
static_assert(readers.size() == kinds.size());

event read_event(std::string_view kind, const json& object) {
  auto found = std::find(kinds.begin(), kinds.end(), kind);
  if (found == kinds.end()) fail(ec::internal, "the database holds an unknown kind of event");
  return readers[static_cast<std::size_t>(found - kinds.begin())](object);
}

std::vector<stored_event> read_rows(const pqxx::result& rows) {
  std::vector<stored_event> events;
  for (auto row : rows) {
    stored_event read{.sequence = sql::get<std::int64_t>(row["sequence"]),
                      .what = read_event(row["kind"].c_str(), json::parse(row["event"].c_str()))};
    if (auto account = sql::get<std::optional<account_id>>(row["account_id"])) read.whom = *account;
    else read.whom = sql::get<topic>(row["topic"]);
    events.push_back(std::move(read));
  }
  return events;
}

/// One of `account` and `where` is given.
void insert(transaction& tx, const std::optional<account_id>& account, std::optional<topic> where, const event& what,
            timestamp now) {
  auto object = std::visit([](auto& event) { return to_json(event); }, what);
  tx.run("INSERT INTO live_events (account_id, topic, kind, event, created_at) "
         "VALUES ($1::uuid, $2, $3, $4::jsonb, $5::timestamptz)",
         account, where, kinds[what.index()], object.dump(), now);
}

} // namespace

// Numbered and announced by a trigger at the commit (0020_live_events.sql). Killed before the commit: nothing happened;
// after it: the row stands, and nodes that did not hear of it read it by `read_after`.
void append(transaction& tx, const account_id& account, const event& what, timestamp now) {
  insert(tx, account, std::nullopt, what, now);
}

void append(transaction& tx, topic where, const event& what, timestamp now) {
  insert(tx, std::nullopt, where, what, now);
}

std::vector<stored_event> read(transaction& tx, const std::vector<std::int64_t>& sequences) {
  return read_rows(tx.run("SELECT sequence, account_id, topic, kind, event FROM live_events "
                          "WHERE sequence = ANY($1::bigint[]) ORDER BY sequence",
                          sequences));
}

std::vector<stored_event> read_after(transaction& tx, std::int64_t sequence, std::int64_t limit) {
  return read_rows(tx.run("SELECT sequence, account_id, topic, kind, event FROM live_events "
                          "WHERE sequence > $1::bigint ORDER BY sequence LIMIT $2::bigint",
                          sequence, limit));
}

std::int64_t last_sequence(transaction& tx) {
  return sql::get<std::int64_t>((*tx.first("SELECT coalesce(max(sequence), 0) FROM live_events"))[0]);
}

void forget_before(transaction& tx, timestamp moment) {
  tx.run("DELETE FROM live_events WHERE created_at < $1::timestamptz", moment);
}

} // namespace backstay::live::store
