#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/payment/messages.hpp"
#include "integrations/yookassa/dialect.hpp"

#include <caf/all.hpp>

#include <vector>

namespace backstay::yookassa {

using client_actor = payment_provider::provider_actor::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for. A payment may then exist that nobody here knows of until
/// `find_charge` finds it, or `create_charge` is repeated.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "yookassa";

  shop at;
};
static_assert(!std::is_aggregate_v<client_state>);

/// `at.settings.url` ends with `/v3`, without a slash behind.
client_actor::behavior_type client(client_actor::stateful_pointer<client_state> self,
                                   integrations::client_context context, shop at);

/// See `payment_provider::registration`.
std::vector<payment_provider::method> methods(const config::settings& settings);
caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings);

} // namespace backstay::yookassa
