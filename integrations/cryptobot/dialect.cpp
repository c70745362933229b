#include "integrations/cryptobot/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

#include <algorithm>

namespace backstay::cryptobot {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::fields;
using integrations::json;
using integrations::parse;
using payment_provider::charge_state;

/// How long a buyer has to pay, in seconds.
constexpr int lifetime = 24 * 3600;

http_request request(const settings& where, std::string method, const std::string& call) {
  return {std::move(method), where.url + call, {{"Crypto-Pay-API-Token", where.token.reveal()}}, {}};
}

std::string error_name(const json& document) {
  const auto error = document.is_object() ? document.find("error") : document.end();
  if (!document.is_object() || error == document.end() || !error->is_object()) return {};
  const auto name = error->find("name");
  return name != error->end() && name->is_string() ? name->get<std::string>() : std::string{};
}

/// The document of `{"ok": true, "result": …}`.
json parse_answer(const http_response& answer) {
  auto document = json::parse(answer.body, nullptr, false);
  if (!integrations::is_success(answer)) fail_status(answer, error_name(document));
  if (document.is_discarded()) fail_outside(ec::upstream, "not JSON");
  if (!fields{document}.get<bool>("ok")) fail_status(answer, error_name(document));
  return document;
}

charge_state read_state(const std::string& status, ec blame) {
  if (status == "active") return charge_state::pending;
  if (status == "paid") return charge_state::paid;
  if (status == "expired") return charge_state::expired;
  fail_outside(blame, "unknown status of an invoice");
}

std::string read_url(const fields& invoice) {
  for (const auto* name : {"bot_invoice_url", "mini_app_invoice_url", "web_app_invoice_url"})
    if (auto url = invoice.get<std::optional<std::string>>(name)) return *url;
  return {};
}

money read_price(const fields& invoice, ec blame) {
  const auto price = from_decimal(invoice.get<std::string>("amount"), invoice.get<std::string>("fiat"));
  if (!price) fail_outside(blame, "the amount of an invoice is not one of its currency");
  return *price;
}

/// None for an invoice that is priced in crypto: another program made it.
std::optional<charge> read_invoice(const fields& in, ec blame) {
  if (in.get<std::optional<std::string>>("currency_type") != "fiat") return std::nullopt;
  return charge{.external_id = std::to_string(in.get<std::int64_t>("invoice_id")),
                .payment = payment_id::parse(in.get<std::optional<std::string>>("payload").value_or("")),
                .state = read_state(in.get<std::string>("status"), blame),
                .price = read_price(in, blame),
                .url = read_url(in),
                .expires_at = in.get<std::optional<timestamp>>("expiration_date"),
                .paid_at = in.get<std::optional<timestamp>>("paid_at")};
}

bool is_invoice_id(const std::string& id) {
  return !id.empty() && id.size() <= 18 && id.find_first_not_of("0123456789") == std::string::npos;
}

} // namespace

http_request create_invoice(const settings& where, const payment_provider::create_charge& order) {
  json body{{"currency_type", "fiat"},
            {"fiat", order.price.currency},
            {"amount", to_decimal(order.price)},
            {"payload", to_string(order.payment)},
            {"expires_in", lifetime},
            {"allow_comments", false}};
  if (!order.description.empty()) body["description"] = order.description;
  auto made = request(where, "POST", "/createInvoice");
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = dump(body);
  return made;
}

charge read_created(const http_response& answer) {
  const auto document = parse_answer(answer);
  const auto made = read_invoice(fields{document}.in("result"), ec::upstream);
  if (!made || made->url.empty()) fail_outside(ec::upstream, "the new invoice has no address or another currency");
  return *made;
}

std::optional<http_request> get_invoices(const settings& where, const std::vector<std::string>& ids) {
  std::string list;
  for (const auto& id : ids)
    if (is_invoice_id(id)) list += (list.empty() ? "" : ",") + id;
  if (list.empty()) return std::nullopt;
  return request(where, "GET", "/getInvoices?count=" + std::to_string(page_size) + "&invoice_ids=" + list);
}

http_request get_page(const settings& where, std::size_t offset) {
  return request(where, "GET", "/getInvoices?count=" + std::to_string(page_size) + "&offset=" + std::to_string(offset));
}

page read_page(const http_response& answer) {
  const auto document = parse_answer(answer);
  page read;
  for (const auto& invoice : fields{document}.in("result").each("items")) {
    ++read.size;
    const auto created = invoice.get<timestamp>("created_at");
    read.newest = std::max(created, read.newest.value_or(created));
    if (auto found = read_invoice(invoice, ec::upstream)) read.charges.push_back(std::move(*found));
  }
  return read;
}

payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& token) {
  const auto signature = integrations::find_header(hook.headers, "crypto-pay-api-signature");
  const auto mac = crypto::hmac(crypto::sha256(token.reveal()), hook.body);
  // Everybody can sign with no token.
  if (token.empty() || !crypto::equal(crypto::to_hex(mac), signature)) fail(ec::unauthenticated);
  const auto document = parse(hook.body, ec::malformed);
  const fields update{document, ec::malformed};
  const auto number = update.get<std::optional<std::int64_t>>("update_id");
  payment_provider::webhook_event event{number ? std::to_string(*number) : crypto::to_hex(crypto::sha256(hook.body)),
                                        std::nullopt};
  if (update.get<std::string>("update_type") == "invoice_paid")
    event.about = read_invoice(update.in("payload"), ec::malformed);
  return event;
}

} // namespace backstay::cryptobot
