#include "integrations/stripe/client.hpp"

#include "integrations/call_each.hpp"
#include "integrations/payment/method.hpp"
#include "integrations/stripe/dialect.hpp"
#include "integrations/stripe/recurring.hpp"

namespace backstay::stripe {

namespace {

using namespace payment_provider;
using integrations::call;
using integrations::call_each;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charge_promise = caf::typed_response_promise<charge>;
using charges_promise = caf::typed_response_promise<charge_list>;
using subscription_promise = caf::typed_response_promise<recurring_subscription>;
using answers = std::vector<http_response>;

// ---- Single payments

/// Killed after the call was sent: repeated with the same key, it makes the same charge.
charge_promise create(self_pointer self, const create_charge& order) {
  const auto& where = self->state.settings;
  auto request = order.saved_method.empty() ? create_session(where, order) : charge_saved(where, order);
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_created(answer)); });
  return promise;
}

void add(charge_list& found, const http_response& answer) {
  if (auto one = read_charge(answer)) found.items.push_back(std::move(*one));
}

/// Intents that no session leads to: charges of saved methods.
void list_intents(self_pointer self, std::vector<http_request> intents, charge_list found, charges_promise promise) {
  if (intents.empty()) return void(promise.deliver(std::move(found)));
  call_each(self, "list_charges", std::move(intents), promise, [=](const answers& all) mutable {
    for (const auto& answer : all) add(found, answer);
    promise.deliver(std::move(found));
  });
}

charges_promise list(self_pointer self, const list_charges& query) {
  auto promise = self->make_response_promise<charge_list>();
  std::vector<std::string> ids;
  std::vector<http_request> requests;
  for (const auto& id : query.external_ids)
    if (auto request = get_charge(self->state.settings, id)) {
      ids.push_back(id);
      requests.push_back(std::move(*request));
    }
  if (requests.empty()) return promise.deliver(charge_list{});
  call_each(self, "list_charges", std::move(requests), promise, [=](const answers& all) {
    charge_list found;
    std::vector<http_request> intents;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto before = found.items.size();
      add(found, all[i]);
      if (found.items.size() > before) continue;
      if (auto request = get_intent(self->state.settings, ids[i])) intents.push_back(std::move(*request));
    }
    list_intents(self, std::move(intents), std::move(found), promise);
  });
  return promise;
}

void tell(self_pointer self, const std::string& id, charge_promise promise) {
  auto request = is_id(id, "pi") ? get_intent(self->state.settings, id) : get_charge(self->state.settings, id);
  call(self, "refund_charge", std::move(*request), promise, [promise](const http_response& answer) mutable {
    auto seen = read_charge(answer);
    if (!seen) fail(ec::not_found);
    promise.deliver(std::move(*seen));
  });
}

/// Killed after the call was sent: repeated within a day with the same key, it gives the same money back.
void refund_intent(self_pointer self, const refund_charge& order, const std::string& intent, charge_promise promise) {
  call(self, "refund_charge", create_refund(self->state.settings, order, intent), promise,
       [=](const http_response& answer) {
         require_refund(answer);
         tell(self, order.external_id, promise);
       });
}

charge_promise refund(self_pointer self, const refund_charge& order) {
  auto session = get_charge(self->state.settings, order.external_id);
  if (!session) fail(ec::not_found);
  auto promise = self->make_response_promise<charge>();
  if (is_id(order.external_id, "pi")) {
    refund_intent(self, order, order.external_id, promise);
    return promise;
  }
  call(self, "refund_charge", std::move(*session), promise, [=](const http_response& answer) {
    if (is_missing(answer)) fail(ec::not_found);
    const auto intent = read_intent_id(answer);
    if (intent.empty()) fail(ec::refused, "Nobody has paid this charge");
    refund_intent(self, order, intent, promise);
  });
  return promise;
}

// ---- Subscriptions

auto begin(self_pointer self, const payment_provider::begin_subscription& order) {
  auto promise = self->make_response_promise<subscription_checkout>();
  call(self, "begin_subscription", stripe::begin_subscription(self->state.settings, order), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_begun(answer)); });
  return promise;
}

subscription_promise look_up(self_pointer self, const payment_provider::get_subscription& query) {
  auto request = stripe::get_subscription(self->state.settings, query.external_id);
  auto promise = self->make_response_promise<recurring_subscription>();
  call(self, "get_subscription", std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_subscription(answer).is); });
  return promise;
}

/// Sends what `make` makes of the subscription as it stands; nothing when it makes nothing.
template <class Make>
subscription_promise modify(self_pointer self, const char* what, const std::string& id, Make make) {
  auto request = stripe::get_subscription(self->state.settings, id);
  auto promise = self->make_response_promise<recurring_subscription>();
  call(self, what, std::move(request), promise, [=](const http_response& answer) mutable {
    const auto seen = read_subscription(answer);
    std::optional<http_request> next = make(seen);
    if (!next) return void(promise.deliver(seen.is));
    call(self, what, std::move(*next), promise,
         [promise](const http_response& changed) mutable { promise.deliver(read_subscription(changed).is); });
  });
  return promise;
}

subscription_promise change(self_pointer self, const payment_provider::change_subscription& order) {
  return modify(self, "change_subscription", order.external_id, [self, order](const subscription_sight& seen) {
    return seen.is.plan == order.plan
               ? std::nullopt
               : std::optional{stripe::change_subscription(self->state.settings, seen.item, order)};
  });
}

subscription_promise cancel(self_pointer self, const payment_provider::cancel_subscription& order) {
  return modify(self, "cancel_subscription", order.external_id, [self, order](const subscription_sight& seen) {
    const bool is_done = seen.is.state == recurring_state::ended || (seen.is.ends_at && !order.at_once);
    return is_done ? std::nullopt : std::optional{stripe::cancel_subscription(self->state.settings, order)};
  });
}

auto open(self_pointer self, const payment_provider::open_portal& order) {
  auto request = stripe::open_portal(self->state.settings, order);
  auto promise = self->make_response_promise<portal>();
  call(self, "open_portal", std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_portal(answer)); });
  return promise;
}

auto list_bills(self_pointer self, const payment_provider::list_invoices& query) {
  auto request = stripe::list_invoices(self->state.settings, query);
  auto promise = self->make_response_promise<invoice_list>();
  call(self, "list_invoices", std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_invoices(answer)); });
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context,
                                   config::settings::stripe_section settings) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  return {
      on([self](const create_charge& order) { return create(self, order); }),
      on([self](const list_charges& query) { return list(self, query); }),
      // The search by metadata lags behind by minutes; a lost create is repeated with its key instead.
      on([](const find_charge&) -> charge_list { fail_not_supported(); }),
      on([self](const refund_charge& order) { return refund(self, order); }),
      on([](const answer_checkout&) -> done { fail_not_supported(); }),
      on([self](const payment_provider::read_webhook& hook) {
        return stripe::read_webhook(hook, self->state.settings, self->state.context.clock->now());
      }),
      on([self](const payment_provider::begin_subscription& order) { return begin(self, order); }),
      on([self](const payment_provider::get_subscription& query) { return look_up(self, query); }),
      on([self](const payment_provider::change_subscription& order) { return change(self, order); }),
      on([self](const payment_provider::cancel_subscription& order) { return cancel(self, order); }),
      on([self](const payment_provider::open_portal& order) { return open(self, order); }),
      on([self](const payment_provider::list_invoices& query) { return list_bills(self, query); }),
      on([self](const payment_provider::read_recurring& query) {
        return stripe::read_recurring(query.hook, self->state.settings, self->state.context.clock->now());
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  if (settings.stripe.secret_key.empty()) return {};
  auto card = offered("stripe", "Card (Stripe)", "stripe", method_kind::card, settings.stripe);
  card.saves = true;
  return {card};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), settings.stripe));
}

} // namespace backstay::stripe
