#include "integrations/sandbox/checkout.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

/// Stripe repeats webhooks for days; here for a minute.
constexpr int webhook_retries = 12;
constexpr int webhook_retry_after_ms = 5000;

/// How long an idempotency key is remembered, and how long a session lives.
constexpr std::int64_t day = 24 * 3600;

/// What can be subscribed to, in cents of US dollars.
struct tariff {
  const char* id;
  std::int64_t price;
  bool is_yearly;
};
constexpr tariff tariffs[]{{"price_starter_monthly", 1900, false},
                           {"price_starter_yearly", 19000, true},
                           {"price_professional_monthly", 4900, false},
                           {"price_professional_yearly", 49000, true}};

answer error(int status, const std::string& code, const std::string& message, const std::string& parameter = {},
             const std::string& type = "invalid_request_error") {
  json what{{"code", code}, {"message", message}, {"type", type}};
  if (!parameter.empty()) what["param"] = parameter;
  return reply({{"error", what}}, status);
}

[[noreturn]] void refuse_parameter(const std::string& name, const std::string& why) {
  throw refusal(error(400, "parameter_invalid", why, name));
}

[[noreturn]] void refuse_missing(const std::string& kind, const std::string& id, int status = 404) {
  throw refusal(error(status, "resource_missing", "No such " + kind + ": '" + id + "'", "id"));
}

/// The parameters of a call. The API refuses those that it does not know, so each is taken out as it is read.
class parameters {
public:
  explicit parameters(const call& c) : values_(c.method == "POST" ? parse_form(c.body) : c.query) {}

  /// Empty when it was not given.
  std::string take(const std::string& name) {
    auto found = values_.extract(name);
    return found ? found.mapped() : std::string{};
  }

  std::string require(const std::string& name) {
    auto value = take(name);
    if (value.empty()) throw refusal(error(400, "parameter_missing", "Missing required param: " + name, name));
    return value;
  }

  std::int64_t take_integer(const std::string& name, std::int64_t least, std::int64_t most, std::int64_t fallback) {
    const auto text = take(name);
    if (text.empty()) return fallback;
    const auto value = parse_integer(text);
    if (!value || *value < least || *value > most) refuse_parameter(name, "Invalid integer");
    return *value;
  }

  /// Where a browser is sent to.
  std::string require_url(const std::string& name) {
    auto url = require(name);
    if (!url.starts_with("http://") && !url.starts_with("https://")) refuse_parameter(name, "Not a valid URL");
    return url;
  }

  /// `prefix[a]=1` as `{"a": "1"}`
  json take_members(const std::string& prefix) {
    json members = json::object();
    for (auto at = values_.lower_bound(prefix + "["); at != values_.end() && at->first.starts_with(prefix + "[");
         at = values_.erase(at))
      members[at->first.substr(prefix.size() + 1, at->first.size() - prefix.size() - 2)] = at->second;
    return members;
  }

  void finish() const {
    if (!values_.empty())
      throw refusal(error(400, "parameter_unknown", "Received unknown parameter: " + values_.begin()->first,
                          values_.begin()->first));
  }

private:
  std::map<std::string, std::string> values_;
};

json list_of(json items) { return {{"object", "list"}, {"has_more", false}, {"data", std::move(items)}}; }

/// The Stripe API (https://docs.stripe.com/api): checkouts that a person, a test or a page decides, and subscriptions
/// that renew as the sandbox's clock goes on.
class stripe final : public fake {
public:
  explicit stripe(world& w) : world_(w) {}

  std::string name() const override { return "stripe"; }

  void declare(routes& table) override {
    declare_api(table);
    declare_control(table);
    for (const std::string action : {"pay", "decline", "expire"})
      table.open("POST", "/stripe/pay/{id}/" + action, [this, action](const call& c) { return press(c, action); });
    table.open("GET", "/stripe/pay/{id}", [this](const call& c) { return show_page(c); });
    table.open("GET", "/stripe/portal/{id}", [this](const call& c) {
      return reply_html(render_checkout({"Your plan", "Customer " + c.parameters.at("id"), "open", {}, {}}));
    });
  }

  void guard(const call& c) const override {
    if (!same_secret(c.header("authorization"), "Bearer " + world_.given.payment_key))
      throw refusal(error(401, "api_key_invalid", "Invalid API Key provided"));
  }

  answer unknown_route(const call& c) const override {
    return error(404, "url_invalid", "Unrecognized request URL (" + c.method + ": " + c.path + ")");
  }

  answer malformed(const call&) const override { return error(400, "parameter_invalid", "Invalid request"); }

  json save() const override {
    return {{"objects", objects_}, {"replays", replays_}, {"declining", declining_}, {"last_number", last_number_}};
  }

  void load(const json& state) override {
    state.at("objects").get_to(objects_);
    state.at("replays").get_to(replays_);
    state.at("declining").get_to(declining_);
    state.at("last_number").get_to(last_number_);
  }

  void tick() override {
    for (const auto& id : ids_of("checkout.session"))
      if (auto& session = objects_.at(id); session["status"] == "open" && session["expires_at"] <= now())
        expire(session);
    for (const auto& id : ids_of("subscription"))
      for (auto& sub = objects_.at(id); is_running(sub) && sub["current_period_end"] <= now();) end_period(sub, true);
    std::erase_if(replays_, [&](const auto& replay) { return replay.second.at("at") < now() - day; });
  }

private:
  // ---- Routes

  void declare_api(routes& table) {
    const auto add = [&](const char* method, const std::string& path, answer (stripe::*handle)(const call&)) {
      table.api(*this, method, path, [this, handle](const call& c) { return once(c, handle); });
    };
    add("POST", "/v1/checkout/sessions", &stripe::create_session);
    add("GET", "/v1/checkout/sessions", &stripe::list_sessions);
    add("GET", "/v1/checkout/sessions/{id}", &stripe::get_session);
    add("POST", "/v1/checkout/sessions/{id}/expire", &stripe::expire_session);
    add("POST", "/v1/payment_intents", &stripe::create_intent);
    add("GET", "/v1/payment_intents/{id}", &stripe::get_intent);
    add("POST", "/v1/refunds", &stripe::create_refund);
    add("GET", "/v1/subscriptions/{id}", &stripe::get_subscription);
    add("POST", "/v1/subscriptions/{id}", &stripe::update_subscription);
    add("DELETE", "/v1/subscriptions/{id}", &stripe::delete_subscription);
    add("GET", "/v1/invoices", &stripe::list_invoices);
    add("POST", "/v1/billing_portal/sessions", &stripe::create_portal);
  }

  void declare_control(routes& table) {
    const auto add = [&](const std::string& kind, const char* path, const char* action, const char* summary,
                         auto(stripe::*act)(json&)) {
      table.control("POST", std::string("/sandbox/stripe/") + path + "/{id}/" + action, summary, {{"id", ""}},
                    [this, kind, act](const call& c) {
                      auto& object = find(kind, c.parameters.at("id"));
                      (this->*act)(object);
                      world_.changed();
                      return reply(present(object));
                    });
    };
    table.control("GET", "/sandbox/stripe/sessions", "List the checkout sessions", {}, [this](const call&) {
      return reply({{"items", all_of("checkout.session")}});
    });
    add("checkout.session", "sessions", "pay", "Pay in a checkout session", &stripe::pay);
    add("checkout.session", "sessions", "decline", "Decline the card in a session", &stripe::decline);
    add("checkout.session", "sessions", "expire", "Let a session expire", &stripe::expire);
    add("payment_method", "payment_methods", "decline", "From now on, decline a saved card", &stripe::decline_card);
    table.control("POST", "/sandbox/stripe/payment_intents/{id}/refund", "Give money back",
                  {{"id", "pi_"}, {"amount", "100"}}, [this](const call& c) { return refund_by_hand(c); });
    table.control("GET", "/sandbox/stripe/subscriptions", "List the subscriptions", {}, [this](const call&) {
      return reply({{"items", all_of("subscription")}});
    });
    add("subscription", "subscriptions", "renew", "End a period; the card pays", &stripe::renew);
    add("subscription", "subscriptions", "fail", "End a period; the card is declined", &stripe::fail_renewal);
    add("subscription", "subscriptions", "cancel", "End a subscription now", &stripe::end_now);
  }

  // ---- What all calls share

  std::int64_t now() const { return std::chrono::floor<std::chrono::seconds>(world_.now()).time_since_epoch().count(); }

  /// A repetition of an idempotency key is answered as the first call was.
  answer once(const call& c, answer (stripe::*handle)(const call&)) {
    const auto key = c.header("idempotency-key");
    if (c.method != "POST" || key.empty()) return (this->*handle)(c);
    const auto fingerprint = base64(sha256(c.path + "\n" + c.body));
    if (const auto known = replays_.find(key); known != replays_.end()) {
      const auto& first = known->second;
      if (first.at("fingerprint") != fingerprint)
        return error(400, "idempotency_key_in_use", "Keys can only be used with the same parameters", {},
                     "idempotency_error");
      return {first.at("status"), first.at("body"), {{"Idempotent-Replayed", "true"}}};
    }
    const auto made = (this->*handle)(c);
    replays_[key] = {{"fingerprint", fingerprint}, {"status", made.status}, {"body", made.body}, {"at", now()}};
    world_.changed();
    return made;
  }

  static std::string new_id(const std::string& prefix) { return prefix + "_" + random_token(24); }

  json& keep(json object) {
    object["created"] = now();
    object["livemode"] = false;
    object["sandbox"]["sequence"] = ++last_number_;
    world_.changed();
    const auto id = object["id"].get<std::string>();
    return objects_[id] = std::move(object);
  }

  json& find(const std::string& kind, const std::string& id, int status = 404) {
    const auto found = objects_.find(id);
    if (found == objects_.end() || found->second["object"] != kind) refuse_missing(kind, id, status);
    return found->second;
  }

  std::vector<std::string> ids_of(const std::string& kind) const {
    std::vector<std::string> ids;
    for (const auto& [id, object] : objects_)
      if (object.at("object") == kind) ids.push_back(id);
    return ids;
  }

  /// The newest first.
  json all_of(const std::string& kind, const std::function<bool(const json&)>& matches = {}) const {
    std::map<std::int64_t, json, std::greater<>> found;
    for (const auto& id : ids_of(kind))
      if (const auto& object = objects_.at(id); !matches || matches(object))
        found.emplace(object.at("sandbox").at("sequence").get<std::int64_t>(), present(object));
    auto items = json::array();
    for (auto& [sequence, object] : found) items.push_back(std::move(object));
    return items;
  }

  /// An object as the API shows it: with addresses on the port of this run, and without what only we need.
  json present(json object) const {
    object.erase("sandbox");
    if (object["object"] == "checkout.session")
      object["url"] = object["status"] == "open"
                          ? json(world_.base_url() + "/stripe/pay/" + object["id"].get<std::string>())
                          : json();
    return object;
  }

  /// Replaces ids by what they stand for: "data.payment_intent.latest_charge".
  json expand(json in, const std::string& path) const {
    if (in.is_array()) {
      for (auto& item : in) item = expand(item, path);
      return in;
    }
    const auto head = path.substr(0, path.find('.'));
    const auto found = in.find(head);
    if (found == in.end()) refuse_parameter("expand", "This property cannot be expanded");
    if (found->is_string() && objects_.contains(found->get<std::string>()))
      *found = present(objects_.at(found->get<std::string>()));
    if (head.size() < path.size() && !found->is_null()) *found = expand(*found, path.substr(head.size() + 1));
    return in;
  }

  answer show(json object, const json& expansions) const {
    for (const auto& [index, path] : expansions.items()) object = expand(object, path.get<std::string>());
    return reply(object);
  }

  void announce(const std::string& type, const json& object) {
    const auto body = dump({{"id", new_id("evt")},
                            {"object", "event"},
                            {"api_version", "2024-06-20"},
                            {"created", now()},
                            {"data", {{"object", present(object)}}},
                            {"livemode", false},
                            {"type", type}});
    const auto moment = std::to_string(now());
    const auto mac = hmac_sha256_hex(world_.given.payment_key, moment + "." + body);
    world_.send({name(),
                 "/api/v1/webhooks/stripe",
                 {{"content-type", "application/json; charset=utf-8"},
                  {"stripe-signature", "t=" + moment + ",v1=" + mac + ",v0=" + std::string(64, '0')}},
                 body,
                 webhook_retries,
                 webhook_retry_after_ms});
  }

  // ---- Checkout sessions

  static const tariff& find_tariff(const std::string& id) {
    const auto found = std::find_if(std::begin(tariffs), std::end(tariffs), [&](auto& t) { return t.id == id; });
    if (found == std::end(tariffs)) refuse_missing("price", id, 400);
    return *found;
  }

  static void add_price(json& session, parameters& given) {
    given.take_integer("line_items[0][quantity]", 1, 1, 1);
    if (session["mode"] == "subscription") {
      const auto& what = find_tariff(given.require("line_items[0][price]"));
      session["currency"] = "usd";
      session["amount_total"] = what.price;
      session["sandbox"]["price"] = what.id;
      return;
    }
    const std::string data = "line_items[0][price_data]";
    const auto currency = given.require(data + "[currency]");
    if (currency.size() != 3 || currency != lower_case(currency)) refuse_parameter(data, "Invalid currency");
    session["currency"] = currency;
    session["amount_total"] = given.take_integer(data + "[unit_amount]", 1, 99'999'999, 0);
    if (session["amount_total"] < 50) throw refusal(error(400, "amount_too_small", "The amount is too small"));
    session["sandbox"]["description"] = given.require(data + "[product_data][name]");
  }

  answer create_session(const call& c) {
    parameters given(c);
    json session{{"id", new_id("cs_test")}, {"object", "checkout.session"}, {"mode", given.require("mode")}};
    if (session["mode"] != "payment" && session["mode"] != "subscription") refuse_parameter("mode", "Invalid mode");
    add_price(session, given);
    session["amount_subtotal"] = session["amount_total"];
    for (const auto* member : {"client_reference_id", "customer", "customer_email", "customer_creation"}) {
      const auto value = given.take(member);
      session[member] = value.empty() ? json() : json(value);
    }
    if (session["customer"].is_string()) find("customer", session["customer"], 400);
    session["success_url"] = given.require_url("success_url");
    session["cancel_url"] = given.take("cancel_url");
    session["metadata"] = given.take_members("metadata");
    session["expires_at"] = given.take_integer("expires_at", now() + 1800, now() + day, now() + day);
    session["sandbox"]["metadata"] = given.take_members(session["mode"] == "payment" ? "payment_intent_data[metadata]"
                                                                                     : "subscription_data[metadata]");
    session["sandbox"]["setup_future_usage"] = given.take("payment_intent_data[setup_future_usage]");
    session["sandbox"]["trial_days"] = given.take_integer("subscription_data[trial_period_days]", 1, 730, 0);
    given.finish();
    session["payment_intent"] = session["subscription"] = nullptr;
    session["payment_status"] = "unpaid";
    session["status"] = "open";
    return reply(present(keep(std::move(session))));
  }

  answer list_sessions(const call& c) {
    parameters given(c);
    const auto intent = given.take("payment_intent"), subscription = given.take("subscription");
    given.take_integer("limit", 1, 100, 10);
    const auto expansions = given.take_members("expand");
    given.finish();
    const auto is = [](const json& session, const char* member, const std::string& wanted) {
      return wanted.empty() || session.at(member) == wanted;
    };
    return show(list_of(all_of("checkout.session",
                               [&](const json& session) {
                                 return is(session, "payment_intent", intent) &&
                                        is(session, "subscription", subscription);
                               })),
                expansions);
  }

  /// Every kind is shown alike.
  answer get_object(const call& c, const std::string& kind) {
    parameters given(c);
    const auto expansions = given.take_members("expand");
    given.finish();
    return show(present(find(kind, c.parameters.at("id"))), expansions);
  }

  answer get_session(const call& c) { return get_object(c, "checkout.session"); }
  answer get_intent(const call& c) { return get_object(c, "payment_intent"); }
  answer get_subscription(const call& c) { return get_object(c, "subscription"); }

  answer expire_session(const call& c) {
    auto& session = find("checkout.session", c.parameters.at("id"));
    if (session["status"] != "open") return error(400, "resource_invalid", "Only open sessions can be expired");
    expire(session);
    return reply(present(session));
  }

  static void require_open(const json& session) {
    if (session["status"] != "open") refuse(409, "the session is already " + session["status"].get<std::string>());
  }

  void expire(json& session) {
    require_open(session);
    session["status"] = "expired";
    world_.changed();
    announce("checkout.session.expired", session);
  }

  /// The buyer may try again with another card.
  void decline(json& session) {
    require_open(session);
    announce("payment_intent.payment_failed", make_intent(session, "requires_payment_method"));
  }

  void pay(json& session) {
    require_open(session);
    add_customer(session);
    session["payment_status"] = "paid";
    session["status"] = "complete";
    if (session["mode"] == "payment") {
      const auto intent = make_intent(session, "succeeded");
      session["payment_intent"] = intent["id"];
      announce("payment_intent.succeeded", intent);
      announce("checkout.session.completed", session);
    } else subscribe(session);
    world_.changed();
  }

  void add_customer(json& session) {
    const bool wants = session["mode"] == "subscription" || session["customer_creation"] == "always";
    if (!session["customer"].is_null() || !wants) return;
    json customer{{"id", new_id("cus")}, {"object", "customer"}, {"email", session["customer_email"]}};
    session["customer"] = keep(std::move(customer))["id"];
  }

  // ---- Payment intents

  json make_card(const json& customer) {
    return keep({{"id", new_id("pm")},
                 {"object", "payment_method"},
                 {"type", "card"},
                 {"card", {{"brand", "visa"}, {"last4", "4242"}, {"exp_month", 12}, {"exp_year", 2034}}},
                 {"customer", customer}});
  }

  json make_intent(const json& session, const std::string& status) {
    const auto& hidden = session.at("sandbox");
    const auto usage = hidden.value("setup_future_usage", "");
    json intent{{"id", new_id("pi")},
                {"object", "payment_intent"},
                {"amount", session["amount_total"]},
                {"currency", session["currency"]},
                {"customer", session["customer"]},
                {"metadata", hidden.at("metadata")},
                {"payment_method", nullptr},
                {"setup_future_usage", usage.empty() ? json() : json(usage)},
                {"status", status}};
    if (status == "succeeded") intent["payment_method"] = make_card(usage.empty() ? json() : session["customer"])["id"];
    return keep_intent(std::move(intent));
  }

  /// With the charge below it, once it succeeded.
  json keep_intent(json intent) {
    intent["latest_charge"] = nullptr;
    if (intent["status"] == "succeeded")
      intent["latest_charge"] = keep({{"id", new_id("ch")},
                                      {"object", "charge"},
                                      {"amount", intent["amount"]},
                                      {"amount_refunded", 0},
                                      {"currency", intent["currency"]},
                                      {"customer", intent["customer"]},
                                      {"metadata", intent["metadata"]},
                                      {"paid", true},
                                      {"payment_intent", intent["id"]},
                                      {"refunded", false}})["id"];
    return keep(std::move(intent));
  }

  answer create_intent(const call& c) {
    parameters given(c);
    json intent{{"id", new_id("pi")}, {"object", "payment_intent"}};
    intent["amount"] = given.take_integer("amount", 50, 99'999'999, 0);
    intent["currency"] = given.require("currency");
    intent["customer"] = find("customer", given.require("customer"), 400)["id"];
    const auto& card = find("payment_method", given.require("payment_method"), 400);
    if (card["customer"] != intent["customer"])
      return error(400, "payment_method_customer_mismatch", "The method belongs to another customer");
    if (given.require("confirm") != "true" || given.require("off_session") != "true")
      return error(400, "parameter_invalid", "The sandbox only charges saved methods at once");
    intent["payment_method"] = card["id"];
    intent["metadata"] = given.take_members("metadata");
    intent["description"] = given.take("description");
    const auto expansions = given.take_members("expand");
    given.finish();
    return charge_card(std::move(intent), expansions);
  }

  answer charge_card(json intent, const json& expansions) {
    const bool declines = declining_.contains(intent["payment_method"].get<std::string>());
    intent["status"] = declines ? "requires_payment_method" : "succeeded";
    const auto made = keep_intent(std::move(intent));
    announce(declines ? "payment_intent.payment_failed" : "payment_intent.succeeded", made);
    if (!declines) return show(present(made), expansions);
    return reply({{"error",
                   {{"code", "card_declined"},
                    {"decline_code", "insufficient_funds"},
                    {"message", "Your card has insufficient funds."},
                    {"payment_intent", present(made)},
                    {"type", "card_error"}}}},
                 402);
  }

  void decline_card(json& card) { declining_.insert({card["id"].get<std::string>(), true}); }

  json refund(json& intent, std::int64_t amount, const json& metadata) {
    if (intent["latest_charge"].is_null())
      throw refusal(error(400, "charge_invalid", "This PaymentIntent does not have a successful charge to refund."));
    auto& charge = find("charge", intent["latest_charge"]);
    const auto left = charge["amount"].get<std::int64_t>() - charge["amount_refunded"].get<std::int64_t>();
    if (left == 0) throw refusal(error(400, "charge_already_refunded", "Charge has already been refunded."));
    if (amount == 0) amount = left;
    if (amount > left) throw refusal(error(400, "amount_too_large", "Refund amount is greater than unrefunded amount"));
    charge["amount_refunded"] = charge["amount_refunded"].get<std::int64_t>() + amount;
    charge["refunded"] = amount == left;
    announce("charge.refunded", charge);
    return keep({{"id", new_id("re")},
                 {"object", "refund"},
                 {"amount", amount},
                 {"charge", charge["id"]},
                 {"currency", charge["currency"]},
                 {"metadata", metadata},
                 {"payment_intent", intent["id"]},
                 {"status", "succeeded"}});
  }

  answer create_refund(const call& c) {
    parameters given(c);
    auto& intent = find("payment_intent", given.require("payment_intent"), 400);
    const auto amount = given.take_integer("amount", 1, 99'999'999, 0);
    const auto metadata = given.take_members("metadata");
    given.finish();
    return reply(present(refund(intent, amount, metadata)));
  }

  answer refund_by_hand(const call& c) {
    const auto body = c.body.empty() ? json::object() : json::parse(c.body);
    auto& intent = find("payment_intent", c.parameters.at("id"));
    return reply(present(refund(intent, body.value("amount", std::int64_t{0}), json::object())));
  }

  // ---- Subscriptions

  static bool is_running(const json& subscription) { return subscription["ended_at"].is_null(); }

  static json describe(const tariff& what) {
    return {{"id", what.id},
            {"object", "price"},
            {"currency", "usd"},
            {"recurring", {{"interval", what.is_yearly ? "year" : "month"}}},
            {"unit_amount", what.price}};
  }

  static const tariff& tariff_of(const json& subscription) {
    return find_tariff(subscription["items"]["data"][0]["price"]["id"]);
  }

  static std::int64_t length_of(const tariff& what) { return (what.is_yearly ? 365 : 30) * day; }

  void subscribe(json& session) {
    const auto& hidden = session["sandbox"];
    const auto& what = find_tariff(hidden["price"]);
    const auto trial = hidden.value("trial_days", std::int64_t{0}) * day;
    auto& sub =
        keep({{"id", new_id("sub")},
              {"object", "subscription"},
              {"cancel_at", nullptr},
              {"cancel_at_period_end", false},
              {"canceled_at", nullptr},
              {"current_period_start", now()},
              {"current_period_end", now() + (trial > 0 ? trial : length_of(what))},
              {"customer", session["customer"]},
              {"ended_at", nullptr},
              {"items", list_of({{{"id", new_id("si")}, {"object", "subscription_item"}, {"price", describe(what)}}})},
              {"metadata", hidden["metadata"]},
              {"status", trial > 0 ? "trialing" : "active"}});
    session["subscription"] = sub["id"];
    if (trial > 0) session["payment_status"] = "no_payment_required";
    announce("customer.subscription.created", sub);
    make_invoice(sub, trial > 0 ? 0 : what.price, true);
    announce("checkout.session.completed", session);
  }

  void make_invoice(const json& sub, std::int64_t amount, bool is_paid) {
    const auto id = new_id("in");
    json line{{"id", new_id("il")},
              {"object", "line_item"},
              {"amount", amount},
              {"period", {{"start", sub["current_period_start"]}, {"end", sub["current_period_end"]}}}};
    json invoice{{"id", id},
                 {"object", "invoice"},
                 {"currency", "usd"},
                 {"customer", sub["customer"]},
                 {"hosted_invoice_url", world_.base_url() + "/stripe/invoices/" + id},
                 {"invoice_pdf", world_.base_url() + "/stripe/invoices/" + id + "/pdf"},
                 {"lines", list_of(json::array({line}))},
                 {"number", "SANDBOX-" + std::to_string(++last_number_)},
                 {"status", is_paid ? "paid" : "open"},
                 {"status_transitions", {{"paid_at", is_paid ? json(now()) : json()}}},
                 {"subscription", sub["id"]},
                 {"subscription_details", {{"metadata", sub["metadata"]}}},
                 {"total", amount}};
    announce(is_paid ? "invoice.paid" : "invoice.payment_failed", keep(std::move(invoice)));
  }

  void require_running(const json& sub) {
    if (!is_running(sub)) refuse(409, "the subscription has ended");
  }

  void renew(json& sub) { end_period(sub, true); }
  void fail_renewal(json& sub) { end_period(sub, false); }

  /// One that was cancelled ends; another goes on, paid for or not.
  void end_period(json& sub, bool pays) {
    require_running(sub);
    if (sub["cancel_at_period_end"] == true) return end_now(sub);
    const auto& what = tariff_of(sub);
    if (pays) {
      sub["current_period_start"] = sub["current_period_end"];
      sub["current_period_end"] = sub["current_period_end"].get<std::int64_t>() + length_of(what);
    }
    sub["status"] = pays ? "active" : "past_due";
    make_invoice(sub, what.price, pays);
    announce("customer.subscription.updated", sub);
    world_.changed();
  }

  void end_now(json& sub) {
    require_running(sub);
    sub["status"] = "canceled";
    sub["canceled_at"] = sub["ended_at"] = now();
    world_.changed();
    announce("customer.subscription.deleted", sub);
  }

  answer delete_subscription(const call& c) {
    auto& sub = find("subscription", c.parameters.at("id"));
    if (!is_running(sub)) refuse_missing("subscription", c.parameters.at("id"));
    end_now(sub);
    return reply(present(sub));
  }

  answer update_subscription(const call& c) {
    auto& sub = find("subscription", c.parameters.at("id"));
    if (!is_running(sub)) return error(400, "resource_invalid", "A canceled subscription can only be looked at");
    parameters given(c);
    const auto item = given.take("items[0][id]"), price = given.take("items[0][price]"),
               behavior = given.take("proration_behavior"), cancels = given.take("cancel_at_period_end");
    given.finish();
    if (!price.empty()) {
      if (sub["items"]["data"][0]["id"] != item) refuse_missing("subscription item", item, 400);
      change_price(sub, find_tariff(price), behavior);
    }
    if (!cancels.empty()) set_cancelling(sub, cancels == "true");
    world_.changed();
    announce("customer.subscription.updated", sub);
    return reply(present(sub));
  }

  void set_cancelling(json& sub, bool cancels) {
    sub["cancel_at_period_end"] = cancels;
    sub["cancel_at"] = cancels ? sub["current_period_end"] : json();
    sub["canceled_at"] = cancels ? json(now()) : json();
  }

  /// The difference for the rest of the period; what is owed to the customer is not shown here.
  void change_price(json& sub, const tariff& next, const std::string& behavior) {
    const auto& old = tariff_of(sub);
    const auto left = sub["current_period_end"].get<std::int64_t>() - now();
    const auto difference = next.price * left / length_of(next) - old.price * left / length_of(old);
    sub["items"]["data"][0]["price"] = describe(next);
    if (behavior == "always_invoice" && difference > 0) make_invoice(sub, difference, true);
  }

  answer list_invoices(const call& c) {
    parameters given(c);
    const auto sub = find("subscription", given.require("subscription"), 400)["id"];
    given.take_integer("limit", 1, 100, 10);
    given.finish();
    return reply(list_of(all_of("invoice", [&](const json& invoice) { return invoice.at("subscription") == sub; })));
  }

  answer create_portal(const call& c) {
    parameters given(c);
    const auto customer = find("customer", given.require("customer"), 400)["id"].get<std::string>();
    const auto return_url = given.require_url("return_url");
    given.finish();
    return reply({{"id", new_id("bps")},
                  {"object", "billing_portal.session"},
                  {"customer", customer},
                  {"return_url", return_url},
                  {"url", world_.base_url() + "/stripe/portal/" + customer}});
  }

  // ---- The page of a session

  answer press(const call& c, const std::string& action) {
    auto& session = find("checkout.session", c.parameters.at("id"));
    if (session["status"] == "open") {
      if (action == "pay") pay(session);
      else if (action == "decline") decline(session);
      else expire(session);
    }
    const auto id = session["id"].get<std::string>();
    const auto next = session["status"] == "complete" ? session["success_url"].get<std::string>() : "/stripe/pay/" + id;
    return {303, {}, {{"Location", next}}};
  }

  answer show_page(const call& c) {
    const auto& session = find("checkout.session", c.parameters.at("id"));
    const auto cents = session["amount_total"].get<std::int64_t>();
    const auto fraction = std::to_string(100 + cents % 100).substr(1);
    checkout page{std::to_string(cents / 100) + "." + fraction + " " + session["currency"].get<std::string>(),
                  session["sandbox"].value("description", session["sandbox"].value("price", "")),
                  session["status"],
                  "/stripe/pay/" + session["id"].get<std::string>(),
                  {}};
    if (session["status"] == "open")
      page.buttons = {{"pay", "Pay"}, {"decline", "Decline the card"}, {"expire", "Let it expire"}};
    return reply_html(render_checkout(page));
  }

  world& world_;
  /// Everything that the API knows, by id.
  std::map<std::string, json> objects_;
  /// First answers, by idempotency key.
  std::map<std::string, json> replays_;
  /// Cards that pay no more.
  std::map<std::string, bool> declining_;
  /// What the newest is told by.
  std::int64_t last_number_ = 0;
};

} // namespace

std::unique_ptr<fake> make_stripe(world& w) { return std::make_unique<stripe>(w); }

} // namespace backstay::sandbox
