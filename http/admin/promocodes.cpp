#include "http/admin/family.hpp"
#include "http/kernel/endpoint.hpp"

#include <algorithm>

namespace backstay::http::admin {

namespace {

using namespace promotions;

template <class T>
constexpr auto of_benefit(const char* name, T benefit::*member, rule limits = {}, const char* doc = "") {
  return field(
      name, [member](const promo_code& c) { return c.benefit.*member; }, limits, doc);
}
template <class T>
constexpr auto of_limits(const char* name, T limits::*member, rule limits = {}, const char* doc = "") {
  return field(
      name, [member](const promo_code& c) { return c.limits.*member; }, limits, doc);
}

std::optional<std::int64_t> gigabytes(const promo_code& c) {
  return c.benefit.traffic_bytes ? std::optional{*c.benefit.traffic_bytes >> 30} : std::nullopt;
}

std::optional<std::string> currency_in(const std::optional<money>& amount) {
  return amount ? std::optional{amount->currency} : std::nullopt;
}

constexpr shape code{
    field("id", &promo_code::id),
    field("code", &promo_code::code, example(R"("WELCOME")")),
    of_benefit("type", &benefit::kind),
    of_benefit("amount", &benefit::amount, example("100.0")),
    field(
        "currency", [](const promo_code& c) { return currency_in(c.benefit.amount); }, example(R"("RUB")")),
    of_benefit("days", &benefit::days),
    of_benefit("plan_id", &benefit::plan),
    field("traffic_gb", gigabytes),
    of_benefit("group", &benefit::group),
    of_benefit("percent", &benefit::percent),
    of_benefit("hours", &benefit::hours),
    of_limits("max_uses", &limits::max_uses, rule{}, "Null: no limit"),
    of_limits("valid_from", &limits::valid_from),
    of_limits("valid_until", &limits::valid_until),
    of_limits("is_active", &limits::is_active),
    of_limits("first_purchase_only", &limits::is_for_first_purchase),
    field("uses", &promo_code::uses),
    field("created_at", &promo_code::created_at),
    field("updated_at", &promo_code::updated_at),
};

constexpr shape page{
    field("items", &promo_code_page::items, code),
    field("total", &promo_code_page::total),
    field("offset", &promo_code_page::offset),
    field("limit", &promo_code_page::limit),
};

constexpr shape use{
    field("account_id", &promo_code_use::account),
    field("login", &promo_code_use::login),
    field("used_at", &promo_code_use::used_at),
    field("amount", &promo_code_use::amount, "What it brought"),
    field("currency", [](const promo_code_use& u) { return currency_in(u.amount); }),
    field("days", &promo_code_use::days),
    field("percent", &promo_code_use::percent),
};

constexpr shape uses{
    field("items", &use_page::items, use),
    field("total", &use_page::total),
    field("offset", &use_page::offset),
    field("limit", &use_page::limit),
};

bool is_currency(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

constexpr rule currency{
    .low = 3, .high = 3, .accepts = is_currency, .expectation = "three upper-case letters", .pattern = "^[A-Z]{3}$"};

constexpr auto most = 1'000'000'000;

/// POST and PUT have one body.
template <class... More>
consteval auto saves(const char* method, const char* path, const char* summary, More... more) {
  return declare<save_promo_code>(
      method, path, permission::manage, bucket::general, summary, fails(409, "PROMO_EXISTS"),
      from_session(&save_promo_code::caller),
      from_json("code", &save_promo_code::code, length(3, 50).like(R"("WELCOME")"),
                "Letters, digits, - and _; kept in capitals"),
      from_json("type", &save_promo_code::kind, anything,
                "balance: amount, currency; days: days, plan_id, traffic_gb; balance_and_days: all of these; "
                "trial: days, plan_id; group: group, percent; discount: percent, hours"),
      from_json("amount", &save_promo_code::amount, length(1, 20).or_number().like(R"("100.00")"),
                "Decimal text, or a number"),
      from_json("currency", &save_promo_code::currency, currency),
      from_json("days", &save_promo_code::days, between(1, 3650)),
      from_json("plan_id", &save_promo_code::plan, anything,
                "Of the days, for accounts that never had a plan; the first on sale when missing"),
      from_json("traffic_gb", &save_promo_code::traffic_gb, between(1, 1'000'000), "On top of the plan's"),
      from_json("group", &save_promo_code::group, length(1, 50)),
      from_json("percent", &save_promo_code::percent, between(1, 100)),
      from_json("hours", &save_promo_code::hours, between(0, 87'600), "0 or missing: until the first purchase"),
      from_json("max_uses", &save_promo_code::max_uses, between(1, most), "Missing: no limit; each account may once"),
      from_json("valid_from", &save_promo_code::valid_from), from_json("valid_until", &save_promo_code::valid_until),
      from_json_or_default("is_active", &save_promo_code::is_active),
      from_json_or_default("first_purchase_only", &save_promo_code::is_for_first_purchase),
      from_origin(&save_promo_code::origin), more...);
}

constexpr std::tuple endpoints{
    get<list_promo_codes>("/api/v1/admin/promocodes", permission::manage, bucket::dashboard,
                          "The promo codes, newest first", answers(200, page),
                          from_query("q", &list_promo_codes::text, length(1, 50), "Part of the code, in whatever case"),
                          from_query("type", &list_promo_codes::kind),
                          from_query("is_active", &list_promo_codes::is_active),
                          from_query("offset", &list_promo_codes::offset, between(0, most)),
                          from_query("limit", &list_promo_codes::limit, between(1, 200))),

    saves("POST", "/api/v1/admin/promocodes", "Make a promo code", answers(201, code),
          from_idempotency_key(&save_promo_code::claim)),

    get<get_promo_code>("/api/v1/admin/promocodes/{id}", permission::manage, bucket::dashboard, "A promo code",
                        answers(200, code), fails(404, "No such code"), from_path("id", &get_promo_code::id)),

    saves("PUT", "/api/v1/admin/promocodes/{id}", "Replace all that is said of a promo code", answers(200, code),
          fails(404, "No such code"), from_path("id", &save_promo_code::id)),

    del<delete_promo_code>("/api/v1/admin/promocodes/{id}", permission::manage, bucket::general,
                           "Delete a promo code; what it brought stays", answers_nothing(204),
                           fails(404, "No such code"), from_session(&delete_promo_code::caller),
                           from_path("id", &delete_promo_code::id), from_origin(&delete_promo_code::origin)),

    get<list_uses>("/api/v1/admin/promocodes/{id}/uses", permission::manage, bucket::dashboard,
                   "Who has used a promo code, newest first", answers(200, uses), fails(404, "No such code"),
                   from_path("id", &list_uses::id), from_query("offset", &list_uses::offset, between(0, most)),
                   from_query("limit", &list_uses::limit, between(1, 200))),
};

} // namespace

void add_promo_codes(router& to, const domains& who) {
  add_endpoints(to, family, "Administration", who.promotions, endpoints);
}

} // namespace backstay::http::admin
