#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/mail/messages.hpp"

#include <caf/all.hpp>

namespace backstay::mail {

using client_actor = mail_actor::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for. The mail's key makes sending it again harmless.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "mail";

  config::settings::mail_section settings;
};
static_assert(!std::is_aggregate_v<client_state>);

/// Sends by Resend's HTTP API. `settings.url` has no slash at the end.
client_actor::behavior_type client(client_actor::stateful_pointer<client_state> self,
                                   integrations::client_context context, config::settings::mail_section settings);

/// Sends as `settings.transport` says. To be called by a guardian's `child_maker`; understands what `mail_actor` does.
caf::actor spawn_mail(caf::scheduled_actor* parent, integrations::client_context context,
                      config::settings::mail_section settings);

} // namespace backstay::mail
