#pragma once

#include "actors/kernel/context.hpp"
#include "actors/payments/breaker.hpp"
#include "actors/payments/messages.hpp"
#include "actors/payments/settlement.hpp"
#include "integrations/payment/messages.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace backstay::payments {

/// The actor's note to itself: ask the providers about what is due.
struct poll {};

struct payments_dependencies {
  std::map<std::string, payment_provider::provider_actor> providers; ///< by the name that payments keep
  terms_ptr by;
  std::chrono::milliseconds poll_every = std::chrono::seconds{10}; ///< the setting `payments.poll`
  /// Told in the actor's context when a provider's circuit opens or closes; may be empty.
  std::function<void(const std::string& provider, bool is_open)> on_circuit = {};
};

/// Nothing here outlives a crash, and nothing has to: what is open is in the database, with its due time.
struct payments_state {
  payments_state() = default;
  static inline constexpr auto name = "payments";
  domain_context context;
  payments_dependencies deps;
  std::map<std::string, breaker> circuits; ///< by provider: in front of create, list, find and refund
  std::minstd_rand random{std::random_device{}()};
  std::uint64_t forged_webhooks = 0; ///< since the start; the log tells the powers of two
};
static_assert(!std::is_aggregate_v<payments_state>);

using full_payments_actor = payments_actor::extend<caf::reacts_to<poll>>;

full_payments_actor::behavior_type payments(full_payments_actor::stateful_pointer<payments_state> self,
                                            domain_context context, payments_dependencies deps);

/// For a guardian. The handle can be cast to `payments_actor`.
caf::actor spawn_payments(caf::scheduled_actor* parent, domain_context context, payments_dependencies deps);

} // namespace backstay::payments
