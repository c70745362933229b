#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/payment/messages.hpp"

#include <caf/all.hpp>

#include <string>
#include <vector>

namespace backstay::payment_provider {

/// A payment provider that this build knows.
struct registration {
  std::string name;
  /// Its ways to pay; none where the settings have no credentials for it.
  std::vector<method> (*methods)(const config::settings&);
  /// To be called by a guardian's `child_maker`; the actor understands what `provider_actor` does.
  caf::actor (*spawn)(caf::scheduled_actor*, integrations::client_context, const config::settings&);
};

/// All of them. A new provider is a folder beside this one, and its line in registry.cpp.
const std::vector<registration>& registered();

} // namespace backstay::payment_provider
