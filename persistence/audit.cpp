#include "actors/audit/store.hpp"

#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

namespace backstay::audit::store {

void record(transaction& tx, const entry& what, timestamp now) {
  tx.run("INSERT INTO audit (at, action, result, actor, subject, resource, address, user_agent, request_id, details) "
         "VALUES ($1, $2, $3, $4::uuid, $5::uuid, nullif($6, ''), $7, $8, $9, $10::jsonb)",
         now, what.action, what.result, what.actor, what.subject, what.resource, what.origin.address,
         what.origin.user_agent, what.origin.request_id, nlohmann::json(what.details).dump());
}

} // namespace backstay::audit::store
