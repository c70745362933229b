#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/payment/messages.hpp"

#include <optional>
#include <string>

/// Heleket's API v1: what to ask, and how to read the answers. Readers end the operation by `ec::upstream` where an
/// answer is not as documented. Source: https://doc.heleket.com
namespace backstay::heleket {

using integrations::http_request;
using integrations::http_response;
using payment_provider::charge;

/// Who we are there.
struct shop {
  config::settings::heleket_section settings;
  std::string callback_url; ///< where webhooks go; empty: as the account is set up
};

/// Lives for an hour. Repeated it is answered with the first invoice again: our payment's id is the `order_id`.
http_request create_invoice(const shop& at, const payment_provider::create_charge& order);
charge read_created(const http_response& answer);

/// Whether it can be an invoice's id there: a UUID.
bool is_invoice_id(const std::string& id);
http_request get_invoice(const shop& at, const std::string& id);
http_request get_invoice(const shop& at, const payment_id& ours);
/// None when there is no such invoice.
std::optional<charge> read_invoice(const http_response& answer);

/// The text that Heleket signs a webhook by: the members but `sign` as they came, written as PHP's `json_encode` does
/// with `JSON_UNESCAPED_UNICODE`: no space between, `/` escaped, letters not. Numbers stay as they are written.
/// Errors: `malformed`.
std::string signed_text(std::string_view body);

/// Errors: `unauthenticated`, `malformed`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& key);

} // namespace backstay::heleket
