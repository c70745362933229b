#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace backstay::panel {

using client_actor = panel_actor::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for, and what it remembers of the squads.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "panel";

  config::settings::panel_section settings;
  /// All squads of the panel, which every user gets; none: to be asked for.
  std::optional<std::vector<std::string>> squads;
  std::chrono::steady_clock::time_point squads_read_at;
};
static_assert(!std::is_aggregate_v<client_state>);

/// `settings.url` is the panel's address without `/api` and without a slash at the end.
client_actor::behavior_type client(client_actor::stateful_pointer<client_state> self,
                                   integrations::client_context context, config::settings::panel_section settings);

/// To be called by a guardian's `child_maker`; understands what `panel_actor` does.
caf::actor spawn_panel(caf::scheduled_actor* parent, integrations::client_context context,
                       config::settings::panel_section settings);

} // namespace backstay::panel
