#include "integrations/sandbox/world.hpp"

namespace backstay::sandbox {

namespace {

/// Telegram, as far as people sign in by it: what its login widget and its Mini Apps hand out about somebody, signed
/// with our bot's token. https://core.telegram.org/widgets/login, https://core.telegram.org/bots/webapps
class telegram final : public fake {
public:
  explicit telegram(world& w) : world_(w) {}

  std::string name() const override { return "telegram"; }

  void declare(routes& table) override {
    table.open("GET", root() + "/auth", [this](const call& c) { return agree(c); });
    table.control(
        "POST", "/sandbox/telegram/person",
        "Choose who is signed in at Telegram, and see what its login widget and a Mini App hand out about them",
        {{"id", "123456789"}, {"first_name", "Ada"}, {"last_name", "Lovelace"}, {"username", "ada"}},
        [this](const call& c) { return choose(c); });
  }

  /// It has no calls for servers here, only a page for browsers.
  void guard(const call&) const override {}
  answer unknown_route(const call&) const override {
    return reply({{"ok", false}, {"error_code", 404}, {"description", "Not Found"}}, 404);
  }
  answer malformed(const call&) const override {
    return reply({{"ok", false}, {"error_code", 400}, {"description", "Bad Request"}}, 400);
  }

  json save() const override { return {{"person", person_}}; }
  void load(const json& state) override { state.at("person").get_to(person_); }

private:
  answer choose(const call& c) {
    const auto body = json::parse(c.body);
    if (!body.is_object() || !body.contains("id") || !body["id"].is_number_unsigned())
      refuse(400, "id must be a number");
    json next{{"id", body["id"]}};
    for (const auto* member : {"first_name", "last_name", "username"}) {
      if (!body.contains(member)) continue;
      if (!body[member].is_string()) refuse(400, std::string{member} + " must be a string");
      next[member] = body[member];
    }
    if (!next.contains("first_name")) next["first_name"] = "Ada";
    person_ = next;
    world_.changed();
    const auto shown = widget();
    return reply({{"widget", shown}, {"auth_data", base64(dump(shown))}, {"init_data", init_data()}});
  }

  /// The browser goes back with the widget's data behind the `#`, as Telegram's page does it.
  answer agree(const call& c) const {
    const auto back = c.query.find("return_to"), bot = c.query.find("bot_id");
    const auto& token = world_.given.telegram_bot_token;
    if (bot == c.query.end() || bot->second != token.substr(0, token.find(':'))) refuse(400, "bot_id is another bot's");
    if (back == c.query.end()) refuse(400, "return_to is missing");
    return {302, {}, {{"Location", back->second + "#tgAuthResult=" + base64url(dump(widget()))}}};
  }

  std::int64_t seconds_now() const {
    return std::chrono::floor<std::chrono::seconds>(world_.now().time_since_epoch()).count();
  }

  /// `name=value` a line, in the order of the names.
  static std::string check_string(const std::map<std::string, std::string>& fields) {
    std::string text;
    for (const auto& [name, value] : fields) text += (text.empty() ? "" : "\n") + name + "=" + value;
    return text;
  }

  json widget() const {
    auto shown = person_;
    shown["auth_date"] = seconds_now();
    std::map<std::string, std::string> fields;
    for (const auto& [name, value] : shown.items())
      fields[name] = value.is_string() ? value.get<std::string>() : dump(value);
    shown["hash"] = hmac_sha256_hex(sha256(world_.given.telegram_bot_token), check_string(fields));
    return shown;
  }

  std::string init_data() const {
    std::map<std::string, std::string> fields{
        {"query_id", random_token(20)}, {"user", dump(person_)}, {"auth_date", std::to_string(seconds_now())}};
    const auto key = hmac_sha256("WebAppData", world_.given.telegram_bot_token);
    fields["hash"] = hmac_sha256_hex(key, check_string(fields));
    std::string text;
    for (const auto& [name, value] : fields) text += (text.empty() ? "" : "&") + name + "=" + percent_encode(value);
    return text;
  }

  world& world_;
  json person_{{"id", 123456789}, {"first_name", "Ada"}, {"last_name", "Lovelace"}, {"username", "ada"}};
};

} // namespace

std::unique_ptr<fake> make_telegram(world& w) { return std::make_unique<telegram>(w); }

} // namespace backstay::sandbox
