#include "integrations/lemonsqueezy/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "integrations/call.hpp"

#include <algorithm>

namespace backstay::lemonsqueezy {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::is_success;
using payment_provider::charge_state;

constexpr auto media_type = "application/vnd.api+json";

/// How long a buyer has to pay.
constexpr std::chrono::hours lifetime{24};

/// The provider's longest name of a product.
constexpr std::size_t longest_name = 255;

/// Orders do not show what their checkout carried along, only what was bought: so our id is part of that name.
std::string name_of(const payment_provider::create_charge& order) {
  const auto mark = " [" + to_string(order.payment) + "]";
  auto name = order.description.empty() ? "Payment" : order.description;
  if (name.size() + mark.size() > longest_name) name.resize(longest_name - mark.size());
  return name + mark;
}

std::optional<payment_id> read_mark(const std::string& name) {
  const auto begin = name.rfind('[');
  if (begin == std::string::npos || !name.ends_with(']')) return std::nullopt;
  return payment_id::parse(std::string_view{name}.substr(begin + 1, name.size() - begin - 2));
}

/// The source of an error, such as "/data/attributes/custom_price"; never its text, which may quote what was sent.
std::string error_name(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  const auto pointer = json::json_pointer{"/errors/0/source/pointer"};
  if (document.is_discarded() || !document.contains(pointer) || !document[pointer].is_string()) return {};
  return document[pointer].get<std::string>();
}

/// A store has one currency.
std::string currency_of(const settings& where) {
  return where.currencies.empty() ? std::string{} : where.currencies.front();
}

/// What a checkout carried along: an empty list when it was nothing.
std::optional<payment_id> read_payment(const fields& checkout) {
  const auto data = checkout.find_in("checkout_data");
  const auto custom = data ? data->find_in("custom") : std::nullopt;
  return custom ? payment_id::parse(read_text(*custom, "payment")) : std::nullopt;
}

checkout_sight read_checkout(const settings& where, const fields& resource, timestamp now) {
  const auto in = resource.in("attributes");
  const auto expires_at = in.get<std::optional<timestamp>>("expires_at");
  return {{.external_id = resource.get<std::string>("id"),
           .payment = read_payment(in),
           .state = expires_at && *expires_at <= now ? charge_state::expired : charge_state::pending,
           .price = {in.get<std::optional<std::int64_t>>("custom_price").value_or(0), currency_of(where)},
           .url = in.get<std::string>("url"),
           .expires_at = expires_at},
          in.get<timestamp>("created_at")};
}

// ---- Orders

/// https://docs.lemonsqueezy.com/api/orders/the-order-object
charge_state read_state(const std::string& status) {
  if (status == "pending") return charge_state::pending;
  if (status == "paid" || status == "partial_refund") return charge_state::paid;
  return status == "refunded" ? charge_state::refunded : charge_state::failed;
}

/// The tax on top is the provider's to pay on; ours is the rest.
std::int64_t read_net(const fields& order) {
  const auto total = order.get<std::int64_t>("total");
  return order.get<std::optional<bool>>("tax_inclusive").value_or(false) ? total
                                                                         : total - order.get<std::int64_t>("tax");
}

std::optional<payment_id> read_bought(const fields& order) {
  const auto item = order.find_in("first_order_item");
  return item ? read_mark(read_text(*item, "product_name")) : std::nullopt;
}

charge read_order(const fields& resource) {
  const auto order = resource.in("attributes");
  charge seen{.external_id = resource.get<std::string>("id"),
              .payment = read_bought(order),
              .state = read_state(order.get<std::string>("status")),
              .price = {read_net(order), to_upper(order.get<std::string>("currency"))}};
  const auto refunded = order.get<std::optional<std::int64_t>>("refunded_amount").value_or(0);
  const bool is_whole = seen.state == charge_state::refunded;
  seen.refunded = is_whole ? seen.price.minor : std::clamp<std::int64_t>(refunded, 0, seen.price.minor);
  if (seen.state == charge_state::paid || is_whole) seen.paid_at = order.get<timestamp>("created_at");
  return seen;
}

template <class Read>
page read_page(const http_response& answer, Read read) {
  const auto document = parse_answer(answer);
  page all;
  for (const auto& resource : fields{document}.each("data")) {
    ++all.size;
    const auto created = resource.in("attributes").get<timestamp>("created_at");
    all.oldest = std::min(created, all.oldest.value_or(created));
    all.charges.push_back(read(resource));
  }
  return all;
}

http_request get_page(const settings& where, const std::string& path, std::size_t page,
                      std::vector<std::pair<std::string, std::string>> filter) {
  filter.insert(filter.end(), {{"filter[store_id]", where.store},
                               {"page[number]", std::to_string(page)},
                               {"page[size]", std::to_string(page_size)}});
  return request(where, "GET", path + "?" + to_query(filter));
}

} // namespace

http_request request(const settings& where, std::string method, const std::string& path) {
  return {std::move(method),
          where.url + path,
          {{"Authorization", "Bearer " + where.api_key.reveal()}, {"Accept", media_type}},
          {}};
}

http_request request(const settings& where, std::string method, const std::string& path, const json& document) {
  auto made = request(where, std::move(method), path);
  made.headers.emplace_back("Content-Type", media_type);
  made.body = dump(document);
  return made;
}

json parse_answer(const http_response& answer) {
  if (!is_success(answer)) fail_status(answer, error_name(answer));
  auto document = integrations::parse(answer.body);
  if (!document.is_object()) fail_outside(ec::upstream, "not a JSON object");
  return document;
}

bool is_number(const std::string& id) {
  return !id.empty() && id.size() <= 18 && id.find_first_not_of("0123456789") == std::string::npos;
}

std::string read_text(const fields& in, const char* name) {
  return in.get<std::optional<std::string>>(name).value_or("");
}

json to_number(const std::string& id) { return is_number(id) ? json(std::stoll(id)) : json(id); }

std::string read_id(const fields& in, const char* name) { return std::to_string(in.get<std::int64_t>(name)); }

json checkout_document(const settings& where, const std::string& variant, json attributes, const json& custom) {
  const auto relation = [](const char* type, const std::string& id) -> json {
    return {{"data", {{"type", type}, {"id", id}}}};
  };
  attributes["checkout_data"]["custom"] = custom;
  return {
      {"data",
       {{"type", "checkouts"},
        {"attributes", std::move(attributes)},
        {"relationships", {{"store", relation("stores", where.store)}, {"variant", relation("variants", variant)}}}}}};
}

json read_event(const payment_provider::read_webhook& hook, const secret& key) {
  const auto signature = integrations::find_header(hook.headers, "x-signature");
  const auto mac = crypto::to_hex(crypto::hmac(key.reveal(), hook.body));
  // Everybody can sign with no secret.
  if (key.empty() || !crypto::equal(mac, signature)) fail(ec::unauthenticated);
  return integrations::parse(hook.body, ec::malformed);
}

std::string read_event_name(const fields& event) { return event.in("meta").get<std::string>("event_name"); }

std::string read_custom(const fields& event, const char* name) {
  auto custom = event.in("meta").find_in("custom_data");
  if (!custom) custom = event.in("data").in("attributes").find_in("custom_data");
  return custom ? read_text(*custom, name) : std::string{};
}

http_request create_checkout(const settings& where, const payment_provider::create_charge& order, timestamp now) {
  json product{{"name", name_of(order)}, {"enabled_variants", json::array({to_number(where.variant)})}};
  if (!order.return_url.empty()) product["redirect_url"] = order.return_url;
  json buyer = json::object();
  if (!order.email.empty()) buyer["email"] = order.email;
  json attributes{{"custom_price", order.price.minor},
                  {"expires_at", to_rfc3339(now + lifetime)},
                  {"product_options", std::move(product)},
                  {"checkout_options", {{"discount", false}}},
                  {"checkout_data", std::move(buyer)}};
  return request(
      where, "POST", "/v1/checkouts",
      checkout_document(where, where.variant, std::move(attributes), {{"payment", to_string(order.payment)}}));
}

checkout_sight read_created(const settings& where, const http_response& answer, timestamp now) {
  const auto document = parse_answer(answer);
  return read_checkout(where, fields{document}.in("data"), now);
}

std::optional<http_request> get_checkout(const settings& where, const std::string& id) {
  if (!uuid::parse(id)) return std::nullopt;
  return request(where, "GET", "/v1/checkouts/" + id);
}

std::optional<checkout_sight> read_checkout(const settings& where, const http_response& answer, timestamp now) {
  if (answer.status == 404) return std::nullopt;
  return read_created(where, answer, now);
}

std::optional<http_request> get_order(const settings& where, const std::string& id) {
  if (!is_number(id)) return std::nullopt;
  return request(where, "GET", "/v1/orders/" + id);
}

std::optional<charge> read_order(const http_response& answer) {
  if (answer.status == 404) return std::nullopt;
  const auto document = parse_answer(answer);
  const fields whole{document};
  // What the manual shows of a refund is the order itself.
  return read_order(whole.find_in("data").value_or(whole));
}

http_request get_checkouts(const settings& where, std::size_t page) {
  return get_page(where, "/v1/checkouts", page, {{"filter[variant_id]", where.variant}});
}

http_request get_orders(const settings& where, std::size_t page) { return get_page(where, "/v1/orders", page, {}); }

page read_checkouts(const settings& where, const http_response& answer, timestamp now) {
  return read_page(answer, [&](const fields& resource) { return read_checkout(where, resource, now).shown; });
}

page read_orders(const http_response& answer) {
  return read_page(answer, [](const fields& resource) { return read_order(resource); });
}

http_request create_refund(const settings& where, const payment_provider::refund_charge& order, const charge& paid) {
  json attributes = json::object();
  if (order.amount.minor < paid.price.minor) attributes["amount"] = order.amount.minor;
  return request(where, "POST", "/v1/orders/" + order.external_id + "/refund",
                 {{"data", {{"type", "orders"}, {"id", order.external_id}, {"attributes", std::move(attributes)}}}});
}

payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& key) {
  const auto document = read_event(hook, key);
  const fields event{document, ec::malformed};
  const auto name = read_event_name(event);
  // What the checkout carried along is in no other answer of theirs.
  payment_provider::webhook_event read{crypto::to_hex(crypto::sha256(hook.body)), std::nullopt, true};
  if (name != "order_created" && name != "order_refunded") return read;
  const auto payment = payment_id::parse(read_custom(event, "payment"));
  // Not ours: the store sells other things, too.
  if (!payment) return read;
  read.about = read_order(event.in("data"));
  read.about->payment = payment;
  return read;
}

} // namespace backstay::lemonsqueezy
