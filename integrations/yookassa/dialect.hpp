#pragma once

#include "config/networks.hpp"
#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/payment/messages.hpp"

#include <optional>
#include <string>
#include <vector>

/// YooKassa's API v3: what to ask, and how to read the answers. Readers end the operation by `ec::upstream` where an
/// answer is not as documented. Source: https://yookassa.ru/developers/api
namespace backstay::yookassa {

using integrations::http_request;
using integrations::http_response;
using payment_provider::charge;

/// Who we are there.
struct shop {
  config::settings::yookassa_section settings;
  config::networks senders; ///< whose webhooks are genuine
  bool takes_tests = true;  ///< whether a test shop's payments count, which move no money
};

/// The most payments that a page of a list holds.
inline constexpr std::size_t page_size = 100;

/// Repeated within 24 h it is answered with the first payment again: our payment's id is the `Idempotence-Key`.
http_request create_payment(const shop& at, const payment_provider::create_charge& order);
charge read_created(const shop& at, const payment_provider::create_charge& order, const http_response& answer);

/// Whether it can be a payment's id there; no other may become a part of a URL.
bool is_payment_id(const std::string& id);
http_request get_payment(const shop& at, const std::string& id);
/// None when there is no such payment.
std::optional<charge> read_payment(const shop& at, const http_response& answer);

/// Payments of every state made at `since` or later, the newest first; `cursor` is the page before's.
http_request list_payments(const shop& at, timestamp since, const std::string& cursor);
struct page {
  std::vector<charge> charges;
  std::string next; ///< the next page's cursor; empty: this is the last one
};
/// Payments of other programs, which do not carry an id of ours, are left out.
page read_page(const shop& at, const http_response& answer);

/// Repeated within 24 h for the same payment and amount it is one refund.
http_request create_refund(const shop& at, const payment_provider::refund_charge& order);
/// Ends the operation unless the money is on its way back.
void read_refund(const http_response& answer);

/// Errors: `unauthenticated` for a sender outside of `shop::senders` (there is no signature), `malformed`.
payment_provider::webhook_event read_webhook(const shop& at, const payment_provider::read_webhook& hook);

} // namespace backstay::yookassa
