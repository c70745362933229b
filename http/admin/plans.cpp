#include "http/admin/family.hpp"
#include "http/kernel/endpoint.hpp"

#include <algorithm>

namespace backstay::http::admin {

namespace {

using subscriptions::list_all_plans;
using subscriptions::offer;
using subscriptions::plan;
using subscriptions::plan_page;
using subscriptions::price_name;
using subscriptions::save_plan;

template <char First, char Last>
bool is_between(char c) {
  return c >= First && c <= Last;
}

bool is_currency(std::string_view text) { return std::all_of(text.begin(), text.end(), is_between<'A', 'Z'>); }

bool is_code(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_between<'a', 'z'>(c) || is_between<'0', '9'>(c) || c == '_' || c == '-'; });
}

bool is_audience(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_between<'a', 'z'>(c) || c == '_'; });
}

constexpr rule currency{
    .low = 3, .high = 3, .accepts = is_currency, .expectation = "three upper-case letters", .pattern = "^[A-Z]{3}$"};
constexpr rule code{.low = 1,
                    .high = 50,
                    .accepts = is_code,
                    .expectation = "lower-case letters, digits, _ and -",
                    .pattern = "^[a-z0-9_-]+$",
                    .example = R"("professional")"};
constexpr rule audience{.low = 1,
                        .high = 30,
                        .accepts = is_audience,
                        .expectation = "lower-case letters and _",
                        .pattern = "^[a-z_]+$",
                        .example = R"("vpn")"};

constexpr shape price{
    field("currency", &money::currency, currency, "ISO 4217"),
    field("minor", &money::minor, between(0, 1'000'000'000'000), "In the smallest unit: cents, kopeks"),
};

constexpr shape offer_shape{
    field("days", &offer::days, between(1, 36500)),
    field("discount_percent", &offer::discount_percent, between(0, 100), "Of the prices, for everybody"),
    field("prices", &offer::prices, price, "One a currency, before the discount"),
};

constexpr shape price_name_shape{
    field("days", &price_name::days, between(1, 36500), "Of the offer"),
    field("provider", &price_name::provider, length(1, 50), "Such as stripe or lemonsqueezy"),
    field("name", &price_name::name, length(1, 200), "What that provider calls the offer"),
};

constexpr shape plan_shape{
    field("id", &plan::id),
    field("number", &plan::number, example("3")),
    field("name", &plan::name, example(R"("Premium")")),
    field("description", &plan::description),
    field("audience", &plan::audience, audience),
    field("code", &plan::code, code),
    field("position", &plan::position),
    field("is_active", &plan::is_active, "On sale"),
    field("is_popular", &plan::is_popular),
    field("is_trial", &plan::is_trial),
    field("traffic_limit_bytes", &plan::traffic_limit_bytes, "null: unlimited"),
    field("traffic_reset", &plan::traffic_reset),
    field("max_devices", &plan::max_devices, "null: unlimited"),
    field("features", &plan::features),
    field("attributes", &plan::attributes),
    field("duration_days", &plan::duration_days, "The default period"),
    field("offers", &plan::offers, offer_shape),
    field("price_names", &plan::price_names, price_name_shape),
};

constexpr shape page{
    field("items", &plan_page::items, plan_shape),
    field("total", &plan_page::total),
    field("offset", &plan_page::offset),
    field("limit", &plan_page::limit),
};

/// All of a plan, new or anew: what is missing is as it is by default.
template <class... More>
consteval auto saving(const char* method, const char* path, const char* summary, More... more) {
  return declare<save_plan>(
      method, path, permission::manage, bucket::general, summary,
      fails(409, "PLAN_NAME_TAKEN, PLAN_CODE_TAKEN or PRICE_NAME_TAKEN"), from_session(&save_plan::caller),
      from_origin(&save_plan::origin), from_json("name", &save_plan::name, length(1, 100)),
      from_json_or_default("description", &save_plan::description, length(0, 2000)),
      from_json_or_default("audience", &save_plan::audience, audience, "Which product it is of"),
      from_json("code", &save_plan::code, code, "How that product's programs call it; unique in it"),
      from_json_or_default("position", &save_plan::position, between(0, 1'000'000), "In lists, ascending"),
      from_json_or_default("is_active", &save_plan::is_active, anything, "On sale"),
      from_json_or_default("is_popular", &save_plan::is_popular),
      from_json_or_default("is_trial", &save_plan::is_trial, anything, "What a trial gives, while on sale"),
      from_json("traffic_limit_bytes", &save_plan::traffic_limit_bytes, between(1, std::int64_t{1} << 60)),
      from_json_or_default("traffic_reset", &save_plan::traffic_reset, anything, "When the limit begins anew"),
      from_json("max_devices", &save_plan::max_devices, between(1, 100'000)),
      from_json_or_default("features", &save_plan::features, length(0, 100)),
      from_json_or_default("attributes", &save_plan::attributes, anything, "What only that product's programs read"),
      from_json_or_default("duration_days", &save_plan::duration_days, between(1, 36500),
                           "The default period: there must be an offer for it"),
      from_json("offers", &save_plan::offers, offer_shape, "For how long it is sold, and at what price"),
      from_json_or_default("price_names", &save_plan::price_names, price_name_shape), more...);
}

constexpr std::tuple endpoints{
    get<list_all_plans>("/api/v1/admin/plans", permission::payment_read, bucket::dashboard,
                        "Every plan, by product and position", answers(200, page),
                        from_query("audience", &list_all_plans::audience, audience, "Of one product"),
                        from_query("offset", &list_all_plans::offset, between(0, 1'000'000'000)),
                        from_query("limit", &list_all_plans::limit, between(1, 200))),
    get<subscriptions::get_plan>("/api/v1/admin/plans/{id}", permission::payment_read, bucket::dashboard, "A plan",
                                 answers(200, plan_shape), fails(404, "No such plan"),
                                 from_path("id", &subscriptions::get_plan::id)),
    saving("POST", "/api/v1/admin/plans", "Make a plan", answers(201, plan_shape, "Made"),
           from_idempotency_key(&save_plan::claim)),
    saving("PUT", "/api/v1/admin/plans/{id}", "Write all of a plan anew; who has bought it keeps what was bought",
           answers(200, plan_shape), fails(404, "No such plan"), from_path("id", &save_plan::id)),
    del<subscriptions::retire_plan>("/api/v1/admin/plans/{id}", permission::manage, bucket::general,
                                    "Take a plan off sale; what was sold of it stays", answers(200, plan_shape),
                                    fails(404, "No such plan"), from_session(&subscriptions::retire_plan::caller),
                                    from_origin(&subscriptions::retire_plan::origin),
                                    from_path("id", &subscriptions::retire_plan::id)),
};

} // namespace

void add_plans(router& to, const domains& who) {
  add_endpoints(to, family, "Administration", who.subscriptions, endpoints);
}

} // namespace backstay::http::admin
