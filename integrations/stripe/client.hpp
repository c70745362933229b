#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/payment/recurring.hpp"

#include <caf/all.hpp>

#include <vector>

namespace backstay::stripe {

using client_actor = payment_provider::provider_actor::extend_with<payment_provider::recurring_actor>::extend<
    caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for. What was asked for with an idempotency key may be asked for
/// again.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "stripe";

  config::settings::stripe_section settings;
};
static_assert(!std::is_aggregate_v<client_state>);

/// `settings.url` is without a slash behind.
client_actor::behavior_type client(client_actor::stateful_pointer<client_state> self,
                                   integrations::client_context context, config::settings::stripe_section settings);

/// See `payment_provider::registration`.
std::vector<payment_provider::method> methods(const config::settings& settings);
/// Understands `payment_provider::recurring_actor`, too.
caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings);

} // namespace backstay::stripe
