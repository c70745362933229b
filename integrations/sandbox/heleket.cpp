#include "actors/kernel/money.hpp"
#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <vector>

namespace backstay::sandbox {

namespace {

constexpr auto merchant = "sandbox-merchant";

constexpr int webhook_retries = 10;
constexpr int webhook_retry_after_ms = 5000;

/// Made up: it only has to be the same every time.
constexpr std::int64_t kopeks_a_dollar = 9000;

answer ok(const json& result) { return reply({{"state", 0}, {"result", result}}); }

answer error(int status, const std::string& message) { return reply({{"state", 1}, {"message", message}}, status); }

[[noreturn]] void invalid(const std::string& name, const std::string& why) {
  throw refusal(reply({{"state", 1}, {"errors", {{name, {why}}}}}, 422));
}

/// MD5 of the text in Base64 and the key (https://doc.heleket.com/general/request-format).
std::string sign(std::string_view text, const std::string& key) { return md5_hex(base64(text) + key); }

std::string text_of(const json& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string required(const json& body, const char* name) {
  auto text = text_of(body, name);
  if (text.empty()) invalid(name, "validation.required");
  return text;
}

bool is_order_id(const std::string& text) {
  return text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

json parse_object(const call& c) {
  auto body = json::parse(c.body);
  if (!body.is_object()) throw refusal(error(422, "The body must be an object"));
  return body;
}

/// In dollars, to the cent.
std::string in_dollars(const json& invoice) {
  const auto price = from_decimal(text_of(invoice, "amount"), text_of(invoice, "currency")).value();
  const auto cents = price.currency == "RUB" ? price.minor * 100 / kopeks_a_dollar : price.minor;
  return to_decimal({cents, "USD"});
}

bool is_final(const std::string& status) { return status != "check" && status != "wrong_amount_waiting"; }

/// What a notification tells of an invoice, in PHP's order and spelling.
nlohmann::ordered_json notification(const json& invoice) {
  const auto status = text_of(invoice, "status");
  return {{"type", "payment"},
          {"uuid", invoice["uuid"]},
          {"order_id", invoice["order_id"]},
          {"amount", invoice["amount"]},
          {"payment_amount", invoice["payment_amount"]},
          {"payment_amount_usd", invoice["payment_amount_usd"]},
          {"merchant_amount", invoice["payment_amount"]},
          {"commission", "0.00"},
          {"is_final", is_final(status)},
          {"status", status},
          {"from", "TSandboxSandboxSandboxSandboxSandb"},
          {"wallet_address_uuid", nullptr},
          {"network", "tron"},
          {"currency", invoice["currency"]},
          {"payer_currency", "USDT"},
          {"additional_data", nullptr},
          {"txid", "sandbox/" + text_of(invoice, "uuid")}};
}

std::string with_escaped_slashes(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '/' ? std::string("\\/") : std::string(1, c);
  return escaped;
}

/// Heleket's API v1 (https://doc.heleket.com): invoices that a person, a test or a page pays instead of a chain.
class heleket final : public fake {
public:
  explicit heleket(world& w) : world_(w) {}

  std::string name() const override { return "heleket"; }

  void declare(routes& table) override {
    table.api(*this, "POST", "/v1/payment", [this](const call& c) { return create_invoice(c); });
    table.api(*this, "POST", "/v1/payment/info", [this](const call& c) { return get_info(c); });
    table.control("GET", "/sandbox/heleket/invoices", "List the invoices, the newest first", {{"?payment", ""}},
                  [this](const call& c) { return list(c); });
    for (const auto& [action, summary] :
         {std::pair{"pay", "Pay an invoice"}, std::pair{"underpay", "Pay half of an invoice"},
          std::pair{"refuse", "Let the payment of an invoice fail"}, std::pair{"expire", "Let an invoice expire"},
          std::pair{"refund", "Refund a paid invoice"}})
      table.control("POST", std::string("/sandbox/heleket/invoices/{id}/") + action, summary, {{"id", ""}},
                    [this, action = std::string(action)](const call& c) {
                      return reply(present(settle(find(c.parameters.at("id")), action)));
                    });
    table.open("GET", "/heleket/pay/{id}", [this](const call& c) { return show_page(c); });
    for (const std::string action : {"pay", "underpay", "refuse", "expire"})
      table.open("POST", "/heleket/pay/{id}/" + action, [this, action](const call& c) { return press(c, action); });
  }

  void guard(const call& c) const override {
    if (c.header("merchant") != merchant) throw refusal(error(401, "Merchant not found"));
    if (!same_secret(c.header("sign"), sign(c.body, world_.given.payment_key)))
      throw refusal(error(401, "Invalid Sign."));
  }

  answer unknown_route(const call&) const override { return error(404, "Not found"); }

  answer malformed(const call&) const override { return error(400, "Malformed JSON"); }

  json save() const override { return {{"invoices", invoices_}}; }

  void load(const json& state) override { state.at("invoices").get_to(invoices_); }

  void tick() override {
    const auto now = std::chrono::floor<std::chrono::seconds>(world_.now()).time_since_epoch().count();
    for (auto& invoice : invoices_)
      if (invoice["status"] == "check" && invoice["expired_at"] <= now) settle(invoice, "expire");
  }

private:
  answer create_invoice(const call& c) {
    const auto body = parse_object(c);
    const auto order = required(body, "order_id");
    if (!is_order_id(order)) invalid("order_id", "validation.alpha_dash");
    for (const auto& invoice : invoices_)
      if (invoice["order_id"] == order) return ok(present(invoice));
    const auto amount = required(body, "amount"), currency = required(body, "currency");
    const auto price = from_decimal(amount, currency);
    if (!price || price->minor <= 0) invalid("amount", "validation.amount");
    if (currency != "USD" && currency != "EUR" && currency != "RUB") invalid("currency", "validation.currency");
    const auto life = body.value("lifetime", json(3600));
    if (!life.is_number_integer() || life < 300 || life > 43200) invalid("lifetime", "validation.between");
    const auto now = std::chrono::floor<std::chrono::seconds>(world_.now()).time_since_epoch().count();
    json invoice{{"uuid", random_uuid()},
                 {"order_id", order},
                 {"amount", amount},
                 {"currency", currency},
                 {"payment_amount", nullptr},
                 {"payment_amount_usd", nullptr},
                 {"status", "check"},
                 {"url_success", text_of(body, "url_success")},
                 {"expired_at", now + life.get<std::int64_t>()},
                 {"created_at", format_time(world_.now())},
                 {"updated_at", format_time(world_.now())}};
    invoices_.push_back(std::move(invoice));
    world_.changed();
    return ok(present(invoices_.back()));
  }

  answer get_info(const call& c) {
    const auto body = parse_object(c);
    const auto order = text_of(body, "order_id"), uuid = text_of(body, "uuid");
    if (order.empty() && uuid.empty()) invalid("uuid", "validation.required_without");
    for (const auto& invoice : invoices_)
      if (order.empty() ? invoice["uuid"] == uuid : invoice["order_id"] == order) return ok(present(invoice));
    return error(422, "Payment not found");
  }

  answer list(const call& c) const {
    const auto wanted = c.query.find("payment");
    auto items = json::array();
    for (auto at = invoices_.rbegin(); at != invoices_.rend(); ++at)
      if (wanted == c.query.end() || (*at)["order_id"] == wanted->second) items.push_back(present(*at));
    return reply({{"items", items}});
  }

  json& find(const std::string& uuid) {
    const auto found =
        std::find_if(invoices_.begin(), invoices_.end(), [&](const json& each) { return each["uuid"] == uuid; });
    if (found == invoices_.end()) refuse(404, "no such invoice");
    return *found;
  }

  /// The one way an invoice changes.
  json& settle(json& invoice, const std::string& how) {
    static const std::map<std::string, std::string> becomes{{"pay", "paid"},
                                                            {"underpay", "wrong_amount"},
                                                            {"refuse", "fail"},
                                                            {"expire", "cancel"},
                                                            {"refund", "refund_paid"}};
    const auto needed = how == "refund" ? "paid" : "check";
    if (invoice["status"] != needed) refuse(409, "the invoice is " + text_of(invoice, "status"));
    invoice["status"] = becomes.at(how);
    invoice["updated_at"] = format_time(world_.now());
    if (how == "pay" || how == "underpay") {
      auto dollars = from_decimal(in_dollars(invoice), "USD").value();
      if (how == "underpay") dollars.minor /= 2;
      invoice["payment_amount"] = invoice["payment_amount_usd"] = to_decimal(dollars);
    }
    world_.changed();
    announce(invoice);
    return invoice;
  }

  /// The signature is over the text without it, and stands in the text.
  void announce(const json& invoice) {
    auto body = with_escaped_slashes(notification(invoice).dump());
    const auto signature = sign(body, world_.given.payment_key);
    body.pop_back();
    body += ",\"sign\":\"" + signature + "\"}";
    world_.send({name(),
                 "/api/v1/webhooks/heleket",
                 {{"content-type", "application/json"}},
                 body,
                 webhook_retries,
                 webhook_retry_after_ms});
  }

  std::string path_of(const json& invoice) const { return "/heleket/pay/" + text_of(invoice, "uuid"); }

  json present(const json& invoice) const {
    auto shown = invoice;
    shown.erase("url_success");
    shown["payment_status"] = invoice["status"];
    shown["payer_amount"] = in_dollars(invoice);
    shown["payer_currency"] = "USDT";
    shown["is_final"] = is_final(text_of(invoice, "status"));
    shown["url"] = world_.base_url() + path_of(invoice);
    return shown;
  }

  answer press(const call& c, const std::string& action) {
    auto& invoice = find(c.parameters.at("id"));
    if (invoice["status"] == "check") settle(invoice, action);
    const auto back = text_of(invoice, "url_success");
    return {303, {}, {{"Location", back.empty() ? path_of(invoice) : back}}};
  }

  answer show_page(const call& c) {
    const auto& invoice = find(c.parameters.at("id"));
    checkout page{text_of(invoice, "amount") + " " + text_of(invoice, "currency"),
                  in_dollars(invoice) + " USDT",
                  text_of(invoice, "status"),
                  path_of(invoice),
                  {}};
    if (invoice["status"] == "check")
      page.buttons = {{"pay", "Pay"}, {"underpay", "Pay half"}, {"refuse", "Let it fail"}, {"expire", "Let it expire"}};
    return reply_html(render_checkout(page));
  }

  world& world_;
  std::vector<json> invoices_; ///< in the order they were made
};

} // namespace

std::unique_ptr<fake> make_heleket(world& w) { return std::make_unique<heleket>(w); }

} // namespace backstay::sandbox
