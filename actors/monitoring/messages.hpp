#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/live/messages.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/typed_actor.hpp>

#include <vector>

/// The state of the VPN nodes: polled from the panel, hurried by hints, told to the hub when it changes.
namespace backstay::monitoring {

template <class T>
void admitted(const T&);

struct server {
  panel::node node;
  live::server_status status = live::server_status::offline;
  timestamp checked_at;
};

struct server_list {
  std::vector<server> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// Errors: `unavailable` when the panel was never reached; later the last known state is served.
struct list_servers {
  using reply = server_list;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

/// Errors: `not_found`, `unavailable`.
struct get_server {
  using reply = server;
  node_id id;
};

/// Something changed: ask the panel now.
struct look_again {
  using reply = done;
};

using monitoring_actor = caf::typed_actor<answers<list_servers>, answers<get_server>, answers<look_again>>;

} // namespace backstay::monitoring
