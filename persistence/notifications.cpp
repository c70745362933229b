#include "actors/notifications/store.hpp"

#include "actors/live/store.hpp"
#include "persistence/transaction.hpp"

namespace backstay::notifications::store {

// Killed before the commit: neither inbox nor sockets know of it; after it: both do.
void notify(transaction& tx, const account_id& account, const notice& what, timestamp now) {
  auto id = uuid::random();
  tx.run("INSERT INTO notifications (id, account_id, kind, title, body, action_route, created_at) "
         "VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7::timestamptz)",
         id, account, what.kind, what.title, what.body, what.action_route, now);
  live::store::append(tx, account, live::notification_received{id, what.kind, what.title, what.body, what.action_route},
                      now);
}

} // namespace backstay::notifications::store
