#pragma once

#include "actors/kernel/domain.hpp"
#include "actors/kernel/message.hpp"
#include "http/kernel/exchange.hpp"

#include <caf/all.hpp>

#include <deque>
#include <functional>

namespace backstay::http {

template <class T>
void admitted(const T&);

/// Looks for exchanges past their deadline.
struct sweep {};

/// Holds exchanges whose message is with a domain; no domain state. Its sweep is the deadline of every exchange, which
/// stands in for CAF's own timeouts at a fraction of their price.
struct gateway_state {
  gateway_state() = default;
  static inline constexpr auto name = "gateway";

  std::chrono::milliseconds deadline{5000};
  struct waiting {
    caf::actor_clock::time_point until;
    std::weak_ptr<exchange> whose;
  };
  std::deque<waiting> open; ///< in order, since all wait equally long
};

using gateway_pointer = caf::stateful_actor<gateway_state>*;

/// Something to do in a gateway's context.
struct gateway_call {
  std::function<void(gateway_pointer)> run;
};

caf::behavior behave_as_gateway(gateway_pointer self, std::chrono::milliseconds deadline);

/// The way from the HTTP thread to the domains.
class gateway {
public:
  gateway() = default;
  explicit gateway(caf::actor entry) : entry_(std::move(entry)) {}

  /// Asks `domain`, and runs `then` with its answer in the gateway's context; a failure is the exchange's answer, and
  /// so is silence beyond the deadline.
  template <class Actor, class Message, class Then>
  void ask(exchange_ptr x, const Actor& domain, Message message, Then then) const {
    caf::anon_send(entry_, gateway_call{[x = std::move(x), domain, message = std::move(message),
                                         then = std::move(then)](gateway_pointer self) mutable {
                     keep(self, x);
                     x->set_handed_over();
                     self->request(domain, caf::infinite, std::move(message))
                         .then([x, then = std::move(then)](typename Message::reply& reply) { then(*x, reply); },
                               [x](const caf::error& error) { x->fail(describe(error)); });
                   }});
  }

  /// Asks without an exchange; `then` and `otherwise` run in the gateway's context.
  template <class Actor, class Message, class Then, class Otherwise>
  void ask_aside(const Actor& domain, Message message, Then then, Otherwise otherwise) const {
    caf::anon_send(entry_, gateway_call{[domain, message = std::move(message), then = std::move(then),
                                         otherwise = std::move(otherwise)](gateway_pointer self) mutable {
                     self->request(domain, std::chrono::seconds{5}, std::move(message))
                         .then([then = std::move(then)](typename Message::reply& reply) mutable { then(reply); },
                               [otherwise = std::move(otherwise)](const caf::error& error) mutable {
                                 otherwise(describe(error));
                               });
                   }});
  }

private:
  static void keep(gateway_pointer self, const exchange_ptr& x);

  caf::actor entry_;
};

} // namespace backstay::http
