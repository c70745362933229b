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

/// Whether the typed actor `Actor` has a line for `Message`.
template <class Actor, class Message>
concept handles = caf::response_type_unbox<caf::signatures_of_t<Actor>, caf::detail::type_list<Message>>::valid;

/// The way from the HTTP thread to the domains. What depends on the type of the domain ends here: below, only the
/// reply's type is known, which spares the compiler most of its work.
class gateway {
public:
  gateway() = default;
  explicit gateway(caf::actor entry) : entry_(std::move(entry)) {}

  /// Asks `domain`, and runs `then(exchange&, reply&)` with its answer in the gateway's context; a failure is the
  /// exchange's answer, and so is silence beyond the deadline.
  template <class Actor, class Message, class Then>
  requires handles<Actor, Message>
  void ask(exchange_ptr x, const Actor& domain, Message message, Then then) const {
    ask_for<typename Message::reply>(std::move(x), caf::actor_cast<caf::actor>(domain),
                                     caf::make_message(std::move(message)), std::move(then));
  }

  /// The same for who knows already that `domain` answers `question` with a `Reply`.
  template <class Reply>
  void ask_for(exchange_ptr x, caf::actor domain, caf::message question,
               std::function<void(exchange&, Reply&)> then) const {
    run([x = std::move(x), domain = std::move(domain), question = std::move(question),
         then = std::move(then)](gateway_pointer self) mutable {
      keep(self, x);
      x->set_handed_over();
      self->request(domain, caf::infinite, std::move(question))
          .then([x, then = std::move(then)](Reply& reply) { then(*x, reply); },
                [x](const caf::error& error) { x->fail(describe(error)); });
    });
  }

  /// Asks without an exchange; `then(reply&)` and `otherwise(const fault&)` run in the gateway's context.
  template <class Actor, class Message, class Then, class Otherwise>
  requires handles<Actor, Message>
  void ask_aside(const Actor& domain, Message message, Then then, Otherwise otherwise) const {
    run([domain = caf::actor_cast<caf::actor>(domain), question = caf::make_message(std::move(message)),
         then = std::move(then), otherwise = std::move(otherwise)](gateway_pointer self) mutable {
      self->request(domain, std::chrono::seconds{5}, std::move(question))
          .then([then = std::move(then)](typename Message::reply& reply) mutable { then(reply); },
                [otherwise = std::move(otherwise)](const caf::error& error) mutable { otherwise(describe(error)); });
    });
  }

private:
  void run(std::function<void(gateway_pointer)> call) const { caf::anon_send(entry_, gateway_call{std::move(call)}); }
  static void keep(gateway_pointer self, const exchange_ptr& x);

  caf::actor entry_;
};

} // namespace backstay::http
