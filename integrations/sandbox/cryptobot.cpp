#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace backstay::sandbox {

namespace {

constexpr std::array assets{"USDT", "TON", "BTC", "ETH", "LTC", "BNB", "TRX", "USDC"};

/// Units of a currency for one US dollar. Made up: here they only have to be the same every time.
constexpr std::pair<std::string_view, double> rates[]{
    {"USD", 1},   {"EUR", 0.9},   {"RUB", 90},   {"BYN", 3.2},  {"UAH", 41},   {"GBP", 0.8},    {"CNY", 7.2},
    {"KZT", 480}, {"UZS", 12700}, {"GEL", 2.7},  {"TRY", 34},   {"AMD", 390},  {"THB", 34},     {"INR", 84},
    {"BRL", 5.5}, {"IDR", 15800}, {"AZN", 1.7},  {"AED", 3.67}, {"PLN", 4},    {"ILS", 3.7},    {"USDT", 1},
    {"USDC", 1},  {"TON", 0.2},   {"BTC", 1e-5}, {"ETH", 3e-4}, {"LTC", 0.01}, {"BNB", 0.0015}, {"TRX", 4}};

constexpr long long longest_life_seconds = 2'678'400;

/// The service repeats a webhook that was not answered 2xx.
constexpr int webhook_retries = 10;
constexpr int webhook_retry_after_ms = 5000;

answer ok(const json& result) { return reply({{"ok", true}, {"result", result}}); }

answer error(int code, const std::string& name) {
  return reply({{"ok", false}, {"error", {{"code", code}, {"name", name}}}}, code);
}

[[noreturn]] void invalid(const std::string& parameter) { throw refusal(error(400, parameter + "_INVALID")); }

double per_dollar(std::string_view currency) {
  const auto found = std::find_if(std::begin(rates), std::end(rates), [&](auto& r) { return r.first == currency; });
  return found == std::end(rates) ? 0 : found->second;
}

bool is_asset(std::string_view name) { return std::find(assets.begin(), assets.end(), name) != assets.end(); }

bool is_fiat(std::string_view name) { return !is_asset(name) && per_dollar(name) > 0; }

/// At most eight decimals, without trailing zeros.
std::string format_amount(double amount) {
  char text[64];
  std::snprintf(text, sizeof text, "%.8f", amount);
  std::string result(text);
  result.erase(result.find_last_not_of('0') + 1);
  if (result.ends_with('.')) result.pop_back();
  return result;
}

bool is_amount(const std::string& text) {
  const auto point = std::min(text.find('.'), text.size());
  const auto is_number = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return text.size() <= 24 && is_number(std::string_view(text).substr(0, point)) &&
         (point == text.size() || is_number(std::string_view(text).substr(point + 1))) && std::stod(text) > 0;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    parts.emplace_back(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(parts.back().size() + 1, list.size()));
  }
  return parts;
}

/// The parameters of a call: from the query, and from a body that is JSON or a form. The service takes all of them.
class parameters {
public:
  explicit parameters(const call& c) : values_(c.query) {
    if (c.body.empty()) return;
    if (c.header("content-type").starts_with("application/x-www-form-urlencoded")) {
      values_.merge(parse_form(c.body));
      return;
    }
    const auto body = json::parse(c.body);
    if (!body.is_object()) throw refusal(error(400, "BODY_INVALID"));
    for (const auto& [name, value] : body.items())
      if (value.is_string()) values_[name] = value.get<std::string>();
      else if (value.is_primitive() && !value.is_null()) values_[name] = dump(value);
  }

  /// Empty when it was not given.
  std::string text(const std::string& name, std::size_t longest, const std::string& upper_case_name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return {};
    if (found->second.size() > longest) invalid(upper_case_name);
    return found->second;
  }

  long long integer(const std::string& name, long long least, long long most, long long fallback,
                    const std::string& upper_case_name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) return fallback;
    const auto value = parse_integer(found->second);
    if (!value || *value < least || *value > most) invalid(upper_case_name);
    return *value;
  }

  bool flag(const std::string& name, bool fallback) const {
    const auto found = values_.find(name);
    return found == values_.end() ? fallback : found->second == "true" || found->second == "1";
  }

private:
  std::map<std::string, std::string> values_;
};

/// Crypto Pay API 1.x (https://help.send.tg/en/articles/10279948-crypto-pay-api): payments that a person, a test or a
/// page settles instead of a chain.
class cryptobot final : public fake {
public:
  explicit cryptobot(world& w) : world_(w) {}

  std::string name() const override { return "cryptobot"; }

  void declare(routes& table) override {
    for (const auto* method : {"GET", "POST"}) {
      const auto api = [&](const std::string& name, answer (cryptobot::*handle)(const call&)) {
        table.api(*this, method, "/api/" + name, [this, handle](const call& c) { return (this->*handle)(c); });
      };
      api("getMe", &cryptobot::get_me);
      api("getBalance", &cryptobot::get_balance);
      api("createInvoice", &cryptobot::create_invoice);
      api("getInvoices", &cryptobot::get_invoices);
      api("deleteInvoice", &cryptobot::delete_invoice);
    }
    table.control("GET", "/sandbox/cryptobot/invoices", "List the invoices, the newest first", {{"?payload", ""}},
                  [this](const call& c) { return list(c); });
    table.control("POST", "/sandbox/cryptobot/invoices/{id}/pay", "Pay an invoice", {{"id", "1"}},
                  [this](const call& c) { return reply(present(settle(find(c.parameters.at("id")), "paid"))); });
    table.control("POST", "/sandbox/cryptobot/invoices/{id}/expire", "Let an invoice expire", {{"id", "1"}},
                  [this](const call& c) { return reply(present(settle(find(c.parameters.at("id")), "expired"))); });
    table.open("GET", "/cryptobot/pay/{hash}", [this](const call& c) { return show_page(c); });
    table.open("POST", "/cryptobot/pay/{hash}/pay", [this](const call& c) { return press(c, "paid"); });
    table.open("POST", "/cryptobot/pay/{hash}/expire", [this](const call& c) { return press(c, "expired"); });
  }

  void guard(const call& c) const override {
    if (!same_secret(c.header("crypto-pay-api-token"), world_.given.cryptobot_token))
      throw refusal(error(401, "UNAUTHORIZED"));
  }

  answer unknown_route(const call&) const override { return error(405, "METHOD_NOT_FOUND"); }

  answer malformed(const call&) const override { return error(400, "BODY_INVALID"); }

  json save() const override {
    auto all = json::array();
    for (const auto& [id, invoice] : invoices_) all.push_back(invoice);
    return {{"next_id", next_id_}, {"next_update", next_update_}, {"invoices", all}};
  }

  void load(const json& state) override {
    state.at("next_id").get_to(next_id_);
    state.at("next_update").get_to(next_update_);
    for (const auto& invoice : state.at("invoices"))
      invoices_.emplace(invoice.at("invoice_id").get<std::int64_t>(), invoice);
  }

  void tick() override {
    for (auto& [id, invoice] : invoices_)
      if (invoice["status"] == "active" && invoice.contains("expiration_date") &&
          parse_time(invoice["expiration_date"].get<std::string>()) <= world_.now())
        settle(invoice, "expired");
  }

private:
  answer get_me(const call&) {
    return ok({{"app_id", 1}, {"name", "Backstay sandbox"}, {"payment_processing_bot_username", "CryptoBot"}});
  }

  answer get_balance(const call&) {
    auto balances = json::array();
    for (const std::string asset : assets) {
      double available = 0;
      for (const auto& [id, invoice] : invoices_)
        if (invoice["status"] == "paid" && invoice["paid_asset"] == asset)
          available += std::stod(invoice["paid_amount"].get<std::string>()) - invoice["fee_amount"].get<double>();
      balances.push_back({{"currency_code", asset}, {"available", format_amount(available)}, {"onhold", "0"}});
    }
    return ok(balances);
  }

  answer create_invoice(const call& c) {
    const parameters given(c);
    const auto amount = given.text("amount", 24, "AMOUNT");
    if (!is_amount(amount)) invalid("AMOUNT");
    json invoice{{"invoice_id", next_id_}, {"hash", "IV" + random_token(10)}};
    add_currency(invoice, given);
    invoice["amount"] = amount;
    const auto life = given.integer("expires_in", 1, longest_life_seconds, 0, "EXPIRES_IN");
    const auto copy = [&](const std::string& name, std::size_t longest, const std::string& upper_case_name) {
      if (auto text = given.text(name, longest, upper_case_name); !text.empty()) invoice[name] = std::move(text);
    };
    copy("description", 1024, "DESCRIPTION");
    copy("hidden_message", 2048, "HIDDEN_MESSAGE");
    copy("payload", 4096, "PAYLOAD");
    copy("paid_btn_name", 32, "PAID_BTN_NAME");
    copy("paid_btn_url", 2048, "PAID_BTN_URL");
    invoice["status"] = "active";
    invoice["created_at"] = format_time(world_.now());
    invoice["allow_comments"] = given.flag("allow_comments", true);
    invoice["allow_anonymous"] = given.flag("allow_anonymous", true);
    if (life > 0) invoice["expiration_date"] = format_time(world_.now() + std::chrono::seconds(life));
    world_.changed();
    return ok(present(invoices_.emplace(next_id_++, std::move(invoice)).first->second));
  }

  static void add_currency(json& invoice, const parameters& given) {
    const auto type = given.text("currency_type", 10, "CURRENCY_TYPE");
    if (!type.empty() && type != "crypto" && type != "fiat") invalid("CURRENCY_TYPE");
    const bool fiat = type == "fiat";
    const auto currency = fiat ? given.text("fiat", 10, "FIAT") : given.text("asset", 10, "ASSET");
    if (fiat ? !is_fiat(currency) : !is_asset(currency)) invalid(fiat ? "FIAT" : "ASSET");
    invoice["currency_type"] = fiat ? "fiat" : "crypto";
    invoice[fiat ? "fiat" : "asset"] = currency;
    if (!fiat) return;
    const auto accepted = split(given.text("accepted_assets", 200, "ACCEPTED_ASSETS"));
    if (!std::all_of(accepted.begin(), accepted.end(), is_asset)) invalid("ACCEPTED_ASSETS");
    if (accepted.empty()) invoice["accepted_assets"] = assets;
    else invoice["accepted_assets"] = accepted;
  }

  answer get_invoices(const call& c) {
    const parameters given(c);
    const auto ids = split(given.text("invoice_ids", 16'000, "INVOICE_IDS"));
    if (!std::all_of(ids.begin(), ids.end(), parse_integer)) invalid("INVOICE_IDS");
    const auto status = given.text("status", 10, "STATUS");
    if (!status.empty() && status != "active" && status != "paid" && status != "expired") invalid("STATUS");
    const auto asset = given.text("asset", 10, "ASSET");
    const auto fiat = given.text("fiat", 10, "FIAT");
    auto offset = given.integer("offset", 0, 1'000'000'000, 0, "OFFSET");
    const auto count = static_cast<std::size_t>(given.integer("count", 1, 1000, 100, "COUNT"));
    const auto is = [](const json& invoice, const char* name, const std::string& wanted) {
      return wanted.empty() || invoice.value(name, "") == wanted;
    };
    auto items = json::array();
    for (auto i = invoices_.rbegin(); i != invoices_.rend() && items.size() < count; ++i) {
      const auto& [id, invoice] = *i;
      if (!ids.empty() && std::find(ids.begin(), ids.end(), std::to_string(id)) == ids.end()) continue;
      if (!is(invoice, "status", status) || !is(invoice, "asset", asset) || !is(invoice, "fiat", fiat)) continue;
      if (offset-- <= 0) items.push_back(present(invoice));
    }
    return ok({{"items", items}});
  }

  answer delete_invoice(const call& c) {
    const auto id = parameters(c).integer("invoice_id", 1, INT64_MAX, 0, "INVOICE_ID");
    const auto found = invoices_.find(id);
    if (found == invoices_.end()) return error(400, "INVOICE_NOT_FOUND");
    if (found->second["status"] == "paid") return error(400, "INVOICE_ALREADY_PAID");
    invoices_.erase(found);
    world_.changed();
    return ok(true);
  }

  answer list(const call& c) const {
    const auto payload = c.query.find("payload");
    auto items = json::array();
    for (auto i = invoices_.rbegin(); i != invoices_.rend(); ++i)
      if (payload == c.query.end() || i->second.value("payload", "") == payload->second)
        items.push_back(present(i->second));
    return reply({{"items", items}});
  }

  json& find(const std::string& id) {
    const auto number = parse_integer(id);
    if (!number) refuse(400, "the id of an invoice is a number");
    const auto found = invoices_.find(*number);
    if (found == invoices_.end()) refuse(404, "no such invoice");
    return found->second;
  }

  json& find_hash(const std::string& hash) {
    for (auto& [id, invoice] : invoices_)
      if (invoice["hash"] == hash) return invoice;
    refuse(404, "no such invoice");
  }

  /// The one way an invoice becomes final.
  json& settle(json& invoice, const std::string& status) {
    if (invoice["status"] != "active") refuse(409, "the invoice is already " + invoice["status"].get<std::string>());
    invoice["status"] = status;
    if (status == "paid") add_payment(invoice);
    world_.changed();
    if (status == "paid") announce(invoice);
    return invoice;
  }

  void add_payment(json& invoice) {
    const auto amount = invoice["amount"].get<std::string>();
    const bool fiat = invoice["currency_type"] == "fiat";
    const auto asset = fiat ? invoice["accepted_assets"][0].get<std::string>() : invoice["asset"].get<std::string>();
    const auto fiat_rate = fiat ? per_dollar(invoice["fiat"].get<std::string>()) / per_dollar(asset) : 1;
    const auto paid = fiat ? format_amount(std::stod(amount) / fiat_rate) : amount;
    invoice["paid_asset"] = asset;
    invoice["paid_amount"] = paid;
    if (fiat) invoice["paid_fiat_rate"] = format_amount(fiat_rate);
    invoice["fee_asset"] = asset;
    invoice["fee_amount"] = std::stod(format_amount(std::stod(paid) * 0.03));
    invoice["paid_usd_rate"] = format_amount(1 / per_dollar(asset));
    invoice["paid_at"] = format_time(world_.now());
    invoice["paid_anonymously"] = false;
  }

  void announce(const json& invoice) {
    const auto body = dump({{"update_id", next_update_++},
                            {"update_type", "invoice_paid"},
                            {"request_date", format_time(world_.now())},
                            {"payload", present(invoice)}});
    world_.send({name(),
                 "/api/v1/webhooks/cryptobot",
                 {{"content-type", "application/json"},
                  {"crypto-pay-api-signature", hmac_sha256_hex(sha256(world_.given.cryptobot_token), body)}},
                 body,
                 webhook_retries,
                 webhook_retry_after_ms});
  }

  /// An invoice as the API shows it: with addresses on the port of this run.
  json present(const json& invoice) const {
    auto shown = invoice;
    const auto url = world_.base_url() + "/cryptobot/pay/" + invoice["hash"].get<std::string>();
    for (const auto* member : {"pay_url", "bot_invoice_url", "mini_app_invoice_url", "web_app_invoice_url"})
      shown[member] = url;
    return shown;
  }

  answer press(const call& c, const std::string& status) {
    auto& invoice = find_hash(c.parameters.at("hash"));
    if (invoice["status"] == "active") settle(invoice, status);
    return {303, {}, {{"Location", "/cryptobot/pay/" + invoice["hash"].get<std::string>()}}};
  }

  answer show_page(const call& c) {
    const auto& invoice = find_hash(c.parameters.at("hash"));
    const auto text = [&](const char* member) { return invoice.value(member, ""); };
    checkout page{text("amount") + " " + (invoice.contains("fiat") ? text("fiat") : text("asset")),
                  text("description"),
                  text("status"),
                  "/cryptobot/pay/" + text("hash"),
                  {}};
    if (invoice["status"] == "active") page.buttons = {{"pay", "Pay"}, {"expire", "Let it expire"}};
    return reply_html(render_checkout(page));
  }

  world& world_;
  std::map<std::int64_t, json> invoices_;
  std::int64_t next_id_ = 1;
  std::int64_t next_update_ = 1;
};

} // namespace

std::unique_ptr<fake> make_cryptobot(world& w) { return std::make_unique<cryptobot>(w); }

} // namespace backstay::sandbox
