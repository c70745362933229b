#include "http/admin/family.hpp"
#include "http/kernel/endpoint.hpp"

#include <algorithm>

namespace backstay::http::admin {

namespace {

using wallet::holding;
using wallet::statement_line;

constexpr shape holding_shape{
    field(
        "currency", [](const holding& h) { return h.balance.currency; }, example(R"("USD")")),
    field("balance", &holding::balance, example("9.99")),
    field("owed", &holding::owed, example("0.00"), "What later credits pay first"),
};

constexpr shape holdings{field("balances", &wallet::holdings::items, holding_shape)};

constexpr shape book{
    field("kind", &wallet::book::kind),
    field("owner", &wallet::book::owner, "An account's id, or a provider's name; empty: ours"),
};

constexpr shape line{
    field("kind", [](const statement_line& l) { return l.cause.kind; }),
    field(
        "reference", [](const statement_line& l) { return l.cause.id; }, "Of a payment: its id"),
    field("amount", &statement_line::amount, example("-9.99"), "Negative: it left the wallet"),
    field("currency", [](const statement_line& l) { return l.amount.currency; }),
    field("counterpart", &statement_line::counterpart, book, "Where it came from or went to"),
    field("booked_at", &statement_line::booked_at),
};

constexpr shape statement{
    field("items", &wallet::statement::items, line),
    field("total", &wallet::statement::total),
    field("offset", &wallet::statement::offset),
    field("limit", &wallet::statement::limit),
};

bool is_currency(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}
constexpr rule currency{
    .low = 3, .high = 3, .accepts = is_currency, .expectation = "three upper-case letters", .pattern = "^[A-Z]{3}$"};

constexpr std::tuple endpoints{
    get<wallet::get_wallet>("/api/v1/admin/accounts/{id}/wallet", permission::payment_read, bucket::dashboard,
                            "What an account has and owes", answers(200, holdings), fails(404, "No such account"),
                            from_path("id", &wallet::get_wallet::account)),

    get<wallet::list_transfers>("/api/v1/admin/accounts/{id}/wallet/transfers", permission::payment_read,
                                bucket::dashboard, "What came to an account's wallets and left them, newest first",
                                answers(200, statement), fails(404, "No such account"),
                                from_path("id", &wallet::list_transfers::account),
                                from_query("kind", &wallet::list_transfers::kind),
                                from_query("currency", &wallet::list_transfers::currency, currency),
                                from_query("offset", &wallet::list_transfers::offset, between(0, 1'000'000'000)),
                                from_query("limit", &wallet::list_transfers::limit, between(1, 200))),

    post<wallet::adjust>("/api/v1/admin/accounts/{id}/wallet/adjustments", permission::manage, bucket::general,
                         "Give an account money, or take some", answers(200, holdings, "Done; what it has now"),
                         fails(400, "INSUFFICIENT_FUNDS: the details say how much is missing"),
                         fails(404, "No such account"), from_session(&wallet::adjust::caller),
                         from_path("id", &wallet::adjust::account),
                         from_json("amount", &wallet::adjust::amount, length(1, 30).or_number(),
                                   "Decimal text or number; negative: takes"),
                         from_json("currency", &wallet::adjust::currency, currency),
                         from_json("reason", &wallet::adjust::reason, length(1, 500), "For other operators"),
                         from_idempotency_key(&wallet::adjust::claim), from_origin(&wallet::adjust::origin)),
};

} // namespace

void add_wallet(router& to, const domains& who) { add_endpoints(to, family, "Administration", who.wallet, endpoints); }

} // namespace backstay::http::admin
