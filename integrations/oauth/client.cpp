#include "integrations/oauth/client.hpp"

#include "integrations/oauth/dialect.hpp"

namespace backstay::oauth {

namespace {

using integrations::call;
using self_pointer = client_actor::stateful_pointer<client_state>;
using promise = caf::typed_response_promise<person>;

/// Reads the pages that are still missing, one after the other.
void go_on(self_pointer self, const round_trip& trip, const json& tokens, std::vector<json> pages, promise answer) {
  const auto& ours = client_of(self->state.clients, trip.provider);
  const auto next = pages.size();
  if (next == count_pages(trip.provider))
    return void(answer.deliver(read_person(ours, trip, tokens, pages, self->state.context.clock->now())));
  call(self, "read_person", page_request(ours, trip.provider, next, tokens), answer,
       [=](const http_response& page) mutable {
         pages.push_back(read_page(trip.provider, next, page));
         go_on(self, trip, tokens, std::move(pages), answer);
       });
}

/// Killed after the code was sent: it is used up, and its owner begins anew.
promise trade(self_pointer self, const identify& order) {
  const auto& ours = client_of(self->state.clients, order.trip.provider); // may throw, hence before the promise
  auto answer = self->make_response_promise<person>();
  call(self, "trade_code", token_request(ours, order.trip, order.code), answer,
       [=, trip = order.trip](const http_response& tokens) { go_on(self, trip, read_tokens(tokens), {}, answer); });
  return answer;
}

} // namespace

client_actor::behavior_type behave_as_client(self_pointer self, integrations::client_context context,
                                             config::settings::providers_section clients) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.clients = std::move(clients);
  return {
      on([self](const get_authorize_url& m) {
        return address{authorize_url(client_of(self->state.clients, m.trip.provider), m.trip, m.state)};
      }),
      on([self](const identify& order) { return trade(self, order); }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

caf::actor spawn_oauth(caf::scheduled_actor* parent, integrations::client_context context,
                       config::settings::providers_section clients) {
  return caf::actor_cast<caf::actor>(parent->spawn(behave_as_client, std::move(context), std::move(clients)));
}

} // namespace backstay::oauth
