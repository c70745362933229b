#include "integrations/panel/client.hpp"

#include "integrations/panel/dialect.hpp"

namespace backstay::panel {

namespace {

using integrations::call;
using integrations::http_response;
using integrations::is_success;

using self_pointer = client_actor::stateful_pointer<client_state>;
using user_promise = caf::typed_response_promise<user>;

/// Squads change when an operator changes the product.
constexpr std::chrono::minutes squads_age{5};

/// Goes on with `then()` once the squads are known. An empty list is not kept: a panel without any is being set up.
template <class Then>
void with_squads(self_pointer self, user_promise promise, Then then) {
  auto& state = self->state;
  const auto now = std::chrono::steady_clock::now();
  if (state.squads && !state.squads->empty() && now - state.squads_read_at < squads_age) return then();
  call(self, "list_squads", v3::list_squads(state.settings), promise,
       [self, now, then = std::move(then)](const http_response& answer) mutable {
         self->state.squads = v3::read_squads(answer);
         self->state.squads_read_at = now;
         then();
       });
}

/// What the panel says of a user after it was written. A refusal may be due to a squad that is no more, which the
/// panel reports as if it were any other failure.
user read_written(self_pointer self, const http_response& answer) {
  if (!is_success(answer)) self->state.squads.reset();
  return v3::read_user(answer);
}

void disable(self_pointer self, const std::string& username, user_promise promise) {
  call(self, "disable_user", v3::disable_user(self->state.settings, username), promise,
       [self, promise](const http_response& answer) mutable { promise.deliver(read_written(self, answer)); });
}

/// The panel takes no expiry in the past, and leaves a user running whose own is yet to come: that one is disabled.
void update(self_pointer self, const put_user& wish, user_promise promise) {
  const auto now = self->state.context.clock->now();
  call(self, "update_user", v3::update_user(self->state.settings, wish, *self->state.squads, now), promise,
       [self, promise, now, over = wish.expires_at <= now](const http_response& answer) mutable {
         auto updated = read_written(self, answer);
         if (over && updated.expires_at > now && updated.status != user_status::disabled)
           return disable(self, updated.username, promise);
         promise.deliver(std::move(updated));
       });
}

/// Repeatable at every step: whoever of two creates the user, the other one updates it.
void create(self_pointer self, const put_user& wish, user_promise promise) {
  call(self, "create_user", v3::create_user(self->state.settings, wish, *self->state.squads), promise,
       [self, wish, promise](const http_response& answer) mutable {
         if (v3::is_name_taken(answer)) return update(self, wish, promise);
         promise.deliver(read_written(self, answer));
       });
}

user_promise put(self_pointer self, const put_user& wish) {
  auto promise = self->make_response_promise<user>();
  with_squads(self, promise, [self, wish, promise] { create(self, wish, promise); });
  return promise;
}

user_promise get(self_pointer self, const get_user& query) {
  if (!v3::is_name(query.username)) fail(ec::not_found);
  auto promise = self->make_response_promise<user>();
  call(self, "get_user", v3::get_user(self->state.settings, query.username), promise,
       [promise](const http_response& answer) mutable {
         if (v3::is_missing(answer)) fail(ec::not_found);
         promise.deliver(v3::read_user(answer));
       });
  return promise;
}

caf::typed_response_promise<subscription_text> get_text(self_pointer self, const get_subscription_text& query) {
  if (!v3::is_name(query.short_uuid)) fail(ec::not_found);
  auto promise = self->make_response_promise<subscription_text>();
  call(self, "get_subscription_text", v3::get_subscription(self->state.settings, query.short_uuid), promise,
       [promise](const http_response& answer) mutable {
         if (v3::is_missing(answer)) fail(ec::not_found);
         promise.deliver(subscription_text{v3::read_subscription(answer)});
       });
  return promise;
}

caf::typed_response_promise<node_list> get_nodes(self_pointer self) {
  auto promise = self->make_response_promise<node_list>();
  call(self, "list_nodes", v3::list_nodes(self->state.settings), promise,
       [promise](const http_response& answer) mutable { promise.deliver(node_list{v3::read_nodes(answer)}); });
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
        return v3::read_webhook(hook, self->state.settings.webhook_secret, self->state.context.clock->now());
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

caf::actor spawn_panel(caf::scheduled_actor* parent, integrations::client_context context,
                       config::settings::panel_section settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), std::move(settings)));
}

} // namespace backstay::panel
