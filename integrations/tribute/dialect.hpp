#pragma once

#include "config/settings.hpp"
#include "integrations/payment/messages.hpp"

/// Tribute's webhooks about donations. Source: https://wiki.tribute.tg/for-content-creators/api-documentation/webhooks
namespace backstay::tribute {

using settings = config::settings::tribute_section;

/// A donation is proof of itself, as Tribute cannot be asked. Its payer is 0, nobody's Telegram id, where the donor is
/// anonymous or has paid in a currency that we do not take: a person decides.
/// Errors: `unauthenticated`, `malformed`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const settings& terms);

} // namespace backstay::tribute
