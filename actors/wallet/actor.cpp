#include "actors/wallet/actor.hpp"

#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/wallet/rules.hpp"
#include "actors/wallet/store.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

namespace backstay::wallet {

namespace {

using self_pointer = wallet_actor::stateful_pointer<wallet_state>;
using outcomes = std::vector<outcome<transferred>>;
using batch_ptr = std::shared_ptr<std::vector<waiting_transfer>>;

// ---- transfers, in batches

batch_ptr take_batch(wallet_state& state) {
  auto end = state.queue.begin() + static_cast<std::ptrdiff_t>(std::min(state.queue.size(), state.options.batch));
  auto batch = std::make_shared<std::vector<waiting_transfer>>(std::make_move_iterator(state.queue.begin()),
                                                               std::make_move_iterator(end));
  state.queue.erase(state.queue.begin(), end);
  return batch;
}

void tell(const waiting_transfer& asker, const outcome<transferred>& came_of_it) {
  auto answer = asker.answer;
  if (auto* refusal = std::get_if<fault>(&came_of_it)) answer.deliver(to_error(*refusal));
  else answer.deliver(std::get<transferred>(came_of_it));
}

/// Killed before the commit: nothing is booked; after it: all is, and whoever asks again under the same cause is told
/// so.
database_job job_for(const batch_ptr& batch, timestamp now) {
  std::vector<transfer> transfers;
  for (auto& each : *batch) transfers.push_back(each.what);
  return {[transfers = std::move(transfers), now](transaction& tx) -> std::any {
    return store::post_each(tx, transfers, now);
  }};
}

void book_waiting(self_pointer self) {
  auto& state = self->state;
  if (state.is_booking || state.queue.empty()) return;
  auto batch = take_batch(state);
  state.is_booking = true;
  auto go_on = [self] {
    self->state.is_booking = false;
    book_waiting(self);
  };
  self->request(state.context.database, caf::infinite, job_for(batch, state.context.now()))
      .then(
          [batch, go_on](const database_outcome& reply) {
            auto& all = std::any_cast<const outcomes&>(reply.value);
            for (std::size_t i = 0; i < batch->size(); ++i) tell((*batch)[i], all[i]);
            go_on();
          },
          [batch, go_on](const caf::error& error) {
            for (auto& each : *batch) tell(each, describe(error));
            go_on();
          });
}

caf::typed_response_promise<transferred> accept(self_pointer self, const transfer& what) {
  auto& state = self->state;
  check(what);
  if (state.queue.size() >= state.options.queue) fail({.code = ec::overloaded, .retry_after = std::chrono::seconds{1}});
  auto answer = self->make_response_promise<transferred>();
  state.queue.push_back({what, answer});
  book_waiting(self);
  return answer;
}

// ---- what people ask

void check_exists(transaction& tx, const account_id& account) {
  if (!accounts::store::find(tx, account)) fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
}

bool give_or_take(transaction& tx, const adjust& command, money amount, const cause& why, timestamp now) {
  if (amount.minor > 0) return store::credit(tx, command.account, adjustments(), amount, why, now);
  amount.minor = -amount.minor;
  return store::post(tx, {why, wallet_of(command.account), adjustments(), std::move(amount)}, now);
}

/// Killed before the commit: nothing has happened. After it: a repeat with the same key finds its cause booked, and
/// neither moves money nor writes to the trail again.
holdings perform(transaction& tx, const adjust& command, const money& amount, timestamp now) {
  check_exists(tx, command.account);
  cause why{cause_kind::admin, to_string(command.claim.value_or(claim_id::random()))};
  if (give_or_take(tx, command, amount, why, now))
    audit::store::record(
        tx,
        {.action = "wallet.adjust",
         .actor = command.caller.account,
         .subject = command.account,
         .origin = command.origin,
         .resource = "transfer:admin " + why.id,
         .details = {{"amount", to_decimal(amount)}, {"currency", amount.currency}, {"reason", command.reason}}},
        now);
  return store::balances(tx, command.account);
}

} // namespace

wallet_actor::behavior_type wallet(self_pointer self, domain_context context, wallet_options options) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.options = options;
  return {
      on([self](const transfer& m) { return accept(self, m); }),
      on([self](const get_wallet& m) {
        return query(self, self->state.context.database, [m](transaction& tx) {
          check_exists(tx, m.account);
          return store::balances(tx, m.account);
        });
      }),
      on([self](const list_transfers& m) {
        return query(self, self->state.context.database, [m](transaction& tx) {
          check_exists(tx, m.account);
          return store::list(tx, m);
        });
      }),
      on([self](const adjust& m) {
        auto amount = amount_of(m);
        return transact(
            self, self->state.context.database,
            [m, amount, now = self->state.context.now()](transaction& tx) { return perform(tx, m, amount, now); });
      }),
  };
}

caf::actor spawn_wallet(caf::scheduled_actor* parent, domain_context context, wallet_options options) {
  return caf::actor_cast<caf::actor>(parent->spawn(wallet, std::move(context), options));
}

} // namespace backstay::wallet
