#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/payments.hpp"

namespace backstay::http::mobile {

namespace {

using payments::list_payments;
using payments::payment;

/// The names are the panel's, whose records these once were.
constexpr shape billing_record{
    field("uuid", &payment::id),
    field("userUuid", &payment::account),
    field("amount", &payment::price, example("9.99")),
    field(
        "currency", [](const payment& p) { return p.price.currency; }, example(R"("USD")")),
    field("status", history_status, example(R"("completed")"), "pending, completed, failed or refunded"),
    field("paymentMethod", &payment::provider, example(R"("cryptobot")")),
    field("createdAt", &payment::created_at),
};

constexpr std::tuple endpoints{
    get<list_payments>(
        "/api/v1/billing", allow::signed_in, bucket::general, "My payments as billing records, newest first",
        answers(200, list_of(&payments::payment_page::items, billing_record)), from_session(&list_payments::caller),
        from_query("offset", &list_payments::offset, between(0, 1'000'000'000)),
        from_query("limit", &list_payments::limit, between(1, 100))),
};

} // namespace

void add_billing(router& to, const domains& who) { add_endpoints(to, family, "Payments", who.payments, endpoints); }

} // namespace backstay::http::mobile
