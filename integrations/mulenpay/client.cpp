#include "integrations/mulenpay/client.hpp"

#include "integrations/mulenpay/dialect.hpp"
#include "integrations/payment/lookups.hpp"
#include "integrations/payment/method.hpp"

#include <algorithm>

namespace backstay::mulenpay {

namespace {

using namespace payment_provider;
using integrations::call;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charge_promise = caf::typed_response_promise<charge>;
using charges_promise = caf::typed_response_promise<charge_list>;

/// Killed after the call was sent: nobody has the payment's address, and it is never paid.
charge_promise create(self_pointer self, const create_charge& order) {
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", create_payment(self->state.settings, order), promise,
       [order, promise](const http_response& answer) mutable { promise.deliver(read_created(order, answer)); });
  return promise;
}

charges_promise list(self_pointer self, const list_charges& query) {
  std::vector<std::string> ids;
  std::copy_if(query.external_ids.begin(), query.external_ids.end(), std::back_inserter(ids), is_payment_id);
  return look_up_each(
      self, std::move(ids), [self](const std::string& id) { return get_payment(self->state.settings, id); },
      read_payment);
}

/// A payment's address is told at its creation only. One that waits to be paid, and that nobody can pay, is no find:
/// it is created again, by the same `uuid`.
charges_promise find(self_pointer self, const find_charge& query) {
  auto promise = self->make_response_promise<charge_list>();
  call(self, "find_charge", list_payments(self->state.settings, query.payment), promise,
       [promise, ours = query.payment](const http_response& answer) mutable {
         auto found = read_list(ours, answer);
         std::erase_if(found.items, [](const charge& each) { return each.state == charge_state::pending; });
         promise.deliver(std::move(found));
       });
  return promise;
}

charge refunded(charge paid) {
  paid.state = charge_state::refunded;
  paid.refunded = paid.price.minor;
  return paid;
}

void refund_all(self_pointer self, const charge& paid, charge_promise promise) {
  call(self, "refund_charge", refund_payment(self->state.settings, paid.external_id), promise,
       [paid, promise](const http_response& answer) mutable {
         read_refund(answer);
         promise.deliver(refunded(paid));
       });
}

/// A paid payment that is canceled has gone back: by the first of two calls whose answer was lost, or by hand.
/// Killed after the call was sent: repeated, it is seen to be done.
charge_promise refund(self_pointer self, const refund_charge& order) {
  if (!is_payment_id(order.external_id)) fail(ec::not_found);
  auto promise = self->make_response_promise<charge>();
  call(self, "refund_charge", get_payment(self->state.settings, order.external_id), promise,
       [self, order, promise](const http_response& answer) mutable {
         const auto stands = read_payment(answer);
         if (!stands) integrations::fail_outside(ec::upstream, "the payment to refund is gone");
         if (stands->price != order.amount) fail_not_supported(); // a part
         if (stands->state == charge_state::expired) promise.deliver(refunded(*stands));
         else if (stands->state == charge_state::paid) refund_all(self, *stands, promise);
         else integrations::fail_outside(ec::upstream, "the payment to refund is not paid");
       });
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context,
                                   config::settings::mulenpay_section settings) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  return {
      on([self](const create_charge& order) { return create(self, order); }),
      on([self](const list_charges& query) { return list(self, query); }),
      on([self](const find_charge& query) { return find(self, query); }),
      on([self](const refund_charge& order) { return refund(self, order); }),
      on([](const answer_checkout&) -> done { fail_not_supported(); }),
      on([self](const payment_provider::read_webhook& hook) {
        return mulenpay::read_webhook(hook, self->state.settings.secret_key);
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  const auto& ours = settings.mulenpay;
  if (ours.api_key.empty() || ours.shop_id.empty() || ours.secret_key.empty()) return {};
  return {offered("mulenpay", "MulenPay", "mulenpay", method_kind::card, ours)};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), settings.mulenpay));
}

} // namespace backstay::mulenpay
