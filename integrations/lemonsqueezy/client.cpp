#include "integrations/lemonsqueezy/client.hpp"

#include "integrations/call_each.hpp"
#include "integrations/lemonsqueezy/dialect.hpp"
#include "integrations/lemonsqueezy/recurring.hpp"
#include "integrations/payment/method.hpp"

#include <algorithm>

namespace backstay::lemonsqueezy {

namespace {

using namespace payment_provider;
using integrations::call;
using integrations::call_each;

using self_pointer = client_actor::stateful_pointer<client_state>;
using charge_promise = caf::typed_response_promise<charge>;
using charges_promise = caf::typed_response_promise<charge_list>;
using subscription_promise = caf::typed_response_promise<recurring_subscription>;
using answers = std::vector<http_response>;
using continuation = std::function<void(std::vector<charge>)>;

/// How far the provider's clock may be behind ours.
constexpr std::chrono::minutes clock_difference{10};
/// A search beyond that many pages is a mistake in its beginning, or the provider repeats itself.
constexpr std::size_t most_pages = 50;

timestamp now(self_pointer self) { return self->state.context.clock->now(); }

// ---- Single payments

/// Killed after the call was sent: the provider may keep a checkout that no buyer has seen; it expires unpaid.
charge_promise create(self_pointer self, const create_charge& order) {
  auto promise = self->make_response_promise<charge>();
  call(self, "create_charge", create_checkout(self->state.settings, order, now(self)), promise,
       [=](const http_response& answer) mutable {
         promise.deliver(read_created(self->state.settings, answer, now(self)).shown);
       });
  return promise;
}

/// One of the lists that are read page by page.
struct listing {
  http_request (*ask)(const settings&, std::size_t);
  page (*read)(self_pointer, const http_response&);
};
constexpr listing checkouts{get_checkouts, [](self_pointer self, const http_response& answer) {
                              return read_checkouts(self->state.settings, answer, now(self));
                            }};
constexpr listing orders{get_orders, [](self_pointer, const http_response& answer) { return read_orders(answer); }};

/// All of a list back to `since`, one page after the other. What is made meanwhile moves the others towards later
/// pages, so that one may be seen twice, but none is missed.
void read_back(self_pointer self, listing of, timestamp since, std::size_t number, std::vector<charge> found,
               charges_promise promise, continuation then) {
  if (number > most_pages) integrations::fail_outside(ec::upstream, "too many pages to search");
  call(self, "search", of.ask(self->state.settings, number), promise, [=](const http_response& answer) mutable {
    const auto read = of.read(self, answer);
    found.insert(found.end(), read.charges.begin(), read.charges.end());
    const bool is_last = read.size < page_size || *read.oldest < since - clock_difference;
    if (is_last) then(std::move(found));
    else read_back(self, of, since, number + 1, std::move(found), promise, then);
  });
}

void add_once(charge_list& list, const charge& one) {
  const auto is_same = [&](const charge& other) { return other.external_id == one.external_id; };
  if (std::none_of(list.items.begin(), list.items.end(), is_same)) list.items.push_back(one);
}

void add_matches(charge_list& list, const std::vector<charge>& candidates, const payment_id& payment) {
  for (const auto& candidate : candidates)
    if (candidate.payment == payment) add_once(list, candidate);
}

/// The order that was bought in the checkout that carries our id, or else that checkout.
charges_promise find(self_pointer self, const find_charge& query) {
  auto promise = self->make_response_promise<charge_list>();
  read_back(self, checkouts, query.since, 1, {}, promise, [=](const std::vector<charge>& made) mutable {
    charge_list asked;
    add_matches(asked, made, query.payment);
    if (asked.items.empty()) return void(promise.deliver(charge_list{}));
    read_back(self, orders, query.since, 1, {}, promise, [=](const std::vector<charge>& all) mutable {
      charge_list bought;
      add_matches(bought, all, query.payment);
      promise.deliver(bought.items.empty() ? asked : bought);
    });
  });
  return promise;
}

/// A checkout that was bought in goes by its order.
void add_orders(self_pointer self, const std::vector<checkout_sight>& seen, charge_list found,
                charges_promise promise) {
  if (seen.empty()) return void(promise.deliver(std::move(found)));
  const auto oldest = std::min_element(seen.begin(), seen.end(),
                                       [](const auto& a, const auto& b) { return a.created_at < b.created_at; });
  read_back(self, orders, oldest->created_at, 1, {}, promise, [=](const std::vector<charge>& bought) mutable {
    for (const auto& checkout : seen) {
      charge_list matches;
      if (checkout.shown.payment) add_matches(matches, bought, *checkout.shown.payment);
      if (matches.items.empty()) found.items.push_back(checkout.shown);
      for (const auto& order : matches.items) add_once(found, order);
    }
    promise.deliver(std::move(found));
  });
}

charges_promise list(self_pointer self, const list_charges& query) {
  auto promise = self->make_response_promise<charge_list>();
  std::vector<http_request> requests;
  std::vector<bool> is_order;
  for (const auto& id : query.external_ids) {
    auto order = get_order(self->state.settings, id);
    auto request = order ? order : get_checkout(self->state.settings, id);
    if (!request) continue;
    requests.push_back(std::move(*request));
    is_order.push_back(order.has_value());
  }
  if (requests.empty()) return promise.deliver(charge_list{});
  call_each(self, "list_charges", std::move(requests), promise, [=](const answers& all) {
    charge_list found;
    std::vector<checkout_sight> seen;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (is_order[i]) {
        if (auto order = read_order(all[i])) add_once(found, *order);
      } else if (auto checkout = read_checkout(self->state.settings, all[i], now(self))) {
        seen.push_back(std::move(*checkout));
      }
    add_orders(self, seen, std::move(found), promise);
  });
  return promise;
}

/// The API has no key for repetitions, so the order is looked at first.
/// Killed between the calls: nothing was given back. Killed after: a repetition sees what was.
charge_promise refund(self_pointer self, const refund_charge& order) {
  auto request = get_order(self->state.settings, order.external_id);
  if (!request) fail(ec::not_found);
  auto promise = self->make_response_promise<charge>();
  call(self, "refund_charge", std::move(*request), promise, [=](const http_response& answer) mutable {
    const auto paid = read_order(answer);
    if (!paid) fail(ec::not_found);
    if (paid->refunded >= order.amount.minor) return void(promise.deliver(*paid));
    call(self, "refund_charge", create_refund(self->state.settings, order, *paid), promise,
         [=](const http_response& refunded) mutable {
           const auto seen = read_order(refunded);
           if (!seen) fail(ec::not_found);
           promise.deliver(*seen);
         });
  });
  return promise;
}

// ---- Subscriptions

auto begin(self_pointer self, const payment_provider::begin_subscription& order) {
  auto promise = self->make_response_promise<subscription_checkout>();
  call(self, "begin_subscription", lemonsqueezy::begin_subscription(self->state.settings, order), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_begun(answer)); });
  return promise;
}

subscription_promise ask_about(self_pointer self, const char* what, http_request request) {
  auto promise = self->make_response_promise<recurring_subscription>();
  call(self, what, std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_subscription(answer)); });
  return promise;
}

subscription_promise look_up(self_pointer self, const payment_provider::get_subscription& query) {
  return ask_about(self, "get_subscription", lemonsqueezy::get_subscription(self->state.settings, query.external_id));
}

/// Sends `next` unless `is_done` with the subscription as it stands.
template <class Done>
subscription_promise modify(self_pointer self, const char* what, const std::string& id, http_request next,
                            Done is_done) {
  auto promise = self->make_response_promise<recurring_subscription>();
  call(self, what, lemonsqueezy::get_subscription(self->state.settings, id), promise,
       [=](const http_response& answer) mutable {
         const auto seen = read_subscription(answer);
         if (is_done(seen)) return void(promise.deliver(seen));
         call(self, what, next, promise,
              [promise](const http_response& changed) mutable { promise.deliver(read_subscription(changed)); });
       });
  return promise;
}

subscription_promise change(self_pointer self, const payment_provider::change_subscription& order) {
  return modify(self, "change_subscription", order.external_id,
                lemonsqueezy::change_subscription(self->state.settings, order),
                [plan = order.plan](const recurring_subscription& seen) { return seen.plan == plan; });
}

subscription_promise cancel(self_pointer self, const payment_provider::cancel_subscription& order) {
  if (order.at_once) fail_not_supported();
  return modify(self, "cancel_subscription", order.external_id,
                lemonsqueezy::cancel_subscription(self->state.settings, order.external_id),
                [](const recurring_subscription& seen) {
                  return seen.ends_at.has_value() || seen.state == recurring_state::ended;
                });
}

auto open(self_pointer self, const payment_provider::open_portal& order) {
  auto request = get_customer(self->state.settings, order.customer);
  auto promise = self->make_response_promise<portal>();
  call(self, "open_portal", std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_portal(answer)); });
  return promise;
}

auto list_bills(self_pointer self, const payment_provider::list_invoices& query) {
  auto request = lemonsqueezy::list_invoices(self->state.settings, query);
  auto promise = self->make_response_promise<invoice_list>();
  call(self, "list_invoices", std::move(request), promise,
       [promise](const http_response& answer) mutable { promise.deliver(read_invoices(answer)); });
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context,
                                   config::settings::lemonsqueezy_section settings) {
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
        return lemonsqueezy::read_webhook(hook, self->state.settings.webhook_secret);
      }),
      on([self](const payment_provider::begin_subscription& order) { return begin(self, order); }),
      on([self](const payment_provider::get_subscription& query) { return look_up(self, query); }),
      on([self](const payment_provider::change_subscription& order) { return change(self, order); }),
      on([self](const payment_provider::cancel_subscription& order) { return cancel(self, order); }),
      on([self](const payment_provider::open_portal& order) { return open(self, order); }),
      on([self](const payment_provider::list_invoices& query) { return list_bills(self, query); }),
      on([self](const payment_provider::read_recurring& query) {
        return lemonsqueezy::read_recurring(query.hook, self->state.settings.webhook_secret);
      }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

std::vector<method> methods(const config::settings& settings) {
  if (settings.lemonsqueezy.api_key.empty()) return {};
  return {offered("lemonsqueezy", "Card or PayPal (Lemon Squeezy)", "lemonsqueezy", method_kind::card,
                  settings.lemonsqueezy)};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), settings.lemonsqueezy));
}

} // namespace backstay::lemonsqueezy
