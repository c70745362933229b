#include "integrations/sandbox/world.hpp"

namespace backstay::sandbox {

namespace {

/// In reality five minutes to eight hours apart, for a day; here for minutes, over restarts of the server.
constexpr int webhook_retries = 100;
constexpr int webhook_retry_after_ms = 2000;

/// Tribute, as far as people donate by it: no calls for servers, only webhooks.
/// https://wiki.tribute.tg/for-content-creators/api-documentation/webhooks
class tribute final : public fake {
public:
  explicit tribute(world& w) : world_(w) {}

  std::string name() const override { return "tribute"; }

  void declare(routes& table) override {
    table.open("GET", root() + "/donate", [](const call&) { return show_page(); });
    table.open("POST", root() + "/donate", [this](const call& c) { return press(c); });
    table.control("GET", "/sandbox/tribute/donations", "List the donations by Tribute, the newest first", {},
                  [this](const call&) { return list(); });
    table.control("POST", "/sandbox/tribute/donations",
                  "Donate by Tribute, in minor units; without a Telegram id: anonymously",
                  {{"telegram_user_id", "123456789"},
                   {"amount", "50000"},
                   {"currency", "rub"},
                   {"period", "once, weekly, monthly"}},
                  [this](const call& c) { return donate(c); });
    table.control("POST", "/sandbox/tribute/donations/{id}/repeat", "Let a regular donation come again", {{"id", "1"}},
                  [this](const call& c) { return tell_again(c, "recurrent_donation"); });
    table.control("POST", "/sandbox/tribute/donations/{id}/cancel", "End a regular donation", {{"id", "1"}},
                  [this](const call& c) { return tell_again(c, "cancelled_donation"); });
  }

  void guard(const call&) const override {}
  answer unknown_route(const call&) const override { return reply({{"error", "not found"}}, 404); }
  answer malformed(const call&) const override { return reply({{"error", "bad request"}}, 400); }

  json save() const override { return {{"donations", donations_}}; }
  void load(const json& state) override { donations_ = state.at("donations").get<std::vector<json>>(); }

private:
  answer donate(const call& c) {
    const auto body = json::parse(c.body);
    if (!body.is_object()) refuse(400, "the body must be a JSON object");
    if (!body.contains("amount") || !body["amount"].is_number_integer() || body["amount"] < 1)
      refuse(400, "amount must be a positive number");
    const auto text = [&](const char* name, const char* fallback) {
      const auto value = body.value(name, json(fallback));
      if (!value.is_string()) refuse(400, std::string{name} + " must be a string");
      return value.get<std::string>();
    };
    const auto donor = body.value("telegram_user_id", json());
    if (!donor.is_null() && !donor.is_number_integer()) refuse(400, "telegram_user_id must be a number");
    return reply(add(body["amount"], lower_case(text("currency", "rub")), text("period", "once"), donor));
  }

  json add(const json& amount, const std::string& currency, const std::string& period, const json& donor) {
    json donation{{"donation_request_id", 123},
                  {"donation_name", "Support"},
                  {"message", ""},
                  {"period", period},
                  {"amount", amount},
                  {"currency", currency},
                  {"anonymously", donor.is_null()},
                  {"web_app_link", "https://t.me/tribute/app?startapp=d123"}};
    if (!donor.is_null()) {
      donation["user_id"] = 31326;
      donation["telegram_user_id"] = donor;
    }
    donations_.push_back(donation);
    world_.changed();
    tell("new_donation", donation);
    return present(donations_.size());
  }

  answer tell_again(const call& c, const char* event) {
    const auto id = parse_integer(c.parameters.at("id"));
    if (!id || *id < 1 || *id > static_cast<long long>(donations_.size())) refuse(404, "no such donation");
    const auto& donation = donations_[static_cast<std::size_t>(*id - 1)];
    if (donation["period"] == "once") refuse(409, "it was given once only");
    tell(event, donation);
    return reply(present(static_cast<std::size_t>(*id)));
  }

  void tell(const char* event, const json& donation) {
    const auto now = format_time(world_.now());
    const auto body = dump({{"name", event}, {"created_at", now}, {"sent_at", now}, {"payload", donation}});
    world_.send(
        {name(),
         "/api/v1/webhooks/tribute",
         {{"content-type", "application/json"}, {"trbt-signature", hmac_sha256_hex(world_.given.payment_key, body)}},
         body,
         webhook_retries,
         webhook_retry_after_ms});
  }

  json present(std::size_t id) const {
    json shown{{"id", id}};
    shown.update(donations_[id - 1]);
    return shown;
  }

  answer list() const {
    auto items = json::array();
    for (auto id = donations_.size(); id > 0; --id) items.push_back(present(id));
    return reply({{"items", items}});
  }

  answer press(const call& c) {
    const auto form = parse_form(c.body);
    const auto number = [&](const char* name) {
      const auto found = form.find(name);
      return found == form.end() ? std::nullopt : parse_integer(found->second);
    };
    const auto amount = number("amount"), donor = number("donor");
    if (!amount || *amount < 1 || *amount > 1'000'000) refuse(400, "amount must be a number of roubles");
    add(*amount * 100, "rub", "once", donor ? json(*donor) : json());
    return reply_html("<!doctype html>\n<title>Thank you</title>\n<p>Thank you! No money has moved.</p>\n");
  }

  static answer show_page() {
    return reply_html(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Donate</title>\n"
        "<style>body { font: 18px/1.6 system-ui, sans-serif; max-width: 28rem; margin: 3rem auto; padding: 0 1rem } "
        "input, button { font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin: .3rem 0 "
        "}</style>\n"
        "<h1>Donate</h1>\n<form method=\"post\">\n"
        "<label>Roubles <input name=\"amount\" type=\"number\" min=\"1\" value=\"500\" required></label>\n"
        "<label>Your Telegram id; none: anonymously <input name=\"donor\" type=\"number\"></label>\n"
        "<button>Donate</button>\n</form>\n<p><small>Sandbox: no money moves.</small></p>\n</html>\n");
  }

  world& world_;
  std::vector<json> donations_;
};

} // namespace

std::unique_ptr<fake> make_tribute(world& w) { return std::make_unique<tribute>(w); }

} // namespace backstay::sandbox
