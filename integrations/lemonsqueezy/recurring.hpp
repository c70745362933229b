#pragma once

#include "integrations/lemonsqueezy/dialect.hpp"
#include "integrations/payment/recurring.hpp"

/// The Lemon Squeezy API for subscriptions. Plans are its variants. Source:
/// https://docs.lemonsqueezy.com/api/subscriptions/the-subscription-object
namespace backstay::lemonsqueezy {

using payment_provider::recurring_subscription;

/// Lives until it is used: subscribing is worth waiting for.
http_request begin_subscription(const settings& where, const payment_provider::begin_subscription& order);
payment_provider::subscription_checkout read_begun(const http_response& answer);

/// Ends the operation by `not_found` when no subscription can have that id; so do all that take one.
http_request get_subscription(const settings& where, const std::string& id);
/// Errors: `not_found`.
recurring_subscription read_subscription(const http_response& answer);
http_request change_subscription(const settings& where, const payment_provider::change_subscription& order);
/// When the period ends; the API cannot at once.
http_request cancel_subscription(const settings& where, const std::string& id);

http_request get_customer(const settings& where, const std::string& id);
payment_provider::portal read_portal(const http_response& answer);

http_request list_invoices(const settings& where, const payment_provider::list_invoices& query);
payment_provider::invoice_list read_invoices(const http_response& answer);

/// Errors: those of `read_event`.
payment_provider::recurring_event read_recurring(const payment_provider::read_webhook& hook, const secret& key);

} // namespace backstay::lemonsqueezy
