#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/payment/messages.hpp"
#include "integrations/tribute/dialect.hpp"

#include <caf/all.hpp>

#include <vector>

namespace backstay::tribute {

/// Loses nothing with a crash.
struct client_state {
  client_state() = default;
  static inline constexpr auto name = "tribute";

  tribute::settings settings;
};
static_assert(!std::is_aggregate_v<client_state>);

/// Talks to nobody: it only knows where to donate, and what Tribute says of it.
payment_provider::provider_actor::behavior_type
client(payment_provider::provider_actor::stateful_pointer<client_state> self, vitals_ptr pulse, settings settings);

/// See `payment_provider::registration`. Without an address to donate at, the method is switched off.
std::vector<payment_provider::method> methods(const config::settings& settings);
caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings);

} // namespace backstay::tribute
