#include "actors/outbox/actor.hpp"

#include "actors/live/store.hpp"
#include "actors/outbox/letters.hpp"
#include "actors/outbox/rules.hpp"
#include "config/log.hpp"

namespace backstay::outbox {

namespace {

using self_pointer = outbox_loop::stateful_pointer<outbox_state>;
using store::entry;
using namespace std::chrono_literals;

constexpr auto keep = 24h; ///< rows of effects that are done, and of events

std::string describe_cause(const fault& failure) {
  auto cause = to_string(failure.code);
  if (!failure.name.empty()) cause += " " + failure.name;
  return cause;
}

/// Stands where `transact` wants a promise: nobody waits for the answer, but a failure has to be known.
template <class F>
struct on_failure {
  F tell;
  void deliver(const caf::error& error) { tell(describe(error)); }
};
template <class F>
on_failure(F) -> on_failure<F>;

void look(self_pointer self);

/// An entry has left our hands, in whatever way.
void let_go(self_pointer self) {
  --self->state.in_flight;
  if (self->state.may_have_more) look(self);
}

/// Writes down what became of `what`. If that fails, the lease runs out, and somebody performs it again.
template <class Job>
void settle(self_pointer self, const entry& what, Job job) {
  auto lost = on_failure{[self, id = what.id](const fault& failure) {
    log::warning("outbox", "an outcome could not be written; the lease will run out",
                 {{"entry", std::to_string(id)}, {"cause", describe_cause(failure)}});
    let_go(self);
  }};
  transact(self, self->state.context.database, std::move(job), lost, [self, id = what.id](bool& was_ours) {
    if (!was_ours) log::warning("outbox", "the lease had passed on", {{"entry", std::to_string(id)}});
    let_go(self);
  });
}

void succeeded(self_pointer self, const entry& what) {
  settle(self, what, [what, now = self->state.context.now()](transaction& tx) {
    return store::complete(tx, what, now); //
  });
}

void failed(self_pointer self, const entry& what, const fault& failure) {
  auto now = self->state.context.now();
  auto age = std::chrono::duration_cast<std::chrono::seconds>(now - what.created_at);
  auto chance = std::uniform_real_distribution<>{}(self->state.chance);
  auto again = rules::after_failure(kind_of(what.work), failure, what.attempts, age, chance);
  auto cause = describe_cause(failure);
  log::write(again ? log::level::info : log::level::error, "outbox",
             again ? "an effect failed and is repeated" : "an effect is given up",
             std::vector<log::field>{{"entry", std::to_string(what.id)},
                                     {"kind", std::string{name_of(kind_of(what.work))}},
                                     {"failures", std::to_string(what.attempts + 1)},
                                     {"cause", cause}});
  settle(self, what, [what, again, now, cause](transaction& tx) {
    return again ? store::postpone(tx, what, now + again->pause, cause, again->counts)
                 : store::bury(tx, what, now, cause);
  });
}

/// Half of the lease is for the performance, half for writing the outcome down: in health nobody repeats what still
/// runs.
template <class Target, class Message>
void ask_performer(self_pointer self, const entry& what, const Target& target, Message message) {
  std::chrono::milliseconds patience = self->state.options.lease;
  self->request(target, patience / 2, std::move(message))
      .then([self, what](typename Message::reply&) { succeeded(self, what); },
            [self, what](const caf::error& error) { failed(self, what, describe(error)); });
}

/// The same at each repetition, and another one in another database: a provider may serve several.
std::string key_of(const entry& what) {
  return "outbox-" + std::to_string(what.id) + "-" + std::to_string(what.created_at.time_since_epoch().count());
}

/// Whoever is killed between the performance and `complete` leaves an entry that is performed again; why that does no
/// harm is said at each.
struct performer {
  self_pointer self;
  const entry& what;
  const outbox_dependencies& by;

  // The provider knows the key and sends once; one without such keys would send the same valid code twice.
  void operator()(const mail_work& work) const { ask_performer(self, what, by.mail, write_letter(work, key_of(what))); }
  // The panel's user is set to what our row says, not changed by a difference.
  void operator()(const panel_work& work) const {
    ask_performer(self, what, by.subscriptions, subscriptions::sync_panel_user{work.account});
  }
  // The charge is read from the provider again or has its proof here, and is booked only if it is not booked yet.
  void operator()(const settle_work& work) const {
    ask_performer(self, what, by.payments, payments::settle_charge{work.provider, work.external_id, work.proof});
  }
};

void perform(self_pointer self, const entry& what) {
  std::visit(performer{self, what, self->state.performers}, what.work);
}

void claimed(self_pointer self, const std::vector<entry>& entries, int wanted) {
  auto& state = self->state;
  state.is_claiming = false;
  state.in_flight += static_cast<int>(entries.size());
  if (static_cast<int>(entries.size()) == wanted) state.may_have_more = true;
  for (auto& entry : entries) perform(self, entry);
  if (state.may_have_more) look(self);
}

/// Claims as many entries as there are hands free. With none free, or a claim on its way, it is remembered.
void look(self_pointer self) {
  auto& state = self->state;
  auto free = state.options.at_once - state.in_flight;
  state.may_have_more = state.is_claiming || free <= 0;
  if (state.may_have_more) return;
  state.is_claiming = true;
  auto lost = on_failure{[self](const fault& failure) {
    log::warning("outbox", "could not look for work", {{"cause", describe_cause(failure)}});
    self->state.is_claiming = false; // the next tick looks again
  }};
  auto job = [now = state.context.now(), lease = state.options.lease, free](transaction& tx) {
    return store::claim(tx, now, lease, free);
  };
  transact(self, state.context.database, job, lost,
           [self, free](std::vector<entry>& entries) { claimed(self, entries, free); });
}

void tidy(self_pointer self) {
  auto lost = on_failure{[](const fault& failure) {
    log::warning("outbox", "could not tidy up", {{"cause", describe_cause(failure)}});
  }};
  auto job = [before = self->state.context.now() - keep](transaction& tx) {
    store::forget_done_before(tx, before);
    live::store::forget_before(tx, before);
    return done{};
  };
  transact(self, self->state.context.database, job, lost, [](done&) {});
}

} // namespace

outbox_loop::behavior_type outbox_behavior(self_pointer self, domain_context context, outbox_dependencies performers,
                                           outbox_options options) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.performers = std::move(performers);
  self->state.options = options;
  self->send(self, look_for_work{});
  self->send(self, tidy_up{});
  return {
      on([self](const get_backlog&) {
        return query(self, self->state.context.database, [now = self->state.context.now()](transaction& tx) {
          auto found = store::measure(tx, now);
          return backlog_view{found.waiting, found.dead, found.oldest};
        });
      }),
      on([self](const wake&) {
        look(self);
        return done{};
      }),
      [self](const look_for_work& again) {
        self->delayed_send(self, self->state.options.tick, again);
        look(self);
      },
      [self](const tidy_up& again) {
        self->delayed_send(self, 1h, again);
        tidy(self);
      },
  };
}

caf::actor spawn_outbox(caf::scheduled_actor* parent, domain_context context, outbox_dependencies performers,
                        outbox_options options) {
  return caf::actor_cast<caf::actor>(
      parent->spawn(outbox_behavior, std::move(context), std::move(performers), options));
}

} // namespace backstay::outbox
