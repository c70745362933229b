#pragma once

#include "actors/kernel/vitals.hpp"

#include <caf/all.hpp>

#include <functional>
#include <string>
#include <vector>

namespace backstay::persistence {

/// One NOTIFY of PostgreSQL, from this or another node.
struct notice {
  std::string channel, payload;
  bool operator==(const notice&) const = default;
};

struct listener_options {
  std::string url;
  std::vector<std::string> channels; ///< names as in `transaction::notify`
};

/// Called on the listener's thread, one at a time: they must not block; to send a message to an actor is what they do.
struct listener_sinks {
  std::function<void(const notice&)> on_notice;
  /// From now on every notice is heard. Whatever was announced before was not: look for yourself.
  std::function<void()> on_listening;
  /// Notices may be lost from now on, until `on_listening`. Comes within 2 s of the loss, and when the listener ends.
  /// A listener that does not listen yet says nothing.
  std::function<void()> on_deaf;
};

/// Hears the channels over a connection of its own, on a thread of its own, to be run under a guardian. It connects
/// again by itself, after 0.25 s, later each second; told to exit, it does so within 200 ms, while it connects 2 s.
caf::actor spawn_listener(caf::scheduled_actor* parent, vitals_ptr pulse, listener_options options,
                          listener_sinks sinks);

} // namespace backstay::persistence
