#include "actors/referrals/actor.hpp"

#include "config/log.hpp"

namespace backstay::referrals {

namespace {

using self_pointer = crediting_referrals_actor::stateful_pointer<referrals_state>;

constexpr std::chrono::seconds bonus_pause{30};

invitation invitation_of(transaction& tx, const std::string& share_url, const account_id& account, timestamp now) {
  auto code = store::code_of(tx, account, now);
  return {code, share_url + "/" + code};
}

auto get(self_pointer self, const get_invitation& wanted) {
  auto& state = self->state;
  return transact(self, state.context.database,
                  [id = wanted.account, url = state.with.share_url, now = state.context.now()](transaction& tx) {
                    return invitation_of(tx, url, id, now);
                  });
}

auto get(self_pointer self, const get_standing& wanted) {
  auto& state = self->state;
  return transact(self, state.context.database,
                  [id = wanted.account, with = state.with, now = state.context.now()](transaction& tx) {
                    auto found = store::find_standing(tx, id, with.terms.currency, now);
                    found.invitation = invitation_of(tx, with.share_url, id, now);
                    found.is_enabled = with.terms.is_enabled;
                    found.percent = with.terms.percent;
                    return found;
                  });
}

/// Stands in for a promise where nobody waits.
struct log_failure {
  void deliver(const caf::error& error) const {
    log::warning("referrals", "a bonus could not be credited", {{"cause", to_string(describe(error).code)}});
  }
};

/// One after the other, each in a transaction of its own. Killed in between: what is due stays due.
void credit_next(self_pointer self) {
  auto& context = self->state.context;
  transact(
      self, context.database, [now = context.now()](transaction& tx) { return store::credit_due(tx, now); },
      log_failure{},
      [self](bool& credited) {
        if (credited) credit_next(self);
      });
}

} // namespace

crediting_referrals_actor::behavior_type referrals(self_pointer self, domain_context context,
                                                   referrals_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.with = std::move(deps);
  self->delayed_send(self, bonus_pause, credit_bonuses{});
  return {
      on([self](const get_invitation& wanted) { return get(self, wanted); }),
      on([self](const get_standing& wanted) { return get(self, wanted); }),
      on([self](const list_referrals& wanted) {
        return query(self, self->state.context.database, [wanted, now = self->state.context.now()](transaction& tx) {
          return store::list(tx, wanted, now);
        });
      }),
      [self](const credit_bonuses& again) {
        self->delayed_send(self, bonus_pause, again);
        credit_next(self);
      },
  };
}

caf::actor spawn_referrals(caf::scheduled_actor* parent, domain_context context, referrals_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(referrals, std::move(context), std::move(deps)));
}

} // namespace backstay::referrals
