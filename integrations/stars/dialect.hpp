#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/payment/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Payments in Telegram Stars by the Bot API: what to ask, and how to read the answers. Readers end the operation by
/// `ec::upstream` where an answer is not as documented. Source: https://core.telegram.org/bots/api#payments and
/// https://core.telegram.org/bots/payments-stars
namespace backstay::stars {

using integrations::http_request;
using integrations::http_response;
using payment_provider::charge;

/// The section of the settings, and the bot that sells.
struct settings : config::settings::stars_section {
  secret bot_token;
};

/// The currency code of stars. They have no fraction.
inline constexpr std::string_view currency = "XTR";

/// What an invoice of ours carries through Telegram as its payload: all that is needed to understand a payment of it.
struct invoice {
  payment_id payment;
  money price;
  std::int64_t stars = 0; ///< what Telegram takes for `price`
  bool operator==(const invoice&) const = default;
};

/// Rounded up to whole stars, at least one. Errors: `refused` for a currency that has no rate.
invoice make_invoice(const settings& terms, const payment_id& payment, const money& price);

/// At most 128 bytes of ASCII, what Telegram allows.
std::string to_payload(const invoice& ours);
/// None for what another program attached to its invoices.
std::optional<invoice> from_payload(std::string_view payload);

/// What a buyer paid: the invoice's price for its stars, and the bare stars for any other number of them.
money price_of(const invoice& sold, std::int64_t stars);

/// A link never expires, and may be paid more than once: `answerPreCheckoutQuery` is what prevents that.
http_request create_invoice_link(const settings& where, const payment_provider::create_charge& order);
std::string read_link(const http_response& answer);

/// A buyer's payment of an invoice of ours.
struct sale {
  std::string charge_id; ///< `telegram_payment_charge_id`
  std::int64_t buyer = 0;
  std::int64_t stars = 0;
  invoice sold;
  timestamp paid_at;
  bool is_refunded = false;
  bool operator==(const sale&) const = default;
};

/// The name of one payment of an invoice: `<our payment>:<telegram_payment_charge_id>`. As long as it is the invoice's
/// first, which only the book knows, our payment's id alone is its name, too: that is what a charge is called before it
/// is paid.
std::string id_of(const sale& paid);

/// A sale as `payment_provider` shows it, under the given name.
charge to_charge(const sale& paid, std::string external_id);

/// The most transactions of one answer to `getStarTransactions`.
inline constexpr std::size_t page_size = 100;

/// Transactions of the bot in the order in which they happened, the oldest first: `offset` are skipped.
http_request get_transactions(const settings& where, std::size_t offset);

/// One transaction. A refund has the id of what it gives back.
struct transaction {
  std::string id;
  bool is_incoming = false;
  std::optional<sale> paid; ///< none: not a payment of an invoice of ours
  bool operator==(const transaction&) const = default;
};
std::vector<transaction> read_transactions(const http_response& answer);

http_request refund_payment(const settings& where, const sale& paid);
/// A payment that was given back before is given back.
void read_refunded(const http_response& answer);

/// Telegram takes the answer up to 10 s after its question.
http_request answer_query(const settings& where, const payment_provider::answer_checkout& answer);
void read_answered(const http_response& answer);

/// An update of the bot. Errors: `unauthenticated`, `malformed`.
payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& expected);

} // namespace backstay::stars
