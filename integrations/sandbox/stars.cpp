#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

/// How long a bot may think about whether a buyer may pay.
constexpr auto patience = 10s;
/// How soon an update that the bot did not take is sent again.
constexpr int update_retries = 10;
constexpr int update_retry_after_ms = 1000;

constexpr std::string_view webhook_path = "/api/v1/webhooks/telegram";

answer ok(const json& result) { return reply({{"ok", true}, {"result", result}}); }

[[noreturn]] void bad_request(const std::string& what) {
  throw refusal(reply({{"ok", false}, {"error_code", 400}, {"description", "Bad Request: " + what}}, 400));
}

/// The parameters of a call. The real API takes forms and queries as well; here they come as JSON.
class parameters {
public:
  explicit parameters(const call& c) : values_(c.body.empty() ? json::object() : json::parse(c.body)) {
    if (!values_.is_object()) bad_request("expected an object");
  }

  std::string text(const char* name, std::size_t least, std::size_t most) const {
    const auto value = values_.value(name, json(""));
    if (!value.is_string()) bad_request(std::string{name} + " must be a string");
    auto text = value.get<std::string>();
    if (text.size() < least || text.size() > most) bad_request(std::string{name} + " has a wrong length");
    return text;
  }

  std::int64_t integer(const char* name, std::int64_t least, std::int64_t most, std::int64_t fallback) const {
    const auto value = values_.value(name, json(fallback));
    if (!value.is_number_integer() || value < least || value > most) bad_request(std::string{name} + " is invalid");
    return value.get<std::int64_t>();
  }

  bool flag(const char* name) const {
    const auto value = values_.value(name, json(false));
    if (!value.is_boolean()) bad_request(std::string{name} + " must be a boolean");
    return value.get<bool>();
  }

  /// What one price costs; stars are sold by one price only.
  std::int64_t only_price() const {
    const auto prices = values_.value("prices", json::array());
    if (!prices.is_array() || prices.size() != 1 || !prices[0].is_object()) bad_request("PRICES_INVALID");
    const auto amount = prices[0].value("amount", json(0));
    if (!amount.is_number_integer() || amount < 1 || amount > 1'000'000) bad_request("CURRENCY_TOTAL_AMOUNT_INVALID");
    return amount.get<std::int64_t>();
  }

private:
  json values_;
};

/// Telegram's Bot API, as far as it sells for stars: https://core.telegram.org/bots/api#payments
/// Lengths are taken in bytes, four to a character.
class stars final : public fake {
public:
  explicit stars(world& w) : world_(w) {}

  std::string name() const override { return "stars"; }

  void declare(routes& table) override {
    const auto api = [&](const std::string& name, answer (stars::*handle)(const parameters&)) {
      table.api(*this, "POST", "/{bot}/" + name,
                [this, handle](const call& c) { return (this->*handle)(parameters{c}); });
    };
    api("createInvoiceLink", &stars::create_invoice_link);
    api("answerPreCheckoutQuery", &stars::answer_query);
    api("getStarTransactions", &stars::get_transactions);
    api("refundStarPayment", &stars::refund);
    table.control("GET", "/sandbox/stars/invoices", "List the invoices in Telegram Stars, the newest first",
                  {{"?payload", ""}}, [this](const call& c) { return list(c); });
    table.control("POST", "/sandbox/stars/invoices/{slug}/pay",
                  "Pay an invoice in Telegram Stars, if the bot agrees; several times: all ask before any pays",
                  {{"slug", "$abc"}, {"buyer", "123456789"}, {"times", "1"}, {"stars", "as many as it asks for"}},
                  [this](const call& c, const respond& then) { pay(c, then); });
    table.control("GET", "/sandbox/stars/transactions", "List the transactions in Telegram Stars, the oldest first", {},
                  [this](const call&) {
                    return reply({{"items", transactions_}});
                  });
    table.control("POST", "/sandbox/stars/transactions/{id}/refund", "Let Telegram give a payment in stars back",
                  {{"id", ""}},
                  [this](const call& c) { return reply(give_back(find_payment(c.parameters.at("id")))); });
    table.open("GET", root() + "/pay/{slug}", [this](const call& c) { return show_page(c); });
    table.open("POST", root() + "/pay/{slug}/pay", [this](const call& c) { return press(c); });
  }

  void guard(const call& c) const override {
    if (!same_secret(c.parameters.at("bot"), "bot" + world_.given.telegram_bot_token))
      throw refusal(reply({{"ok", false}, {"error_code", 401}, {"description", "Unauthorized"}}, 401));
  }

  answer unknown_route(const call&) const override {
    return reply({{"ok", false}, {"error_code", 404}, {"description", "Not Found"}}, 404);
  }

  answer malformed(const call&) const override {
    return reply({{"ok", false}, {"error_code", 400}, {"description", "Bad Request: can't parse JSON"}}, 400);
  }

  json save() const override {
    return {{"next_update", next_update_}, {"invoices", invoices_}, {"transactions", transactions_}};
  }

  void load(const json& state) override {
    state.at("next_update").get_to(next_update_);
    invoices_ = state.at("invoices").get<std::vector<json>>();
    transactions_ = state.at("transactions").get<std::vector<json>>();
  }

private:
  /// A buyer who has pressed the button, while the bot is asked.
  struct query {
    json invoice;
    json buyer;
    std::int64_t stars = 0;
    std::function<void(json)> then;
  };

  // ---- The Bot API

  answer create_invoice_link(const parameters& given) {
    if (given.text("currency", 3, 3) != "XTR") bad_request("CURRENCY_INVALID");
    if (!given.text("provider_token", 0, 200).empty()) bad_request("PAYMENT_PROVIDER_INVALID");
    json invoice{{"slug", "$" + random_token(16)},
                 {"title", given.text("title", 1, 4 * 32)},
                 {"description", given.text("description", 1, 4 * 255)},
                 {"payload", given.text("payload", 1, 128)},
                 {"amount", given.only_price()}};
    invoices_.push_back(invoice);
    world_.changed();
    return ok(url_of(invoice));
  }

  answer answer_query(const parameters& given) {
    const bool agreed = given.flag("ok");
    const auto reason = given.text("error_message", agreed ? 0 : 1, 4 * 255);
    const auto asked = queries_.extract(given.text("pre_checkout_query_id", 1, 64));
    if (!asked) bad_request("query is too old and response timeout expired or query ID is invalid");
    if (agreed) conclude(asked.mapped());
    else asked.mapped().then({{"paid", false}, {"reason", reason}});
    return ok(true);
  }

  answer get_transactions(const parameters& given) {
    const auto offset = static_cast<std::size_t>(given.integer("offset", 0, 1'000'000'000, 0));
    const auto limit = static_cast<std::size_t>(given.integer("limit", 1, 100, 100));
    auto shown = json::array();
    for (auto i = offset; i < transactions_.size() && shown.size() < limit; ++i) shown.push_back(transactions_[i]);
    return ok({{"transactions", shown}});
  }

  answer refund(const parameters& given) {
    const auto id = given.text("telegram_payment_charge_id", 1, 200);
    const auto found = std::find_if(transactions_.begin(), transactions_.end(),
                                    [&](const json& each) { return each["id"] == id && each.contains("source"); });
    if (found == transactions_.end()) bad_request("CHARGE_NOT_FOUND");
    if ((*found)["source"]["user"]["id"] != given.integer("user_id", 1, INT64_MAX, 0)) bad_request("USER_ID_INVALID");
    if (is_refunded(id)) bad_request("CHARGE_ALREADY_REFUNDED");
    give_back(json(*found));
    return ok(true);
  }

  // ---- What buyers do

  /// The bot is asked by its webhook; the buyer waits. This question is never lost, doubled or late: without its answer
  /// no stars move.
  void ask(query pressed) {
    const auto id = std::to_string(++last_query_);
    const json update{{"update_id", next_update_++},
                      {"pre_checkout_query",
                       {{"id", id},
                        {"from", pressed.buyer},
                        {"currency", "XTR"},
                        {"total_amount", pressed.stars},
                        {"invoice_payload", pressed.invoice["payload"]}}}};
    queries_.emplace(id, std::move(pressed));
    deliver(id, dump(update));
    world_.later(patience, [this, id] {
      if (auto late = queries_.extract(id)) late.mapped().then({{"paid", false}, {"reason", "the bot did not answer"}});
    });
  }

  void deliver(const std::string& id, const std::string& update) {
    if (!queries_.contains(id)) return;
    integrations::http_request request{"POST", world_.given.backend + std::string{webhook_path}, {}, update, patience};
    for (const auto& [name, value] : headers()) request.headers.emplace_back(name, value);
    world_.request(std::move(request), [this, id, update](const integrations::http_result& result) {
      if (result.failure != integrations::transport_failure::none || result.response.status / 100 != 2)
        world_.later(std::chrono::milliseconds(update_retry_after_ms), [this, id, update] { deliver(id, update); });
    });
  }

  /// The bot has agreed: the stars move.
  void conclude(const query& asked) {
    const auto id = "stx" + random_token(60);
    transactions_.push_back({{"id", id},
                             {"amount", asked.stars},
                             {"date", seconds_now()},
                             {"source", partner(asked.buyer, asked.invoice["payload"])}});
    world_.changed();
    tell("successful_payment", transactions_.back());
    asked.then({{"paid", true}, {"telegram_payment_charge_id", id}});
  }

  json give_back(const json& paid) {
    if (is_refunded(paid["id"])) refuse(409, "it is already refunded");
    transactions_.push_back(
        {{"id", paid["id"]}, {"amount", paid["amount"]}, {"date", seconds_now()}, {"receiver", paid["source"]}});
    world_.changed();
    tell("refunded_payment", transactions_.back());
    return transactions_.back();
  }

  void tell(const char* what, const json& transaction) {
    const auto& with = transaction.contains("source") ? transaction["source"] : transaction["receiver"];
    json payment{{"currency", "XTR"},
                 {"total_amount", transaction["amount"]},
                 {"invoice_payload", with["invoice_payload"]},
                 {"telegram_payment_charge_id", transaction["id"]},
                 {"provider_payment_charge_id", ""}};
    json message{{"message_id", next_update_},
                 {"from", with["user"]},
                 {"chat", {{"id", with["user"]["id"]}, {"type", "private"}}},
                 {"date", transaction["date"]},
                 {what, payment}};
    world_.send({name(), std::string{webhook_path}, headers(),
                 dump({{"update_id", next_update_++}, {"message", message}}), update_retries, update_retry_after_ms});
  }

  std::map<std::string, std::string> headers() const {
    return {{"content-type", "application/json"}, {"x-telegram-bot-api-secret-token", world_.given.payment_key}};
  }

  // ---- Who drives the sandbox

  answer list(const call& c) const {
    const auto payload = c.query.find("payload");
    auto items = json::array();
    for (auto i = invoices_.rbegin(); i != invoices_.rend(); ++i)
      if (payload == c.query.end() || i->value("payload", "").starts_with(payload->second))
        items.push_back(present(*i));
    return reply({{"items", items}});
  }

  void pay(const call& c, const respond& then) {
    const auto invoice = find_invoice(c.parameters.at("slug"));
    const auto body = c.body.empty() ? json::object() : json::parse(c.body);
    if (!body.is_object()) refuse(400, "the body must be a JSON object");
    const auto number = [&](const char* name, std::int64_t fallback) {
      const auto value = body.value(name, json(fallback));
      if (!value.is_number_integer() || value < 1) refuse(400, std::string{name} + " must be a positive number");
      return value.get<std::int64_t>();
    };
    const auto times = std::min<std::int64_t>(number("times", 1), 100);
    const auto person = buyer(number("buyer", 123456789));
    const auto amount = number("stars", invoice["amount"].get<std::int64_t>());
    const auto payments = std::make_shared<json>(json::array());
    for (std::int64_t i = 0; i < times; ++i)
      ask({invoice, person, amount, [payments, times, then](const json& outcome) {
             payments->push_back(outcome);
             if (payments->size() == static_cast<std::size_t>(times)) then(reply({{"payments", *payments}}));
           }});
  }

  answer press(const call& c) {
    const auto invoice = find_invoice(c.parameters.at("slug"));
    ask({invoice, buyer(123456789), invoice["amount"].get<std::int64_t>(), [](const json&) {}});
    return {303, {}, {{"Location", url_of(invoice)}}};
  }

  answer show_page(const call& c) const {
    const auto invoice = find_invoice(c.parameters.at("slug"));
    const auto paid = std::count_if(transactions_.begin(), transactions_.end(), [&](const json& each) {
      return each.contains("source") && each["source"]["invoice_payload"] == invoice["payload"];
    });
    return reply_html(render_checkout({.price = std::to_string(invoice["amount"].get<std::int64_t>()) + " stars",
                                       .description = invoice["description"].get<std::string>(),
                                       .status = "paid " + std::to_string(paid) + " times",
                                       .path = root() + "/pay/" + invoice["slug"].get<std::string>(),
                                       .buttons = {{"pay", "Pay"}}}));
  }

  // ---- Looking up

  json present(const json& invoice) const {
    auto shown = invoice;
    shown["url"] = url_of(invoice);
    return shown;
  }

  std::string url_of(const json& invoice) const {
    return world_.base_url() + root() + "/pay/" + invoice["slug"].get<std::string>();
  }

  json find_invoice(const std::string& slug) const {
    for (const auto& each : invoices_)
      if (each["slug"] == slug) return each;
    refuse(404, "no such invoice");
  }

  json find_payment(const std::string& id) const {
    for (const auto& each : transactions_)
      if (each["id"] == id && each.contains("source")) return each;
    refuse(404, "no such payment");
  }

  bool is_refunded(const std::string& id) const {
    return std::any_of(transactions_.begin(), transactions_.end(),
                       [&](const json& each) { return each["id"] == id && each.contains("receiver"); });
  }

  static json buyer(std::int64_t id) { return {{"id", id}, {"is_bot", false}, {"first_name", "Ada"}}; }

  static json partner(const json& buyer, const json& payload) {
    return {{"type", "user"}, {"transaction_type", "invoice_payment"}, {"user", buyer}, {"invoice_payload", payload}};
  }

  std::int64_t seconds_now() const {
    return std::chrono::floor<std::chrono::seconds>(world_.now().time_since_epoch()).count();
  }

  world& world_;
  std::vector<json> invoices_;
  std::vector<json> transactions_; ///< the oldest first
  std::int64_t next_update_ = 1;
  std::map<std::string, query> queries_; ///< a restart forgets them, as if the buyers had gone
  std::int64_t last_query_ = 0;
};

} // namespace

std::unique_ptr<fake> make_stars(world& w) { return std::make_unique<stars>(w); }

} // namespace backstay::sandbox
