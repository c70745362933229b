#include "actors/provisioning/actor.hpp"

#include "actors/outbox/store.hpp"
#include "actors/provisioning/rules.hpp"
#include "actors/provisioning/store.hpp"
#include "config/log.hpp"

#include <utility>

namespace backstay::provisioning {

namespace {

using self_pointer = provisioning_actor::stateful_pointer<provisioning_state>;
using profiles_promise = caf::typed_response_promise<profile_list>;
using template_promise = caf::typed_response_promise<template_view>;
using usage_promise = caf::typed_response_promise<usage_view>;
using store::subscriber;
using namespace std::chrono_literals;

constexpr auto profiles_are_good_for = 60s;
constexpr auto ask_again_after = 10s; ///< when the panel did not answer
constexpr auto patience = 3500ms;
constexpr auto patience_for_usage = 1500ms; ///< then zeros are shown
constexpr std::size_t most_remembered = 10'000;

// ---- profiles

profile_list profiles_of(const panel::template_list& templates) {
  profile_list profiles;
  for (auto& each : templates.items)
    profiles.items.push_back({each.id, each.name, each.kind, each.content, each.name == "Default"});
  return profiles;
}

void profiles_read(self_pointer self, profile_list found) {
  auto& memory = self->state.profiles;
  memory.good_until = self->state.context.now() + profiles_are_good_for;
  for (auto& each : std::exchange(memory.waiting, {})) each.deliver(found);
  memory.known = std::move(found);
}

/// What was known last is better than nothing.
void profiles_not_read(self_pointer self, const fault& failure) {
  auto& memory = self->state.profiles;
  memory.good_until = self->state.context.now() + ask_again_after;
  for (auto& each : std::exchange(memory.waiting, {}))
    if (memory.known) each.deliver(*memory.known);
    else each.deliver(to_error(failure));
}

profiles_promise answer_profiles(self_pointer self) {
  auto promise = self->make_response_promise<profile_list>();
  auto& memory = self->state.profiles;
  if (memory.known && self->state.context.now() < memory.good_until) {
    promise.deliver(*memory.known);
    return promise;
  }
  memory.waiting.push_back(promise);
  if (memory.waiting.size() == 1)
    self->request(self->state.others.catalog, patience, panel::list_templates{})
        .then([self](const panel::template_list& found) { profiles_read(self, profiles_of(found)); },
              [self](const caf::error& error) { profiles_not_read(self, describe(error)); });
  return promise;
}

// ---- templates

/// What certainly was not done leaves no name behind. If this fails, a later try takes a template of that name for its
/// own and fills it: only a content is lost, which whoever may do this may change anyway.
void give_name_back(self_pointer self, const create_template& wish, panel::template_kind kind, const fault& failure,
                    template_promise promise) {
  auto job = [name = wish.name, kind](transaction& tx) {
    store::release(tx, name, kind);
    return done{};
  };
  transact(self, self->state.context.database, job, promise,
           [promise, failure](done&) mutable { promise.deliver(to_error(failure)); });
}

void keep_template(self_pointer self, const create_template& wish, panel::template_kind kind, const std::string& id,
                   template_promise promise) {
  auto job = [wish, kind, id, now = self->state.context.now()](transaction& tx) {
    return store::keep(tx, wish, kind, id, now);
  };
  transact(self, self->state.context.database, job, promise, [self, promise](template_view& made) mutable {
    self->state.profiles.good_until = {}; // one more
    promise.deliver(std::move(made));
  });
}

/// Killed before the answer is kept: the reserved name tells the repetition that the template at the panel is ours.
void make_template(self_pointer self, const create_template& wish, panel::template_kind kind, bool is_repetition,
                   template_promise promise) {
  auto content = wish.config ? wish.config->text : std::string{};
  self->request(self->state.others.catalog, patience, panel::create_template{wish.name, kind, content, is_repetition})
      .then([self, wish, kind,
             promise](const panel::subscription_template& made) { keep_template(self, wish, kind, made.id, promise); },
            [self, wish, kind, is_repetition, promise](const caf::error& error) mutable {
              auto failure = describe(error);
              if (failure.code == ec::conflict)
                failure = {ec::conflict, "The panel has a template of that name and type", "TEMPLATE_EXISTS"};
              bool is_untouched = failure.code == ec::conflict || failure.code == ec::unavailable;
              if (is_untouched && !is_repetition) give_name_back(self, wish, kind, failure, promise);
              else promise.deliver(to_error(std::move(failure)));
            });
}

template_promise answer_create(self_pointer self, const create_template& wish) {
  if (auto problems = rules::problems_of(wish); !problems.empty())
    fail({.code = ec::invalid, .problems = std::move(problems)});
  auto promise = self->make_response_promise<template_view>();
  auto kind = rules::kind_of(wish.type).value();
  auto job = [wish, kind, now = self->state.context.now()](transaction& tx) {
    return store::reserve(tx, wish, kind, now);
  };
  transact(self, self->state.context.database, job, promise,
           [self, wish, kind, promise](store::reservation& found) mutable {
             if (found.made) promise.deliver(std::move(*found.made));
             else make_template(self, wish, kind, found.is_repetition, promise);
           });
  return promise;
}

// ---- usage

usage_view view_of(const subscriber& row, const std::optional<panel::usage>& known, timestamp now) {
  usage_view view{.limit_bytes = row.traffic_limit_bytes.value_or(0), .max_devices = row.max_devices.value_or(0)};
  auto period = rules::period{row.started_at, row.expires_at};
  if (known) {
    view.used_bytes = known->user.used_traffic_bytes;
    view.devices = known->device_count;
    view.last_connection_at = known->user.online_at;
    if (known->user.reset != panel::traffic_reset::never)
      period = rules::traffic_period(known->user.reset, known->user.traffic_since, row.expires_at, now);
  }
  view.period_start = period.start;
  view.period_end = period.end;
  return view;
}

usage_view without_subscription(timestamp now) {
  auto month = rules::month_of(now);
  return {.period_start = month.start, .period_end = month.end};
}

/// Figures are easily asked for again: a memory that is full begins anew.
void remember(self_pointer self, const std::string& username, usage_memory what) {
  auto& usage = self->state.usage;
  if (usage.size() >= most_remembered) usage.clear();
  usage[username] = std::move(what);
}

template <class Use>
void with_usage(self_pointer self, const std::string& username, Use use) {
  auto& state = self->state;
  auto memory = state.usage.find(username);
  if (memory != state.usage.end() && state.context.now() < memory->second.good_until) return use(memory->second.known);
  self->request(state.others.catalog, patience_for_usage, panel::get_usage{username})
      .then(
          [self, username, use](const panel::usage& found) mutable {
            remember(self, username, {found, self->state.context.now() + self->state.others.usage_is_good_for});
            use(found);
          },
          [self, username, use](const caf::error&) mutable {
            remember(self, username, {std::nullopt, self->state.context.now() + ask_again_after});
            use(std::nullopt);
          });
}

usage_promise answer_usage(self_pointer self, const get_usage& m) {
  auto promise = self->make_response_promise<usage_view>();
  auto job = [account = m.account](transaction& tx) { return store::find_subscriber(tx, account); };
  query(self, self->state.context.database, job, promise, [self, promise](std::optional<subscriber>& row) mutable {
    auto now = self->state.context.now();
    if (!row) {
      promise.deliver(without_subscription(now));
      return;
    }
    with_usage(self, row->username, [promise, row = *row, now](const std::optional<panel::usage>& known) mutable {
      promise.deliver(view_of(row, known, now));
    });
  });
  return promise;
}

// ---- hints

/// Whoever is being restarted remembers nothing anyway.
template <class Target, class Message>
void tell(self_pointer self, const Target& target, Message message) {
  self->request(target, patience, std::move(message)).then([](done&) {}, [](const caf::error&) {});
}

/// The panel's user may not be what our row says any more, because of somebody at the panel: the outbox compares and
/// sets it right. A doubled hint finds the row that the first one wrote.
/// Killed before the commit, the panel has no answer and calls again; after it, the outbox has the row.
void order_sync(self_pointer self, const panel::webhook_hint& hint, caf::typed_response_promise<done> promise) {
  auto job = [hint, now = self->state.context.now()](transaction& tx) {
    auto account = store::find_account(tx, hint.username);
    if (account) outbox::store::enqueue(tx, outbox::panel_work{*account}, now, "panel hint " + hint.key);
    return done{};
  };
  transact(self, self->state.context.database, job, promise,
           [promise](done& reply) mutable { promise.deliver(reply); });
}

void follow(self_pointer self, const panel::webhook_hint& hint, caf::typed_response_promise<done> promise) {
  auto& others = self->state.others;
  if (hint.about == panel::hint::node_changed) tell(self, others.monitoring, monitoring::look_again{});
  if (hint.about == panel::hint::user_changed) {
    self->state.usage.erase(hint.username);
    tell(self, others.subscriptions, subscriptions::forget_usage{hint.username});
  }
  if (hint.may_differ) order_sync(self, hint, promise);
  else promise.deliver(done{});
}

auto receive(self_pointer self, const receive_webhook& m) {
  auto promise = self->make_response_promise<done>();
  ask(self, self->state.others.panel, patience, panel::read_webhook{m.body, m.headers}, promise,
      [self, promise](panel::webhook_hint& hint) { follow(self, hint, promise); });
  return promise;
}

} // namespace

provisioning_actor::behavior_type provisioning_behavior(self_pointer self, domain_context context,
                                                        provisioning_dependencies others) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.others = std::move(others);
  return {
      on([self](const list_profiles&) { return answer_profiles(self); }),
      on([self](const create_template& wish) { return answer_create(self, wish); }),
      on([self](const get_usage& m) { return answer_usage(self, m); }),
      on([self](const receive_webhook& m) { return receive(self, m); }),
  };
}

caf::actor spawn_provisioning(caf::scheduled_actor* parent, domain_context context, provisioning_dependencies others) {
  return caf::actor_cast<caf::actor>(parent->spawn(provisioning_behavior, std::move(context), std::move(others)));
}

} // namespace backstay::provisioning
