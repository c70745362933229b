#include "actors/subscriptions/rules.hpp"
#include "actors/subscriptions/store.hpp"
#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

namespace backstay::subscriptions::store {

namespace {

using nlohmann::json;

const std::string select_plans =
    "SELECT plans.*, "
    "(SELECT coalesce(jsonb_agg(jsonb_build_array(o.days, o.discount_percent, "
    "  (SELECT coalesce(jsonb_agg(jsonb_build_array(currency, minor) ORDER BY currency), '[]') FROM plan_prices p "
    "   WHERE p.plan_id = o.plan_id AND p.days = o.days)) ORDER BY o.days), '[]') "
    " FROM plan_offers o WHERE o.plan_id = plans.id) AS offers, "
    "(SELECT coalesce(jsonb_agg(jsonb_build_array(days, provider, name) ORDER BY days, provider), '[]') "
    " FROM plan_price_names WHERE plan_id = plans.id) AS price_names FROM plans ";

offer read_offer(const json& from) {
  offer what{.days = from.at(0), .discount_percent = from.at(1)};
  for (auto& price : from.at(2)) what.prices.push_back({price.at(1), price.at(0)});
  return what;
}

plan read_plan(const pqxx::row& row) {
  plan what{.id = sql::get<plan_id>(row["id"]),
            .name = sql::get<std::string>(row["name"]),
            .description = sql::get<std::string>(row["description"]),
            .duration_days = sql::get<int>(row["duration_days"]),
            .traffic_limit_bytes = sql::get<std::optional<std::int64_t>>(row["traffic_limit_bytes"]),
            .max_devices = sql::get<std::optional<int>>(row["max_devices"]),
            .features = json::parse(row["features"].c_str()),
            .is_active = sql::get<bool>(row["is_active"]),
            .number = sql::get<std::int64_t>(row["number"]),
            .audience = sql::get<std::string>(row["audience"]),
            .code = sql::get<std::optional<std::string>>(row["code"]),
            .position = sql::get<int>(row["position"]),
            .is_popular = sql::get<bool>(row["is_popular"]),
            .is_trial = sql::get<bool>(row["is_trial"]),
            .traffic_reset = sql::get<traffic_reset>(row["traffic_reset"]),
            .attributes = {sql::get<std::string>(row["attributes"])}};
  for (auto& each : json::parse(row["offers"].c_str())) what.offers.push_back(read_offer(each));
  for (auto& each : json::parse(row["price_names"].c_str()))
    what.price_names.push_back({each.at(0), each.at(1), each.at(2)});
  if (auto shown = rules::for_days(what, what.duration_days)) what.prices = std::move(shown->prices);
  return what;
}

std::optional<plan> first_plan(const std::optional<pqxx::row>& row) {
  return row ? std::optional{read_plan(*row)} : std::nullopt;
}

std::vector<plan> read_plans(const pqxx::result& rows) {
  std::vector<plan> plans;
  for (auto row : rows) plans.push_back(read_plan(row));
  return plans;
}

void write_plan(transaction& tx, const plan& what) {
  tx.run("INSERT INTO plans (id, name, description, duration_days, traffic_limit_bytes, max_devices, features, "
         "is_active, position, audience, code, is_popular, is_trial, traffic_reset, attributes) VALUES ($1::uuid, $2, "
         "$3, $4::int, $5::bigint, $6::int, $7::jsonb, $8::boolean, $9::int, $10, $11, $12::boolean, $13::boolean, "
         "$14, $15::jsonb) ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, "
         "duration_days = excluded.duration_days, traffic_limit_bytes = excluded.traffic_limit_bytes, "
         "max_devices = excluded.max_devices, features = excluded.features, is_active = excluded.is_active, "
         "position = excluded.position, audience = excluded.audience, code = excluded.code, "
         "is_popular = excluded.is_popular, is_trial = excluded.is_trial, traffic_reset = excluded.traffic_reset, "
         "attributes = excluded.attributes",
         what.id, what.name, what.description, what.duration_days, what.traffic_limit_bytes, what.max_devices,
         json(what.features).dump(), what.is_active, what.position, what.audience, what.code, what.is_popular,
         what.is_trial, what.traffic_reset, what.attributes.text);
}

void write_offers(transaction& tx, const plan& what) {
  tx.run("DELETE FROM plan_offers WHERE plan_id = $1::uuid", what.id); // with prices and names
  for (auto& each : what.offers) {
    tx.run("INSERT INTO plan_offers (plan_id, days, discount_percent) VALUES ($1::uuid, $2::int, $3::int)", what.id,
           each.days, each.discount_percent);
    for (auto& price : each.prices)
      tx.run("INSERT INTO plan_prices (plan_id, days, currency, minor) VALUES ($1::uuid, $2::int, $3, $4::bigint)",
             what.id, each.days, price.currency, price.minor);
  }
  for (auto& each : what.price_names)
    tx.run("INSERT INTO plan_price_names (plan_id, days, provider, name) VALUES ($1::uuid, $2::int, $3, $4)", what.id,
           each.days, each.provider, each.name);
}

[[noreturn]] void fail_taken(std::string_view constraint) {
  if (constraint.find("plans_name") != constraint.npos)
    fail(ec::conflict, "Another plan has this name", "PLAN_NAME_TAKEN");
  if (constraint.find("plans_code") != constraint.npos)
    fail(ec::conflict, "Another plan has this code", "PLAN_CODE_TAKEN");
  fail(ec::conflict, "A provider's name of a price is another plan's", "PRICE_NAME_TAKEN");
}

} // namespace

std::vector<plan> list_plans(transaction& tx, const std::string& audience) {
  return read_plans(tx.run(select_plans + "WHERE is_active AND audience = $1 AND EXISTS (SELECT FROM plan_prices WHERE "
                                          "plan_id = plans.id) ORDER BY position, name",
                           audience));
}

plan_page list_all_plans(transaction& tx, const subscriptions::list_all_plans& wanted) {
  const std::string filter = "WHERE ($1::text IS NULL OR audience = $1::text) ";
  auto count = tx.first("SELECT count(*) FROM plans " + filter, wanted.audience);
  return {
      read_plans(tx.run(select_plans + filter + "ORDER BY audience, position, name LIMIT $2::bigint OFFSET $3::bigint",
                        wanted.audience, wanted.limit, wanted.offset)),
      sql::get<std::int64_t>((*count)[0]), wanted.offset, wanted.limit};
}

std::optional<plan> find_plan(transaction& tx, const std::string& which) {
  if (auto id = plan_id::parse(which))
    return first_plan(tx.first(select_plans + "WHERE is_active AND id = $1::uuid", *id));
  return first_plan(tx.first(select_plans + "WHERE is_active AND (lower(name) = lower($1) OR number::text = $1) "
                                            "ORDER BY lower(name) = lower($1) DESC LIMIT 1",
                             which));
}

std::optional<plan> find_any_plan(transaction& tx, const plan_id& id) {
  return first_plan(tx.first(select_plans + "WHERE id = $1::uuid", id));
}

// Killed before the commit: the plan is as it was; after it: as it shall be.
void save_plan(transaction& tx, const plan& what) {
  try {
    write_plan(tx, what);
    write_offers(tx, what);
  } catch (const pqxx::unique_violation& violation) {
    fail_taken(violation.what());
  }
}

// The row says what the settings say, for whoever adds days to a trial later. An administrator's own plan of that name
// is left as it is.
plan find_trial_plan(transaction& tx, const plan& otherwise) {
  if (auto flagged = first_plan(tx.first(select_plans + "WHERE is_active AND is_trial ORDER BY position, id LIMIT 1")))
    return *flagged;
  auto find = [&] { return first_plan(tx.first(select_plans + "WHERE lower(name) = 'trial'")); };
  auto is_as_wanted = [&](const plan& what) {
    return what.duration_days == otherwise.duration_days && what.traffic_limit_bytes == otherwise.traffic_limit_bytes &&
           what.max_devices == otherwise.max_devices;
  };
  auto kept = find();
  if (kept && is_as_wanted(*kept)) return *kept;
  tx.run(
      "INSERT INTO plans (id, name, duration_days, traffic_limit_bytes, max_devices, is_active, is_trial) "
      "VALUES ($1::uuid, 'Trial', $2::int, $3::bigint, $4::int, false, true) ON CONFLICT (lower(name)) DO UPDATE SET "
      "duration_days = excluded.duration_days, traffic_limit_bytes = excluded.traffic_limit_bytes, "
      "max_devices = excluded.max_devices WHERE plans.is_trial AND NOT plans.is_active",
      plan_id::random(), otherwise.duration_days, otherwise.traffic_limit_bytes, otherwise.max_devices);
  auto what = otherwise;
  what.id = find().value().id;
  what.name = "Trial";
  return what;
}

void insert_plan(transaction& tx, const plan& what, int position) {
  auto whole = what;
  whole.position = position;
  if (whole.offers.empty()) whole.offers = {{.days = what.duration_days, .prices = what.prices}};
  save_plan(tx, whole);
}

bool has_plans(transaction& tx) { return sql::get<bool>((*tx.first("SELECT EXISTS (SELECT FROM plans)"))[0]); }

} // namespace backstay::subscriptions::store
