#pragma once

#include "actors/kernel/database.hpp"
#include "actors/subscriptions/messages.hpp"
#include "actors/subscriptions/store.hpp"

#include <optional>
#include <string>

/// The database's side of what accounts and administrators ask for: each function is one transaction, run on a
/// worker's thread. Errors are those of its message. Killed before the commit: nothing has happened; after it: all has,
/// and a repeat is answered from what stands.
namespace backstay::subscriptions {

/// What is bought, and by which purchase.
struct wish {
  plan what; ///< on sale
  std::optional<int> days;
  std::string currency;
  uuid id; ///< of the purchase: it happens once
};

/// Takes the price from the balance and grants the days. The account is locked already. Errors: as `purchase`.
receipt buy(transaction& tx, const account_id& account, const wish& wanted, timestamp now);

/// What `buy` would cost and bring. Errors: as `preview`.
quote price(transaction& tx, const account_id& account, const plan& what, std::optional<int> days,
            const std::string& currency, timestamp now);

quote perform(transaction& tx, const preview& asked, timestamp now);
receipt perform(transaction& tx, const purchase& wanted, timestamp now);
cancellation perform(transaction& tx, const cancel& wanted, timestamp now);
subscription_view perform(transaction& tx, const reactivate& wanted, timestamp now);
autopay perform(transaction& tx, const set_autopay& wanted, timestamp now);
trial perform(transaction& tx, const get_trial& asked, timestamp now);

/// `terms`: of a trial for which no plan is on sale.
started_trial perform(transaction& tx, const activate_trial& wanted, const plan& terms, timestamp now);

plan perform(transaction& tx, const save_plan& wanted, timestamp now);
plan perform(transaction& tx, const retire_plan& wanted, timestamp now);

} // namespace backstay::subscriptions
