#include "integrations/yookassa/client.hpp"

#include "integrations/payment/lookups.hpp"
#include "integrations/payment/method.hpp"

#include <algorithm>

namespace backstay::yookassa {

namespace {

using namespace payment_provider;
using integrations::call;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charge_promise = caf::typed_response_promise<charge>;
using charges_promise = caf::typed_response_promise<charge_list>;

/// How far the provider's clock may be behind ours.
constexpr std::chrono::minutes clock_difference{10};
/// A search beyond that many pages is a mistake in `since`, or the provider repeats itself.
constexpr int most_pages = 100;

/// Killed after the call was sent: the repeated call is answered with the same payment.
charge_promise create(self_pointer self, const create_charge& order) {
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", create_payment(self->state.at, order), promise,
       [self, order, promise](const http_response& answer) mutable {
         promise.deliver(read_created(self->state.at, order, answer));
       });
  return promise;
}

charges_promise list(self_pointer self, const list_charges& query) {
  std::vector<std::string> ids;
  std::copy_if(query.external_ids.begin(), query.external_ids.end(), std::back_inserter(ids), is_payment_id);
  return look_up_each(
      self, std::move(ids), [self](const std::string& id) { return get_payment(self->state.at, id); },
      [self](const http_response& answer) { return read_payment(self->state.at, answer); });
}

void search(self_pointer self, const find_charge& query, const std::string& cursor, int pages, charge_list found,
            charges_promise promise) {
  if (pages == most_pages) integrations::fail_outside(ec::upstream, "too many payments to search");
  const auto since = query.since - clock_difference;
  call(self, "find_charge", list_payments(self->state.at, since, cursor), promise,
       [=](const http_response& answer) mutable {
         auto page = read_page(self->state.at, answer);
         for (auto& each : page.charges)
           if (each.payment == query.payment) found.items.push_back(std::move(each));
         if (page.next.empty()) promise.deliver(std::move(found));
         else search(self, query, page.next, pages + 1, std::move(found), promise);
       });
}

charges_promise find(self_pointer self, const find_charge& query) {
  auto promise = self->make_response_promise<charge_list>();
  search(self, query, {}, 0, {}, promise);
  return promise;
}

void get_refunded(self_pointer self, const std::string& id, charge_promise promise) {
  call(self, "refund_charge", get_payment(self->state.at, id), promise,
       [self, promise](const http_response& answer) mutable {
         auto stands = read_payment(self->state.at, answer);
         if (!stands) integrations::fail_outside(ec::upstream, "the refunded payment is gone");
         promise.deliver(std::move(*stands));
       });
}

/// Killed after the call was sent, or the second call fails: repeated, it is the same refund.
charge_promise refund(self_pointer self, const refund_charge& order) {
  if (!is_payment_id(order.external_id)) fail(ec::not_found);
  auto promise = self->make_response_promise<charge>();
  call(self, "refund_charge", create_refund(self->state.at, order), promise,
       [self, id = order.external_id, promise](const http_response& answer) {
         read_refund(answer);
         get_refunded(self, id, promise);
       });
  return promise;
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
      on([self](const refund_charge& order) { return refund(self, order); }),
      on([](const answer_checkout&) -> done { fail_not_supported(); }),
      on([self](const payment_provider::read_webhook& hook) { return yookassa::read_webhook(self->state.at, hook); }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  const auto& ours = settings.yookassa;
  if (ours.shop_id.empty() || ours.secret_key.empty()) return {};
  auto card = offered("yookassa_card", "Bank card", "yookassa", method_kind::card, ours);
  card.saves = true;
  return {card, offered("yookassa_sbp", "SBP", "yookassa", method_kind::bank, ours)};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  shop at{settings.yookassa, config::networks{settings.yookassa.networks}, !settings.in_production()};
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), std::move(at)));
}

} // namespace backstay::yookassa
