#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/payment/messages.hpp"

#include <caf/all.hpp>

#include <vector>

namespace backstay::mulenpay {

using client_actor = payment_provider::provider_actor::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for. A payment may then exist that nobody has the address of; it is
/// never paid, and asked for again.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "mulenpay";

  config::settings::mulenpay_section settings;
};
static_assert(!std::is_aggregate_v<client_state>);

/// `settings.url` ends with `/api`, without a slash behind.
client_actor::behavior_type client(client_actor::stateful_pointer<client_state> self,
                                   integrations::client_context context, config::settings::mulenpay_section settings);

/// See `payment_provider::registration`.
std::vector<payment_provider::method> methods(const config::settings& settings);
caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings);

} // namespace backstay::mulenpay
