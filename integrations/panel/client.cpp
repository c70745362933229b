#include "integrations/panel/client.hpp"

#include "config/log.hpp"

#include <algorithm>
#include <memory>

namespace backstay::panel {

namespace {

using integrations::call;
using integrations::http_response;
using integrations::is_success;

using self_pointer = client_actor::stateful_pointer<client_state>;
using user_promise = caf::typed_response_promise<user>;

/// Squads change when an operator changes the product.
constexpr std::chrono::minutes squads_age{5};

/// How far the panel's clock may be from ours.
constexpr std::chrono::minutes clock_difference{5};

void learn_version(client_state& state, const api::dialect& found) {
  if (state.spoken != &found) log::info("panel", "found out the version", {{"version", std::string{found.name}}});
  state.spoken = &found;
  state.is_version_doubted = false;
}

/// Goes on with `then()` once the panel's version is known.
template <class Promise, class Then>
void with_version(self_pointer self, Promise promise, Then then) {
  if (!self->state.is_version_doubted) return then();
  call(self, "get_metadata", api::get_metadata(self->state.settings), promise,
       [self, then = std::move(then)](const http_response& answer) mutable {
         learn_version(self->state, api::read_dialect(answer));
         then();
       });
}

/// Goes on with `then(squads)` once they are known. An empty list is not kept: a panel without any is being set up.
template <class Then>
void with_squads(self_pointer self, user_promise promise, Then then) {
  auto& state = self->state;
  const auto now = std::chrono::steady_clock::now();
  if (state.squads && !state.squads->empty() && now - state.squads_read_at < squads_age) return then(*state.squads);
  call(self, "list_squads", api::list_squads(state.settings), promise,
       [self, now, then = std::move(then)](const http_response& answer) mutable {
         self->state.squads = api::read_squads(answer);
         self->state.squads_read_at = now;
         then(*self->state.squads);
       });
}

/// A call about users that may depend on the version: whatever goes wrong with its answer, perhaps the panel has been
/// replaced by another version meanwhile, which the next call finds out.
template <class Promise, class Then>
void call_about_user(self_pointer self, const char* what, integrations::http_request request, Promise promise,
                     Then then) {
  call(self, what, std::move(request), promise, [self, then = std::move(then)](const http_response& answer) mutable {
    try {
      then(answer);
    } catch (const integrations::outside_fault&) {
      self->state.is_version_doubted = true;
      throw;
    }
  });
}

/// What the panel says of a user after it was written. A refusal may be due to a squad that is no more, which the
/// panel reports as if it were any other failure.
user read_written(self_pointer self, const http_response& answer) {
  if (!is_success(answer)) self->state.squads.reset();
  return api::read_user(answer, *self->state.spoken);
}

/// Goes on with what the panel says of the user once it is written.
template <class Then>
void write_user(self_pointer self, const char* what, integrations::http_request request, user_promise promise,
                Then then) {
  call_about_user(
      self, what, std::move(request), promise,
      [self, then = std::move(then)](const http_response& answer) mutable { then(read_written(self, answer)); });
}

template <class Promise, class Value>
void deliver(Promise promise, Value value) {
  promise.deliver(std::move(value));
}

auto deliver_to(user_promise promise) {
  return [promise](user known) { deliver(promise, std::move(known)); };
}

/// What one `put_user` carries from call to call: others may change what is remembered of the squads meanwhile.
struct undertaking {
  put_user wish;
  api::squad_list squads;
  user_promise promise;
};

/// Last, so that whoever was limited runs at once, by the new limit.
void reset_if_due(self_pointer self, undertaking what, user known) {
  const auto& since = what.wish.traffic_since;
  const bool is_due = since && known.traffic_since + clock_difference < *since;
  if (!is_due) return deliver(what.promise, std::move(known));
  write_user(self, "reset_traffic", api::reset_traffic(self->state.settings, known), what.promise,
             deliver_to(what.promise));
}

/// The panel takes no expiry in the past, and leaves a user running whose own is yet to come: that one is disabled.
void end(self_pointer self, undertaking what, user known) {
  const bool runs = known.expires_at > self->state.context.clock->now() && known.status != user_status::disabled;
  if (!runs) return deliver(what.promise, std::move(known));
  write_user(self, "disable_user", api::disable_user(self->state.settings, known.username), what.promise,
             deliver_to(what.promise));
}

void update(self_pointer self, undertaking what, user known) {
  auto& [wish, squads, promise] = what;
  if (wish.expires_at <= self->state.context.clock->now()) return end(self, std::move(what), std::move(known));
  const bool is_disabled = known.status == user_status::disabled;
  // An operator's word counts until something new is wished for.
  if (is_disabled && wish.is_repetition) return deliver(promise, std::move(known));
  if (!is_disabled && api::is_as_wished(known, wish, squads))
    return reset_if_due(self, std::move(what), std::move(known));
  write_user(self, "update_user", api::update_user(self->state.settings, wish, squads), promise,
             [self, what](user updated) { reset_if_due(self, what, std::move(updated)); });
}

/// Goes on with `then(user)`, or with `otherwise()` where the panel has none of that name.
template <class Promise, class Then, class Otherwise>
void find(self_pointer self, const std::string& username, Promise promise, Then then, Otherwise otherwise) {
  call_about_user(self, "get_user", api::get_user(self->state.settings, username), promise,
                  [self, then, otherwise](const http_response& answer) mutable {
                    if (api::is_missing(answer)) return otherwise();
                    then(api::read_user(answer, *self->state.spoken));
                  });
}

[[noreturn]] void fail_missing() { fail(ec::not_found); }

/// Of two that create the same user at once, the later one updates it.
void create(self_pointer self, undertaking what) {
  auto then = [self, what](user known) { update(self, what, std::move(known)); };
  call_about_user(self, "create_user", api::create_user(self->state.settings, what.wish, what.squads), what.promise,
                  [self, what, then](const http_response& answer) mutable {
                    if (api::is_name_taken(answer))
                      return find(self, what.wish.username, what.promise, then, fail_missing);
                    what.promise.deliver(read_written(self, answer));
                  });
}

user_promise put(self_pointer self, const put_user& wish) {
  auto promise = self->make_response_promise<user>();
  auto begin = [self, wish, promise](const api::squad_list& squads) {
    undertaking what{wish, squads, promise};
    find(
        self, wish.username, promise, [self, what](user known) { update(self, what, std::move(known)); },
        [self, what] { create(self, what); });
  };
  with_version(self, promise, [self, promise, begin] { with_squads(self, promise, begin); });
  return promise;
}

user_promise get(self_pointer self, const get_user& query) {
  if (!api::is_name(query.username)) fail_missing();
  auto promise = self->make_response_promise<user>();
  with_version(self, promise, [self, promise, name = query.username] {
    find(self, name, promise, deliver_to(promise), fail_missing);
  });
  return promise;
}

auto get(self_pointer self, const get_usage& query) {
  if (!api::is_name(query.username)) fail_missing();
  auto promise = self->make_response_promise<usage>();
  auto count = [self, promise](user known) {
    call_about_user(self, "list_devices", api::list_devices(self->state.settings, known), promise,
                    [promise, known](const http_response& answer) mutable {
                      promise.deliver(usage{known, api::read_device_count(answer)});
                    });
  };
  with_version(self, promise,
               [self, promise, count, name = query.username] { find(self, name, promise, count, fail_missing); });
  return promise;
}

caf::typed_response_promise<subscription_text> get_text(self_pointer self, const get_subscription_text& query) {
  if (!api::is_name(query.short_uuid)) fail_missing();
  auto promise = self->make_response_promise<subscription_text>();
  call(self, "get_subscription_text", api::get_subscription(self->state.settings, query.short_uuid), promise,
       [promise](const http_response& answer) mutable {
         if (api::is_missing(answer)) fail_missing();
         promise.deliver(subscription_text{api::read_subscription(answer)});
       });
  return promise;
}

caf::typed_response_promise<node_list> get_nodes(self_pointer self) {
  auto promise = self->make_response_promise<node_list>();
  call(self, "list_nodes", api::list_nodes(self->state.settings), promise,
       [promise](const http_response& answer) mutable { promise.deliver(node_list{api::read_nodes(answer)}); });
  return promise;
}

// ---- templates

using template_list_promise = caf::typed_response_promise<template_list>;

/// One after the other: there are a handful, and nobody waits for them but a cache.
void read_contents(self_pointer self, std::shared_ptr<template_list> all, std::size_t next,
                   template_list_promise promise) {
  if (next == all->items.size()) return deliver(promise, std::move(*all));
  call(self, "get_template", api::get_template(self->state.settings, all->items[next].id), promise,
       [self, all, next, promise](const http_response& answer) {
         all->items[next] = api::read_template(answer);
         read_contents(self, all, next + 1, promise);
       });
}

template_list_promise get_templates(self_pointer self) {
  auto promise = self->make_response_promise<template_list>();
  call(self, "list_templates", api::list_templates(self->state.settings), promise,
       [self, promise](const http_response& answer) {
         auto all = std::make_shared<template_list>(template_list{api::read_templates(answer)});
         read_contents(self, all, 0, promise);
       });
  return promise;
}

using template_promise = caf::typed_response_promise<subscription_template>;

/// Repeatable: it is filled with the same again.
void fill(self_pointer self, const create_template& wish, template_promise promise, subscription_template made) {
  if (wish.content.empty()) return deliver(promise, std::move(made));
  call(self, "fill_template", api::fill_template(self->state.settings, made.id, wish), promise,
       [promise](const http_response& answer) mutable { promise.deliver(api::read_template(answer)); });
}

void find_and_fill(self_pointer self, const create_template& wish, template_promise promise) {
  call(self, "list_templates", api::list_templates(self->state.settings), promise,
       [self, wish, promise](const http_response& answer) {
         const auto all = api::read_templates(answer);
         const auto ours = std::find_if(all.begin(), all.end(), [&](const auto& each) {
           return each.name == wish.name && each.kind == wish.kind;
         });
         if (ours == all.end()) fail(ec::not_found); // removed by somebody a moment ago
         fill(self, wish, promise, *ours);
       });
}

template_promise create(self_pointer self, const create_template& wish) {
  auto promise = self->make_response_promise<subscription_template>();
  call(self, "add_template", api::add_template(self->state.settings, wish), promise,
       [self, wish, promise](const http_response& answer) {
         if (!api::is_name_taken(answer)) return fill(self, wish, promise, api::read_template(answer));
         if (!wish.is_repetition) fail(ec::conflict);
         find_and_fill(self, wish, promise);
       });
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context,
                                   config::settings::panel_section settings) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  return {
      on([self](const put_user& wish) { return put(self, wish); }),
      on([self](const get_user& query) { return get(self, query); }),
      on([self](const get_subscription_text& query) { return get_text(self, query); }),
      on([self](const list_nodes&) { return get_nodes(self); }),
      on([self](const read_webhook& hook) {
        return api::read_webhook(hook, self->state.settings.webhook_secret, self->state.context.clock->now());
      }),
      on([self](const get_usage& query) { return get(self, query); }),
      on([self](const list_templates&) { return get_templates(self); }),
      on([self](const create_template& wish) { return create(self, wish); }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

caf::actor spawn_panel(caf::scheduled_actor* parent, integrations::client_context context,
                       config::settings::panel_section settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), std::move(settings)));
}

} // namespace backstay::panel
