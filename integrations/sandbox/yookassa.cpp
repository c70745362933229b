#include "actors/kernel/money.hpp"
#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

constexpr auto shop_id = "100500";

/// Of a payment that nobody confirms.
constexpr auto payment_life = 1h;
constexpr auto key_life = 24h;
constexpr std::size_t longest_description = 128, longest_key = 64;

/// The service repeats a notification that was not answered 200.
constexpr int webhook_retries = 10;
constexpr int webhook_retry_after_ms = 5000;

/// https://yookassa.ru/developers/using-api/response-handling/http-codes
answer error(int status, const std::string& code, const std::string& description, const std::string& parameter = {}) {
  json body{{"type", "error"}, {"id", random_uuid()}, {"code", code}, {"description", description}};
  if (!parameter.empty()) body["parameter"] = parameter;
  return reply(body, status);
}

[[noreturn]] void invalid(const std::string& parameter, const std::string& description = "Incorrect value") {
  throw refusal(error(400, "invalid_request", description, parameter));
}

std::string text_of(const json& body, const json::json_pointer& where) {
  return body.contains(where) && body[where].is_string() ? body[where].get<std::string>() : std::string{};
}

money read_amount(const json& body) {
  const auto amount = from_decimal(text_of(body, "/amount/value"_json_pointer), "RUB");
  if (!amount || amount->minor <= 0) invalid("amount.value");
  if (text_of(body, "/amount/currency"_json_pointer) != "RUB") invalid("amount.currency");
  return *amount;
}

json show_amount(std::int64_t kopeks) { return {{"value", to_decimal({kopeks, "RUB"})}, {"currency", "RUB"}}; }

std::int64_t kopeks_of(const json& amount) {
  return from_decimal(amount["value"].get<std::string>(), amount["currency"].get<std::string>()).value().minor;
}

void check_receipt(const json& body) {
  if (!body.contains("receipt")) return;
  const auto& receipt = body["receipt"];
  if (text_of(receipt, "/customer/email"_json_pointer).empty()) invalid("receipt.customer");
  if (!receipt.contains("items") || !receipt["items"].is_array() || receipt["items"].empty()) invalid("receipt.items");
  for (const auto& item : receipt["items"]) {
    const auto description = text_of(item, "/description"_json_pointer);
    if (description.empty() || description.size() > 4 * longest_description) invalid("receipt.items.description");
    read_amount(item);
  }
}

json card_method(const json& body) {
  const bool is_sbp = text_of(body, "/payment_method_data/type"_json_pointer) == "sbp";
  json method{{"type", is_sbp ? "sbp" : "bank_card"}, {"id", random_uuid()}, {"saved", false}};
  if (!is_sbp) {
    method["title"] = "Bank card *4242";
    method["card"] = {{"first6", "424242"},
                      {"last4", "4242"},
                      {"expiry_year", "2031"},
                      {"expiry_month", "12"},
                      {"card_type", "Visa"}};
  }
  return method;
}

/// YooKassa's API v3 (https://yookassa.ru/developers/api): payments that a person, a test or a page settles instead of
/// a bank.
class yookassa final : public fake {
public:
  explicit yookassa(world& w) : world_(w) {}

  std::string name() const override { return "yookassa"; }

  void declare(routes& table) override {
    const auto api = [&](const char* method, const char* path, answer (yookassa::*handle)(const call&)) {
      table.api(*this, method, path, [this, handle](const call& c) { return (this->*handle)(c); });
    };
    api("POST", "/v3/payments", &yookassa::create_payment);
    api("GET", "/v3/payments", &yookassa::list_payments);
    api("GET", "/v3/payments/{id}", &yookassa::get_payment);
    api("POST", "/v3/refunds", &yookassa::create_refund);
    api("GET", "/v3/refunds/{id}", &yookassa::get_refund);
    table.control("GET", "/sandbox/yookassa/payments", "List the payments, the newest first", {{"?payment", ""}},
                  [this](const call& c) { return list(c); });
    for (const auto& [action, summary] : {std::pair{"pay", "Pay a payment"}, std::pair{"refuse", "Refuse the card"},
                                          std::pair{"expire", "Let a payment expire"}})
      table.control("POST", std::string("/sandbox/yookassa/payments/{id}/") + action, summary, {{"id", ""}},
                    [this, action = std::string(action)](const call& c) {
                      return reply(settle(control_find(c.parameters.at("id")), action));
                    });
    table.control("POST", "/sandbox/yookassa/payments/{id}/refund", "Refund a payment, wholly or in part",
                  {{"id", ""}, {"amount", "1.00"}}, [this](const call& c) { return refund_by_hand(c); });
    table.control("POST", "/sandbox/yookassa/methods/{id}/revoke", "Let a saved card be refused from now on",
                  {{"id", ""}}, [this](const call& c) { return revoke(c.parameters.at("id")); });
    table.open("GET", "/yookassa/pay/{id}", [this](const call& c) { return show_page(c); });
    for (const std::string action : {"pay", "refuse", "expire"})
      table.open("POST", "/yookassa/pay/{id}/" + action, [this, action](const call& c) { return press(c, action); });
  }

  void guard(const call& c) const override {
    const auto expected = "Basic " + base64(std::string(shop_id) + ":" + world_.given.payment_key);
    if (!same_secret(c.header("authorization"), expected))
      throw refusal(error(401, "invalid_credentials", "Error in shopId or secret key", "Authorization"));
    if (c.method == "POST" && (c.header("idempotence-key").empty() || c.header("idempotence-key").size() > longest_key))
      invalid("Idempotence-Key");
  }

  answer unknown_route(const call&) const override { return error(404, "not_found", "Resource not found"); }

  answer malformed(const call&) const override { return error(400, "invalid_request", "Cannot parse JSON"); }

  json save() const override {
    return {{"payments", payments_}, {"refunds", refunds_}, {"keys", keys_}, {"methods", methods_}};
  }

  void load(const json& state) override {
    state.at("payments").get_to(payments_);
    state.at("refunds").get_to(refunds_);
    state.at("keys").get_to(keys_);
    state.at("methods").get_to(methods_);
  }

  void tick() override {
    for (auto& payment : payments_)
      if (payment["status"] == "pending" &&
          *parse_time(payment["created_at"].get<std::string>()) + payment_life <= world_.now())
        settle(payment, "expire");
  }

private:
  /// Makes something once for a key: within 24 h the repeated call finds what the first one made.
  answer once(const call& c, std::vector<json>& things, const std::function<json()>& make) {
    const auto key = c.path + " " + c.header("idempotence-key");
    const auto known = keys_.find(key);
    if (known != keys_.end() && *parse_time(known->second["at"].get<std::string>()) + key_life > world_.now()) {
      if (known->second["body"] != c.body)
        return error(400, "invalid_request", "Idempotence key duplicated", "Idempotence-Key");
      return reply(present(*find(things, known->second["id"].get<std::string>())));
    }
    auto made = make();
    keys_[key] = {{"at", format_time(world_.now())}, {"body", c.body}, {"id", made["id"]}};
    world_.changed();
    return reply(present(made));
  }

  answer create_payment(const call& c) {
    const auto body = json::parse(c.body);
    return once(c, payments_, [&] { return make_payment(body); });
  }

  json make_payment(const json& body) {
    const auto amount = read_amount(body);
    check_receipt(body);
    if (text_of(body, "/description"_json_pointer).size() > 4 * longest_description) invalid("description");
    json payment{{"id", random_uuid()},
                 {"status", "pending"},
                 {"amount", show_amount(amount.minor)},
                 {"recipient", {{"account_id", shop_id}, {"gateway_id", "100700"}}},
                 {"created_at", format_time(world_.now())},
                 {"test", false},
                 {"paid", false},
                 {"refundable", false},
                 {"description", text_of(body, "/description"_json_pointer)},
                 {"metadata", body.value("metadata", json::object())}};
    const auto saved = text_of(body, "/payment_method_id"_json_pointer);
    if (saved.empty()) await_buyer(payment, body);
    else payment["payment_method"] = known_method(saved);
    payments_.push_back(std::move(payment));
    if (!saved.empty()) settle(payments_.back(), is_revoked(saved) ? "revoked" : "pay");
    return payments_.back();
  }

  static void await_buyer(json& payment, const json& body) {
    const auto return_url = text_of(body, "/confirmation/return_url"_json_pointer);
    if (text_of(body, "/confirmation/type"_json_pointer) != "redirect") invalid("confirmation.type");
    if (return_url.empty()) invalid("confirmation.return_url");
    payment["confirmation"] = {{"type", "redirect"}, {"return_url", return_url}};
    payment["payment_method"] = card_method(body);
    payment["payment_method"]["asked_to_save"] = body.value("save_payment_method", false);
  }

  const json& known_method(const std::string& id) const {
    const auto found = methods_.find(id);
    if (found == methods_.end()) invalid("payment_method_id", "Payment method doesn't exist");
    return found->second.at("method");
  }

  bool is_revoked(const std::string& id) const { return methods_.at(id).at("revoked").get<bool>(); }

  answer list_payments(const call& c) {
    const auto given = [&](const char* name) {
      const auto found = c.query.find(name);
      return found == c.query.end() ? std::string{} : found->second;
    };
    const auto limit = given("limit").empty() ? 10 : parse_integer(given("limit")).value_or(0);
    if (limit < 1 || limit > 100) invalid("limit");
    const auto since = parse_time(given("created_at.gte"));
    if (!since && !given("created_at.gte").empty()) invalid("created_at.gte");
    auto at = payments_.rbegin();
    if (const auto cursor = given("cursor"); !cursor.empty()) {
      at = std::find_if(at, payments_.rend(), [&](const json& each) { return each["id"] == cursor; });
      if (at == payments_.rend()) invalid("cursor");
    }
    json page{{"type", "list"}, {"items", json::array()}};
    for (; at != payments_.rend(); ++at) {
      if (since && *parse_time((*at)["created_at"].get<std::string>()) < *since) continue;
      if (static_cast<long long>(page["items"].size()) == limit) {
        page["next_cursor"] = (*at)["id"];
        break;
      }
      page["items"].push_back(present(*at));
    }
    return reply(page);
  }

  answer get_payment(const call& c) { return get(payments_, c.parameters.at("id")); }
  answer get_refund(const call& c) { return get(refunds_, c.parameters.at("id")); }

  answer get(std::vector<json>& things, const std::string& id) {
    const auto found = find(things, id);
    return found ? reply(present(*found)) : error(404, "not_found", "Incorrect id", "id");
  }

  answer create_refund(const call& c) {
    const auto body = json::parse(c.body);
    return once(c, refunds_, [&] {
      const auto payment = find(payments_, text_of(body, "/payment_id"_json_pointer));
      if (!payment) invalid("payment_id");
      return refund(*payment, read_amount(body).minor);
    });
  }

  json refund(json& payment, std::int64_t kopeks) {
    if (!payment["refundable"].get<bool>()) invalid("payment_id", "The payment cannot be refunded");
    const auto before = kopeks_of(payment["refunded_amount"]), all = kopeks_of(payment["amount"]);
    if (before + kopeks > all) invalid("amount.value", "The amount is larger than what is left of the payment");
    payment["refunded_amount"] = show_amount(before + kopeks);
    payment["refundable"] = before + kopeks < all;
    refunds_.push_back({{"id", random_uuid()},
                        {"payment_id", payment["id"]},
                        {"status", "succeeded"},
                        {"created_at", format_time(world_.now())},
                        {"amount", show_amount(kopeks)}});
    world_.changed();
    announce("refund.succeeded", refunds_.back());
    return refunds_.back();
  }

  answer list(const call& c) const {
    const auto wanted = c.query.find("payment");
    auto items = json::array();
    for (auto at = payments_.rbegin(); at != payments_.rend(); ++at)
      if (wanted == c.query.end() || (*at)["metadata"].value("payment_id", "") == wanted->second)
        items.push_back(present(*at));
    return reply({{"items", items}});
  }

  static json* find(std::vector<json>& things, const std::string& id) {
    const auto found = std::find_if(things.begin(), things.end(), [&](const json& each) { return each["id"] == id; });
    return found == things.end() ? nullptr : &*found;
  }

  json& control_find(const std::string& id) {
    const auto found = find(payments_, id);
    if (!found) refuse(404, "no such payment");
    return *found;
  }

  /// The one way a payment becomes final.
  json settle(json& payment, const std::string& how) {
    if (payment["status"] != "pending") refuse(409, "the payment is already " + payment["status"].get<std::string>());
    if (how == "pay") take_money(payment);
    else {
      payment["status"] = "canceled";
      payment["cancellation_details"] =
          how == "expire"    ? json{{"party", "yoo_money"}, {"reason", "expired_on_confirmation"}}
          : how == "revoked" ? json{{"party", "payment_network"}, {"reason", "permission_revoked"}}
                             : json{{"party", "payment_network"}, {"reason", "insufficient_funds"}};
    }
    world_.changed();
    announce(how == "pay" ? "payment.succeeded" : "payment.canceled", present(payment));
    return present(payment);
  }

  void take_money(json& payment) {
    payment["status"] = "succeeded";
    payment["paid"] = true;
    payment["refundable"] = true;
    payment["captured_at"] = format_time(world_.now());
    payment["refunded_amount"] = show_amount(0);
    auto& method = payment["payment_method"];
    if (!method.value("asked_to_save", false)) return;
    method["saved"] = true;
    method.erase("asked_to_save");
    methods_[method["id"].get<std::string>()] = {{"method", method}, {"revoked", false}};
  }

  answer refund_by_hand(const call& c) {
    auto& payment = control_find(c.parameters.at("id"));
    const auto amount =
        json::parse(c.body.empty() ? "{}" : c.body).value("amount", payment["amount"]["value"].get<std::string>());
    const auto kopeks = from_decimal(amount, "RUB");
    if (!kopeks || kopeks->minor <= 0) refuse(400, "amount must be one in rubles, such as 1.00");
    return reply(refund(payment, kopeks->minor));
  }

  answer revoke(const std::string& id) {
    const auto found = methods_.find(id);
    if (found == methods_.end()) refuse(404, "no such saved card");
    found->second["revoked"] = true;
    world_.changed();
    return reply(found->second);
  }

  void announce(const std::string& event, const json& object) {
    world_.send({name(),
                 "/api/v1/webhooks/yookassa",
                 {{"content-type", "application/json"}},
                 dump({{"type", "notification"}, {"event", event}, {"object", object}}),
                 webhook_retries,
                 webhook_retry_after_ms});
  }

  std::string path_of(const json& payment) const { return "/yookassa/pay/" + payment["id"].get<std::string>(); }

  /// As the API shows it: with an address on the port of this run while the buyer is awaited.
  json present(const json& thing) const {
    auto shown = thing;
    if (shown.contains("payment_method")) shown["payment_method"].erase("asked_to_save");
    if (shown["status"] != "pending") shown.erase("confirmation");
    if (shown.contains("confirmation")) shown["confirmation"]["confirmation_url"] = world_.base_url() + path_of(thing);
    return shown;
  }

  answer press(const call& c, const std::string& action) {
    auto& payment = control_find(c.parameters.at("id"));
    const auto back = text_of(payment, "/confirmation/return_url"_json_pointer);
    if (payment["status"] == "pending") settle(payment, action);
    return {303, {}, {{"Location", back.empty() ? path_of(payment) : back}}};
  }

  answer show_page(const call& c) {
    const auto& payment = control_find(c.parameters.at("id"));
    checkout page{payment["amount"]["value"].get<std::string>() + " RUB",
                  payment["description"].get<std::string>(),
                  payment["status"].get<std::string>(),
                  path_of(payment),
                  {}};
    if (payment["status"] == "pending")
      page.buttons = {{"pay", "Pay"}, {"refuse", "Have the card refused"}, {"expire", "Let it expire"}};
    return reply_html(render_checkout(page));
  }

  world& world_;
  std::vector<json> payments_, refunds_; ///< in the order they were made
  std::map<std::string, json> keys_;     ///< what was made for an `Idempotence-Key`
  std::map<std::string, json> methods_;  ///< saved cards
};

} // namespace

std::unique_ptr<fake> make_yookassa(world& w) { return std::make_unique<yookassa>(w); }

} // namespace backstay::sandbox
