#pragma once

#include "actors/kernel/message.hpp"

#include <caf/typed_actor.hpp>

#include <chrono>
#include <cstdint>

namespace backstay::outbox {

template <class T>
void admitted(const T&);

struct backlog_view {
  std::int64_t waiting = 0, dead = 0;
  std::chrono::seconds lag{0}; ///< how long the oldest due entry has been due
};

struct get_backlog {
  using reply = backlog_view;
};

/// There may be work: look now instead of at the next tick.
struct wake {
  using reply = done;
};

using outbox_actor = caf::typed_actor<answers<get_backlog>, answers<wake>>;

} // namespace backstay::outbox
