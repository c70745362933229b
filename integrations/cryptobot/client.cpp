#include "integrations/cryptobot/client.hpp"

#include "integrations/cryptobot/dialect.hpp"
#include "integrations/payment/method.hpp"

#include <algorithm>

namespace backstay::cryptobot {

namespace {

using namespace payment_provider;
using integrations::call;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charges_promise = caf::typed_response_promise<charge_list>;

/// How far the provider's clock may be behind ours.
constexpr std::chrono::minutes clock_difference{10};
/// A search beyond that many invoices is a mistake in `since`, or the provider repeats itself.
constexpr std::size_t longest_search = 50 * page_size;

/// Killed after the call was sent: the provider may keep an invoice that no buyer has seen; it expires unpaid.
caf::typed_response_promise<charge> create(self_pointer self, const create_charge& order) {
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", create_invoice(self->state.settings, order), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_created(answer)); });
  return promise;
}

charges_promise list(self_pointer self, const list_charges& query) {
  auto promise = self->make_response_promise<charge_list>();
  auto request = get_invoices(self->state.settings, query.external_ids);
  if (!request) promise.deliver(charge_list{});
  else
    call(self, "list_charges", std::move(*request), promise,
         [promise](const http_response& answer) mutable { promise.deliver(charge_list{read_page(answer).charges}); });
  return promise;
}

void add_matches(charge_list& found, std::vector<charge> candidates, const payment_id& payment) {
  for (auto& candidate : candidates) {
    const auto is_same = [&](const charge& other) { return other.external_id == candidate.external_id; };
    if (candidate.payment == payment && std::none_of(found.items.begin(), found.items.end(), is_same))
      found.items.push_back(std::move(candidate));
  }
}

/// One page after the other. An invoice that is made meanwhile moves the others towards later pages, so that one may
/// be seen twice, but none is missed.
void search(self_pointer self, const find_charge& query, std::size_t offset, charge_list found,
            charges_promise promise) {
  if (offset >= longest_search) integrations::fail_outside(ec::upstream, "too many invoices to search");
  call(self, "find_charge", get_page(self->state.settings, offset), promise, [=](const http_response& answer) mutable {
    auto page = read_page(answer);
    add_matches(found, std::move(page.charges), query.payment);
    const bool is_last = page.size < page_size || *page.newest < query.since - clock_difference;
    if (is_last) promise.deliver(std::move(found));
    else search(self, query, offset + page.size, std::move(found), promise);
  });
}

charges_promise find(self_pointer self, const find_charge& query) {
  auto promise = self->make_response_promise<charge_list>();
  search(self, query, 0, {}, promise);
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context,
                                   config::settings::cryptobot_section settings) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  return {
      on([self](const create_charge& order) { return create(self, order); }),
      on([self](const list_charges& query) { return list(self, query); }),
      on([self](const find_charge& query) { return find(self, query); }),
      // Crypto Pay moves no money back: what it paid out is ours to send.
      on([](const refund_charge&) -> charge { fail_not_supported(); }),
      on([](const answer_checkout&) -> done { fail_not_supported(); }),
      on([self](const payment_provider::read_webhook& hook) {
        return cryptobot::read_webhook(hook, self->state.settings.token);
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  if (settings.cryptobot.token.empty()) return {};
  return {offered("crypto_bot", "CryptoBot", "cryptobot", method_kind::crypto, settings.cryptobot)};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), settings.cryptobot));
}

} // namespace backstay::cryptobot
