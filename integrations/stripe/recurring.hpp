#pragma once

#include "integrations/payment/recurring.hpp"
#include "integrations/stripe/dialect.hpp"

#include <optional>
#include <string>

/// The Stripe API for subscriptions. Plans are its prices. Source: https://docs.stripe.com/api/subscriptions
namespace backstay::stripe {

using payment_provider::recurring_subscription;

http_request begin_subscription(const settings& where, const payment_provider::begin_subscription& order);
payment_provider::subscription_checkout read_begun(const http_response& answer);

/// By the subscription's id or its checkout session's. Ends the operation by `not_found` when it can be neither.
http_request get_subscription(const settings& where, const std::string& id);

/// A subscription, and what changing it takes.
struct subscription_sight {
  recurring_subscription is;
  std::string item; ///< its one line
};
/// Of either; a session that is not paid yet makes a pending one. Errors: `not_found`.
subscription_sight read_subscription(const http_response& answer);

http_request change_subscription(const settings& where, const std::string& item,
                                 const payment_provider::change_subscription& order);
http_request cancel_subscription(const settings& where, const payment_provider::cancel_subscription& order);

http_request open_portal(const settings& where, const payment_provider::open_portal& order);
payment_provider::portal read_portal(const http_response& answer);

http_request list_invoices(const settings& where, const payment_provider::list_invoices& query);
payment_provider::invoice_list read_invoices(const http_response& answer);

/// Errors: those of `read_event`.
payment_provider::recurring_event read_recurring(const payment_provider::read_webhook& hook, const settings& where,
                                                 timestamp now);

} // namespace backstay::stripe
