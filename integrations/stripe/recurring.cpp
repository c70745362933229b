#include "integrations/stripe/recurring.hpp"

#include "integrations/call.hpp"

namespace backstay::stripe {

namespace {

using integrations::fail_outside;
using payment_provider::invoice_state;
using payment_provider::proration;
using payment_provider::recurring_change;
using payment_provider::recurring_event;
using payment_provider::recurring_invoice;
using payment_provider::recurring_state;

void require_id(const std::string& id, std::string_view kind) {
  if (!is_id(id, kind)) fail(ec::not_found);
}

std::string read_our_reference(const fields& in) {
  const auto metadata = in.find_in("metadata");
  return metadata ? read_text(*metadata, "reference") : std::string{};
}

/// https://docs.stripe.com/api/subscriptions/object#subscription_object-status
recurring_state read_state(const std::string& status) {
  if (status == "active") return recurring_state::active;
  if (status == "trialing") return recurring_state::trialing;
  if (status == "past_due" || status == "unpaid") return recurring_state::past_due;
  if (status == "paused") return recurring_state::paused;
  return status == "incomplete" ? recurring_state::pending : recurring_state::ended;
}

/// One that ended did so at `ended_at`; one that will, at `cancel_at`.
std::optional<timestamp> read_end(const fields& in) {
  const auto ended = read_time(in, "ended_at");
  return ended ? ended : read_time(in, "cancel_at");
}

/// Our subscriptions have one line. Since 2025-03-31 the period is told there, no longer of the whole.
subscription_sight read_whole(const fields& in) {
  const auto lines = in.in("items").each("data");
  if (lines.empty()) in.refuse("items");
  const auto& line = lines.front();
  const auto period_end = read_time(in, "current_period_end");
  return {{.external_id = in.get<std::string>("id"),
           .customer = read_reference(in, "customer"),
           .reference = read_our_reference(in),
           .plan = line.in("price").get<std::string>("id"),
           .state = read_state(in.get<std::string>("status")),
           .period_end = period_end ? period_end : read_time(line, "current_period_end"),
           .ends_at = read_end(in)},
          line.get<std::string>("id")};
}

subscription_sight read_session(const fields& session) {
  if (const auto made = session.find_in("subscription")) return read_whole(*made);
  const bool is_over = read_text(session, "status") == "expired";
  return {{.customer = read_reference(session, "customer"),
           .reference = read_our_reference(session),
           .state = is_over ? recurring_state::ended : recurring_state::pending},
          {}};
}

/// https://docs.stripe.com/api/invoices/object#invoice_object-status
invoice_state read_invoice_state(const std::string& status) {
  if (status == "paid") return invoice_state::paid;
  if (status == "void") return invoice_state::voided;
  if (status == "uncollectible") return invoice_state::failed;
  return status == "draft" ? invoice_state::draft : invoice_state::open;
}

/// What an invoice is for is told of its lines; of the invoice itself, only what was gathered meanwhile.
void add_period(recurring_invoice& invoice, const fields& in) {
  const auto lines = in.find_in("lines");
  if (!lines) return;
  for (const auto& line : lines->each("data")) {
    const auto period = line.in("period");
    const auto start = read_time(period, "start"), end = read_time(period, "end");
    if (end > invoice.period_end) std::tie(invoice.period_start, invoice.period_end) = std::tie(start, end);
  }
}

recurring_invoice read_invoice(const fields& in) {
  const auto issued = read_time(in, "created");
  if (!issued) in.refuse("created");
  recurring_invoice invoice{.external_id = in.get<std::string>("id"),
                            .number = read_text(in, "number"),
                            .state = read_invoice_state(read_text(in, "status")),
                            .price = read_money(in, "total"),
                            .issued_at = *issued,
                            .url = read_text(in, "hosted_invoice_url"),
                            .pdf = read_text(in, "invoice_pdf")};
  if (const auto moments = in.find_in("status_transitions")) invoice.paid_at = read_time(*moments, "paid_at");
  add_period(invoice, in);
  return invoice;
}

// ---- Webhooks

void add_session(recurring_event& event, const fields& session) {
  const auto payment = read_text(session, "payment_status");
  if (read_text(session, "mode") != "subscription" || payment == "unpaid") return;
  event.what = recurring_change::began;
  event.subscription = read_reference(session, "subscription");
  event.customer = read_reference(session, "customer");
  event.reference = read_our_reference(session);
}

void add_subscription(recurring_event& event, const fields& in) {
  event.is_now = read_whole(in).is;
  event.what = event.is_now->state == recurring_state::ended ? recurring_change::ended : recurring_change::changed;
  event.subscription = event.is_now->external_id;
  event.customer = event.is_now->customer;
  event.reference = event.is_now->reference;
}

/// Since 2025-03-31 the subscription is told below `parent`. An invoice of none is no concern of subscriptions.
void add_invoice(recurring_event& event, const fields& in, recurring_change what) {
  const auto parent = in.find_in("parent");
  const auto details = (parent ? *parent : in).find_in("subscription_details");
  event.subscription = read_reference(parent && details ? *details : in, "subscription");
  if (event.subscription.empty()) return;
  event.what = what;
  event.customer = read_reference(in, "customer");
  if (details) event.reference = read_our_reference(*details);
  event.invoice = read_invoice(in);
}

void add_subject(recurring_event& event, const std::string& type, const fields& object) {
  if (type == "checkout.session.completed" || type == "checkout.session.async_payment_succeeded")
    add_session(event, object);
  else if (type.starts_with("customer.subscription.")) add_subscription(event, object);
  else if (type == "invoice.paid") add_invoice(event, object, recurring_change::invoice_paid);
  else if (type == "invoice.payment_failed") add_invoice(event, object, recurring_change::invoice_failed);
}

const char* behavior_of(proration difference) {
  switch (difference) {
  case proration::invoice_now:
    return "always_invoice";
  case proration::next_invoice:
    return "create_prorations";
  case proration::none:
    break;
  }
  return "none";
}

} // namespace

http_request begin_subscription(const settings& where, const payment_provider::begin_subscription& order) {
  parameters form{{"mode", "subscription"},
                  {"client_reference_id", order.reference},
                  {"line_items[0][quantity]", "1"},
                  {"line_items[0][price]", order.plan},
                  {"metadata[reference]", order.reference},
                  {"subscription_data[metadata][reference]", order.reference},
                  {"success_url", order.return_url},
                  {"cancel_url", order.cancel_url.empty() ? order.return_url : order.cancel_url}};
  if (!order.customer.empty()) form.emplace_back("customer", order.customer);
  else if (!order.email.empty()) form.emplace_back("customer_email", order.email);
  if (order.trial_days > 0) form.emplace_back("subscription_data[trial_period_days]", std::to_string(order.trial_days));
  return post(where, "/v1/checkout/sessions", form, "subscription-" + order.reference);
}

payment_provider::subscription_checkout read_begun(const http_response& answer) {
  const auto document = parse_answer(answer);
  const fields session{document};
  return {session.get<std::string>("id"), session.get<std::string>("url"), read_time(session, "expires_at")};
}

http_request get_subscription(const settings& where, const std::string& id) {
  if (is_id(id, "cs")) return get(where, "/v1/checkout/sessions/" + id, {{"expand[0]", "subscription"}});
  require_id(id, "sub");
  return get(where, "/v1/subscriptions/" + id);
}

subscription_sight read_subscription(const http_response& answer) {
  if (is_missing(answer)) fail(ec::not_found);
  const auto document = parse_answer(answer);
  const fields in{document};
  return in.get<std::string>("object") == "checkout.session" ? read_session(in) : read_whole(in);
}

http_request change_subscription(const settings& where, const std::string& item,
                                 const payment_provider::change_subscription& order) {
  require_id(order.external_id, "sub");
  return post(
      where, "/v1/subscriptions/" + order.external_id,
      {{"items[0][id]", item}, {"items[0][price]", order.plan}, {"proration_behavior", behavior_of(order.difference)}});
}

http_request cancel_subscription(const settings& where, const payment_provider::cancel_subscription& order) {
  require_id(order.external_id, "sub");
  const auto path = "/v1/subscriptions/" + order.external_id;
  if (!order.at_once) return post(where, path, {{"cancel_at_period_end", "true"}});
  auto made = get(where, path);
  made.method = "DELETE";
  return made;
}

http_request open_portal(const settings& where, const payment_provider::open_portal& order) {
  require_id(order.customer, "cus");
  return post(where, "/v1/billing_portal/sessions", {{"customer", order.customer}, {"return_url", order.return_url}});
}

payment_provider::portal read_portal(const http_response& answer) {
  if (is_missing(answer)) fail(ec::not_found);
  const auto document = parse_answer(answer);
  return {fields{document}.get<std::string>("url")};
}

http_request list_invoices(const settings& where, const payment_provider::list_invoices& query) {
  require_id(query.subscription, "sub");
  return get(where, "/v1/invoices", {{"subscription", query.subscription}, {"limit", "100"}});
}

payment_provider::invoice_list read_invoices(const http_response& answer) {
  if (is_missing(answer)) fail(ec::not_found);
  const auto document = parse_answer(answer);
  payment_provider::invoice_list read;
  for (const auto& invoice : fields{document}.each("data")) read.items.push_back(read_invoice(invoice));
  return read;
}

recurring_event read_recurring(const payment_provider::read_webhook& hook, const settings& where, timestamp now) {
  const auto document = read_event(hook, where, now);
  const fields in{document, ec::malformed};
  const auto created = read_time(in, "created");
  if (!created) in.refuse("created");
  recurring_event event{.event_id = in.get<std::string>("id"), .happened_at = *created};
  add_subject(event, in.get<std::string>("type"), in.in("data").in("object"));
  return event;
}

} // namespace backstay::stripe
