#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/payment/messages.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

/// Crypto Pay API 1.x: what to ask, and how to read the answers. Readers end the operation by `ec::upstream` where an
/// answer is not as documented. Source: https://help.send.tg/en/articles/10279948-crypto-pay-api
namespace backstay::cryptobot {

using settings = config::settings::cryptobot_section;
using integrations::http_request;
using integrations::http_response;
using payment_provider::charge;

/// The most invoices that `getInvoices` answers with.
inline constexpr std::size_t page_size = 1000;

/// Lives for a day and is priced in the currency of `order`; our payment's id travels along as its payload.
http_request create_invoice(const settings& where, const payment_provider::create_charge& order);
charge read_created(const http_response& answer);

/// None when no id can be one of theirs: without ids they would list all invoices.
std::optional<http_request> get_invoices(const settings& where, const std::vector<std::string>& ids);
/// Invoices of every state, the newest first.
http_request get_page(const settings& where, std::size_t offset);

struct page {
  std::vector<charge> charges;     ///< without those that are priced in crypto: ours are not
  std::size_t size = 0;            ///< with them
  std::optional<timestamp> newest; ///< when the newest of them was created; none in an empty page
};
page read_page(const http_response& answer);

/// Errors: `unauthenticated`, `malformed`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& token);

} // namespace backstay::cryptobot
