#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/payment/messages.hpp"
#include "integrations/stars/book.hpp"
#include "integrations/stars/dialect.hpp"

#include <caf/all.hpp>

#include <functional>
#include <vector>

namespace backstay::stars {

using client_actor = payment_provider::provider_actor::extend<caf::reacts_to<integrations::exchange_ended>>;

/// Loses with a crash: the answers that it waits for, and the book, which is read again.
struct client_state : integrations::client_state {
  client_state() = default;
  static inline constexpr auto name = "stars";

  /// Goes on once the book is up to date, or tells its asker why it is not.
  using reader = std::function<void(const caf::error&)>;

  stars::settings settings;
  book paid;
  std::vector<reader> served;  ///< by the reading that is under way
  std::vector<reader> waiting; ///< for the next one: what they ask about may be younger than the page under way
};
static_assert(!std::is_aggregate_v<client_state>);

/// `settings.url` has no slash at its end.
client_actor::behavior_type client(client_actor::stateful_pointer<client_state> self,
                                   integrations::client_context context, settings settings);

/// See `payment_provider::registration`. Without a webhook secret the methods are switched off: nobody could pay where
/// Telegram's question before each payment stays unanswered.
std::vector<payment_provider::method> methods(const config::settings& settings);
caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings);

} // namespace backstay::stars
