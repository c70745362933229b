#include "http/admin/family.hpp"
#include "http/kernel/endpoint.hpp"

namespace backstay::http::admin {

namespace {

using payments::payment;
using payments::refund_payment;
using payments::resolve_payment;
using payments::search_payments;

constexpr shape amount{
    field(
        "amount", [](const money& m) { return m; }, example("9.99")),
    field("currency", &money::currency, example(R"("USD")")),
};

/// So many minor units of the payment's currency.
template <class Member>
constexpr auto in_its_currency(const char* name, Member member, const char* doc) {
  return field(
      name,
      [member](const payment& p) {
        return money{p.*member, p.price.currency};
      },
      rule{}, doc);
}

constexpr shape record{
    field("id", &payment::id),
    field("account", &payment::account, "Null: held until somebody says whose it is"),
    field("purpose", &payment::purpose),
    field("plan", &payment::plan),
    field("plan_name", [](const payment& p) { return p.plan ? std::optional{p.plan_name} : std::nullopt; }),
    field("provider", &payment::provider, example(R"("cryptobot")")),
    field("method", &payment::method, example(R"("crypto_bot")")),
    field("external_id", &payment::external_id, "The provider's; empty while nobody knows it"),
    field("price", &payment::price, amount),
    in_its_currency("fee", &payment::fee, "On top of the price"),
    field("state", &payment::state),
    field("is_fulfilled", &payment::is_fulfilled, "The plan was bought with it"),
    field("review", &payment::review, "Why a person has to look at it; empty: nobody has to"),
    field("paid", &payment::paid, amount, "What came, where a person had to decide"),
    in_its_currency("refunded", &payment::refunded, "Went back at the provider, as seen last"),
    field("refund_at", &payment::refund_at, "Since when the provider owes us the answer to a refund"),
    field("due_at", &payment::due_at, "When the provider is asked next; null: never again"),
    field("looks", &payment::looks, "How often it was asked in this state"),
    field("created_at", &payment::created_at),
    field("expires_at", &payment::expires_at),
    field("settled_at", &payment::settled_at),
};

constexpr shape page{
    field("items", &payments::payment_page::items, record),
    field("total", &payments::payment_page::total),
    field("offset", &payments::payment_page::offset),
    field("limit", &payments::payment_page::limit),
};

constexpr auto note = length(1, 500);

constexpr std::tuple endpoints{
    get<search_payments>("/api/v1/admin/payments", permission::payment_read, bucket::dashboard,
                         "Everybody's payments, newest first", answers(200, page),
                         from_query("state", &search_payments::state),
                         from_query("provider", &search_payments::provider, length(1, 50)),
                         from_query("review", &search_payments::review, anything, "Whether a person has to look at it"),
                         from_query("account", &search_payments::account),
                         from_query("offset", &search_payments::offset, between(0, 1'000'000'000)),
                         from_query("limit", &search_payments::limit, between(1, 200))),

    get<payments::get_payment>("/api/v1/admin/payments/{id}", permission::payment_read, bucket::dashboard,
                               "A payment; one that waits is looked up at its provider first", answers(200, record),
                               fails(404, "No such payment"), from_session(&payments::get_payment::caller),
                               from_path("id", &payments::get_payment::id, length(1, 100), "Ours, or the provider's")),

    post<resolve_payment>(
        "/api/v1/admin/payments/{id}/resolve", permission::manage, bucket::general,
        "Decide about a payment that a person has to look at", answers(200, record, "Decided; a credit is booked once"),
        fails(400, "NOT_HELD or NOT_IN_REVIEW"), fails(404, "No such payment, or no such account"),
        from_session(&resolve_payment::caller), from_path("id", &resolve_payment::id),
        from_json("as", &resolve_payment::as, anything, "credit: what was paid tops up the wallet"),
        from_json("account", &resolve_payment::account, anything, "Whose it is, where the payment does not say"),
        from_json("note", &resolve_payment::note, note, "For the trail"), from_origin(&resolve_payment::origin)),

    post<refund_payment>(
        "/api/v1/admin/payments/{id}/refund", permission::manage, bucket::general,
        "Give a payment back, and take back what came of it",
        answers(200, record, "Given back, also if it was before; or paid still, while the provider works on it"),
        fails(400, "NOT_PAID, or NOT_SUPPORTED by the provider: give it back by hand"), fails(404, "No such payment"),
        fails(504, "Unknown whether the provider did it; it is asked again until it says"),
        from_session(&refund_payment::caller), from_path("id", &refund_payment::id),
        from_json_or_default("at_provider", &refund_payment::at_provider, anything,
                             "false: the money has been given back by hand"),
        from_json("note", &refund_payment::note, note, "For the trail"), from_origin(&refund_payment::origin)),
};

} // namespace

void add_payments(router& to, const domains& who) {
  add_endpoints(to, family, "Administration", who.payments, endpoints);
}

} // namespace backstay::http::admin
