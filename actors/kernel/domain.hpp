#pragma once

#include "actors/kernel/error.hpp"
#include "actors/kernel/vitals.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace backstay {

/// Marks in `pulse` that a message is being handled and carries out an ordered drill, which may throw.
void begin_message(vitals& pulse);

/// Logs what CAF would print to standard output, and keeps an actor from dying of a stray message.
void install_guard_rails(caf::scheduled_actor* self, vitals_ptr pulse);

/// Turns a lambda over `const Message&` into a handler that is counted, and whose thrown `fault` is an answer.
/// Any other exception ends the actor: its guardian starts a new one, and this asker gets an internal error.
class handler_maker {
public:
  explicit handler_maker(vitals_ptr pulse) : pulse_(std::move(pulse)) {}

  template <class F>
  auto operator()(F f) const {
    return wrap(std::move(f), &F::operator());
  }

private:
  template <class F, class R, class Message>
  auto wrap(F f, R (F::*)(const Message&) const) const {
    return [f = std::move(f), pulse = pulse_](const Message& message) -> caf::result<typename Message::reply> {
      begin_message(*pulse);
      try {
        return f(message);
      } catch (const fault_error& error) {
        return to_error(error.what_failed);
      }
    };
  }

  vitals_ptr pulse_;
};

/// The first line of every domain actor's behaviour.
template <class Self>
handler_maker handlers(Self* self, vitals_ptr pulse) {
  install_guard_rails(self, pulse);
  return handler_maker{std::move(pulse)};
}

/// Asks `target` and goes on with the answer in `then`; a failure, also one thrown by `then`, ends in `promise`.
/// `then` runs in the context of `self`, and only while `self` lives. `deadline` is a duration, or `caf::infinite` for
/// a target that answers whatever happens: a pool.
template <class Self, class Target, class Deadline, class Message, class Promise, class Then>
void ask(Self* self, const Target& target, Deadline deadline, Message message, Promise promise, Then then) {
  self->request(target, deadline, std::move(message))
      .then(
          [promise, then = std::move(then)](typename Message::reply& reply) mutable {
            try {
              then(reply);
            } catch (const fault_error& error) {
              promise.deliver(to_error(error.what_failed));
            }
          },
          [promise](const caf::error& error) mutable { promise.deliver(to_error(describe(error))); });
}

} // namespace backstay
