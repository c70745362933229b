#include "actors/kernel/money.hpp"
#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <vector>

namespace backstay::sandbox {

namespace {

constexpr std::int64_t shop_id = 100500;

constexpr int webhook_retries = 3;
constexpr int webhook_retry_after_ms = 5000;

/// What a payment's `status` is called (https://mulenpay.ru/docs/api).
enum status : int { created = 0, canceled = 2, succeeded = 3, failed = 4 };

answer error(int code, const std::string& text) { return reply({{"error", text}, {"status", code}}, code); }

[[noreturn]] void missing(const std::string& name) {
  throw refusal(error(422, "param is missing or the value is empty: " + name));
}

std::string text_of(const json& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string required(const json& body, const char* name) {
  auto text = text_of(body, name);
  if (text.empty()) missing(name);
  return text;
}

/// The lines of the receipt add up to the price.
void check_items(const json& body, const money& price) {
  const auto items = body.value("items", json::array());
  if (!items.is_array() || items.empty()) missing("items");
  std::int64_t sum = 0;
  for (const auto& item : items) {
    if (text_of(item, "description").empty()) missing("items.description");
    for (const auto* name : {"quantity", "price", "vat_code", "payment_subject", "payment_mode"})
      if (!item.contains(name) || !item[name].is_number()) missing(std::string("items.") + name);
    sum += from_decimal(item["price"].dump(), "RUB").value_or(money{}).minor * item["quantity"].get<int>();
  }
  if (sum != price.minor) throw refusal(error(422, "the items do not add up to the amount"));
}

/// 500.00 is written 500.0, and 100.50 is 100.5.
std::string as_number(std::string amount) {
  while (amount.ends_with('0') && !amount.ends_with(".0")) amount.pop_back();
  return amount;
}

std::string name_of(int status) {
  switch (status) {
  case created:
    return "created";
  case canceled:
    return "canceled";
  case succeeded:
    return "paid";
  default:
    return "failed";
  }
}

/// MulenPay's API v2 (https://mulenpay.ru/docs/api): payments that a person, a test or a page settles instead of a
/// bank.
class mulenpay final : public fake {
public:
  explicit mulenpay(world& w) : world_(w) {}

  std::string name() const override { return "mulenpay"; }

  void declare(routes& table) override {
    const auto api = [&](const char* method, const char* path, answer (mulenpay::*handle)(const call&)) {
      table.api(*this, method, path, [this, handle](const call& c) { return (this->*handle)(c); });
    };
    api("POST", "/api/v2/payments", &mulenpay::create_payment);
    api("GET", "/api/v2/payments", &mulenpay::list_payments);
    api("GET", "/api/v2/payments/{id}", &mulenpay::get_payment);
    api("PUT", "/api/v2/payments/{id}/refund", &mulenpay::refund_payment);
    table.control("GET", "/sandbox/mulenpay/payments", "List the payments, the newest first", {{"?uuid", ""}},
                  [this](const call& c) { return list_payments(c); });
    for (const auto& [action, summary] : {std::pair{"pay", "Pay a payment"}, std::pair{"refuse", "Let a payment fail"},
                                          std::pair{"expire", "Cancel a payment"}})
      table.control("POST", std::string("/sandbox/mulenpay/payments/{id}/") + action, summary, {{"id", "1"}},
                    [this, action = std::string(action)](const call& c) {
                      return reply(settle(control_find(c.parameters.at("id")), action));
                    });
    table.control("POST", "/sandbox/mulenpay/payments/{id}/refund", "Refund a payment", {{"id", "1"}},
                  [this](const call& c) { return reply(refund(control_find(c.parameters.at("id")))); });
    table.open("GET", "/mulenpay/pay/{id}", [this](const call& c) { return show_page(c); });
    for (const std::string action : {"pay", "refuse", "expire"})
      table.open("POST", "/mulenpay/pay/{id}/" + action, [this, action](const call& c) { return press(c, action); });
  }

  void guard(const call& c) const override {
    if (!same_secret(c.header("authorization"), "Bearer " + world_.given.payment_key))
      throw refusal(error(401, "unauthorized"));
  }

  answer unknown_route(const call&) const override { return error(404, "not found"); }

  answer malformed(const call&) const override { return error(422, "the body is not JSON"); }

  json save() const override { return {{"payments", payments_}}; }

  void load(const json& state) override { state.at("payments").get_to(payments_); }

private:
  answer create_payment(const call& c) {
    const auto body = json::parse(c.body);
    if (!body.is_object()) missing("currency");
    const auto currency = required(body, "currency"), amount = required(body, "amount");
    const auto price = from_decimal(amount, "RUB");
    if (currency != "rub" || !price || price->minor <= 0) missing("amount");
    if (body.value("shopId", json()) != shop_id) missing("shopId");
    const auto expected = sha1_hex(currency + amount + std::to_string(shop_id) + world_.given.payment_key);
    if (!same_secret(required(body, "sign"), expected)) throw refusal(error(422, "wrong sign"));
    const auto uuid = required(body, "uuid"), description = required(body, "description");
    check_items(body, *price);
    const auto known =
        std::find_if(payments_.begin(), payments_.end(), [&](const json& each) { return each["uuid"] == uuid; });
    if (known != payments_.end()) return present_created(*known);
    payments_.push_back({{"id", payments_.size() + 1},
                         {"uuid", uuid},
                         {"amount", amount},
                         {"currency", currency},
                         {"description", description},
                         {"status", status::created},
                         {"website_url", text_of(body, "website_url")}});
    world_.changed();
    return present_created(payments_.back());
  }

  answer present_created(const json& payment) const {
    return reply({{"success", true}, {"id", payment["id"]}, {"paymentUrl", world_.base_url() + path_of(payment)}}, 201);
  }

  answer list_payments(const call& c) {
    const auto wanted = c.query.find("uuid");
    auto items = json::array();
    for (auto at = payments_.rbegin(); at != payments_.rend(); ++at)
      if (wanted == c.query.end() || (*at)["uuid"] == wanted->second) items.push_back(present(*at));
    return reply({{"items", items}});
  }

  answer get_payment(const call& c) {
    return reply({{"success", true}, {"payment", present(api_find(c.parameters.at("id")))}});
  }

  answer refund_payment(const call& c) {
    auto& payment = api_find(c.parameters.at("id"));
    if (payment["status"] != status::succeeded) return error(422, "the payment is not paid");
    refund(payment);
    return reply({{"success", true}});
  }

  json* find(const std::string& id) {
    const auto number = parse_integer(id).value_or(0);
    const bool is_known = number >= 1 && static_cast<std::size_t>(number) <= payments_.size();
    return is_known ? &payments_[static_cast<std::size_t>(number - 1)] : nullptr;
  }

  json& api_find(const std::string& id) {
    const auto found = find(id);
    if (!found) throw refusal(error(404, "payment not found"));
    return *found;
  }

  json& control_find(const std::string& id) {
    const auto found = find(id);
    if (!found) refuse(404, "no such payment");
    return *found;
  }

  /// The one way a payment becomes final.
  json settle(json& payment, const std::string& how) {
    if (payment["status"] != status::created) refuse(409, "the payment is already " + name_of(payment["status"]));
    payment["status"] = how == "pay" ? status::succeeded : how == "expire" ? status::canceled : status::failed;
    world_.changed();
    announce(payment);
    return present(payment);
  }

  json refund(json& payment) {
    if (payment["status"] != status::succeeded) refuse(409, "the payment is " + name_of(payment["status"]));
    payment["status"] = status::canceled;
    world_.changed();
    return present(payment);
  }

  /// The signature is over the other values, as Python's `str` writes them.
  void announce(const json& payment) {
    const auto id = dump(payment["id"]), amount = as_number(text_of(payment, "amount")),
               uuid = text_of(payment, "uuid");
    const std::string told = payment["status"] == status::succeeded ? "success" : "cancel";
    const auto signature = sha1_hex(id + amount + "RUB" + uuid + told + world_.given.payment_key);
    world_.send({name(),
                 "/api/v1/webhooks/mulenpay",
                 {{"content-type", "application/json"}},
                 "{\"id\":" + id + ",\"amount\":" + amount + ",\"currency\":\"RUB\",\"uuid\":\"" + uuid +
                     "\",\"payment_status\":\"" + told + "\",\"sign\":\"" + signature + "\"}",
                 webhook_retries,
                 webhook_retry_after_ms});
  }

  static json present(const json& payment) {
    auto shown = payment;
    shown.erase("website_url");
    return shown;
  }

  static std::string path_of(const json& payment) { return "/mulenpay/pay/" + dump(payment["id"]); }

  answer press(const call& c, const std::string& action) {
    auto& payment = control_find(c.parameters.at("id"));
    if (payment["status"] == status::created) settle(payment, action);
    const auto back = text_of(payment, "website_url");
    return {303, {}, {{"Location", back.empty() ? path_of(payment) : back}}};
  }

  answer show_page(const call& c) {
    const auto& payment = control_find(c.parameters.at("id"));
    checkout page{text_of(payment, "amount") + " RUB",
                  text_of(payment, "description"),
                  name_of(payment["status"]),
                  path_of(payment),
                  {}};
    if (payment["status"] == status::created)
      page.buttons = {{"pay", "Pay"}, {"refuse", "Let it fail"}, {"expire", "Cancel"}};
    return reply_html(render_checkout(page));
  }

  world& world_;
  std::vector<json> payments_; ///< number `id` stands at `id - 1`
};

} // namespace

std::unique_ptr<fake> make_mulenpay(world& w) { return std::make_unique<mulenpay>(w); }

} // namespace backstay::sandbox
