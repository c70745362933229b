#include "integrations/mulenpay/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"
#include "integrations/payment/signatures.hpp"

namespace backstay::mulenpay {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::fields;
using integrations::json;
using integrations::parse;
using payment_provider::charge_state;

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
}

/// Codes of Federal Law 54-FZ for the receipt: no VAT, a service, paid in full.
constexpr int vat_code = 0, payment_subject = 4, payment_mode = 4;

http_request request(const settings& where, std::string method, const std::string& path) {
  return {std::move(method), where.url + path, {{"Authorization", "Bearer " + where.api_key.reveal()}}, {}};
}

/// `{"error": …, "status": 422}` or `{"success": false, "message": …}`
std::string error_text(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  for (const auto* member : {"error", "message"})
    if (document.is_object() && document.contains(member) && document[member].is_string())
      return document[member].get<std::string>();
  return {};
}

json parse_answer(const http_response& answer) {
  if (!integrations::is_success(answer)) fail_status(answer, error_text(answer));
  return parse(answer.body);
}

/// The document of `{"success": true, …}`.
json parse_success(const http_response& answer) {
  auto document = parse_answer(answer);
  if (!fields{document}.get<bool>("success")) fail_status(answer, error_text(answer));
  return document;
}

charge_state read_state(int status) {
  switch (status) {
  case 0: // created
  case 1: // in work
  case 5: // held back on the buyer's card
  case 6:
    return charge_state::pending;
  case 2: // canceled, by the buyer or by time
    return charge_state::expired;
  case 3:
    return charge_state::paid;
  case 4:
    return charge_state::failed;
  default:
    fail_outside(ec::upstream, "unknown status of a payment");
  }
}

/// Documented as text, and sent as a number by some versions. No digit is lost: a number is written with as few digits
/// as tell it from others, which are those that were sent.
money read_price(const json& in, ec blame) {
  const fields payment{in, blame};
  const auto currency = to_upper(payment.get<std::string>("currency"));
  const bool is_number = in.contains("amount") && in["amount"].is_number();
  const auto price = from_decimal(is_number ? dump(in["amount"]) : payment.get<std::string>("amount"), currency);
  if (!price) fail_outside(blame, "the amount of a payment is not one of its currency");
  return *price;
}

std::optional<payment_id> read_our_id(const fields& in) {
  return payment_id::parse(in.get<std::optional<std::string>>("uuid").value_or(""));
}

charge read_charge(const json& in) {
  const fields payment{in};
  return {.external_id = std::to_string(payment.get<std::int64_t>("id")),
          .payment = read_our_id(payment),
          .state = read_state(payment.get<int>("status")),
          .price = read_price(in, ec::upstream)};
}

/// `success` and `cancel` are all that webhooks tell of.
charge read_told(const json& in) {
  const fields update{in, ec::malformed};
  const auto status = update.get<std::string>("payment_status");
  if (status != "success" && status != "cancel") fail_outside(ec::malformed, "unknown payment_status");
  return {.external_id = std::to_string(update.get<std::int64_t>("id")),
          .payment = read_our_id(update),
          .state = status == "success" ? charge_state::paid : charge_state::expired,
          .price = read_price(in, ec::malformed)};
}

/// "500.00" is 500.0: at least one digit stays behind the point. Numbers with an exponent are no amounts and stay.
std::string as_python_writes(std::string_view number) {
  if (number.find('.') != std::string_view::npos && number.find_first_of("eE") == std::string_view::npos)
    while (number.ends_with('0') && number[number.size() - 2] != '.') number.remove_suffix(1);
  return std::string{number};
}

std::string value_text(std::string_view value) {
  switch (value.front()) {
  case '"':
    return json::parse(value).get<std::string>();
  case 't':
    return "True";
  case 'f':
    return "False";
  case 'n':
    return "None";
  case '{':
  case '[':
    fail_outside(ec::malformed, "a member is no plain value");
  default:
    return as_python_writes(value);
  }
}

} // namespace

http_request create_payment(const settings& where, const payment_provider::create_charge& order) {
  const auto currency = to_lower(order.price.currency);
  const auto amount = to_decimal(order.price);
  json body{{"currency", currency},
            {"amount", amount},
            {"uuid", to_string(order.payment)},
            {"shopId", is_number(where.shop_id) ? json::parse(where.shop_id) : json(where.shop_id)},
            {"description", order.description},
            {"language", "ru"},
            {"sign", payment_provider::sha1_hex(currency + amount + where.shop_id + where.secret_key.reveal())}};
  body["items"] = json::array({{{"description", order.description},
                                {"quantity", 1},
                                {"price", json::parse(amount)},
                                {"vat_code", vat_code},
                                {"payment_subject", payment_subject},
                                {"payment_mode", payment_mode}}});
  if (!order.return_url.empty()) body["website_url"] = order.return_url;
  auto made = request(where, "POST", "/v2/payments");
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = dump(body);
  return made;
}

charge read_created(const payment_provider::create_charge& order, const http_response& answer) {
  const auto document = parse_success(answer);
  const fields made{document};
  return {.external_id = std::to_string(made.get<std::int64_t>("id")),
          .payment = order.payment,
          .price = order.price,
          .url = made.get<std::string>("paymentUrl")};
}

bool is_payment_id(const std::string& id) { return is_number(id); }

http_request get_payment(const settings& where, const std::string& id) {
  return request(where, "GET", "/v2/payments/" + id);
}

std::optional<charge> read_payment(const http_response& answer) {
  if (answer.status == 404 && !error_text(answer).empty()) return std::nullopt;
  const auto document = parse_success(answer);
  static_cast<void>(fields{document}.in("payment")); // it is there, and an object
  return read_charge(document["payment"]);
}

http_request list_payments(const settings& where, const payment_id& ours) {
  return request(where, "GET", "/v2/payments?uuid=" + to_string(ours));
}

payment_provider::charge_list read_list(const payment_id& ours, const http_response& answer) {
  const auto document = parse_answer(answer);
  payment_provider::charge_list found;
  const auto items = fields{document}.each("items");
  for (std::size_t i = 0; i < items.size(); ++i)
    if (read_our_id(items[i]) == ours) found.items.push_back(read_charge(document["items"][i]));
  return found;
}

http_request refund_payment(const settings& where, const std::string& id) {
  return request(where, "PUT", "/v2/payments/" + id + "/refund");
}

void read_refund(const http_response& answer) { parse_success(answer); }

std::string signed_text(std::string_view body) {
  std::string text;
  for (const auto& member : payment_provider::split_members(body))
    if (member.name != "sign") text += value_text(member.value);
  return text;
}

payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& key) {
  const auto expected = payment_provider::sha1_hex(signed_text(hook.body) + key.reveal());
  const auto document = parse(hook.body, ec::malformed);
  const fields update{document, ec::malformed};
  const auto signature = update.has("sign") ? update.get<std::string>("sign") : std::string{};
  // Everybody can sign with no key.
  if (key.empty() || !crypto::equal(expected, signature)) fail(ec::unauthenticated);
  return {crypto::to_hex(crypto::sha256(hook.body)), read_told(document)};
}

} // namespace backstay::mulenpay
