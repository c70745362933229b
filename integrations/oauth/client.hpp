#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/oauth/messages.hpp"

#include <caf/all.hpp>

namespace backstay::oauth {

using client_actor = oauth_actor::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for. A code that was traded then is used up, and its owner signs in
/// at the provider again.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "oauth";

  config::settings::providers_section clients;
};
static_assert(!std::is_aggregate_v<client_state>);

/// Speaks to all providers; `clients` says who we are to each.
client_actor::behavior_type behave_as_client(client_actor::stateful_pointer<client_state> self,
                                             integrations::client_context context,
                                             config::settings::providers_section clients);

/// To be called by a guardian's `child_maker`; understands what `oauth_actor` does.
caf::actor spawn_oauth(caf::scheduled_actor* parent, integrations::client_context context,
                       config::settings::providers_section clients);

} // namespace backstay::oauth
