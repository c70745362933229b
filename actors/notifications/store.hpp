#pragma once

#include "actors/kernel/database.hpp"
#include "actors/live/messages.hpp"

#include <optional>
#include <string>

namespace backstay::notifications::store {

struct notice {
  live::notification_kind kind = live::notification_kind::promotional;
  std::string title, body;
  std::optional<std::string> action_route;
};

/// Puts a notice into the account's inbox and tells its open sockets, both if and only if the transaction commits.
void notify(transaction& tx, const account_id& account, const notice& what, timestamp now);

} // namespace backstay::notifications::store
