#include "integrations/heleket/client.hpp"

#include "integrations/payment/lookups.hpp"
#include "integrations/payment/method.hpp"

#include <algorithm>

namespace backstay::heleket {

namespace {

using namespace payment_provider;
using integrations::call;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charges_promise = caf::typed_response_promise<charge_list>;

/// Killed after the call was sent: the repeated call is answered with the same invoice.
caf::typed_response_promise<charge> create(self_pointer self, const create_charge& order) {
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", create_invoice(self->state.at, order), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_created(answer)); });
  return promise;
}

charges_promise list(self_pointer self, const list_charges& query) {
  std::vector<std::string> ids;
  std::copy_if(query.external_ids.begin(), query.external_ids.end(), std::back_inserter(ids), is_invoice_id);
  return look_up_each(
      self, std::move(ids), [self](const std::string& id) { return get_invoice(self->state.at, id); }, read_invoice);
}

charges_promise find(self_pointer self, const find_charge& query) {
  auto promise = self->make_response_promise<charge_list>();
  call(self, "find_charge", get_invoice(self->state.at, query.payment), promise,
       [promise, ours = query.payment](const http_response& answer) mutable {
         charge_list found;
         if (auto one = read_invoice(answer); one && one->payment == ours) found.items.push_back(std::move(*one));
         promise.deliver(std::move(found));
       });
  return promise;
}

/// Where webhooks come in, as `http/mobile/payments.cpp` serves it.
std::string callback_url(const std::string& public_url) {
  if (public_url.empty()) return {};
  return public_url + (public_url.ends_with('/') ? "" : "/") + "api/v1/webhooks/heleket";
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context, shop at) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.at = std::move(at);
  return {
      on([self](const create_charge& order) { return create(self, order); }),
      on([self](const list_charges& query) { return list(self, query); }),
      on([self](const find_charge& query) { return find(self, query); }),
      // It wants the buyer's address, and the key for payouts. Where a payment came from may be an exchange's wallet,
      // and the money would be lost there; a person asks the buyer, and refunds by Heleket's own pages.
      on([](const refund_charge&) -> charge { fail_not_supported(); }),
      on([](const answer_checkout&) -> done { fail_not_supported(); }),
      on([self](const payment_provider::read_webhook& hook) {
        return heleket::read_webhook(hook, self->state.at.settings.api_key);
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  const auto& ours = settings.heleket;
  if (ours.merchant.empty() || ours.api_key.empty()) return {};
  return {offered("heleket", "Heleket", "heleket", method_kind::crypto, ours)};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  shop at{settings.heleket, callback_url(settings.http.public_url)};
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), std::move(at)));
}

} // namespace backstay::heleket
