#include "integrations/heleket/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"
#include "integrations/payment/signatures.hpp"

#include <algorithm>

namespace backstay::heleket {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::fields;
using integrations::json;
using integrations::parse;
using payment_provider::charge_state;

/// How long a buyer has to pay, in seconds; the exchange rate is held that long.
constexpr int lifetime = 3600;

std::string sign(std::string_view text, const secret& key) {
  return payment_provider::md5_hex(crypto::to_base64(text) + key.reveal());
}

std::string with_escaped_slashes(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '/') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// Every call is a POST. A slash stands in strings only, where `\/` means the same.
http_request request(const shop& at, const std::string& path, const json& body) {
  auto text = with_escaped_slashes(dump(body));
  auto signature = sign(text, at.settings.api_key);
  return {"POST",
          at.settings.url + path,
          {{"merchant", at.settings.merchant}, {"sign", std::move(signature)}, {"Content-Type", "application/json"}},
          std::move(text)};
}

/// `{"state": 1, "message": …}`; a refused input has `errors` by field instead, of which the names tell enough.
std::string error_text(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  if (!document.is_object()) return {};
  if (document.contains("message") && document["message"].is_string()) return document["message"].get<std::string>();
  std::string names;
  if (document.contains("errors") && document["errors"].is_object())
    for (const auto& each : document["errors"].items()) names += (names.empty() ? "" : " ") + each.key();
  return names;
}

/// The document of `{"state": 0, "result": …}`.
json parse_answer(const http_response& answer) {
  if (!integrations::is_success(answer)) fail_status(answer, error_text(answer));
  auto document = parse(answer.body);
  if (fields{document}.get<int>("state") != 0) fail_status(answer, error_text(answer));
  return document;
}

charge_state read_state(const std::string& status, ec blame) {
  // `refund_fail`: the money is still ours; `wrong_amount`: the wrong amount is.
  for (const auto* paid : {"paid", "paid_over", "wrong_amount", "refund_fail"})
    if (status == paid) return charge_state::paid;
  // `locked`: held back by their money laundering checks, which may yet let it go.
  for (const auto* pending : {"check", "confirm_check", "process", "wrong_amount_waiting", "locked", "refund_process"})
    if (status == pending) return charge_state::pending;
  if (status == "cancel") return charge_state::expired;
  if (status == "fail" || status == "system_fail") return charge_state::failed;
  if (status == "refund_paid") return charge_state::refunded;
  fail_outside(blame, "unknown status of an invoice");
}

/// What came in of an amount that was not ours is in a coin; told in dollars, rounded down, it is for a person to read,
/// and equals no price of ours.
money read_wrong_amount(const fields& in) {
  auto text = in.get<std::optional<std::string>>("payment_amount_usd").value_or("0");
  if (const auto point = text.find('.'); point != std::string::npos) text.resize(std::min(text.size(), point + 3));
  return from_decimal(text, "USD").value_or(money{0, "USD"});
}

money read_price(const fields& in, const std::string& status, ec blame) {
  if (status == "wrong_amount") return read_wrong_amount(in);
  const auto price = from_decimal(in.get<std::string>("amount"), in.get<std::string>("currency"));
  if (!price) fail_outside(blame, "the amount of an invoice is not one of its currency");
  return *price;
}

/// Answers call it by both names, webhooks by the first.
std::string read_status(const fields& in) {
  return in.has("status") ? in.get<std::string>("status") : in.get<std::string>("payment_status");
}

charge read_charge(const fields& in, ec blame) {
  const auto status = read_status(in);
  charge read{.external_id = in.get<std::string>("uuid"),
              .payment = payment_id::parse(in.get<std::optional<std::string>>("order_id").value_or("")),
              .state = read_state(status, blame),
              .price = read_price(in, status, blame),
              .url = in.get<std::optional<std::string>>("url").value_or("")};
  if (read.state == charge_state::refunded) read.refunded = read.price.minor;
  if (const auto expiry = in.get<std::optional<std::int64_t>>("expired_at"))
    read.expires_at = timestamp{std::chrono::seconds{*expiry}};
  if (read.state == charge_state::paid) read.paid_at = in.get<std::optional<timestamp>>("updated_at");
  return read;
}

/// A JSON string as PHP writes it with `JSON_UNESCAPED_UNICODE`; `raw` is one already.
std::string as_php_writes(std::string_view raw) {
  auto text = with_escaped_slashes(dump(json::parse(raw)));
  // The two line ends that JavaScript once did not take in strings.
  for (const auto& [letter, escape] : {std::pair{"\u2028", "\\u2028"}, std::pair{"\u2029", "\\u2029"}})
    for (auto at = text.find(letter); at != text.npos; at = text.find(letter, at)) text.replace(at, 3, escape);
  return text;
}

std::string compact(std::string_view member) {
  std::string text;
  while (!member.empty()) {
    const auto plain = member.substr(0, member.find('"'));
    std::copy_if(plain.begin(), plain.end(), std::back_inserter(text),
                 [](char c) { return std::string_view{" \t\r\n"}.find(c) == std::string_view::npos; });
    member.remove_prefix(plain.size());
    if (member.empty()) break;
    std::size_t end = 1;
    for (; member[end] != '"'; ++end)
      if (member[end] == '\\') ++end;
    text += as_php_writes(member.substr(0, end + 1));
    member.remove_prefix(end + 1);
  }
  return text;
}

} // namespace

http_request create_invoice(const shop& at, const payment_provider::create_charge& order) {
  json body{{"amount", to_decimal(order.price)},
            {"currency", order.price.currency},
            {"order_id", to_string(order.payment)},
            {"lifetime", lifetime}};
  if (!at.callback_url.empty()) body["url_callback"] = at.callback_url;
  if (!order.return_url.empty()) body["url_return"] = body["url_success"] = order.return_url;
  return request(at, "/payment", body);
}

charge read_created(const http_response& answer) {
  const auto document = parse_answer(answer);
  auto made = read_charge(fields{document}.in("result"), ec::upstream);
  if (made.url.empty()) fail_outside(ec::upstream, "the new invoice has no address");
  return made;
}

bool is_invoice_id(const std::string& id) { return uuid::parse(id).has_value(); }

http_request get_invoice(const shop& at, const std::string& id) { return request(at, "/payment/info", {{"uuid", id}}); }

http_request get_invoice(const shop& at, const payment_id& ours) {
  return request(at, "/payment/info", {{"order_id", to_string(ours)}});
}

std::optional<charge> read_invoice(const http_response& answer) {
  // An unknown invoice is a refused input, told from others by the text only.
  const bool is_missing = answer.status == 404 || answer.status == 422;
  if (is_missing && error_text(answer).find("not found") != std::string::npos) return std::nullopt;
  const auto document = parse_answer(answer);
  return read_charge(fields{document}.in("result"), ec::upstream);
}

std::string signed_text(std::string_view body) {
  std::string text;
  for (const auto& member : payment_provider::split_members(body))
    if (member.name != "sign") text += (text.empty() ? "{" : ",") + compact(member.text);
  return text.empty() ? "{}" : text + "}";
}

payment_provider::webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& key) {
  const auto expected = sign(signed_text(hook.body), key);
  const auto document = parse(hook.body, ec::malformed);
  const fields update{document, ec::malformed};
  const auto signature = update.has("sign") ? update.get<std::string>("sign") : std::string{};
  // Everybody can sign with no key.
  if (key.empty() || !crypto::equal(expected, signature)) fail(ec::unauthenticated);
  payment_provider::webhook_event event{crypto::to_hex(crypto::sha256(hook.body)), std::nullopt};
  // Payouts and static wallets are another program's.
  if (update.get<std::string>("type") == "payment") event.about = read_charge(update, ec::malformed);
  return event;
}

} // namespace backstay::heleket
