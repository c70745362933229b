#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/payment/messages.hpp"

#include <optional>
#include <string>

/// MulenPay's API v2: what to ask, and how to read the answers. Readers end the operation by `ec::upstream` where an
/// answer is not as documented. Source: https://mulenpay.ru/docs/api
namespace backstay::mulenpay {

using settings = config::settings::mulenpay_section;
using integrations::http_request;
using integrations::http_response;
using payment_provider::charge;

/// Our payment's id is the `uuid`.
http_request create_payment(const settings& where, const payment_provider::create_charge& order);
/// The answer names neither price nor `uuid`: those are the order's.
charge read_created(const payment_provider::create_charge& order, const http_response& answer);

/// Whether it can be a payment's id there: a number.
bool is_payment_id(const std::string& id);
http_request get_payment(const settings& where, const std::string& id);
/// None when there is no such payment.
std::optional<charge> read_payment(const http_response& answer);

http_request list_payments(const settings& where, const payment_id& ours);
/// Those that carry the id: a shop that does not know the filter answers with others too.
payment_provider::charge_list read_list(const payment_id& ours, const http_response& answer);

/// Gives back all of it; there are no refunds in part.
http_request refund_payment(const settings& where, const std::string& id);
/// Ends the operation unless the money is on its way back.
void read_refund(const http_response& answer);

/// The text that MulenPay signs a webhook by, without the secret behind it: the values of all members but `sign`, in
/// their order, as Python's `str` writes them. Errors: `malformed`, also for a value that is a list or an object.
std::string signed_text(std::string_view body);

/// Errors: `unauthenticated`, `malformed`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& key);

} // namespace backstay::mulenpay
