#include "actors/audit/actor.hpp"

#include "actors/audit/store.hpp"
#include "config/log.hpp"

namespace backstay::audit {

namespace {

using self_pointer = sweeping_audit_actor::stateful_pointer<audit_state>;

constexpr std::chrono::minutes sweep_pause{5};

/// Killed in between: the next sweep goes on.
void remove_old(self_pointer self) {
  auto moment = self->state.context.now() - self->state.keep;
  database_job job{[moment](transaction& tx) -> std::any {
    store::forget_before(tx, moment);
    return done{};
  }};
  self->request(self->state.context.database, caf::infinite, std::move(job))
      .then([](const database_outcome&) {},
            [](const caf::error& error) {
              log::warning("audit", "old entries could not be removed", {{"cause", to_string(describe(error).code)}});
            });
}

} // namespace

sweeping_audit_actor::behavior_type audit(self_pointer self, domain_context context, std::chrono::milliseconds keep) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.keep = keep;
  self->delayed_send(self, sweep_pause, sweep{});
  return {
      on([self](const list_entries& wanted) {
        return query(self, self->state.context.database, [wanted](transaction& tx) { return store::list(tx, wanted); });
      }),
      [self](const sweep&) {
        remove_old(self);
        self->delayed_send(self, sweep_pause, sweep{});
      },
  };
}

caf::actor spawn_audit(caf::scheduled_actor* parent, domain_context context, std::chrono::milliseconds keep) {
  return caf::actor_cast<caf::actor>(parent->spawn(audit, std::move(context), keep));
}

} // namespace backstay::audit
