#pragma once

#include "actors/kernel/database.hpp"
#include "actors/subscriptions/store.hpp"

#include <chrono>
#include <optional>

/// What is done around a subscription's end, in the database.
namespace backstay::subscriptions {

/// What was done at which stage.
struct advance {
  store::stage stage = store::stage::announced;
  store::stage_outcome outcome = store::stage_outcome::told;
};

/// Does what the account's subscription has come to, if nobody did yet: announces, renews from the balance, reminds,
/// tells of the end. One transaction, run on a worker's thread; the row of the stage makes it happen once across nodes.
/// Killed before the commit: nothing was charged or told, and the next look does it; after it: all of it was.
std::optional<advance> advance_renewal(transaction& tx, const account_id& account, std::chrono::microseconds grace,
                                       timestamp now);

} // namespace backstay::subscriptions
