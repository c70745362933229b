#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>

namespace backstay::sandbox {

namespace {

/// Lemon Squeezy repeats a webhook that was not answered 2xx three times.
constexpr int webhook_retries = 3;
constexpr int webhook_retry_after_ms = 5000;

/// What the store sells, in cents of US dollars. The first is sold once, at the checkout's own price.
struct product {
  const char* variant;
  const char* name;
  std::int64_t price;
  int days; ///< of a period
};
constexpr product products[]{{"100501", "Payment", 1000, 0},
                             {"200001", "Pro monthly", 1499, 30},
                             {"200002", "Pro yearly", 14990, 365},
                             {"200003", "Premium monthly", 2999, 30}};
constexpr auto store = "100500";

answer respond_with(const json& document, int status = 200) {
  return {status, dump(document), {}, "application/vnd.api+json"};
}

answer error(int status, const std::string& detail, const std::string& pointer = {}) {
  json what{{"detail", detail}, {"status", std::to_string(status)}};
  if (!pointer.empty()) what["source"]["pointer"] = pointer;
  return respond_with({{"jsonapi", {{"version", "1.0"}}}, {"errors", json::array({what})}}, status);
}

[[noreturn]] void refuse_field(const std::string& pointer) {
  throw refusal(error(422, "The selected value is invalid.", pointer));
}

/// What stands at a pointer of a body; null when there is nothing.
json at(const json& body, const std::string& pointer) {
  const json::json_pointer where{pointer};
  return body.contains(where) ? body[where] : json();
}

std::string text_at(const json& body, const std::string& pointer) {
  const auto value = at(body, pointer);
  if (!value.is_null() && !value.is_string()) refuse_field(pointer);
  return value.is_null() ? std::string{} : value.get<std::string>();
}

std::int64_t integer_at(const json& body, const std::string& pointer, std::int64_t least, std::int64_t most,
                        std::int64_t fallback) {
  const auto value = at(body, pointer);
  if (value.is_null()) return fallback;
  if (!value.is_number_integer() || value < least || value > most) refuse_field(pointer);
  return value.get<std::int64_t>();
}

const product& find_product(const std::string& variant, const std::string& pointer) {
  const auto found =
      std::find_if(std::begin(products), std::end(products), [&](auto& p) { return p.variant == variant; });
  if (found == std::end(products)) refuse_field(pointer);
  return *found;
}

/// A number in what we keep ourselves.
std::int64_t number(const json& attributes, const char* name) { return attributes.at(name).get<std::int64_t>(); }

/// The Lemon Squeezy API (https://docs.lemonsqueezy.com/api): checkouts that a person, a test or a page pays, and
/// subscriptions that renew as the sandbox's clock goes on.
class lemonsqueezy final : public fake {
public:
  explicit lemonsqueezy(world& w) : world_(w) {}

  std::string name() const override { return "lemonsqueezy"; }

  void declare(routes& table) override {
    declare_api(table);
    declare_control(table);
    table.open("GET", "/lemonsqueezy/checkout/{id}", [this](const call& c) { return show_page(c); });
    table.open("POST", "/lemonsqueezy/checkout/{id}/pay", [this](const call& c) { return press(c); });
    table.open("GET", "/lemonsqueezy/billing/{id}", [](const call& c) {
      return reply_html(render_checkout({"Your plan", "Customer " + c.parameters.at("id"), "open", {}, {}}));
    });
  }

  void guard(const call& c) const override {
    if (!same_secret(c.header("authorization"), "Bearer " + world_.given.payment_key))
      throw refusal(error(401, "Unauthenticated."));
    if (c.header("accept") != "application/vnd.api+json") throw refusal(error(406, "Not Acceptable"));
    if (!c.body.empty() && c.header("content-type") != "application/vnd.api+json")
      throw refusal(error(415, "Unsupported Media Type"));
  }

  answer unknown_route(const call&) const override { return error(404, "Not Found"); }

  answer malformed(const call&) const override { return error(400, "Invalid JSON."); }

  json save() const override {
    return {{"resources", resources_}, {"last_id", last_id_}, {"last_sequence", last_sequence_}};
  }

  void load(const json& state) override {
    state.at("resources").get_to(resources_);
    state.at("last_id").get_to(last_id_);
    state.at("last_sequence").get_to(last_sequence_);
  }

  void tick() override {
    for (auto& [id, sub] : resources_["subscriptions"])
      while (is_due(sub)) end_period(sub, true);
  }

private:
  // ---- Routes

  void declare_api(routes& table) {
    const auto add = [&](const char* method, const std::string& path, answer (lemonsqueezy::*handle)(const call&)) {
      table.api(*this, method, path, [this, handle](const call& c) { return (this->*handle)(c); });
    };
    const auto add_kind = [&](const std::string& kind) {
      table.api(*this, "GET", "/v1/" + kind, [this, kind](const call& c) { return list(c, kind); });
      table.api(*this, "GET", "/v1/" + kind + "/{id}", [this, kind](const call& c) {
        return respond_with(whole(present(find(kind, c.parameters.at("id")))));
      });
    };
    for (const auto* kind : {"checkouts", "orders", "customers", "subscriptions", "subscription-invoices"})
      add_kind(kind);
    add("POST", "/v1/checkouts", &lemonsqueezy::create_checkout);
    add("POST", "/v1/orders/{id}/refund", &lemonsqueezy::refund_order);
    add("PATCH", "/v1/subscriptions/{id}", &lemonsqueezy::update_subscription);
    add("DELETE", "/v1/subscriptions/{id}", &lemonsqueezy::cancel_subscription);
  }

  void declare_control(routes& table) {
    const auto add = [&](const std::string& kind, const char* action, const char* summary, std::vector<field> fields,
                         void (lemonsqueezy::*act)(json&, const json&)) {
      fields.insert(fields.begin(), {"id", ""});
      table.control("POST", "/sandbox/lemonsqueezy/" + kind + "/{id}/" + action, summary, fields,
                    [this, kind, act](const call& c) {
                      auto& resource = find(kind, c.parameters.at("id"));
                      (this->*act)(resource, c.body.empty() ? json::object() : json::parse(c.body));
                      world_.changed();
                      return reply(present(resource));
                    });
    };
    for (const std::string kind : {"checkouts", "orders", "subscriptions"})
      table.control("GET", "/sandbox/lemonsqueezy/" + kind, "List the " + kind, {}, [this, kind](const call&) {
        return reply({{"items", all_of(kind)}});
      });
    add("checkouts", "pay", "Pay in a checkout",
        {{"email", "buyer@example.com"}, {"tax", "20"}, {"plain_name", "true"}}, &lemonsqueezy::pay);
    add("checkouts", "expire", "Let a checkout expire", {}, &lemonsqueezy::expire);
    add("orders", "refund", "Give money back", {{"amount", "100"}}, &lemonsqueezy::refund);
    add("subscriptions", "renew", "End a period; the card pays", {}, &lemonsqueezy::renew);
    add("subscriptions", "fail", "End a period; the card is declined", {}, &lemonsqueezy::fail_renewal);
    add("subscriptions", "cancel", "Cancel at the end of the period", {}, &lemonsqueezy::cancel);
  }

  // ---- What all calls share

  std::string now() const { return format_time(world_.now()); }

  std::string new_id() { return std::to_string(++last_id_); }

  json& keep(const std::string& kind, const std::string& id, json attributes) {
    attributes["store_id"] = *parse_integer(store);
    attributes["created_at"] = attributes["updated_at"] = now();
    attributes["test_mode"] = true;
    attributes["sandbox"]["sequence"] = ++last_sequence_;
    world_.changed();
    return resources_[kind][id] = {{"type", kind}, {"id", id}, {"attributes", std::move(attributes)}};
  }

  json& find(const std::string& kind, const std::string& id) {
    auto& all = resources_[kind];
    const auto found = all.find(id);
    if (found == all.end()) throw refusal(error(404, "The requested resource does not exist."));
    return found->second;
  }

  static json whole(json data) { return {{"jsonapi", {{"version", "1.0"}}}, {"data", std::move(data)}}; }

  /// A resource as the API shows it: with addresses on the port of this run, and without what only we need.
  json present(json resource) const {
    auto& attributes = resource["attributes"];
    attributes.erase("sandbox");
    const auto base = world_.base_url() + "/lemonsqueezy/";
    const auto id = resource["id"].get<std::string>();
    if (resource["type"] == "checkouts") attributes["url"] = base + "checkout/" + id;
    if (resource["type"] == "customers") attributes["urls"]["customer_portal"] = base + "billing/" + id;
    if (resource["type"] == "subscriptions")
      attributes["urls"]["customer_portal"] = base + "billing/" + std::to_string(number(attributes, "customer_id"));
    if (resource["type"] == "subscription-invoices") attributes["urls"]["invoice_url"] = base + "invoices/" + id;
    return resource;
  }

  /// The newest first.
  json all_of(const std::string& kind) const {
    std::map<std::int64_t, json, std::greater<>> found;
    if (const auto all = resources_.find(kind); all != resources_.end())
      for (const auto& [id, resource] : all->second)
        found.emplace(number(resource["attributes"]["sandbox"], "sequence"), present(resource));
    auto items = json::array();
    for (auto& [sequence, resource] : found) items.push_back(std::move(resource));
    return items;
  }

  static bool passes(const call& c, const json& resource) {
    return std::all_of(c.query.begin(), c.query.end(), [&](const std::pair<const std::string, std::string>& entry) {
      if (!entry.first.starts_with("filter[")) return true;
      const auto member = entry.first.substr(7, entry.first.size() - 8);
      const auto found = resource["attributes"].find(member);
      if (found == resource["attributes"].end()) throw refusal(error(400, "Filter parameter is not allowed."));
      return (found->is_string() ? found->get<std::string>() : dump(*found)) == entry.second;
    });
  }

  static std::int64_t page_parameter(const call& c, const std::string& name, std::int64_t most, std::int64_t fallback) {
    const auto found = c.query.find("page[" + name + "]");
    if (found == c.query.end()) return fallback;
    const auto value = parse_integer(found->second);
    if (!value || *value < 1 || *value > most) throw refusal(error(400, "The page is invalid."));
    return *value;
  }

  answer list(const call& c, const std::string& kind) {
    const auto number = page_parameter(c, "number", 1'000'000, 1), size = page_parameter(c, "size", 100, 10);
    auto skipped = (number - 1) * size;
    auto data = json::array();
    std::int64_t total = 0;
    for (const auto& resource : all_of(kind)) {
      if (!passes(c, resource)) continue;
      ++total;
      if (skipped-- <= 0 && data.size() < static_cast<std::size_t>(size)) data.push_back(resource);
    }
    auto document = whole(std::move(data));
    document["meta"]["page"] = {{"currentPage", number}, {"perPage", size}, {"total", total}};
    return respond_with(document);
  }

  /// Signed; what the checkout carried along is told here and nowhere else.
  void announce(const std::string& event, const json& resource, const json& custom) {
    json meta{{"test_mode", true}, {"event_name", event}, {"webhook_id", random_uuid()}};
    if (!custom.empty()) meta["custom_data"] = custom;
    const auto body = dump({{"meta", meta}, {"data", present(resource)}});
    world_.send({name(),
                 "/api/v1/webhooks/lemonsqueezy",
                 {{"content-type", "application/json"},
                  {"x-event-name", event},
                  {"x-signature", hmac_sha256_hex(world_.given.payment_key, body)}},
                 body,
                 webhook_retries,
                 webhook_retry_after_ms});
  }

  // ---- Checkouts

  answer create_checkout(const call& c) {
    const auto body = json::parse(c.body);
    const std::string attributes = "/data/attributes", relations = "/data/relationships";
    if (text_at(body, "/data/type") != "checkouts") return error(409, "The type is not supported.", "/data/type");
    if (text_at(body, relations + "/store/data/id") != store) refuse_field(relations + "/store/data/id");
    const auto& what = find_product(text_at(body, relations + "/variant/data/id"), relations + "/variant/data/id");
    const auto custom = at(body, attributes + "/checkout_data/custom");
    for (const auto& [name, value] : custom.items())
      if (!value.is_string()) refuse_field(attributes + "/checkout_data/custom/" + name);
    const auto expires_at = text_at(body, attributes + "/expires_at");
    if (!expires_at.empty() && !parse_time(expires_at)) refuse_field(attributes + "/expires_at");
    const auto price = integer_at(body, attributes + "/custom_price", 1, 99'999'999, 0);
    json made{{"variant_id", *parse_integer(what.variant)},
              {"custom_price", price == 0 ? json() : json(price)},
              {"product_options",
               {{"name", text_at(body, attributes + "/product_options/name")},
                {"redirect_url", text_at(body, attributes + "/product_options/redirect_url")}}},
              // An empty list, not an object, stands for nothing: that is how the API writes it.
              {"checkout_data",
               {{"email", text_at(body, attributes + "/checkout_data/email")},
                {"custom", custom.empty() ? json::array() : custom}}},
              {"expires_at", expires_at.empty() ? json() : json(expires_at)}};
    return respond_with(whole(present(keep("checkouts", random_uuid(), std::move(made)))), 201);
  }

  bool is_open(const json& checkout) const {
    const auto& expires_at = checkout["attributes"]["expires_at"];
    return expires_at.is_null() || *parse_time(expires_at.get<std::string>()) > world_.now();
  }

  void expire(json& checkout, const json&) { checkout["attributes"]["expires_at"] = now(); }

  /// A checkout can be paid as often as somebody pays in it.
  void pay(json& checkout, const json& how) {
    if (!is_open(checkout)) refuse(409, "the checkout has expired");
    const auto& attributes = checkout["attributes"];
    auto email = how.value("email", attributes["checkout_data"].value("email", ""));
    if (email.empty()) email = "buyer@example.com";
    const auto customer = find_customer(email);
    const auto& what = find_product(std::to_string(number(attributes, "variant_id")), "");
    const auto order = make_order(checkout, what, customer, email, how);
    const auto& custom = attributes["checkout_data"]["custom"];
    announce("order_created", order, custom);
    if (what.days > 0) subscribe(order, what, custom);
  }

  std::int64_t find_customer(const std::string& email) {
    for (const auto& [id, customer] : resources_["customers"])
      if (customer["attributes"]["email"] == email) return *parse_integer(id);
    const auto& made = keep("customers", new_id(), {{"name", "Buyer"}, {"email", email}});
    return *parse_integer(made["id"].get<std::string>());
  }

  json make_order(const json& checkout, const product& what, std::int64_t customer, const std::string& email,
                  const json& how) {
    const auto& attributes = checkout["attributes"];
    const auto price = attributes["custom_price"].is_null() ? what.price : number(attributes, "custom_price");
    const auto tax = price * how.value("tax", 0) / 100;
    const auto name = attributes["product_options"].value("name", "");
    const bool is_plain = name.empty() || how.value("plain_name", false);
    const auto id = new_id();
    json item{{"order_id", last_id_},
              {"variant_id", attributes["variant_id"]},
              {"product_name", is_plain ? what.name : name},
              {"variant_name", "Default"},
              {"price", price}};
    return keep("orders", id,
                {{"customer_id", customer},
                 {"identifier", random_uuid()},
                 {"order_number", last_id_},
                 {"user_name", "Buyer"},
                 {"user_email", email},
                 {"currency", "USD"},
                 {"subtotal", price},
                 {"discount_total", 0},
                 {"tax", tax},
                 {"total", price + tax},
                 {"refunded_amount", 0},
                 {"tax_inclusive", false},
                 {"status", "paid"},
                 {"refunded", false},
                 {"refunded_at", nullptr},
                 {"first_order_item", item},
                 {"sandbox", {{"custom", attributes["checkout_data"]["custom"]}}}});
  }

  // ---- Orders

  void refund(json& order, const json& how) {
    auto& attributes = order["attributes"];
    const auto left = number(attributes, "total") - number(attributes, "refunded_amount");
    const auto amount = how.value("amount", left);
    if (left == 0 || amount < 1 || amount > left) refuse_field("/data/attributes/amount");
    attributes["refunded_amount"] = number(attributes, "refunded_amount") + amount;
    attributes["refunded"] = amount == left;
    attributes["status"] = amount == left ? "refunded" : "partial_refund";
    attributes["refunded_at"] = attributes["updated_at"] = now();
    world_.changed();
    announce("order_refunded", order, attributes["sandbox"]["custom"]);
  }

  answer refund_order(const call& c) {
    auto& order = find("orders", c.parameters.at("id"));
    const auto amount = at(json::parse(c.body), "/data/attributes/amount");
    refund(order, amount.is_null() ? json::object() : json{{"amount", amount}});
    return respond_with(whole(present(order)));
  }

  // ---- Subscriptions

  static bool is_running(const json& sub) { return sub["attributes"]["status"] != "expired"; }

  bool is_due(const json& sub) const {
    return is_running(sub) && *parse_time(sub["attributes"]["renews_at"].get<std::string>()) <= world_.now();
  }

  std::string after(const std::string& moment, int days) const {
    return format_time(*parse_time(moment) + std::chrono::days(days));
  }

  void subscribe(const json& order, const product& what, const json& custom) {
    const auto& bought = order["attributes"];
    const auto id = new_id();
    auto& sub = keep("subscriptions", id,
                     {{"customer_id", bought["customer_id"]},
                      {"order_id", *parse_integer(order["id"].get<std::string>())},
                      {"variant_id", *parse_integer(what.variant)},
                      {"product_name", what.name},
                      {"user_email", bought["user_email"]},
                      {"status", "active"},
                      {"cancelled", false},
                      {"trial_ends_at", nullptr},
                      {"renews_at", after(now(), what.days)},
                      {"ends_at", nullptr},
                      {"sandbox", {{"custom", custom}}}});
    tell(sub, "subscription_created");
    make_invoice(sub, number(bought, "total"), "initial", true);
  }

  void tell(json& sub, const std::string& event) {
    sub["attributes"]["updated_at"] = now();
    world_.changed();
    announce(event, sub, sub["attributes"]["sandbox"]["custom"]);
  }

  void make_invoice(const json& sub, std::int64_t amount, const std::string& reason, bool is_paid) {
    const auto& attributes = sub["attributes"];
    const auto id = new_id();
    const auto& invoice = keep("subscription-invoices", id,
                               {{"subscription_id", *parse_integer(sub["id"].get<std::string>())},
                                {"customer_id", attributes["customer_id"]},
                                {"billing_reason", reason},
                                {"currency", "USD"},
                                {"status", is_paid ? "paid" : "pending"},
                                {"refunded", false},
                                {"subtotal", amount},
                                {"tax", 0},
                                {"total", amount}});
    announce(is_paid ? "subscription_payment_success" : "subscription_payment_failed", invoice,
             attributes["sandbox"]["custom"]);
  }

  void renew(json& sub, const json&) { end_period(sub, true); }
  void fail_renewal(json& sub, const json&) { end_period(sub, false); }

  /// One that was cancelled expires; another goes on, paid for or not.
  void end_period(json& sub, bool pays) {
    if (!is_running(sub)) refuse(409, "the subscription has expired");
    auto& attributes = sub["attributes"];
    if (attributes["cancelled"] == true) {
      attributes["status"] = "expired";
      return tell(sub, "subscription_expired");
    }
    const auto& what = find_product(std::to_string(number(attributes, "variant_id")), "");
    attributes["status"] = pays ? "active" : "past_due";
    if (pays) attributes["renews_at"] = after(attributes["renews_at"].get<std::string>(), what.days);
    make_invoice(sub, what.price, "renewal", pays);
    tell(sub, "subscription_updated");
  }

  void cancel(json& sub, const json&) {
    auto& attributes = sub["attributes"];
    if (attributes["cancelled"] == true || !is_running(sub)) return;
    attributes["cancelled"] = true;
    attributes["status"] = "cancelled";
    attributes["ends_at"] = attributes["renews_at"];
    tell(sub, "subscription_cancelled");
  }

  answer cancel_subscription(const call& c) {
    auto& sub = find("subscriptions", c.parameters.at("id"));
    cancel(sub, {});
    return respond_with(whole(present(sub)));
  }

  answer update_subscription(const call& c) {
    auto& sub = find("subscriptions", c.parameters.at("id"));
    const auto body = json::parse(c.body);
    const std::string attributes = "/data/attributes/";
    if (sub["id"] != text_at(body, "/data/id")) refuse_field("/data/id");
    if (!is_running(sub)) return error(422, "The subscription has expired.");
    const auto variant =
        integer_at(body, attributes + "variant_id", 1, INT64_MAX, number(sub["attributes"], "variant_id"));
    const auto& next = find_product(std::to_string(variant), attributes + "variant_id");
    if (next.days == 0) refuse_field(attributes + "variant_id");
    change_variant(sub, next, at(body, attributes + "invoice_immediately") == true);
    return respond_with(whole(present(sub)));
  }

  /// The difference for the rest of the period; what is owed to the customer is not shown here.
  void change_variant(json& sub, const product& next, bool invoices_now) {
    auto& attributes = sub["attributes"];
    const auto& old = find_product(std::to_string(number(attributes, "variant_id")), "");
    const auto left = *parse_time(attributes["renews_at"].get<std::string>()) - world_.now();
    const auto days = std::chrono::round<std::chrono::days>(left).count();
    const auto difference = next.price * days / next.days - old.price * days / old.days;
    attributes["variant_id"] = *parse_integer(next.variant);
    attributes["product_name"] = next.name;
    if (invoices_now && difference > 0) make_invoice(sub, difference, "updated", true);
    tell(sub, "subscription_updated");
  }

  // ---- The page of a checkout

  answer press(const call& c) {
    auto& checkout = find("checkouts", c.parameters.at("id"));
    if (is_open(checkout)) pay(checkout, json::object());
    const auto back = checkout["attributes"]["product_options"].value("redirect_url", "");
    return {303, {}, {{"Location", back.empty() ? "/lemonsqueezy/checkout/" + c.parameters.at("id") : back}}};
  }

  answer show_page(const call& c) {
    const auto& checkout = find("checkouts", c.parameters.at("id"));
    const auto& attributes = checkout["attributes"];
    const auto& what = find_product(std::to_string(number(attributes, "variant_id")), "");
    const auto cents = attributes["custom_price"].is_null() ? what.price : number(attributes, "custom_price");
    const auto name = attributes["product_options"].value("name", "");
    ::backstay::sandbox::checkout page{std::to_string(cents / 100) + "." + std::to_string(100 + cents % 100).substr(1) +
                                           " USD",
                                       name.empty() ? what.name : name,
                                       is_open(checkout) ? "open" : "expired",
                                       "/lemonsqueezy/checkout/" + c.parameters.at("id"),
                                       {}};
    if (is_open(checkout)) page.buttons = {{"pay", "Pay"}};
    return reply_html(render_checkout(page));
  }

  world& world_;
  /// By kind and id.
  std::map<std::string, std::map<std::string, json>> resources_;
  std::int64_t last_id_ = 1000;
  /// What the newest is told by.
  std::int64_t last_sequence_ = 0;
};

} // namespace

std::unique_ptr<fake> make_lemonsqueezy(world& w) { return std::make_unique<lemonsqueezy>(w); }

} // namespace backstay::sandbox
