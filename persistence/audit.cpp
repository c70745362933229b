#include "actors/audit/store.hpp"

#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

namespace backstay::audit::store {

namespace {

using sql::get;

recorded read(const pqxx::row& row) {
  using text = std::optional<std::string>;
  return {.id = get<std::int64_t>(row["id"]),
          .at = get<timestamp>(row["at"]),
          .entry = {.action = get<std::string>(row["action"]),
                    .actor = get<std::optional<account_id>>(row["actor"]),
                    .subject = get<std::optional<account_id>>(row["subject"]),
                    .origin = {.address = get<std::string>(row["address"]),
                               .user_agent = get<std::string>(row["user_agent"]),
                               .request_id = get<std::string>(row["request_id"])},
                    .result = get<audit::result>(row["result"]),
                    .resource = get<text>(row["resource"]).value_or(""),
                    .details = nlohmann::json::parse(get<std::string>(row["details"]))},
          .actor_login = get<text>(row["actor_login"]),
          .subject_login = get<text>(row["subject_login"])};
}

} // namespace

void record(transaction& tx, const entry& what, timestamp now) {
  tx.run("INSERT INTO audit (at, action, result, actor, subject, resource, address, user_agent, request_id, details) "
         "VALUES ($1, $2, $3, $4::uuid, $5::uuid, nullif($6, ''), $7, $8, $9, $10::jsonb)",
         now, what.action, what.result, what.actor, what.subject, what.resource, what.origin.address,
         what.origin.user_agent, what.origin.request_id, nlohmann::json(what.details).dump());
}

// One more than asked for tells whether there is another page.
trail_page list(transaction& tx, const list_entries& wanted) {
  auto rows =
      tx.run("SELECT t.*, actors.login AS actor_login, subjects.login AS subject_login FROM audit t "
             "LEFT JOIN accounts actors ON actors.id = t.actor LEFT JOIN accounts subjects ON subjects.id = t.subject "
             "WHERE ($1::uuid IS NULL OR t.actor = $1::uuid) AND ($2::uuid IS NULL OR t.subject = $2::uuid) "
             "AND ($3::text IS NULL OR t.action = $3::text OR starts_with(t.action, $3::text || '.')) "
             "AND ($4::text IS NULL OR t.result = $4::text) "
             "AND ($5::timestamptz IS NULL OR t.at >= $5::timestamptz) AND ($6::timestamptz IS NULL OR t.at < "
             "$6::timestamptz) "
             "AND ($7::bigint IS NULL OR (t.at, t.id) < (SELECT at, id FROM audit WHERE id = $7::bigint)) "
             "ORDER BY t.at DESC, t.id DESC LIMIT $8::bigint",
             wanted.actor, wanted.subject, wanted.action, wanted.result, wanted.since, wanted.until, wanted.before,
             wanted.limit + 1);
  trail_page page;
  for (auto row : rows) page.items.push_back(read(row));
  if (static_cast<std::int64_t>(page.items.size()) > wanted.limit) {
    page.items.pop_back();
    page.next = page.items.back().id;
  }
  return page;
}

void forget_before(transaction& tx, timestamp moment) {
  tx.run("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT 10000)", moment);
}

} // namespace backstay::audit::store
