#include "actors/subscriptions/actor.hpp"

#include "actors/subscriptions/commerce.hpp"
#include "actors/subscriptions/renewals.hpp"
#include "actors/subscriptions/rules.hpp"
#include "actors/subscriptions/store.hpp"
#include "config/log.hpp"

namespace backstay::subscriptions {

namespace {

using self_pointer = full_subscriptions_actor::stateful_pointer<subscriptions_state>;
using config_promise = caf::typed_response_promise<connection_config>;
using store::panel_link;
using store::subscription;
using namespace std::chrono_literals;

constexpr auto ask_again_after = 10s;       ///< when the panel did not answer
constexpr auto patience_for_usage = 1500ms; ///< then what we know ourselves is shown
constexpr auto patience_for_text = 3s;
constexpr auto patience_for_sync = 20s; ///< nobody but the outbox waits

subscription_view without_subscription(const account_id& account) { return {.account = account}; }

/// Remembers the panel's answer and gives it to all who wait for it.
void usage_known(self_pointer self, const std::string& username, std::optional<panel::user> user,
                 std::chrono::seconds good_for) {
  auto& state = self->state;
  state.cache.put(username, {user, state.context.now() + good_for});
  auto waiting = state.waiting.extract(username);
  if (!waiting.empty())
    for (auto& use : waiting.mapped()) use(user);
}

void usage_not_known(self_pointer self, const std::string& username, const fault& failure) {
  auto stale = self->state.cache.find(username);
  bool may_show_stale = stale && failure.code != ec::not_found;
  usage_known(self, username, may_show_stale ? stale->user : std::nullopt, ask_again_after);
}

/// Goes on with what the panel knows of the user: fresh enough from memory, else asked, else as it was known last.
void with_usage(self_pointer self, const std::string& username, subscriptions_state::use_usage use) {
  auto& state = self->state;
  auto known = state.cache.find(username);
  if (known && state.context.now() < known->good_until) return use(known->user);
  auto& waiting = state.waiting[username];
  waiting.push_back(std::move(use));
  if (waiting.size() > 1) return;
  self->request(state.others.panel, patience_for_usage, panel::get_user{username})
      .then([self,
             username](panel::user& user) { usage_known(self, username, user, self->state.others.usage_is_good_for); },
            [self, username](const caf::error& error) { usage_not_known(self, username, describe(error)); });
}

auto answer_active(self_pointer self, const get_active& m) {
  auto promise = self->make_response_promise<subscription_view>();
  auto job = [account = m.account](transaction& tx) { return store::find_current(tx, account); };
  query(self, self->state.context.database, job, promise,
        [self, promise, account = m.account](std::optional<subscription>& row) mutable {
          if (!row) {
            promise.deliver(without_subscription(account));
            return;
          }
          with_usage(self, store::panel_username(row->account_number),
                     [self, promise, row = *row](const std::optional<panel::user>& known) mutable {
                       promise.deliver(rules::view_of(row, known, self->state.context.now()));
                     });
        });
  return promise;
}

[[noreturn]] void fail_without_config() { fail(ec::not_found, "No connection for this account"); }

void ask_for_text(self_pointer self, const std::string& short_uuid, const std::string& url, config_promise promise) {
  ask(self, self->state.others.panel, patience_for_text, panel::get_subscription_text{short_uuid}, promise,
      [promise, url](panel::subscription_text& found) mutable {
        promise.deliver(connection_config{std::move(found.text), url});
      });
}

/// The panel does not know our link any more: its operator has given the user a new one. The next sync keeps it.
void ask_by_name(self_pointer self, const panel_link& link, config_promise promise) {
  ask(self, self->state.others.panel, patience_for_usage, panel::get_user{store::panel_username(link.account_number)},
      promise, [self, link, promise](panel::user& user) {
        if (user.short_uuid == link.short_uuid) fail_without_config();
        ask_for_text(self, user.short_uuid, user.subscription_url, promise);
      });
}

void answer_from_link(self_pointer self, const panel_link& link, config_promise promise) {
  self->request(self->state.others.panel, patience_for_text, panel::get_subscription_text{*link.short_uuid})
      .then(
          [link, promise](panel::subscription_text& found) mutable {
            promise.deliver(connection_config{std::move(found.text), link.subscription_url});
          },
          [self, link, promise](const caf::error& error) mutable {
            auto failure = describe(error);
            if (failure.code == ec::not_found) ask_by_name(self, link, promise);
            else promise.deliver(to_error(std::move(failure)));
          });
}

auto answer_config(self_pointer self, const get_config& m) {
  if (m.account != m.caller.account && !m.caller.may(permission::manage)) fail_without_config();
  auto promise = self->make_response_promise<connection_config>();
  auto job = [account = m.account](transaction& tx) { return store::find_panel_link(tx, account); };
  query(self, self->state.context.database, job, promise, [self, promise](std::optional<panel_link>& link) {
    if (!link || !link->short_uuid) fail_without_config();
    answer_from_link(self, *link, promise);
  });
  return promise;
}

/// What the panel has to be told; without a subscription, or past its end where it never heard of the account, nothing.
/// Of an end that came sooner than it was told (a refund) it hears.
struct desired_user {
  std::int64_t version = 0;
  panel::put_user user;
};

panel::traffic_reset in_panels_words(traffic_reset reset) {
  static_assert(static_cast<int>(traffic_reset::rolling) == static_cast<int>(panel::traffic_reset::rolling));
  return static_cast<panel::traffic_reset>(reset); // the same values in the same order
}

std::optional<desired_user> find_desired_user(transaction& tx, const account_id& account, std::chrono::seconds grace,
                                              timestamp now) {
  auto row = store::find_current(tx, account);
  auto link = store::find_panel_link(tx, account);
  if (!row || !link) return std::nullopt;
  auto ends_at = row->expires_at + grace;
  if (ends_at <= now && !link->short_uuid) return std::nullopt;
  return desired_user{row->version,
                      {.username = store::panel_username(row->account_number),
                       .email = link->email,
                       .expires_at = ends_at,
                       .traffic_limit_bytes = row->traffic_limit_bytes.value_or(0),
                       .device_limit = row->max_devices,
                       .reset = in_panels_words(row->traffic_reset),
                       .traffic_since = row->traffic_since,
                       .is_repetition = row->version == row->synced_version}};
}

/// Killed between the panel's answer and this: the outbox row is repeated, and the panel's user set to the same again.
template <class Promise>
void keep_link(self_pointer self, const account_id& account, const panel::user& user, std::int64_t version,
               Promise promise) {
  auto job = [account, user, version, now = self->state.context.now()](transaction& tx) {
    store::save_panel_link(tx, account, user.short_uuid, user.subscription_url, version, now);
    return done{};
  };
  transact(self, self->state.context.database, job, promise,
           [promise](done& reply) mutable { promise.deliver(reply); });
}

auto sync(self_pointer self, const sync_panel_user& m) {
  auto promise = self->make_response_promise<done>();
  auto job = [account = m.account, grace = self->state.others.grace, now = self->state.context.now()](transaction& tx) {
    return find_desired_user(tx, account, grace, now);
  };
  query(self, self->state.context.database, job, promise,
        [self, promise, account = m.account](std::optional<desired_user>& desired) mutable {
          if (!desired) {
            promise.deliver(done{});
            return;
          }
          ask(self, self->state.others.panel, patience_for_sync, desired->user, promise,
              [self, promise, account, version = desired->version](panel::user& user) {
                usage_known(self, user.username, user, self->state.others.usage_is_good_for);
                keep_link(self, account, user, version, promise);
              });
        });
  return promise;
}

// ---- Around the end

constexpr int batch = 100; // accounts a look

/// Stands in for a promise where nobody waits. What failed is due still.
template <class F>
struct go_on_after {
  const char* what;
  F go_on;
  void deliver(const caf::error& error) {
    log::warning("subscriptions", what, {{"cause", to_string(describe(error).code)}});
    go_on();
  }
};
template <class F>
go_on_after(const char*, F) -> go_on_after<F>;

void look_again(self_pointer self, bool at_once) {
  std::chrono::milliseconds pause = at_once ? 100ms : self->state.others.look_every;
  self->delayed_send(self, pause, look_at_ends{});
}

/// One after the other, so that this never takes more than one of the database's workers; one that fails holds up none.
void advance_each(self_pointer self, std::vector<account_id> due, bool has_more) {
  if (due.empty()) return look_again(self, has_more);
  auto account = due.back();
  due.pop_back();
  auto next = [self, due = std::move(due), has_more] { advance_each(self, due, has_more); };
  auto job = [account, grace = self->state.others.grace, now = self->state.context.now()](transaction& tx) {
    return advance_renewal(tx, account, grace, now);
  };
  transact(self, self->state.context.database, job, go_on_after{"could not do what was due at an end", next},
           [account, next](std::optional<advance>& done) {
             if (done)
               log::info("subscriptions", "came to a stage",
                         {{"account", to_string(account)},
                          {"stage", std::string{name_of(done->stage)}},
                          {"outcome", std::string{name_of(done->outcome)}}});
             next();
           });
}

/// Killed at any point: what was not committed is due still.
void look(self_pointer self) {
  auto& context = self->state.context;
  auto job = [grace = self->state.others.grace, now = context.now()](transaction& tx) {
    return store::list_due(tx, now, grace, batch);
  };
  query(self, context.database, job,
        go_on_after{"could not look for subscriptions that end", [self] { look_again(self, false); }},
        [self](std::vector<account_id>& due) {
          // What fails every time must not be asked for without a pause.
          bool has_more = due.size() == batch && due != self->state.last_due;
          self->state.last_due = due;
          advance_each(self, due, has_more);
        });
}

/// Answers with what `perform` does in one transaction.
template <class Message>
auto in_transaction(self_pointer self, const Message& m) {
  return transact(self, self->state.context.database,
                  [m, now = self->state.context.now()](transaction& tx) { return perform(tx, m, now); });
}
template <class Message>
auto by_reading(self_pointer self, const Message& m) {
  return query(self, self->state.context.database,
               [m, now = self->state.context.now()](transaction& tx) { return perform(tx, m, now); });
}

autopay find_autopay(transaction& tx, const account_id& account) {
  auto current = store::find_current(tx, account);
  return current ? current->autopay : autopay{};
}

} // namespace

full_subscriptions_actor::behavior_type subscriptions_behavior(self_pointer self, domain_context context,
                                                               subscriptions_dependencies others) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.others = std::move(others);
  self->send(self, look_at_ends{});
  return {
      on([self](const list_plans& m) {
        return query(self, self->state.context.database,
                     [audience = m.audience](transaction& tx) { return plan_list{store::list_plans(tx, audience)}; });
      }),
      on([self](const list_all_plans& m) {
        return query(self, self->state.context.database, [m](transaction& tx) { return store::list_all_plans(tx, m); });
      }),
      on([self](const get_plan& m) {
        return query(self, self->state.context.database, [id = m.id](transaction& tx) {
          auto found = store::find_any_plan(tx, id);
          if (!found) fail(ec::not_found, "Plan not found", "PLAN_NOT_FOUND");
          return *found;
        });
      }),
      on([self](const save_plan& m) { return in_transaction(self, m); }),
      on([self](const retire_plan& m) { return in_transaction(self, m); }),
      on([self](const get_active& m) { return answer_active(self, m); }),
      on([self](const get_config& m) { return answer_config(self, m); }),
      on([self](const sync_panel_user& m) { return sync(self, m); }),
      on([self](const forget_usage& m) {
        self->state.cache.outdate(m.username);
        return done{};
      }),
      on([self](const preview& m) { return by_reading(self, m); }),
      on([self](const purchase& m) { return in_transaction(self, m); }),
      on([self](const cancel& m) { return in_transaction(self, m); }),
      on([self](const reactivate& m) { return in_transaction(self, m); }),
      on([self](const set_autopay& m) { return in_transaction(self, m); }),
      on([self](const get_autopay& m) {
        return query(self, self->state.context.database,
                     [account = m.account](transaction& tx) { return find_autopay(tx, account); });
      }),
      on([self](const get_trial& m) { return by_reading(self, m); }),
      on([self](const activate_trial& m) {
        return transact(self, self->state.context.database,
                        [m, terms = self->state.others.trial, now = self->state.context.now()](transaction& tx) {
                          return perform(tx, m, terms, now);
                        });
      }),
      [self](const look_at_ends&) { look(self); },
  };
}

caf::actor spawn_subscriptions(caf::scheduled_actor* parent, domain_context context,
                               subscriptions_dependencies others) {
  return caf::actor_cast<caf::actor>(parent->spawn(subscriptions_behavior, std::move(context), std::move(others)));
}

} // namespace backstay::subscriptions
