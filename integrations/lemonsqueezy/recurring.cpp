#include "integrations/lemonsqueezy/recurring.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"

namespace backstay::lemonsqueezy {

namespace {

using payment_provider::invoice_state;
using payment_provider::proration;
using payment_provider::recurring_change;
using payment_provider::recurring_event;
using payment_provider::recurring_invoice;
using payment_provider::recurring_state;

void require_number(const std::string& id) {
  if (!is_number(id)) fail(ec::not_found);
}

json require_known(const http_response& answer) {
  if (answer.status == 404) fail(ec::not_found);
  return parse_answer(answer);
}

/// A cancelled one goes on until its end.
recurring_state read_state(const std::string& status) {
  if (status == "on_trial") return recurring_state::trialing;
  if (status == "active" || status == "cancelled") return recurring_state::active;
  if (status == "past_due" || status == "unpaid") return recurring_state::past_due;
  return status == "paused" ? recurring_state::paused : recurring_state::ended;
}

/// Some programs send `renewal_date` for `renews_at`.
std::optional<timestamp> read_renewal(const fields& in) {
  const auto renews_at = in.get<std::optional<timestamp>>("renews_at");
  return renews_at ? renews_at : in.get<std::optional<timestamp>>("renewal_date");
}

recurring_subscription read_resource(const fields& resource) {
  const auto in = resource.in("attributes");
  return {.external_id = resource.get<std::string>("id"),
          .customer = read_id(in, "customer_id"),
          .plan = read_id(in, "variant_id"),
          .state = read_state(in.get<std::string>("status")),
          .period_end = read_renewal(in),
          .ends_at = in.get<std::optional<timestamp>>("ends_at")};
}

/// https://docs.lemonsqueezy.com/api/subscription-invoices/the-subscription-invoice-object
invoice_state read_invoice_state(const std::string& status) {
  if (status == "paid" || status == "partial_refund") return invoice_state::paid;
  if (status == "refunded") return invoice_state::refunded;
  return status == "void" ? invoice_state::voided : invoice_state::open;
}

recurring_invoice read_invoice(const fields& resource) {
  const auto in = resource.in("attributes");
  const auto urls = in.find_in("urls");
  recurring_invoice invoice{.external_id = resource.get<std::string>("id"),
                            .state = read_invoice_state(in.get<std::string>("status")),
                            .price = {in.get<std::int64_t>("total"), to_upper(in.get<std::string>("currency"))},
                            .issued_at = in.get<timestamp>("created_at")};
  if (invoice.state == invoice_state::paid) invoice.paid_at = in.get<std::optional<timestamp>>("updated_at");
  if (urls) invoice.pdf = read_text(*urls, "invoice_url");
  return invoice;
}

// ---- Webhooks

void add_subscription(recurring_event& event, const fields& resource, const std::string& name) {
  event.is_now = read_resource(resource);
  event.is_now->reference = event.reference;
  event.subscription = event.is_now->external_id;
  event.customer = event.is_now->customer;
  const bool is_over = event.is_now->state == recurring_state::ended;
  event.what = name == "subscription_created" ? recurring_change::began
               : is_over                      ? recurring_change::ended
                                              : recurring_change::changed;
}

void add_invoice(recurring_event& event, const fields& resource, recurring_change what) {
  event.what = what;
  event.invoice = read_invoice(resource);
  event.subscription = read_id(resource.in("attributes"), "subscription_id");
  event.customer = read_id(resource.in("attributes"), "customer_id");
  if (what == recurring_change::invoice_failed) event.invoice->state = invoice_state::failed;
}

void add_subject(recurring_event& event, const fields& resource, const std::string& name) {
  if (name == "subscription_payment_success" || name == "subscription_payment_recovered")
    add_invoice(event, resource, recurring_change::invoice_paid);
  else if (name == "subscription_payment_failed") add_invoice(event, resource, recurring_change::invoice_failed);
  else if (name.starts_with("subscription_") && !name.starts_with("subscription_payment_"))
    add_subscription(event, resource, name);
}

} // namespace

http_request begin_subscription(const settings& where, const payment_provider::begin_subscription& order) {
  json product{{"enabled_variants", json::array({to_number(order.plan)})}};
  if (!order.return_url.empty()) product["redirect_url"] = order.return_url;
  json buyer = json::object();
  if (!order.email.empty()) buyer["email"] = order.email;
  json attributes{{"product_options", std::move(product)}, {"checkout_data", std::move(buyer)}};
  return request(where, "POST", "/v1/checkouts",
                 checkout_document(where, order.plan, std::move(attributes), {{"reference", order.reference}}));
}

payment_provider::subscription_checkout read_begun(const http_response& answer) {
  const auto document = parse_answer(answer);
  const auto made = fields{document}.in("data");
  const auto in = made.in("attributes");
  return {made.get<std::string>("id"), in.get<std::string>("url"), in.get<std::optional<timestamp>>("expires_at")};
}

http_request get_subscription(const settings& where, const std::string& id) {
  require_number(id);
  return request(where, "GET", "/v1/subscriptions/" + id);
}

recurring_subscription read_subscription(const http_response& answer) {
  const auto document = require_known(answer);
  return read_resource(fields{document}.in("data"));
}

http_request change_subscription(const settings& where, const payment_provider::change_subscription& order) {
  require_number(order.external_id);
  json attributes{{"variant_id", to_number(order.plan)}};
  if (order.difference == proration::invoice_now) attributes["invoice_immediately"] = true;
  if (order.difference == proration::none) attributes["disable_prorations"] = true;
  return request(
      where, "PATCH", "/v1/subscriptions/" + order.external_id,
      {{"data", {{"type", "subscriptions"}, {"id", order.external_id}, {"attributes", std::move(attributes)}}}});
}

http_request cancel_subscription(const settings& where, const std::string& id) {
  require_number(id);
  return request(where, "DELETE", "/v1/subscriptions/" + id);
}

http_request get_customer(const settings& where, const std::string& id) {
  require_number(id);
  return request(where, "GET", "/v1/customers/" + id);
}

payment_provider::portal read_portal(const http_response& answer) {
  const auto document = require_known(answer);
  const auto urls = fields{document}.in("data").in("attributes").in("urls");
  const auto url = urls.get<std::optional<std::string>>("customer_portal");
  // Who never subscribed has no portal.
  if (!url) fail(ec::not_found);
  return {*url};
}

http_request list_invoices(const settings& where, const payment_provider::list_invoices& query) {
  require_number(query.subscription);
  return request(where, "GET",
                 "/v1/subscription-invoices?" +
                     to_query({{"filter[subscription_id]", query.subscription}, {"page[size]", "100"}}));
}

payment_provider::invoice_list read_invoices(const http_response& answer) {
  const auto document = require_known(answer);
  payment_provider::invoice_list read;
  for (const auto& resource : fields{document}.each("data")) read.items.push_back(read_invoice(resource));
  return read;
}

recurring_event read_recurring(const payment_provider::read_webhook& hook, const secret& key) {
  const auto document = read_event(hook, key);
  const fields in{document, ec::malformed};
  const auto resource = in.in("data");
  recurring_event event{.event_id = crypto::to_hex(crypto::sha256(hook.body)),
                        .reference = read_custom(in, "reference")};
  const auto changed = resource.in("attributes").get<std::optional<timestamp>>("updated_at");
  event.happened_at = changed.value_or(timestamp{});
  add_subject(event, resource, read_event_name(in));
  return event;
}

} // namespace backstay::lemonsqueezy
