#pragma once

#include "actors/kernel/error.hpp"
#include "config/settings.hpp"
#include "integrations/payment/messages.hpp"

#include <string>

/// What the clients of payment providers share.
namespace backstay::payment_provider {

/// A method on the terms that the settings give.
inline method offered(std::string id, std::string title, std::string provider, method_kind kind,
                      const config::settings::payment_terms& terms) {
  return {.id = std::move(id),
          .title = std::move(title),
          .provider = std::move(provider),
          .kind = kind,
          .enabled = terms.enabled,
          .currencies = terms.currencies,
          .minimum = static_cast<std::int64_t>(terms.minimum),
          .maximum = static_cast<std::int64_t>(terms.maximum),
          .fee = static_cast<int>(terms.fee)};
}

/// Ends an operation that a provider has nothing for.
[[noreturn]] inline void fail_not_supported() {
  fail(ec::refused, "This payment provider cannot do that", "NOT_SUPPORTED");
}

} // namespace backstay::payment_provider
