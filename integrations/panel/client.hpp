#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/panel/dialect.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace backstay::panel {

using client_actor = panel_actor::extend_with<catalog_actor>::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for, and what it remembers of the panel's version and squads.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "panel";

  config::settings::panel_section settings;
  /// How this panel was spoken to last; doubted after a start, and after whatever may be due to another version.
  const api::dialect* spoken = nullptr;
  bool is_version_doubted = true;
  /// All squads of the panel, which every user gets; none: to be asked for.
  std::optional<api::squad_list> squads;
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
