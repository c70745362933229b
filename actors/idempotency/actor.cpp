#include "actors/idempotency/actor.hpp"

#include "actors/idempotency/rules.hpp"
#include "config/log.hpp"

namespace backstay::idempotency {

namespace {

using self_pointer = full_idempotency_actor::stateful_pointer<idempotency_state>;

/// Killed after the commit: the lease ends by itself, and the repeat goes on with the same claim.
auto claim(self_pointer self, const claim_key& message) {
  check_key(message.key);
  auto& context = self->state.context;
  return transact(self, context.database, [message, now = context.now()](transaction& tx) {
    return judge(store::claim(tx, message, claim_id::random(), now, now + lease, now + lifetime), now);
  });
}

/// Killed before the commit: the effect stands, its answer is lost; the repeat finds the effect by its claim.
auto keep(self_pointer self, const keep_answer& message) {
  auto& context = self->state.context;
  return transact(self, context.database, [message, expires_at = context.now() + lifetime](transaction& tx) {
    store::keep_answer(tx, message.claim, message.answer, expires_at);
    return done{};
  });
}

/// Killed before the commit: the repeat has to wait until the lease ends.
auto release(self_pointer self, const release_key& message) {
  auto& context = self->state.context;
  return transact(self, context.database, [message, now = context.now()](transaction& tx) {
    store::release(tx, message.claim, now);
    return done{};
  });
}

/// What a failed sweep leaves behind is the next one's.
struct log_failure {
  void deliver(const caf::error& error) const {
    log::warning("idempotency", "could not remove old keys", {{"cause", to_string(describe(error).code)}});
  }
};

void remove_old_keys(self_pointer self) {
  constexpr int batch = 1000;
  auto& context = self->state.context;
  transact(
      self, context.database, [now = context.now()](transaction& tx) { return store::forget_expired(tx, now, batch); },
      log_failure{},
      [self](std::size_t& removed) {
        if (removed == batch) remove_old_keys(self);
      });
}

} // namespace

full_idempotency_actor::behavior_type idempotency(self_pointer self, domain_context context,
                                                  idempotency_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.deps = deps;
  self->delayed_send(self, deps.sweep_every, sweep{});
  return {
      on([self](const claim_key& message) { return claim(self, message); }),
      on([self](const keep_answer& message) { return keep(self, message); }),
      on([self](const release_key& message) { return release(self, message); }),
      [self](const sweep&) {
        self->delayed_send(self, self->state.deps.sweep_every, sweep{});
        remove_old_keys(self);
      },
  };
}

caf::actor spawn_idempotency(caf::scheduled_actor* parent, domain_context context, idempotency_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(idempotency, std::move(context), deps));
}

} // namespace backstay::idempotency
