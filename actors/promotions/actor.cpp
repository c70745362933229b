#include "actors/promotions/actor.hpp"

#include "actors/audit/store.hpp"
#include "actors/promotions/activation.hpp"
#include "actors/promotions/rules.hpp"
#include "actors/subscriptions/store.hpp"

namespace backstay::promotions {

namespace {

using self_pointer = promotions_actor::stateful_pointer<promotions_state>;

/// The trail names the code: whoever reads it may make codes, too.
template <class Command>
void record(transaction& tx, const Command& command, const char* action, const promo_code& what, timestamp now) {
  audit::store::record(tx,
                       {.action = action,
                        .actor = command.caller.account,
                        .origin = command.origin,
                        .resource = "promo_code:" + to_string(what.id),
                        .details = {{"code", what.code}, {"type", std::string{name_of(what.benefit.kind)}}}},
                       now);
}

void check_plan(transaction& tx, const benefit& what) {
  if (what.plan && !subscriptions::store::find_any_plan(tx, *what.plan))
    fail_field("plan_id", "There is no such plan", "not_found");
}

auto save(self_pointer self, const save_promo_code& command) {
  auto now = self->state.context.now();
  return transact(self, self->state.context.database, [command, wanted = read(command, now), now](transaction& tx) {
    check_plan(tx, wanted.benefit);
    auto saved = command.id ? store::update(tx, wanted) : store::insert(tx, wanted, command.claim);
    bool is_new = saved.id == wanted.id; // else a repeat, which found what was made before
    if (is_new) record(tx, command, command.id ? "promo_code.changed" : "promo_code.created", saved, now);
    return saved;
  });
}

auto remove(self_pointer self, const delete_promo_code& command) {
  return transact(self, self->state.context.database, [command, now = self->state.context.now()](transaction& tx) {
    record(tx, command, "promo_code.deleted", store::remove(tx, command.id, now), now);
    return done{};
  });
}

} // namespace

promotions_actor::behavior_type promotions(self_pointer self, domain_context context) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  return {
      on([self](const activate& command) {
        return transact(self, self->state.context.database,
                        [command, now = self->state.context.now()](transaction& tx) {
                          return use(tx, command.caller.account, command.code, now);
                        });
      }),
      on([self](const get_discount& wanted) {
        return query(self, self->state.context.database,
                     [account = wanted.account, now = self->state.context.now()](transaction& tx) {
                       return store::discount_of(tx, account, now);
                     });
      }),
      on([self](const save_promo_code& command) { return save(self, command); }),
      on([self](const delete_promo_code& command) { return remove(self, command); }),
      on([self](const get_promo_code& wanted) {
        return query(self, self->state.context.database, [id = wanted.id](transaction& tx) {
          auto found = store::find(tx, id);
          if (!found) fail(ec::not_found);
          return *found;
        });
      }),
      on([self](const list_promo_codes& wanted) {
        return query(self, self->state.context.database, [wanted](transaction& tx) { return store::list(tx, wanted); });
      }),
      on([self](const list_uses& wanted) {
        return query(self, self->state.context.database,
                     [wanted](transaction& tx) { return store::list_uses(tx, wanted); });
      }),
  };
}

caf::actor spawn_promotions(caf::scheduled_actor* parent, domain_context context) {
  return caf::actor_cast<caf::actor>(parent->spawn(promotions, std::move(context)));
}

} // namespace backstay::promotions
