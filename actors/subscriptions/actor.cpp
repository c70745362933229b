#include "actors/subscriptions/actor.hpp"

#include "actors/subscriptions/rules.hpp"
#include "actors/subscriptions/store.hpp"

namespace backstay::subscriptions {

namespace {

using self_pointer = subscriptions_actor::stateful_pointer<subscriptions_state>;
using config_promise = caf::typed_response_promise<connection_config>;
using store::panel_link;
using store::subscription;
using namespace std::chrono_literals;

constexpr auto ask_again_after = 10s;       ///< when the panel did not answer
constexpr auto patience_for_usage = 1500ms; ///< then what we know ourselves is shown
constexpr auto patience_for_text = 3s;
constexpr auto patience_for_sync = 20s; ///< nobody but the outbox waits

subscription_view without_subscription(const account_id& account) { return {.account = account}; }

subscription_view view_of(const subscription& row, const std::optional<panel::user>& known, timestamp now) {
  auto used = known ? std::optional{known->used_traffic_bytes} : std::nullopt;
  return {.id = row.id,
          .plan = row.plan,
          .account = row.account,
          .plan_name = row.plan_name,
          .status = rules::shown_status(row.status, row.expires_at, known, now),
          .started_at = row.started_at,
          .expires_at = row.expires_at,
          .traffic_limit_bytes = row.traffic_limit_bytes,
          .used_traffic_bytes = used,
          .max_devices = row.max_devices,
          .auto_renew = row.auto_renew,
          .days_remaining = rules::days_remaining(row.expires_at, now),
          .traffic_remaining_percent = rules::traffic_remaining_percent(row.traffic_limit_bytes, used)};
}

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
  self->request(state.panel, patience_for_usage, panel::get_user{username})
      .then([self, username](panel::user& user) { usage_known(self, username, user, self->state.usage_is_good_for); },
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
          with_usage(self, rules::panel_username(row->account_number),
                     [self, promise, row = *row](const std::optional<panel::user>& known) mutable {
                       promise.deliver(view_of(row, known, self->state.context.now()));
                     });
        });
  return promise;
}

[[noreturn]] void fail_without_config() { fail(ec::not_found, "No connection for this account"); }

void ask_for_text(self_pointer self, const std::string& short_uuid, const std::string& url, config_promise promise) {
  ask(self, self->state.panel, patience_for_text, panel::get_subscription_text{short_uuid}, promise,
      [promise, url](panel::subscription_text& found) mutable {
        promise.deliver(connection_config{std::move(found.text), url});
      });
}

/// The panel does not know our link any more: its operator has given the user a new one. The next sync keeps it.
void ask_by_name(self_pointer self, const panel_link& link, config_promise promise) {
  ask(self, self->state.panel, patience_for_usage, panel::get_user{rules::panel_username(link.account_number)}, promise,
      [self, link, promise](panel::user& user) {
        if (user.short_uuid == link.short_uuid) fail_without_config();
        ask_for_text(self, user.short_uuid, user.subscription_url, promise);
      });
}

void answer_from_link(self_pointer self, const panel_link& link, config_promise promise) {
  self->request(self->state.panel, patience_for_text, panel::get_subscription_text{*link.short_uuid})
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

/// What the panel has to be told; without a subscription, or past its end, nothing: the panel ends it by itself.
struct desired_user {
  std::int64_t version = 0;
  panel::put_user user;
};

std::optional<desired_user> find_desired_user(transaction& tx, const account_id& account, timestamp now) {
  auto row = store::find_current(tx, account);
  auto link = store::find_panel_link(tx, account);
  if (!row || !link || row->expires_at <= now) return std::nullopt;
  return desired_user{row->version,
                      {.username = rules::panel_username(row->account_number),
                       .email = link->email,
                       .expires_at = row->expires_at,
                       .traffic_limit_bytes = row->traffic_limit_bytes.value_or(0),
                       .device_limit = row->max_devices}};
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
  auto job = [account = m.account, now = self->state.context.now()](transaction& tx) {
    return find_desired_user(tx, account, now);
  };
  query(self, self->state.context.database, job, promise,
        [self, promise, account = m.account](std::optional<desired_user>& desired) mutable {
          if (!desired) {
            promise.deliver(done{});
            return;
          }
          ask(self, self->state.panel, patience_for_sync, desired->user, promise,
              [self, promise, account, version = desired->version](panel::user& user) {
                usage_known(self, user.username, user, self->state.usage_is_good_for);
                keep_link(self, account, user, version, promise);
              });
        });
  return promise;
}

} // namespace

subscriptions_actor::behavior_type subscriptions_behavior(self_pointer self, domain_context context,
                                                          subscriptions_dependencies others) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.panel = std::move(others.panel);
  self->state.usage_is_good_for = others.usage_is_good_for;
  return {
      on([self](const list_plans&) {
        return query(self, self->state.context.database,
                     [](transaction& tx) { return plan_list{store::list_plans(tx)}; });
      }),
      on([self](const get_active& m) { return answer_active(self, m); }),
      on([self](const get_config& m) { return answer_config(self, m); }),
      on([self](const sync_panel_user& m) { return sync(self, m); }),
      on([self](const forget_usage& m) {
        self->state.cache.outdate(m.username);
        return done{};
      }),
  };
}

caf::actor spawn_subscriptions(caf::scheduled_actor* parent, domain_context context,
                               subscriptions_dependencies others) {
  return caf::actor_cast<caf::actor>(parent->spawn(subscriptions_behavior, std::move(context), std::move(others)));
}

} // namespace backstay::subscriptions
