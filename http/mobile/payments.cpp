#include "http/mobile/payments.hpp"
#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"

namespace backstay::http::mobile {

namespace {

using payment_provider::method_kind;
using payments::create_payment;
using payments::offered_method;
using payments::payment;
using payments::state;

/// What the buyer's page understands: pending, paid or expired.
std::string invoice_status(const payment& p) {
  switch (p.state) {
  case state::paid:
  case state::held:
  case state::refunded:
    return "paid";
  case state::expired:
  case state::failed:
    return "expired";
  default:
    return "pending";
  }
}

/// Null for a top-up.
std::optional<std::string> plan_name(const payment& p) { return p.plan ? std::optional{p.plan_name} : std::nullopt; }

constexpr auto currency_of = [](const payment& p) { return p.price.currency; };

constexpr shape invoice{
    field("invoice_id", &payment::external_id, example(R"("123456")")),
    field("payment_id", &payment::id, "Ours"),
    field("payment_url", &payment::payment_url, "Where the buyer pays"),
    field("amount", &payment::price, example("9.99")),
    field("currency", currency_of, example(R"("USD")")),
    field(
        "fee",
        [](const payment& p) {
          return money{p.fee, p.price.currency};
        },
        example("0.00"), "What the buyer pays on top"),
    field("status", invoice_status, example(R"("pending")"), "pending, paid or expired"),
    field("purpose", &payment::purpose),
    field("plan_name", plan_name, "Null: a top-up"),
    field("payment_method", &payment::method, example(R"("crypto_bot")")),
    field("expires_at", &payment::expires_at),
};

constexpr shape history_entry{
    field("id", &payment::id),
    field("invoice_id", &payment::external_id),
    field("purpose", &payment::purpose),
    field("plan_name", plan_name, "Null: a top-up"),
    field("amount", &payment::price),
    field("currency", currency_of),
    field("status", history_status, example(R"("completed")"), "pending, completed, failed or refunded"),
    field("provider", &payment::provider),
    field("payment_method", &payment::method, example(R"("crypto_bot")")),
    field("created_at", &payment::created_at),
};

constexpr shape history{
    field("payments", &payments::payment_page::items, history_entry),
    field("items", &payments::payment_page::items, history_entry, "The same again"),
    field("total", &payments::payment_page::total),
    field("offset", &payments::payment_page::offset),
    field("limit", &payments::payment_page::limit),
};

/// The apps know two types.
std::string method_type(const offered_method& m) { return m.terms.kind == method_kind::crypto ? "crypto" : "card"; }

template <class T>
constexpr auto of_terms(const char* name, T payment_provider::method::*member, rule limits = {}, const char* doc = "") {
  return field(
      name, [member](const offered_method& m) { return m.terms.*member; }, limits, doc);
}

constexpr shape method{
    of_terms("id", &payment_provider::method::id, example(R"("crypto_bot")"),
             "The `payment_method` of payments/create"),
    of_terms("name", &payment_provider::method::title, example(R"("CryptoBot")")),
    field("type", method_type, example(R"("crypto")"), "crypto or card"),
    of_terms("kind", &payment_provider::method::kind, {}, "The same in more words"),
    field("enabled", &offered_method::is_open, "Switched on, and its provider answers"),
    of_terms("currencies", &payment_provider::method::currencies),
};

bool is_currency(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

constexpr rule currency{
    .low = 3, .high = 3, .accepts = is_currency, .expectation = "three upper-case letters", .pattern = "^[A-Z]{3}$"};

constexpr shape received{field("status", [](const done&) { return std::string{"ok"}; })};

/// A provider's call, taken as it came: ruling 15.
consteval auto webhook_of(const char* path, const char* provider, const char* summary, int refused = 401) {
  using payments::receive_webhook;
  return post<receive_webhook>(path, allow::anyone, bucket::none, summary, answers(200, received),
                               fails(refused, "It is not genuine"), body_up_to(262'144),
                               set(&receive_webhook::provider, provider), from_raw_body(&receive_webhook::body),
                               from_headers(&receive_webhook::headers), from_origin(&receive_webhook::origin));
}

constexpr std::tuple webhooks{
    webhook_of("/api/v1/webhooks/cryptobot", "cryptobot", "Crypto Pay tells of a payment"),
    webhook_of("/api/v1/webhooks/yookassa", "yookassa", "YooKassa tells of a payment"),
    webhook_of("/api/v1/webhooks/telegram", "stars", "Telegram tells our bot of a payment in stars"),
    webhook_of("/api/v1/webhooks/heleket", "heleket", "Heleket tells of a payment"),
    webhook_of("/api/v1/webhooks/mulenpay", "mulenpay", "MulenPay tells of a payment"),
    webhook_of("/api/v1/webhooks/tribute", "tribute", "Tribute tells of a donation"),
    webhook_of("/api/v1/webhooks/stripe", "stripe", "Stripe tells of a payment"),
    webhook_of("/api/v1/webhooks/lemonsqueezy", "lemonsqueezy", "Lemon Squeezy tells of an order"),
};

constexpr std::tuple endpoints{
    post<create_payment>(
        "/api/v1/payments/create", allow::signed_in, bucket::payments, "Buy a plan: get a link where to pay",
        also("/api/v1/payments/crypto/invoice"),
        answers(201, invoice, "Created; nothing is delivered before it is paid"), fails(404, "No such plan"),
        fails(504, "Unknown whether the provider made the invoice; repeat with the same Idempotency-Key"),
        from_session(&create_payment::caller),
        from_json("user_uuid", &create_payment::account, anything, "For whom; yourself when missing"),
        from_json("plan_id", &create_payment::plan, length(1, 100), "The plan's id or name"),
        from_json("currency", &create_payment::currency, currency),
        from_json_or_default("payment_method", &create_payment::payment_method, length(1, 50),
                             "An id of /payments/methods; CryptoBot when missing"),
        from_json_or_default("save_payment_method", &create_payment::saves_method, anything,
                             "Agree to be charged again by the same card or account"),
        from_idempotency_key(&create_payment::claim)),

    get<payments::list_methods>("/api/v1/payments/methods", allow::signed_in, bucket::general, "How one can pay",
                                answers(200, list_of(&payments::method_list::items, method))),

    get<payments::get_payment>(
        "/api/v1/payments/{id}/status", allow::signed_in, bucket::general, "How a payment stands",
        answers(200, invoice), fails(404, "No such payment of yours"), from_session(&payments::get_payment::caller),
        from_path("id", &payments::get_payment::id, length(1, 100), "The invoice's id, or ours")),

    get<payments::get_payment>(
        "/api/v1/payments/crypto/invoice/{id}", allow::signed_in, bucket::general, "How a payment stands",
        answers(200, invoice), fails(404, "No such payment of yours"), from_session(&payments::get_payment::caller),
        from_path("id", &payments::get_payment::id, length(1, 100), "The invoice's id, or ours")),

    get<payments::list_payments>("/api/v1/payments/history", allow::signed_in, bucket::general,
                                 "My payments, newest first", answers(200, history), fails(404, "Another's"),
                                 from_session(&payments::list_payments::caller),
                                 from_query("user_uuid", &payments::list_payments::account),
                                 from_query("offset", &payments::list_payments::offset, between(0, 1'000'000'000)),
                                 from_query("limit", &payments::list_payments::limit, between(1, 100))),
};

} // namespace

void add_payments(router& to, const domains& who) {
  add_endpoints(to, family, "Payments", who.payments, endpoints);
  add_endpoints(to, family, "Webhooks", who.payments, webhooks);
}

} // namespace backstay::http::mobile
