#include "actors/wallet/actor.hpp"

#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/wallet/rules.hpp"
#include "actors/wallet/store.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace backstay::wallet {

namespace {

using self_pointer = booking_wallet_actor::stateful_pointer<wallet_state>;
using outcomes = std::vector<outcome<transferred>>;

// ---- transfers, in batches

batch_ptr take_batch(wallet_state& state) {
  auto end = state.queue.begin() + static_cast<std::ptrdiff_t>(std::min(state.queue.size(), state.options.batch));
  auto batch = std::make_shared<transfer_batch>();
  batch->transfers.assign(std::make_move_iterator(state.queue.begin()), std::make_move_iterator(end));
  state.queue.erase(state.queue.begin(), end);
  return batch;
}

void tell(const transfer_batch& batch) {
  for (std::size_t i = 0; i < batch.transfers.size(); ++i) {
    auto answer = batch.transfers[i].answer;
    if (auto* refusal = std::get_if<fault>(&batch.outcomes[i])) answer.deliver(to_error(*refusal));
    else answer.deliver(std::get<transferred>(batch.outcomes[i]));
  }
}

void tell_all(const transfer_batch& batch, const caf::error& what) {
  for (auto& each : batch.transfers) {
    auto answer = each.answer;
    answer.deliver(what);
  }
}

/// Waits for the disk, once for all that is booked, and tells the askers. Killed meanwhile, or PostgreSQL is: each
/// transfer stands or does not, nobody was told, and whoever asks again under its cause gets it booked once.
void secure(self_pointer self) {
  auto& state = self->state;
  if (state.is_securing || state.booked.empty()) return;
  state.is_securing = true;
  auto go_on = [self] {
    self->state.is_securing = false;
    secure(self);
  };
  database_job wait{[](transaction& tx) -> std::any {
    store::secure(tx);
    return {};
  }};
  self->request(state.context.database, caf::infinite, std::move(wait))
      .then(
          [all = state.booked, go_on](const database_outcome&) {
            for (auto& batch : all) tell(*batch);
            go_on();
          },
          [all = state.booked, go_on](const caf::error&) {
            for (auto& batch : all) tell_all(*batch, to_error({.code = ec::in_doubt}));
            go_on();
          });
  state.booked.clear();
}

/// Killed before the commit: nothing is booked; after it: all is, and whoever asks again under the same cause is told
/// so.
database_job job_for(const transfer_batch& batch, timestamp now) {
  std::vector<transfer> transfers;
  for (auto& each : batch.transfers) transfers.push_back(each.what);
  return {[transfers = std::move(transfers), now](transaction& tx) -> std::any {
    return store::post_each(tx, transfers, now);
  }};
}

void book_batch(self_pointer self) {
  auto& state = self->state;
  state.is_booking = !state.queue.empty();
  if (!state.is_booking) return;
  auto batch = take_batch(state);
  auto go_on = [self] { self->send(self, book_waiting{}); };
  self->request(state.context.database, caf::infinite, job_for(*batch, state.context.now()))
      .then(
          [self, batch, go_on](database_outcome& reply) {
            batch->outcomes = std::any_cast<outcomes&&>(std::move(reply.value));
            self->state.booked.push_back(batch);
            secure(self);
            go_on();
          },
          [batch, go_on](const caf::error& error) {
            tell_all(*batch, to_error(describe(error)));
            go_on();
          });
}

caf::typed_response_promise<transferred> accept(self_pointer self, const transfer& what) {
  auto& state = self->state;
  check(what);
  if (state.queue.size() >= state.options.queue) fail({.code = ec::overloaded, .retry_after = std::chrono::seconds{1}});
  auto answer = self->make_response_promise<transferred>();
  state.queue.push_back({what, answer});
  if (!std::exchange(state.is_booking, true)) self->send(self, book_waiting{});
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

booking_wallet_actor::behavior_type wallet(self_pointer self, domain_context context, wallet_options options) {
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
      [self](const book_waiting&) { book_batch(self); },
  };
}

caf::actor spawn_wallet(caf::scheduled_actor* parent, domain_context context, wallet_options options) {
  return caf::actor_cast<caf::actor>(parent->spawn(wallet, std::move(context), options));
}

} // namespace backstay::wallet
