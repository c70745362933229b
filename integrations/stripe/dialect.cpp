#include "integrations/stripe/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "integrations/call.hpp"

#include <algorithm>
#include <charconv>

namespace backstay::stripe {

namespace {

using integrations::fail_outside;
using integrations::fail_status;
using integrations::is_success;
using payment_provider::charge_state;
using payment_provider::create_charge;
using payment_provider::saved_method;

/// What the answers look like that are read here; webhooks have the version that the account gave them.
constexpr auto api_version = "2024-06-20";

/// How old a signature may be, or how far ahead of our clock.
constexpr std::chrono::seconds tolerance{300};

/// How many more decimal places the API counts than ISO 4217, https://docs.stripe.com/currencies#special-cases
int more_places(std::string_view currency) {
  if (currency == "ISK" || currency == "UGX") return 2;
  return currency == "MGA" ? -2 : 0;
}

/// None when an amount would have to be split.
std::optional<std::int64_t> shift(std::int64_t amount, int places) {
  if (places >= 0) return places == 0 ? amount : amount * 100;
  return amount % 100 == 0 ? std::optional{amount / 100} : std::nullopt;
}

std::string to_amount(const money& price) {
  const auto amount = shift(price.minor, more_places(price.currency));
  if (!amount) fail(ec::refused, "Stripe takes no such part of a " + price.currency);
  return std::to_string(*amount);
}

http_request request(const settings& where, std::string method, const std::string& path) {
  return {std::move(method),
          where.url + path,
          {{"Authorization", "Bearer " + where.secret_key.reveal()}, {"Stripe-Version", api_version}},
          {}};
}

/// The API's word for an error of its own; never its message, which may quote what was sent.
std::string error_name(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  if (!document.is_object()) return {};
  const auto error = document.find("error");
  if (error == document.end() || !error->is_object()) return {};
  for (const auto* name : {"code", "type"})
    if (const auto found = error->find(name); found != error->end() && found->is_string())
      return found->get<std::string>();
  return {};
}

std::optional<payment_id> read_payment(const fields& in) {
  const auto metadata = in.find_in("metadata");
  return metadata ? payment_id::parse(read_text(*metadata, "payment")) : std::nullopt;
}

void add_metadata(parameters& form, const std::string& prefix, const create_charge& order) {
  form.emplace_back(prefix.empty() ? "metadata[payment]" : prefix + "[metadata][payment]", to_string(order.payment));
}

std::string key_of(const payment_id& payment) { return "payment-" + to_string(payment); }

// ---- Reading charges

/// For people: "Visa •• 4242"; what is no card goes by its kind.
std::string title_of(const fields& method) {
  const auto card = method.find_in("card");
  if (!card) return read_text(method, "type");
  auto brand = card->get<std::string>("brand");
  if (!brand.empty()) brand.replace(0, 1, to_upper(brand.substr(0, 1)));
  return brand + " •• " + card->get<std::string>("last4");
}

/// Charging again takes both, the customer and the method.
std::optional<saved_method> read_saved(const fields& intent) {
  const auto method = intent.find_in("payment_method");
  const auto customer = read_reference(intent, "customer");
  if (read_text(intent, "setup_future_usage") != "off_session" || !method || customer.empty()) return std::nullopt;
  return saved_method{customer + "/" + method->get<std::string>("id"), title_of(*method)};
}

void add_refunds(charge& seen, const fields& below) {
  seen.refunded = read_money(below, "amount_refunded").minor;
  if (seen.refunded > 0 && seen.refunded >= seen.price.minor) seen.state = charge_state::refunded;
}

/// What only the intent knows of a paid charge.
void add_payment(charge& seen, const fields& intent) {
  seen.saved = read_saved(intent);
  const auto latest = intent.find_in("latest_charge");
  if (!latest) return;
  seen.paid_at = read_time(*latest, "created");
  add_refunds(seen, *latest);
}

charge_state read_session_state(const fields& session, const std::optional<fields>& intent) {
  const auto payment = session.get<std::string>("payment_status"), status = session.get<std::string>("status");
  if (payment == "paid" || payment == "no_payment_required") return charge_state::paid;
  if (status == "open") return charge_state::pending;
  if (status == "expired") return charge_state::expired;
  // Completed by a method that takes days: its intent goes back to the beginning when that failed.
  const auto fate = intent ? read_text(*intent, "status") : std::string{};
  return fate == "requires_payment_method" || fate == "canceled" ? charge_state::failed : charge_state::pending;
}

charge read_session(const fields& session) {
  const auto intent = session.find_in("payment_intent");
  charge seen{.external_id = session.get<std::string>("id"),
              .payment = read_payment(session),
              .state = read_session_state(session, intent),
              .price = read_money(session, "amount_total"),
              .url = read_text(session, "url"),
              .expires_at = read_time(session, "expires_at")};
  if (intent && seen.state == charge_state::paid) add_payment(seen, *intent);
  return seen;
}

/// Nobody goes on with an intent of a saved method that did not succeed: it failed.
charge_state read_intent_state(const std::string& status) {
  if (status == "succeeded") return charge_state::paid;
  return status == "processing" ? charge_state::pending : charge_state::failed;
}

charge read_intent(const fields& intent) {
  charge seen{.external_id = intent.get<std::string>("id"),
              .payment = read_payment(intent),
              .state = read_intent_state(intent.get<std::string>("status")),
              .price = read_money(intent, "amount")};
  if (seen.state == charge_state::paid) add_payment(seen, intent);
  return seen;
}

/// Which of them it is, it says itself. None: an empty list.
std::optional<charge> read_any(const fields& document) {
  const auto kind = document.get<std::string>("object");
  if (kind == "checkout.session") return read_session(document);
  if (kind == "payment_intent") return read_intent(document);
  if (kind != "list") fail_outside(ec::upstream, "neither a session nor an intent");
  const auto sessions = document.each("data");
  return sessions.empty() ? std::nullopt : std::optional{read_session(sessions.front())};
}

const parameters expand_intent{{"expand[0]", "payment_intent.latest_charge"},
                               {"expand[1]", "payment_intent.payment_method"}};

parameters expand_sessions_of(const std::string& intent) {
  return {{"payment_intent", intent},
          {"limit", "1"},
          {"expand[0]", "data.payment_intent.latest_charge"},
          {"expand[1]", "data.payment_intent.payment_method"}};
}

// ---- Webhooks

struct signature {
  std::string moment;                 ///< as it was signed
  std::vector<std::string_view> macs; ///< of the one scheme that is in use
};

signature read_signature(std::string_view header) {
  signature read;
  while (!header.empty()) {
    const auto part = header.substr(0, header.find(','));
    header.remove_prefix(std::min(part.size() + 1, header.size()));
    if (part.starts_with("t=")) read.moment = part.substr(2);
    else if (part.starts_with("v1=")) read.macs.push_back(part.substr(3));
  }
  return read;
}

bool is_recent(const std::string& moment, timestamp now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(moment.data(), moment.data() + moment.size(), seconds);
  if (error != std::errc{} || end != moment.data() + moment.size()) return false;
  const auto ours = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  return seconds >= ours - tolerance.count() && seconds <= ours + tolerance.count();
}

bool is_genuine(const payment_provider::read_webhook& hook, const settings& where, timestamp now) {
  const auto signature = read_signature(integrations::find_header(hook.headers, "stripe-signature"));
  if (!is_recent(signature.moment, now)) return false;
  const auto is_ours = [&](const secret& key) {
    // Everybody can sign with no secret.
    if (key.empty()) return false;
    const auto mac = crypto::to_hex(crypto::hmac(key.reveal(), signature.moment + "." + hook.body));
    return std::any_of(signature.macs.begin(), signature.macs.end(),
                       [&](std::string_view theirs) { return crypto::equal(mac, theirs); });
  };
  return std::any_of(where.webhook_secrets.begin(), where.webhook_secrets.end(), is_ours);
}

/// A refund is told of the charge below the intent.
charge read_refunded(const fields& below) {
  charge seen{.external_id = read_reference(below, "payment_intent"),
              .payment = read_payment(below),
              .state = charge_state::paid,
              .price = read_money(below, "amount")};
  add_refunds(seen, below);
  return seen;
}

/// The intents of sessions are left to the sessions' own events.
bool is_of_saved_method(const fields& intent) {
  const auto metadata = intent.find_in("metadata");
  return metadata && read_text(*metadata, "saved_method") == "true";
}

std::optional<charge> read_subject(const std::string& type, const fields& object) {
  if (type.starts_with("checkout.session.") && read_text(object, "mode") == "payment") return read_session(object);
  if (type.starts_with("payment_intent.") && is_of_saved_method(object)) return read_intent(object);
  if (type == "charge.refunded") return read_refunded(object);
  return std::nullopt;
}

} // namespace

http_request get(const settings& where, const std::string& path, const parameters& query) {
  return request(where, "GET", query.empty() ? path : path + "?" + to_query(query));
}

http_request post(const settings& where, const std::string& path, const parameters& form, const std::string& key) {
  auto made = request(where, "POST", path);
  made.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  if (!key.empty()) made.headers.emplace_back("Idempotency-Key", key);
  made.body = to_query(form);
  return made;
}

json parse_answer(const http_response& answer) {
  // The first call with this key is still under way there: nobody knows how it ends.
  if (answer.status == 409) fail_outside(ec::timeout, "another call with this key is under way");
  if (!is_success(answer)) fail_status(answer, error_name(answer));
  auto document = integrations::parse(answer.body);
  if (!document.is_object()) fail_outside(ec::upstream, "not a JSON object");
  return document;
}

bool is_missing(const http_response& answer) {
  return answer.status == 404 && error_name(answer) == "resource_missing";
}

bool is_id(const std::string& id, std::string_view kind) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return id.size() > kind.size() + 1 && id.size() <= 255 && id.starts_with(kind) && id[kind.size()] == '_' &&
         std::all_of(id.begin(), id.end(), is_plain);
}

std::string read_text(const fields& in, const char* name) {
  return in.get<std::optional<std::string>>(name).value_or("");
}

std::string read_reference(const fields& in, const char* name) {
  const auto object = in.find_in(name);
  return object ? object->get<std::string>("id") : read_text(in, name);
}

std::optional<timestamp> read_time(const fields& in, const char* name) {
  const auto seconds = in.get<std::optional<std::int64_t>>(name);
  constexpr std::int64_t last = 253'402'300'799; // of the year 9999
  if (!seconds) return std::nullopt;
  if (*seconds < 0 || *seconds > last) in.refuse(name);
  return timestamp{std::chrono::seconds{*seconds}};
}

money read_money(const fields& in, const char* amount) {
  auto currency = to_upper(in.get<std::string>("currency"));
  const auto minor = shift(in.get<std::int64_t>(amount), -more_places(currency));
  if (!minor) in.refuse(amount);
  return {*minor, std::move(currency)};
}

json read_event(const payment_provider::read_webhook& hook, const settings& where, timestamp now) {
  if (!is_genuine(hook, where, now)) fail(ec::malformed, "The webhook's signature is wrong", "INVALID_SIGNATURE");
  return integrations::parse(hook.body, ec::malformed);
}

http_request create_session(const settings& where, const create_charge& order) {
  parameters form{
      {"mode", "payment"},
      {"client_reference_id", to_string(order.payment)},
      {"line_items[0][quantity]", "1"},
      {"line_items[0][price_data][currency]", to_lower(order.price.currency)},
      {"line_items[0][price_data][unit_amount]", to_amount(order.price)},
      {"line_items[0][price_data][product_data][name]", order.description.empty() ? "Payment" : order.description},
      {"success_url", order.return_url},
      {"cancel_url", order.return_url}};
  add_metadata(form, "", order);
  add_metadata(form, "payment_intent_data", order);
  if (!order.email.empty()) form.emplace_back("customer_email", order.email);
  if (order.saves_method) {
    // A method belongs to a customer.
    form.emplace_back("customer_creation", "always");
    form.emplace_back("payment_intent_data[setup_future_usage]", "off_session");
  }
  return post(where, "/v1/checkout/sessions", form, key_of(order.payment));
}

http_request charge_saved(const settings& where, const create_charge& order) {
  const auto slash = order.saved_method.find('/');
  const auto customer = order.saved_method.substr(0, slash);
  const auto method = slash == std::string::npos ? std::string{} : order.saved_method.substr(slash + 1);
  parameters form{{"amount", to_amount(order.price)},
                  {"currency", to_lower(order.price.currency)},
                  {"customer", customer},
                  {"payment_method", method},
                  {"off_session", "true"},
                  {"confirm", "true"},
                  {"metadata[saved_method]", "true"},
                  {"expand[0]", "latest_charge"}};
  add_metadata(form, "", order);
  if (!order.description.empty()) form.emplace_back("description", order.description);
  return post(where, "/v1/payment_intents", form, key_of(order.payment));
}

charge read_created(const http_response& answer) {
  // "Payment required": the card was declined, or wants its owner. The intent is part of the error.
  if (answer.status == 402) {
    const auto document = integrations::parse(answer.body);
    if (const auto intent = fields{document}.in("error").find_in("payment_intent")) return read_intent(*intent);
  }
  const auto document = parse_answer(answer);
  const auto made = read_any(fields{document});
  if (!made) fail_outside(ec::upstream, "nothing was made");
  if (made->url.empty() && is_id(made->external_id, "cs") && made->state == charge_state::pending)
    fail_outside(ec::upstream, "the new session has no address");
  return *made;
}

std::optional<http_request> get_charge(const settings& where, const std::string& id) {
  if (is_id(id, "cs")) return get(where, "/v1/checkout/sessions/" + id, expand_intent);
  if (is_id(id, "pi")) return get(where, "/v1/checkout/sessions", expand_sessions_of(id));
  return std::nullopt;
}

std::optional<http_request> get_intent(const settings& where, const std::string& id) {
  if (!is_id(id, "pi")) return std::nullopt;
  return get(where, "/v1/payment_intents/" + id, {{"expand[0]", "latest_charge"}, {"expand[1]", "payment_method"}});
}

std::optional<charge> read_charge(const http_response& answer) {
  if (is_missing(answer)) return std::nullopt;
  const auto document = parse_answer(answer);
  return read_any(fields{document});
}

std::string read_intent_id(const http_response& session) {
  const auto document = parse_answer(session);
  return read_reference(fields{document}, "payment_intent");
}

http_request create_refund(const settings& where, const payment_provider::refund_charge& order,
                           const std::string& intent) {
  const auto amount = to_amount(order.amount);
  return post(where, "/v1/refunds",
              {{"payment_intent", intent}, {"amount", amount}, {"metadata[payment]", to_string(order.payment)}},
              "refund-" + to_string(order.payment) + "-" + amount);
}

void require_refund(const http_response& answer) {
  if (error_name(answer) != "charge_already_refunded") parse_answer(answer);
}

payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const settings& where,
                                             timestamp now) {
  const auto event = read_event(hook, where, now);
  const fields in{event, ec::malformed};
  const auto type = in.get<std::string>("type");
  payment_provider::webhook_event read{in.get<std::string>("id"), std::nullopt};
  read.about = read_subject(type, in.in("data").in("object"));
  // Not ours: the account serves other programs, too.
  if (read.about && !read.about->payment) read.about.reset();
  return read;
}

} // namespace backstay::stripe
