#include "integrations/stars/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

#include <algorithm>
#include <charconv>

namespace backstay::stars {

namespace {

using integrations::dump;
using integrations::fail_outside;
using integrations::fail_status;
using integrations::fields;
using integrations::json;
using integrations::parse;
using payment_provider::charge_state;
using payment_provider::checkout;
using payment_provider::webhook_event;

// What Telegram allows, in code points.
constexpr std::size_t longest_title = 32;
constexpr std::size_t longest_description = 255;
constexpr std::size_t longest_refusal = 200;

constexpr std::string_view already_refunded = "CHARGE_ALREADY_REFUNDED";

/// The Bot API has the token in the path; that path goes nowhere but to Telegram.
http_request request(const settings& where, const std::string& call, const json& body) {
  return {"POST",
          where.url + "/bot" + where.bot_token.reveal() + "/" + call,
          {{"Content-Type", "application/json"}},
          dump(body)};
}

std::string description_of(const json& document) {
  const auto found = document.is_object() ? document.find("description") : document.end();
  return document.is_object() && found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The document of `{"ok": true, "result": …}`.
json parse_answer(const http_response& answer) {
  auto document = json::parse(answer.body, nullptr, false);
  if (!integrations::is_success(answer)) fail_status(answer, description_of(document));
  if (document.is_discarded()) fail_outside(ec::upstream, "not JSON");
  if (!fields{document}.get<bool>("ok")) fail_status(answer, description_of(document));
  return document;
}

/// The first code points of a UTF-8 text: as many as `most`.
std::string cut(std::string_view text, std::size_t most) {
  const auto starts_code_point = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  std::size_t seen = 0;
  const auto end =
      std::find_if(text.begin(), text.end(), [&](char c) { return starts_code_point(c) && ++seen > most; });
  return {text.begin(), end};
}

timestamp from_unix(std::int64_t seconds) { return timestamp{std::chrono::seconds{seconds}}; }

/// What is before the next colon; `rest` goes on behind it.
std::string_view take(std::string_view& rest) {
  const auto end = std::min(rest.find(':'), rest.size());
  const auto part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

/// 0 for what is not a positive number.
std::int64_t to_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::max<std::int64_t>(value, 0) : 0;
}

bool is_currency(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// What one star counts as, in minor units of `currency`; 0: it has no rate.
std::int64_t rate(const settings& terms, std::string_view currency) {
  if (currency == "RUB") return static_cast<std::int64_t>(terms.kopeks);
  return currency == "USD" ? static_cast<std::int64_t>(terms.cents) : 0;
}

} // namespace

invoice make_invoice(const settings& terms, const payment_id& payment, const money& price) {
  const auto one = rate(terms, price.currency);
  if (one == 0) fail(ec::refused, "Stars have no rate in " + price.currency, "NOT_SUPPORTED");
  return {payment, price, std::max<std::int64_t>(price.minor / one + (price.minor % one > 0), 1)};
}

std::string to_payload(const invoice& ours) {
  return to_string(ours.payment) + ":" + std::to_string(ours.price.minor) + ":" + ours.price.currency + ":" +
         std::to_string(ours.stars);
}

std::optional<invoice> from_payload(std::string_view payload) {
  const auto payment = payment_id::parse(take(payload));
  const auto minor = to_count(take(payload));
  const auto currency = take(payload);
  const auto stars = to_count(payload);
  if (!payment || minor == 0 || !is_currency(currency) || stars == 0) return std::nullopt;
  return invoice{*payment, {minor, std::string{currency}}, stars};
}

money price_of(const invoice& sold, std::int64_t stars) {
  return stars == sold.stars ? sold.price : money{stars, std::string{currency}};
}

std::string id_of(const sale& paid) { return to_string(paid.sold.payment) + ":" + paid.charge_id; }

charge to_charge(const sale& paid, std::string external_id) {
  const auto price = price_of(paid.sold, paid.stars);
  return {.external_id = std::move(external_id),
          .payment = paid.sold.payment,
          .state = paid.is_refunded ? charge_state::refunded : charge_state::paid,
          .price = price,
          .refunded = paid.is_refunded ? price.minor : 0,
          .paid_at = paid.paid_at};
}

http_request create_invoice_link(const settings& where, const payment_provider::create_charge& order) {
  const auto ours = make_invoice(where, order.payment, order.price);
  const auto text = order.description.empty() ? "Payment" : order.description;
  const auto title = cut(text, longest_title);
  return request(where, "createInvoiceLink",
                 {{"title", title},
                  {"description", cut(text, longest_description)},
                  {"payload", to_payload(ours)},
                  {"provider_token", ""},
                  {"currency", currency},
                  {"prices", json::array({{{"label", title}, {"amount", ours.stars}}})}});
}

std::string read_link(const http_response& answer) {
  const auto document = parse_answer(answer);
  auto link = fields{document}.get<std::string>("result");
  if (link.empty()) fail_outside(ec::upstream, "the new invoice has no address");
  return link;
}

http_request get_transactions(const settings& where, std::size_t offset) {
  return request(where, "getStarTransactions", {{"offset", offset}, {"limit", page_size}});
}

namespace {

std::optional<sale> read_sale(const fields& in) {
  const auto source = in.in("source");
  if (source.get<std::string>("type") != "user") return std::nullopt;
  const auto sold = from_payload(source.get<std::optional<std::string>>("invoice_payload").value_or(""));
  if (!sold) return std::nullopt;
  return sale{.charge_id = in.get<std::string>("id"),
              .buyer = source.in("user").get<std::int64_t>("id"),
              .stars = in.get<std::int64_t>("amount"),
              .sold = *sold,
              .paid_at = from_unix(in.get<std::int64_t>("date"))};
}

} // namespace

std::vector<transaction> read_transactions(const http_response& answer) {
  const auto document = parse_answer(answer);
  std::vector<transaction> all;
  for (const auto& each : fields{document}.in("result").each("transactions")) {
    const bool is_incoming = each.has("source");
    all.push_back({each.get<std::string>("id"), is_incoming, is_incoming ? read_sale(each) : std::nullopt});
  }
  return all;
}

http_request refund_payment(const settings& where, const sale& paid) {
  return request(where, "refundStarPayment", {{"user_id", paid.buyer}, {"telegram_payment_charge_id", paid.charge_id}});
}

void read_refunded(const http_response& answer) {
  if (description_of(json::parse(answer.body, nullptr, false)).ends_with(already_refunded)) return;
  read_answered(answer);
}

http_request answer_query(const settings& where, const payment_provider::answer_checkout& answer) {
  json body{{"pre_checkout_query_id", answer.query_id}, {"ok", answer.refusal.empty()}};
  if (!answer.refusal.empty()) body["error_message"] = cut(answer.refusal, longest_refusal);
  return request(where, "answerPreCheckoutQuery", body);
}

void read_answered(const http_response& answer) {
  const auto document = parse_answer(answer);
  if (!fields{document}.get<bool>("result")) fail_outside(ec::upstream, "an answer other than true");
}

namespace {

struct seen_payment {
  invoice sold;
  std::int64_t stars = 0;
};

/// None for another program's invoice, or another currency than stars.
std::optional<seen_payment> read_payment(const fields& in) {
  const auto sold = from_payload(in.get<std::string>("invoice_payload"));
  const auto total = in.get<std::int64_t>("total_amount");
  if (!sold || in.get<std::string>("currency") != currency) return std::nullopt;
  return seen_payment{*sold, total};
}

std::optional<checkout> read_query(const fields& query) {
  const auto asked = read_payment(query);
  if (!asked) return std::nullopt;
  return checkout{query.get<std::string>("id"), asked->sold.payment, price_of(asked->sold, asked->stars)};
}

/// `paid` is the successful or the refunded payment in a message.
std::optional<charge> read_charge(const fields& message, const fields& paid, bool is_refunded) {
  const auto seen = read_payment(paid);
  if (!seen) return std::nullopt;
  const sale sold{.charge_id = paid.get<std::string>("telegram_payment_charge_id"),
                  .stars = seen->stars,
                  .sold = seen->sold,
                  .paid_at = from_unix(message.get<std::int64_t>("date")),
                  .is_refunded = is_refunded};
  return to_charge(sold, id_of(sold));
}

std::optional<charge> read_message(const fields& message) {
  if (message.has("successful_payment")) return read_charge(message, message.in("successful_payment"), false);
  if (message.has("refunded_payment")) return read_charge(message, message.in("refunded_payment"), true);
  return std::nullopt;
}

} // namespace

webhook_event read_webhook(const payment_provider::read_webhook& hook, const secret& expected) {
  const auto shown = integrations::find_header(hook.headers, "x-telegram-bot-api-secret-token");
  // Everybody knows no secret.
  if (expected.empty() || !crypto::equal(expected.reveal(), shown)) fail(ec::unauthenticated);
  const auto document = parse(hook.body, ec::malformed);
  const fields update{document, ec::malformed};
  webhook_event event{std::to_string(update.get<std::int64_t>("update_id")), std::nullopt};
  if (update.has("pre_checkout_query")) event.asks = read_query(update.in("pre_checkout_query"));
  if (update.has("message")) event.about = read_message(update.in("message"));
  return event;
}

} // namespace backstay::stars
