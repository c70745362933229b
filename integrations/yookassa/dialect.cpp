#include "integrations/yookassa/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

namespace backstay::yookassa {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::fields;
using integrations::json;
using integrations::parse;
using payment_provider::charge_state;
using payment_provider::saved_method;

/// In characters, of a description and of a receipt's line.
constexpr std::size_t longest_description = 128;

http_request request(const shop& at, std::string method, const std::string& path) {
  const auto credentials = at.settings.shop_id + ":" + at.settings.secret_key.reveal();
  return {
      std::move(method), at.settings.url + path, {{"Authorization", "Basic " + crypto::to_base64(credentials)}}, {}};
}

http_request post(const shop& at, const std::string& path, const std::string& key, const json& body) {
  auto made = request(at, "POST", path);
  made.headers.emplace_back("Idempotence-Key", key);
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = dump(body);
  return made;
}

/// `{"type": "error", "code": …, "parameter": …}`
std::string error_name(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  std::string name;
  for (const auto* member : {"code", "parameter"})
    if (document.is_object() && document.contains(member) && document[member].is_string())
      name += (name.empty() ? "" : " ") + document[member].get<std::string>();
  return name;
}

json parse_answer(const http_response& answer) {
  if (!integrations::is_success(answer)) fail_status(answer, error_name(answer));
  return parse(answer.body);
}

json amount_of(const money& price) { return {{"value", to_decimal(price)}, {"currency", price.currency}}; }

money read_amount(const fields& amount, ec blame) {
  const auto read = from_decimal(amount.get<std::string>("value"), amount.get<std::string>("currency"));
  if (!read) fail_outside(blame, "an amount is not one of its currency");
  return *read;
}

/// What is not UTF-8 counts as a character a byte.
std::string shortened(const std::string& text) {
  std::size_t end = 0, characters = 0;
  const auto is_middle = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  for (; end < text.size() && (characters < longest_description || is_middle(end)); ++end)
    characters += !is_middle(end);
  return text.substr(0, end);
}

/// For shops that YooKassa makes receipts for (Federal Law 54-FZ); without anybody to send it to there is none.
void add_receipt(json& body, const shop& at, const payment_provider::create_charge& order) {
  const auto& email = order.email.empty() ? at.settings.receipt_email : order.email;
  if (email.empty()) return;
  body["receipt"] = {{"customer", {{"email", email}}},
                     {"items",
                      {{{"description", shortened(order.description)},
                        {"quantity", "1.00"},
                        {"amount", amount_of(order.price)},
                        {"vat_code", 1},
                        {"payment_mode", "full_payment"},
                        {"payment_subject", "service"}}}}};
}

void add_payer(json& body, const payment_provider::create_charge& order) {
  if (!order.saved_method.empty()) {
    body["payment_method_id"] = order.saved_method;
    return;
  }
  body["payment_method_data"] = {{"type", order.method == "yookassa_sbp" ? "sbp" : "bank_card"}};
  body["confirmation"] = {{"type", "redirect"}, {"return_url", order.return_url}};
  if (order.saves_method) body["save_payment_method"] = true;
}

charge_state read_canceled(const fields& in) {
  const auto is_late =
      in.has("cancellation_details") &&
      in.in("cancellation_details").get<std::optional<std::string>>("reason") == "expired_on_confirmation";
  return is_late ? charge_state::expired : charge_state::failed;
}

charge_state read_state(const fields& in, const charge& so_far, ec blame) {
  const auto status = in.get<std::string>("status");
  if (status == "pending" || status == "waiting_for_capture") return charge_state::pending;
  if (status == "canceled") return read_canceled(in);
  if (status != "succeeded") fail_outside(blame, "unknown status of a payment");
  if (!in.get<bool>("paid")) return charge_state::pending;
  return so_far.refunded > 0 && so_far.refunded == so_far.price.minor ? charge_state::refunded : charge_state::paid;
}

/// "Visa •• 4242", or what YooKassa calls it.
std::string title_of(const fields& method) {
  if (method.has("card")) {
    const auto card = method.in("card");
    const auto type = card.get<std::optional<std::string>>("card_type");
    const auto last = card.get<std::optional<std::string>>("last4");
    if (type && last) return *type + " •• " + *last;
  }
  return method.get<std::optional<std::string>>("title").value_or(method.get<std::string>("type"));
}

std::optional<saved_method> read_saved(const fields& in) {
  if (!in.has("payment_method")) return std::nullopt;
  const auto method = in.in("payment_method");
  if (!method.get<std::optional<bool>>("saved").value_or(false)) return std::nullopt;
  return saved_method{method.get<std::string>("id"), title_of(method)};
}

std::optional<payment_id> read_our_id(const fields& in) {
  if (!in.has("metadata")) return std::nullopt;
  return payment_id::parse(in.in("metadata").get<std::optional<std::string>>("payment_id").value_or(""));
}

charge read_charge(const shop& at, const fields& in, ec blame) {
  if (in.get<std::optional<bool>>("test").value_or(false) && !at.takes_tests)
    fail_outside(blame, "a payment of a test shop, in production");
  charge read{.external_id = in.get<std::string>("id"), .payment = read_our_id(in)};
  read.price = read_amount(in.in("amount"), blame);
  if (in.has("refunded_amount")) read.refunded = read_amount(in.in("refunded_amount"), blame).minor;
  read.state = read_state(in, read, blame);
  if (in.has("confirmation"))
    read.url = in.in("confirmation").get<std::optional<std::string>>("confirmation_url").value_or("");
  read.paid_at = in.get<std::optional<timestamp>>("captured_at");
  read.saved = read_saved(in);
  return read;
}

/// A refund names its payment; how the payment stands is for the API to say.
charge read_refunded(const fields& refund) {
  charge read{.external_id = refund.get<std::string>("payment_id"), .state = charge_state::paid};
  read.refunded = read_amount(refund.in("amount"), ec::malformed).minor;
  return read;
}

} // namespace

http_request create_payment(const shop& at, const payment_provider::create_charge& order) {
  json body{{"amount", amount_of(order.price)},
            {"capture", true},
            {"description", shortened(order.description)},
            {"metadata", {{"payment_id", to_string(order.payment)}}}};
  add_payer(body, order);
  add_receipt(body, at, order);
  return post(at, "/payments", to_string(order.payment), body);
}

charge read_created(const shop& at, const payment_provider::create_charge& order, const http_response& answer) {
  const auto document = parse_answer(answer);
  auto made = read_charge(at, fields{document}, ec::upstream);
  if (made.url.empty() && made.state == charge_state::pending && order.saved_method.empty())
    fail_outside(ec::upstream, "the new payment has no address");
  return made;
}

bool is_payment_id(const std::string& id) {
  return !id.empty() && id.size() <= 50 && id.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

http_request get_payment(const shop& at, const std::string& id) { return request(at, "GET", "/payments/" + id); }

std::optional<charge> read_payment(const shop& at, const http_response& answer) {
  if (answer.status == 404 && error_name(answer).starts_with("not_found")) return std::nullopt;
  const auto document = parse_answer(answer);
  return read_charge(at, fields{document}, ec::upstream);
}

http_request list_payments(const shop& at, timestamp since, const std::string& cursor) {
  std::vector<std::pair<std::string, std::string>> query{{"limit", std::to_string(page_size)},
                                                         {"created_at.gte", to_rfc3339(since)}};
  if (!cursor.empty()) query.emplace_back("cursor", cursor);
  return request(at, "GET", "/payments?" + to_query(query));
}

page read_page(const shop& at, const http_response& answer) {
  const auto document = parse_answer(answer);
  const fields list{document};
  page read{.next = list.get<std::optional<std::string>>("next_cursor").value_or("")};
  for (const auto& each : list.each("items"))
    if (read_our_id(each)) read.charges.push_back(read_charge(at, each, ec::upstream));
  return read;
}

http_request create_refund(const shop& at, const payment_provider::refund_charge& order) {
  const auto key = to_string(order.payment) + "-refund-" + std::to_string(order.amount.minor);
  return post(at, "/refunds", key, {{"payment_id", order.external_id}, {"amount", amount_of(order.amount)}});
}

void read_refund(const http_response& answer) {
  const auto document = parse_answer(answer);
  const auto status = fields{document}.get<std::string>("status");
  if (status != "succeeded" && status != "pending") fail_outside(ec::upstream, "the refund was canceled");
}

payment_provider::webhook_event read_webhook(const shop& at, const payment_provider::read_webhook& hook) {
  if (!at.senders.contain(hook.address)) fail(ec::unauthenticated);
  const auto document = parse(hook.body, ec::malformed);
  const fields notification{document, ec::malformed};
  const auto event = notification.get<std::string>("event");
  const auto object = notification.in("object");
  payment_provider::webhook_event read{crypto::to_hex(crypto::sha256(hook.body)), std::nullopt};
  if (event.starts_with("payment.")) read.about = read_charge(at, object, ec::malformed);
  if (event.starts_with("refund.")) read.about = read_refunded(object);
  return read;
}

} // namespace backstay::yookassa
