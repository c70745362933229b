#include "integrations/stars/client.hpp"

#include "integrations/payment/method.hpp"

#include <algorithm>
#include <iterator>

namespace backstay::stars {

namespace {

using namespace payment_provider;
using integrations::call;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charge_promise = caf::typed_response_promise<charge>;
using charges_promise = caf::typed_response_promise<charge_list>;

// ---- Reading what was paid

void read_page(self_pointer self);

/// One reading serves all who had asked when it began.
void begin_reading(self_pointer self) {
  auto& state = self->state;
  if (!state.served.empty() || state.waiting.empty()) return;
  state.served.swap(state.waiting);
  read_page(self);
}

void end_reading(self_pointer self, const caf::error& failure) {
  for (auto& reader : std::exchange(self->state.served, {})) reader(failure);
  begin_reading(self);
}

/// Stands in for the promises of all who are served.
struct readers {
  self_pointer self;
  void deliver(const caf::error& failure) const { end_reading(self, failure); }
};

void read_page(self_pointer self) {
  auto& state = self->state;
  call(self, "get_transactions", get_transactions(state.settings, state.paid.next_offset()), readers{self},
       [self](const http_response& answer) {
         if (self->state.paid.add(read_transactions(answer))) end_reading(self, {});
         else read_page(self);
       });
}

/// Goes on with `then()` once the book has everything that was paid before.
template <class Promise, class Then>
void with_book(self_pointer self, Promise promise, Then then) {
  self->state.waiting.push_back([promise, then](const caf::error& failure) mutable {
    if (failure) return promise.deliver(failure), void();
    try {
      then();
    } catch (const fault_error& error) {
      promise.deliver(to_error(error.what_failed));
    }
  });
  begin_reading(self);
}

// ---- Answering

/// Killed after the call was sent: Telegram may have made a link that no buyer has seen; nothing is kept of it there.
charge_promise create(self_pointer self, const create_charge& order) {
  if (!order.saved_method.empty()) fail_not_supported();
  auto request = create_invoice_link(self->state.settings, order); // may refuse: nobody would hear that from a promise
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", std::move(request), promise, [promise, order](const http_response& answer) mutable {
    promise.deliver(charge{.external_id = to_string(order.payment),
                           .payment = order.payment,
                           .price = order.price,
                           .url = read_link(answer)});
  });
  return promise;
}

/// What has not been paid yet is not known to Telegram. What was paid twice shows both payments under the first one's
/// name: whoever only polls hears of the second, too.
charges_promise list(self_pointer self, const list_charges& query) {
  auto promise = self->make_response_promise<charge_list>();
  with_book(self, promise, [self, query, promise]() mutable {
    charge_list found;
    for (auto& id : query.external_ids) {
      auto known = self->state.paid.list(id);
      std::move(known.begin(), known.end(), std::back_inserter(found.items));
    }
    promise.deliver(std::move(found));
  });
  return promise;
}

charges_promise find(self_pointer self, const find_charge& query) {
  auto promise = self->make_response_promise<charge_list>();
  with_book(self, promise, [self, payment = query.payment, promise]() mutable {
    promise.deliver(charge_list{self->state.paid.list(to_string(payment))});
  });
  return promise;
}

/// Killed after the call was sent: a repetition finds the refund in the book, or Telegram says that it is made.
void give_back(self_pointer self, const sale& paid, charge seen, charge_promise promise) {
  call(self, "refund_charge", refund_payment(self->state.settings, paid), promise,
       [promise, seen = std::move(seen)](const http_response& answer) mutable {
         read_refunded(answer);
         seen.state = charge_state::refunded;
         seen.refunded = seen.price.minor;
         promise.deliver(std::move(seen));
       });
}

charge_promise refund(self_pointer self, const refund_charge& order) {
  auto promise = self->make_response_promise<charge>();
  with_book(self, promise, [self, order, promise]() mutable {
    const auto* paid = self->state.paid.find(order.external_id);
    if (!paid) fail(ec::refused, "Nothing was paid to Telegram for this", "NOT_PAID");
    auto seen = self->state.paid.show(*paid);
    if (seen.state == charge_state::refunded) return promise.deliver(std::move(seen)), void();
    if (order.amount != seen.price) fail(ec::refused, "Stars are only refunded as a whole", "NOT_SUPPORTED");
    give_back(self, *paid, std::move(seen), promise);
  });
  return promise;
}

caf::typed_response_promise<done> answer(self_pointer self, const answer_checkout& what) {
  auto promise = self->make_response_promise<done>();
  call(self, "answer_checkout", answer_query(self->state.settings, what), promise,
       [promise](const http_response& heard) mutable {
         read_answered(heard);
         promise.deliver(done{});
       });
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context, stars::settings settings) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  return {
      on([self](const create_charge& order) { return create(self, order); }),
      on([self](const list_charges& query) { return list(self, query); }),
      on([self](const find_charge& query) { return find(self, query); }),
      on([self](const refund_charge& order) { return refund(self, order); }),
      on([self](const answer_checkout& what) { return answer(self, what); }),
      on([self](const payment_provider::read_webhook& hook) {
        return stars::read_webhook(hook, self->state.settings.webhook_secret);
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  if (settings.telegram.bot_token.empty()) return {};
  auto stars = offered("telegram_stars", "Telegram Stars", "stars", method_kind::stars, settings.stars);
  stars.enabled = stars.enabled && !settings.stars.webhook_secret.empty();
  return {stars};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  return caf::actor_cast<caf::actor>(
      parent->spawn(client, std::move(context), stars::settings{settings.stars, settings.telegram.bot_token}));
}

} // namespace backstay::stars
