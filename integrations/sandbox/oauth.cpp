#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <deque>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

/// Older codes and tokens are forgotten.
constexpr std::size_t most_kept = 1000;

constexpr auto code_lifetime = 10min;

/// The tenant that every Microsoft account here belongs to: the one of personal accounts.
constexpr auto microsoft_tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// How a provider differs from the others. Paths are below its own.
struct habits {
  const char* name;
  const char* title;
  const char* authorize;
  const char* token;
  json (*show)(const json& person); ///< its user page; none where the identity token says all
  const char* user;
  bool wants_challenge; ///< PKCE is not optional
  bool wants_basic;     ///< client credentials in the Authorization header
  bool posts_code;      ///< the browser posts the code instead of being redirected with it
  bool says_ok;         ///< errors of the token endpoint are 200
};

json show_github(const json& person) {
  return {{"login", person["username"]},
          {"id", std::stoll(person["id"].get<std::string>())},
          {"type", "User"},
          {"site_admin", false},
          {"name", person["name"]},
          {"email", nullptr}};
}

json show_discord(const json& person) {
  return {{"id", person["id"]},
          {"username", person["username"]},
          {"global_name", person["name"]},
          {"avatar", nullptr},
          {"locale", "en-US"},
          {"mfa_enabled", false},
          {"email", person["email"]},
          {"verified", person["email_verified"]}};
}

json show_twitter(const json& person) {
  json data{{"id", person["id"]}, {"name", person["name"]}, {"username", person["username"]}};
  if (person["email_verified"] == true) data["confirmed_email"] = person["email"];
  return {{"data", data}};
}

constexpr habits github{
    "github", "GitHub", "/login/oauth/authorize", "/login/oauth/access_token", show_github, "/user", false, false,
    false,    true};
constexpr habits google{"google", "Google", "/o/oauth2/v2/auth", "/token", nullptr, "", false, false, false, false};
constexpr habits discord{
    "discord", "Discord", "/oauth2/authorize", "/api/oauth2/token", show_discord, "/api/users/@me", false, false,
    false,     false};
constexpr habits apple{"apple", "Apple", "/auth/authorize", "/auth/token", nullptr, "", false, false, true, false};
constexpr habits microsoft{
    "microsoft", "Microsoft", "/common/oauth2/v2.0/authorize", "/common/oauth2/v2.0/token", nullptr, "", false, false,
    false,       false};
constexpr habits twitter{
    "twitter", "X", "/i/oauth2/authorize", "/2/oauth2/token", show_twitter, "/2/users/me", true, true, false, false};

std::string text_of(const std::map<std::string, std::string>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? std::string{} : found->second;
}

/// A provider of sign-ins by OAuth 2.0. Nobody is asked: the person that was chosen last has already agreed.
class oauth_provider final : public fake {
public:
  oauth_provider(world& w, const habits& how) : world_(w), how_(how) {}

  std::string name() const override { return how_.name; }

  void declare(routes& table) override {
    table.open("GET", root() + how_.authorize, [this](const call& c) { return authorize(c); });
    table.api(*this, "POST", how_.token, [this](const call& c) { return trade(c); });
    if (how_.show)
      table.api(*this, "GET", how_.user, [this](const call& c) { return reply(how_.show(person_behind(c))); });
    if (name() == "github")
      table.api(*this, "GET", "/user/emails", [this](const call& c) { return list_emails(person_behind(c)); });
    table.control("POST", "/sandbox/" + name() + "/person",
                  std::string{"Choose who is signed in at "} + how_.title + " and agrees to sign in here",
                  {{"id", "583231"},
                   {"username", "octocat"},
                   {"name", "The Octocat"},
                   {"email", "octocat@example.com"},
                   {"email_verified", "true"}},
                  [this](const call& c) { return choose(c); });
  }

  /// Each call has credentials of another kind, and checks them itself.
  void guard(const call&) const override {}

  answer unknown_route(const call&) const override { return reply({{"message", "Not Found"}}, 404); }

  answer malformed(const call&) const override { return error("invalid_request"); }

  json save() const override { return {{"person", person_}, {"codes", codes_}, {"tokens", tokens_}}; }

  void load(const json& state) override {
    state.at("person").get_to(person_);
    state.at("codes").get_to(codes_);
    state.at("tokens").get_to(tokens_);
  }

private:
  answer error(const std::string& name) const {
    return reply({{"error", name}, {"error_description", "The sandbox says no."}}, how_.says_ok ? 200 : 400);
  }

  std::string client_id() const { return "sandbox-" + name(); }

  answer choose(const call& c) {
    const auto body = c.body.empty() ? json::object() : json::parse(c.body);
    auto next = body.is_object() ? json::object() : refuse_body();
    const auto usual = octocat();
    for (const auto& [member, standard] : usual.items()) {
      next[member] = body.value(member, standard);
      if (next[member].is_number()) next[member] = dump(next[member]); // an id that the page sent as a number
      if (next[member].type() != standard.type() && !(member == "email" && next[member].is_null()))
        refuse(400, member + " is of another type");
    }
    if (name() == "github" && !parse_integer(next["id"].get<std::string>())) refuse(400, "GitHub's ids are numbers");
    person_ = next;
    world_.changed();
    return reply(person_);
  }

  static json refuse_body() { refuse(400, "the body must be a JSON object"); }

  static json octocat() {
    return {{"id", "583231"},
            {"username", "octocat"},
            {"name", "The Octocat"},
            {"email", "octocat@example.com"},
            {"email_verified", true}};
  }

  // ---- the browser's part

  answer authorize(const call& c) {
    const auto redirect_uri = text_of(c.query, "redirect_uri"), challenge = text_of(c.query, "code_challenge");
    if (text_of(c.query, "client_id") != client_id()) refuse(400, "client_id is not " + client_id());
    if (redirect_uri.empty()) refuse(400, "redirect_uri is missing");
    if (text_of(c.query, "response_type") != "code") refuse(400, "response_type is not code");
    if (challenge.empty() ? how_.wants_challenge : text_of(c.query, "code_challenge_method") != "S256")
      refuse(400, "code_challenge is missing, or its method is not S256");
    if (how_.posts_code && text_of(c.query, "response_mode") != "form_post")
      refuse(400, "response_mode is not form_post");
    const auto code = random_token(32);
    remember(codes_, {{"code", code},
                      {"redirect_uri", redirect_uri},
                      {"challenge", challenge},
                      {"nonce", text_of(c.query, "nonce")},
                      {"person", person_},
                      {"made_at", format_time(world_.now())}});
    return send_back(redirect_uri, code, text_of(c.query, "state"));
  }

  answer send_back(const std::string& redirect_uri, const std::string& code, const std::string& state) const {
    if (how_.posts_code)
      return reply_html(
          "<!doctype html>\n<html lang=\"en\">\n<title>Back to the app</title>\n<form method=\"post\" action=\"" +
          escape_html(redirect_uri) + "\">\n<input type=\"hidden\" name=\"code\" value=\"" + escape_html(code) +
          "\">\n<input type=\"hidden\" name=\"state\" value=\"" + escape_html(state) +
          "\">\n<button>Go on</button>\n</form>\n<script>document.forms[0].submit()</script>\n</html>\n");
    const auto separator = redirect_uri.find('?') == std::string::npos ? "?" : "&";
    return {302, {}, {{"Location", redirect_uri + separator + "code=" + code + "&state=" + percent_encode(state)}}};
  }

  void remember(std::deque<json>& kept, json what) {
    kept.push_front(std::move(what));
    if (kept.size() > most_kept) kept.pop_back();
    world_.changed();
  }

  // ---- the server's part

  bool is_our_client(const call& c, const std::map<std::string, std::string>& form) const {
    const auto& client_secret = world_.given.oauth_client_secret;
    if (how_.wants_basic)
      return same_secret(c.header("authorization"), "Basic " + base64(client_id() + ":" + client_secret));
    return text_of(form, "client_id") == client_id() && same_secret(text_of(form, "client_secret"), client_secret);
  }

  answer trade(const call& c) {
    const auto form = parse_form(c.body);
    if (!is_our_client(c, form)) return error(how_.says_ok ? "incorrect_client_credentials" : "invalid_client");
    if (text_of(form, "grant_type") != "authorization_code") return error("unsupported_grant_type");
    const auto wanted = text_of(form, "code");
    const auto found =
        std::find_if(codes_.begin(), codes_.end(), [&](const json& each) { return each["code"] == wanted; });
    if (found == codes_.end()) return error(how_.says_ok ? "bad_verification_code" : "invalid_grant");
    const auto made = *found;
    codes_.erase(found); // used up, also by a mistake
    world_.changed();
    if (made["redirect_uri"] != text_of(form, "redirect_uri"))
      return error(how_.says_ok ? "redirect_uri_mismatch" : "invalid_grant");
    const auto verifier = text_of(form, "code_verifier");
    const auto proof = verifier.empty() ? std::string{} : base64url(sha256(verifier));
    const bool is_late = *parse_time(made["made_at"].get<std::string>()) + code_lifetime < world_.now();
    if (made["challenge"] != proof || is_late) return error(how_.says_ok ? "bad_verification_code" : "invalid_grant");
    return reply(make_tokens(made));
  }

  json make_tokens(const json& made) {
    const auto token = random_token(40);
    remember(tokens_, {{"token", token}, {"person", made["person"]}});
    json tokens{{"access_token", token}, {"token_type", "bearer"}, {"expires_in", 3600}};
    if (!how_.show) tokens["id_token"] = make_identity_token(made["person"], made["nonce"]);
    return tokens;
  }

  std::string issuer() const {
    const auto own = world_.base_url() + root();
    return name() == "microsoft" ? own + "/" + microsoft_tenant + "/v2.0" : own;
  }

  /// Its signature is none: whoever gets it from the token endpoint need not look at it.
  std::string make_identity_token(const json& person, const json& nonce) const {
    const auto now = std::chrono::floor<std::chrono::seconds>(world_.now().time_since_epoch()).count();
    json claims{{"iss", issuer()},   {"aud", client_id()}, {"sub", person["id"]},     {"iat", now},
                {"exp", now + 3600}, {"nonce", nonce},     {"email", person["email"]}};
    if (name() == "microsoft") {
      claims["tid"] = microsoft_tenant;
      claims["preferred_username"] = person["email"];
      claims["xms_edov"] = person["email_verified"];
    } else if (name() == "apple") {
      claims["email_verified"] = person["email_verified"] == true ? "true" : "false";
    } else {
      claims["email_verified"] = person["email_verified"];
    }
    if (name() != "apple") claims["name"] = person["name"];
    return base64url(R"({"alg":"RS256","kid":"sandbox","typ":"JWT"})") + "." + base64url(dump(claims)) + "." +
           base64url(random_token(32));
  }

  const json& person_behind(const call& c) const {
    const auto authorization = lower_first_word(c.header("authorization"));
    for (const auto& each : tokens_)
      if (same_secret(authorization, "bearer " + each["token"].get<std::string>())) return each["person"];
    throw refusal(reply({{"message", "Bad credentials"}}, 401));
  }

  static std::string lower_first_word(const std::string& text) {
    const auto end = std::min(text.find(' '), text.size());
    return lower_case(text.substr(0, end)) + text.substr(end);
  }

  static answer list_emails(const json& person) {
    auto list = json::array();
    list.push_back({{"email", "public@example.net"}, {"primary", false}, {"verified", true}, {"visibility", "public"}});
    if (!person["email"].is_null())
      list.push_back({{"email", person["email"]},
                      {"primary", true},
                      {"verified", person["email_verified"]},
                      {"visibility", "private"}});
    return reply(list);
  }

  world& world_;
  const habits& how_;
  json person_ = octocat();
  /// The newest first.
  std::deque<json> codes_, tokens_;
};

} // namespace

std::unique_ptr<fake> make_github(world& w) { return std::make_unique<oauth_provider>(w, github); }
std::unique_ptr<fake> make_google(world& w) { return std::make_unique<oauth_provider>(w, google); }
std::unique_ptr<fake> make_discord(world& w) { return std::make_unique<oauth_provider>(w, discord); }
std::unique_ptr<fake> make_apple(world& w) { return std::make_unique<oauth_provider>(w, apple); }
std::unique_ptr<fake> make_microsoft(world& w) { return std::make_unique<oauth_provider>(w, microsoft); }
std::unique_ptr<fake> make_twitter(world& w) { return std::make_unique<oauth_provider>(w, twitter); }

} // namespace backstay::sandbox
