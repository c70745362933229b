#include "actors/provisioning/store.hpp"

#include "actors/audit/store.hpp"
#include "actors/subscriptions/store.hpp"
#include "persistence/transaction.hpp"

#include <charconv>

namespace backstay::provisioning::store {

namespace {

std::optional<std::string> text_of(const std::optional<json_object>& object) {
  return object ? std::optional{object->text} : std::nullopt;
}

std::optional<json_object> read_object(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional{json_object{sql::get<std::string>(field)}};
}

template_view read_template(const pqxx::row& row) {
  return {.id = sql::get<std::string>(row["panel_id"]),
          .name = sql::get<std::string>(row["name"]),
          .type = sql::get<std::string>(row["type"]),
          .host = sql::get<std::optional<std::string>>(row["host"]),
          .inbound_tag = sql::get<std::optional<std::string>>(row["inbound_tag"]),
          .flow = sql::get<std::optional<std::string>>(row["flow"]),
          .config = read_object(row["config"])};
}

/// The account's number in a name that we gave.
std::optional<std::int64_t> number_in(const std::string& username) {
  auto digits = username.find_first_of("0123456789");
  if (digits == username.npos) return std::nullopt;
  std::int64_t number = 0;
  std::from_chars(username.data() + digits, username.data() + username.size(), number);
  return subscriptions::store::panel_username(number) == username ? std::optional{number} : std::nullopt;
}

void record(transaction& tx, const create_template& wish, const template_view& made, timestamp now) {
  audit::store::record(tx,
                       {.action = "template.created",
                        .actor = wish.caller.account,
                        .origin = wish.origin,
                        .resource = "template:" + made.id,
                        .details = {{"name", made.name}, {"type", made.type}}},
                       now);
}

} // namespace

// Killed after the commit: the name is reserved, and whoever tries it again continues.
reservation reserve(transaction& tx, const create_template& wish, panel::template_kind kind, timestamp now) {
  auto made = tx.run("INSERT INTO subscription_templates (kind, name, type, created_at) "
                     "VALUES ($1, $2, $3, $4::timestamptz) ON CONFLICT DO NOTHING",
                     kind, wish.name, wish.type, now);
  if (made.affected_rows() == 1) return {};
  auto row = tx.first("SELECT * FROM subscription_templates WHERE kind = $1 AND name = $2", kind, wish.name);
  if (!row) return {}; // released a moment ago
  if ((*row)["panel_id"].is_null()) return {.is_repetition = true};
  auto claim = sql::get<std::optional<claim_id>>((*row)["claim_id"]);
  return {.made = claim && claim == wish.claim ? std::optional{read_template(*row)} : std::nullopt};
}

// Killed before the commit: the panel has a template that only itself knows of; a later try finds it by its name.
template_view keep(transaction& tx, const create_template& wish, panel::template_kind kind, const std::string& panel_id,
                   timestamp now) {
  auto row =
      tx.first("INSERT INTO subscription_templates (kind, name, panel_id, claim_id, type, host, inbound_tag, flow, "
               "config, created_by, created_at) VALUES ($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8, $9::jsonb, "
               "$10::uuid, $11::timestamptz) ON CONFLICT (kind, name) DO UPDATE SET "
               "panel_id = excluded.panel_id, claim_id = excluded.claim_id, type = excluded.type, "
               "host = excluded.host, inbound_tag = excluded.inbound_tag, flow = excluded.flow, "
               "config = excluded.config, created_by = excluded.created_by, created_at = excluded.created_at "
               "RETURNING *",
               kind, wish.name, panel_id, wish.claim, wish.type, wish.host, wish.inbound_tag, wish.flow,
               text_of(wish.config), wish.caller.account, now);
  auto made = read_template(row.value());
  record(tx, wish, made, now);
  return made;
}

void release(transaction& tx, const std::string& name, panel::template_kind kind) {
  tx.run("DELETE FROM subscription_templates WHERE kind = $1 AND name = $2 AND panel_id IS NULL", kind, name);
}

std::optional<subscriber> find_subscriber(transaction& tx, const account_id& account) {
  auto row = subscriptions::store::find_current(tx, account);
  if (!row) return std::nullopt;
  return subscriber{subscriptions::store::panel_username(row->account_number), row->traffic_limit_bytes,
                    row->max_devices, row->started_at, row->expires_at};
}

std::optional<account_id> find_account(transaction& tx, const std::string& username) {
  auto number = number_in(username);
  if (!number) return std::nullopt;
  auto row = tx.first("SELECT account_id FROM subscriptions JOIN accounts ON accounts.id = account_id "
                      "WHERE number = $1::bigint",
                      *number);
  return row ? std::optional{sql::get<account_id>((*row)[0])} : std::nullopt;
}

} // namespace backstay::provisioning::store
