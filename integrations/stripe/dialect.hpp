#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/json.hpp"
#include "integrations/payment/messages.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The Stripe API for single payments: what to ask, and how to read the answers. Readers end the operation by
/// `ec::upstream` where an answer is not as documented. Source: https://docs.stripe.com/api
namespace backstay::stripe {

using settings = config::settings::stripe_section;
using integrations::fields;
using integrations::http_request;
using integrations::http_response;
using integrations::json;
using payment_provider::charge;
using parameters = std::vector<std::pair<std::string, std::string>>;

// ---- What requests and answers about subscriptions share

http_request get(const settings& where, const std::string& path, const parameters& query = {});
/// `key` is for `Idempotency-Key`: the API answers a repetition within a day as it answered the first call. Empty:
/// none.
http_request post(const settings& where, const std::string& path, const parameters& form, const std::string& key = {});

/// The document of a success.
json parse_answer(const http_response& answer);
/// True when the API does not know what was asked for.
bool is_missing(const http_response& answer);

/// Whether `id` is one of the API's for that kind of thing, such as "cs" for a checkout session. Others stay out of
/// paths.
bool is_id(const std::string& id, std::string_view kind);

/// The id in a field that is one, or an object that has one; empty when there is none.
std::string read_reference(const fields& in, const char* name);
/// Empty when it is missing.
std::string read_text(const fields& in, const char* name);
/// A moment in seconds since 1970; none when it is missing.
std::optional<timestamp> read_time(const fields& in, const char* name);
/// An amount in the currency of the same object. The API counts as ISO 4217 does, but for a few currencies.
money read_money(const fields& in, const char* amount);

/// A webhook's event: the parsed body. Errors: `malformed`, named INVALID_SIGNATURE unless one of the signatures is
/// by one of our secrets and no more than five minutes from `now`.
/// Source: https://docs.stripe.com/webhooks#verify-manually
json read_event(const payment_provider::read_webhook& hook, const settings& where, timestamp now);

// ---- Single payments

/// A checkout session: the buyer pays on the provider's page, within a day.
http_request create_session(const settings& where, const payment_provider::create_charge& order);
/// A payment intent, confirmed at once by what the buyer has saved.
http_request charge_saved(const settings& where, const payment_provider::create_charge& order);
/// Of either. A saved method that was declined makes a failed charge.
charge read_created(const http_response& answer);

/// None when the id is neither a session's nor an intent's. For an intent this asks for its session: a charge that was
/// paid in a session goes by that.
std::optional<http_request> get_charge(const settings& where, const std::string& id);
/// None when the id is not an intent's.
std::optional<http_request> get_intent(const settings& where, const std::string& id);
/// None when they know of no such charge.
std::optional<charge> read_charge(const http_response& answer);

/// The intent of a session; empty while nobody has tried to pay.
std::string read_intent_id(const http_response& session);
http_request create_refund(const settings& where, const payment_provider::refund_charge& order,
                           const std::string& intent);
/// Also content when the whole charge was refunded before.
void require_refund(const http_response& answer);

/// Errors: those of `read_event`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const settings& where,
                                             timestamp now);

} // namespace backstay::stripe
