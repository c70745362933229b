#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/replies_to.hpp>

#include <type_traits>

/// What travels between actors: small structs that are declared in a `messages.hpp`.
///
/// A namespace admits its structs to messages by one line, found by argument-dependent lookup:
///
///     template <class T> void admitted(const T&);
///
/// A command or query names its answer as `using reply = …`. Messages never leave the process, so they need
/// no serialization and may hold `std::optional`, secrets or functions.
namespace backstay {

template <class T>
concept admitted_message = std::is_class_v<T> && requires(const T& value) {
  admitted(value);
};

/// One line of a typed actor's interface: it answers `Message` with `Message::reply`.
template <class Message>
using answers = typename caf::replies_to<Message>::template with<typename Message::reply>;

/// The answer of a command that has nothing to tell.
struct done {
  bool operator==(const done&) const = default;
};

template <class T>
void admitted(const T&);

} // namespace backstay

namespace caf {
template <backstay::admitted_message T>
struct allowed_unsafe_message_type<T> : std::true_type {};
} // namespace caf
