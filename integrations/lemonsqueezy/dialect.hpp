#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/json.hpp"
#include "integrations/payment/messages.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

/// The Lemon Squeezy API for single payments: what to ask, and how to read the answers. Readers end the operation by
/// `ec::upstream` where an answer is not as documented. Source: https://docs.lemonsqueezy.com/api
namespace backstay::lemonsqueezy {

using settings = config::settings::lemonsqueezy_section;
using integrations::fields;
using integrations::http_request;
using integrations::http_response;
using integrations::json;
using payment_provider::charge;

// ---- What requests and answers about subscriptions share

/// JSON:API (https://jsonapi.org/format/1.0/). `path` begins with `/v1`, and has its query.
http_request request(const settings& where, std::string method, const std::string& path);
http_request request(const settings& where, std::string method, const std::string& path, const json& document);
/// The document of a success.
json parse_answer(const http_response& answer);

/// Whether `id` can be an order's or a subscription's. Others stay out of paths.
bool is_number(const std::string& id);
std::string read_text(const fields& in, const char* name);
/// A number where it is one: as the provider has its ids.
json to_number(const std::string& id);
/// A number in a field, as text.
std::string read_id(const fields& in, const char* name);

/// The document of a new checkout of `variant` that carries `custom` along.
json checkout_document(const settings& where, const std::string& variant, json attributes, const json& custom);

/// A webhook: the parsed body. Errors: `unauthenticated`, `malformed`.
/// Source: https://docs.lemonsqueezy.com/help/webhooks/signing-requests
json read_event(const payment_provider::read_webhook& hook, const secret& key);
/// The name of an event, such as `order_created`.
std::string read_event_name(const fields& event);
/// A value that our checkout carried along; empty when there is none.
std::string read_custom(const fields& event, const char* name);

// ---- Single payments

/// A checkout: the buyer pays on the provider's page, within a day of `now`.
http_request create_checkout(const settings& where, const payment_provider::create_charge& order, timestamp now);

/// A checkout as the provider shows it, priced in our store's one currency. It does not know whether it was paid: an
/// order tells.
struct checkout_sight {
  charge shown; ///< pending or expired
  timestamp created_at;
};
checkout_sight read_created(const settings& where, const http_response& answer, timestamp now);
/// None when the id is no checkout's.
std::optional<http_request> get_checkout(const settings& where, const std::string& id);
/// None when they know of no such checkout.
std::optional<checkout_sight> read_checkout(const settings& where, const http_response& answer, timestamp now);

/// None when the id is no order's.
std::optional<http_request> get_order(const settings& where, const std::string& id);
/// None when they know of no such order.
std::optional<charge> read_order(const http_response& answer);

/// The number of things on a page.
inline constexpr std::size_t page_size = 100;
/// Those of our store and variant, the newest first; pages count from 1.
http_request get_checkouts(const settings& where, std::size_t page);
/// Those of our store, the newest first; pages count from 1.
http_request get_orders(const settings& where, std::size_t page);

struct page {
  std::vector<charge> charges;
  std::size_t size = 0;
  std::optional<timestamp> oldest; ///< when the oldest of them was created; none in an empty page
};
page read_checkouts(const settings& where, const http_response& answer, timestamp now);
page read_orders(const http_response& answer);

/// All of it when `order.amount` is all that was paid to us: the tax goes back, too.
http_request create_refund(const settings& where, const payment_provider::refund_charge& order, const charge& paid);

/// Errors: those of `read_event`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& key);

} // namespace backstay::lemonsqueezy
