#include "integrations/oauth/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "integrations/call.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace backstay::oauth {

namespace {

using integrations::fail_outside;
using integrations::fields;
using parameters = std::vector<std::pair<std::string, std::string>>;

/// A page with token and person takes three calls at most, which must fit under `timeouts.request`.
constexpr std::chrono::milliseconds call_timeout{1500};

/// How far a provider's clock may be ahead of ours, or behind.
constexpr std::chrono::seconds clock_difference{60};

/// In bytes; longer ones are no names.
constexpr std::size_t longest_name = 255;

/// What the provider told: the answer of its token endpoint, or the identity token in it, and its pages.
struct evidence {
  const json& claims;
  const std::vector<json>& pages;
};

struct place {
  std::string client::*base = nullptr;
  const char* path = "";
  bool may_be_closed = false; ///< the person may have kept this from us
};

/// One provider. A new one is a row here, its sections of settings and its fake in the sandbox.
struct description {
  client clients::*section;
  place authorize, token;
  const char* scope;
  bool takes_challenge;       ///< PKCE with S256
  bool gives_identity_token;  ///< OpenID Connect
  bool wants_basic;           ///< client id and secret in the Authorization header (RFC 6749, 2.3.1), not in the form
  const char* response_mode;  ///< if it must be named
  std::array<place, 2> pages; ///< the used ones first
  person (*read)(const evidence&);
};

std::optional<std::string> text(const fields& from, const char* name) {
  return from.get<std::optional<std::string>>(name);
}

/// Apple says "true" as text, Microsoft 1 or "1".
bool is_true(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return false;
  return *found == true || *found == "true" || *found == 1 || *found == "1";
}

/// https://docs.github.com/en/rest/users/users, https://docs.github.com/en/rest/users/emails: the public address of a
/// profile says nothing about who owns it, the list does.
person read_github(const evidence& told) {
  const fields user{told.pages[0]};
  person who{.subject = std::to_string(user.get<std::int64_t>("id")),
             .username = text(user, "login"),
             .name = text(user, "name")};
  for (const auto& each : told.pages[1].is_array() ? told.pages[1] : json::array()) {
    const fields entry{each};
    if (!entry.get<bool>("primary")) continue;
    who.email = text(entry, "email");
    who.is_email_verified = entry.get<bool>("verified");
  }
  return who;
}

/// https://discord.com/developers/docs/resources/user
person read_discord(const evidence& told) {
  const fields user{told.pages[0]};
  return {.subject = user.get<std::string>("id"),
          .username = text(user, "username"),
          .name = text(user, "global_name"),
          .email = text(user, "email"),
          .is_email_verified = is_true(told.pages[0], "verified")};
}

/// https://docs.x.com/x-api/users/get-my-user: the address is shown only once it is confirmed.
person read_twitter(const evidence& told) {
  const auto user = fields{told.pages[0]}.in("data");
  auto email = text(user, "confirmed_email");
  return {.subject = user.get<std::string>("id"),
          .username = text(user, "username"),
          .name = text(user, "name"),
          .email = email,
          .is_email_verified = email.has_value()};
}

/// Claims of Google and Apple (OpenID Connect Core 1.0, 5.1). Apple tells the name only to the page that is sent back
/// to.
person read_claims(const evidence& told) {
  const fields claims{told.claims};
  return {.subject = claims.get<std::string>("sub"),
          .name = text(claims, "name"),
          .email = text(claims, "email"),
          .is_email_verified = is_true(told.claims, "email_verified")};
}

/// The e-mail claim is whatever a tenant's administrator wrote, unless `xms_edov` says that the tenant owns its domain.
/// https://learn.microsoft.com/entra/identity-platform/optional-claims-reference
person read_microsoft(const evidence& told) {
  auto who = read_claims(told);
  who.is_email_verified = is_true(told.claims, "xms_edov");
  return who;
}

constexpr auto site = &client::url, api = &client::api_url;

/// In the order of the enumeration.
constexpr std::array<description, 6> providers{{
    {&clients::github,
     {site, "/login/oauth/authorize"},
     {site, "/login/oauth/access_token"},
     "read:user user:email",
     true,
     false,
     false,
     nullptr,
     {{{api, "/user"}, {api, "/user/emails", true}}},
     read_github},
    {&clients::google,
     {site, "/o/oauth2/v2/auth"},
     {api, "/token"},
     "openid email profile",
     true,
     true,
     false,
     nullptr,
     {},
     read_claims},
    {&clients::discord,
     {site, "/oauth2/authorize"},
     {api, "/oauth2/token"},
     "identify email",
     false,
     false,
     false,
     nullptr,
     {{{api, "/users/@me"}}},
     read_discord},
    // Apple gives the address only where the answer is posted.
    {&clients::apple,
     {site, "/auth/authorize"},
     {site, "/auth/token"},
     "name email",
     true,
     true,
     false,
     "form_post",
     {},
     read_claims},
    {&clients::microsoft,
     {site, "/oauth2/v2.0/authorize"},
     {site, "/oauth2/v2.0/token"},
     "openid email profile",
     true,
     true,
     false,
     nullptr,
     {},
     read_microsoft},
    {&clients::twitter,
     {site, "/i/oauth2/authorize"},
     {api, "/2/oauth2/token"},
     "tweet.read users.read users.email",
     true,
     false,
     true,
     nullptr,
     {{{api, "/2/users/me?user.fields=confirmed_email"}}},
     read_twitter},
}};

const description& describe(provider which) { return providers[static_cast<std::size_t>(which)]; }

std::string url_of(const client& ours, const place& where) { return ours.*where.base + where.path; }

std::string challenge_of(const secret& verifier) { return crypto::to_base64url(crypto::sha256(verifier.reveal())); }

/// The errors of a token endpoint that are about the code, not about us: RFC 6749, 5.2; GitHub's word for it; X says
/// `invalid_request`, and so does Microsoft of a code that it cannot read.
bool is_about_code(std::string_view error) {
  constexpr std::array names{"invalid_grant", "bad_verification_code", "invalid_request"};
  return std::find(names.begin(), names.end(), error) != names.end();
}

// ---- identity tokens

json read_payload(const std::string& token) {
  const auto first = token.find('.'), second = token.find('.', first + 1);
  if (second == std::string::npos) fail_outside(ec::upstream, "the identity token is no JWT");
  const auto payload = crypto::from_base64url(std::string_view{token}.substr(first + 1, second - first - 1));
  auto claims = integrations::parse(payload.value_or(""));
  if (!claims.is_object()) fail_outside(ec::upstream, "the identity token has no claims");
  return claims;
}

/// Microsoft's issuer names the tenant of the person: https://login.microsoftonline.com/{tenant}/v2.0.
std::string issuer_of(const client& ours, provider which, const fields& claims) {
  if (which != provider::microsoft) return ours.url;
  return ours.url.substr(0, ours.url.rfind('/') + 1) + claims.get<std::string>("tid") + "/v2.0";
}

/// With more than one audience, `azp` says whom it was made for.
bool is_for_us(const client& ours, const json& claims) {
  const auto audience = claims.find("aud");
  if (audience == claims.end()) return false;
  if (audience->is_string()) return *audience == ours.client_id;
  if (!audience->is_array() || std::find(audience->begin(), audience->end(), ours.client_id) == audience->end())
    return false;
  return audience->size() == 1 || claims.value("azp", json{}) == ours.client_id;
}

json read_identity_token(const client& ours, const round_trip& trip, const json& tokens, timestamp now) {
  auto claims = read_payload(fields{tokens}.get<std::string>("id_token"));
  const fields read{claims};
  if (read.get<std::string>("iss") != issuer_of(ours, trip.provider, read))
    fail_outside(ec::upstream, "the identity token has another issuer");
  if (!is_for_us(ours, claims)) fail_outside(ec::upstream, "the identity token has another audience");
  const timestamp end{std::chrono::seconds{std::clamp<std::int64_t>(read.get<std::int64_t>("exp"), 0, 1LL << 40)}};
  if (end + clock_difference <= now) fail_outside(ec::upstream, "the identity token has expired");
  if (text(read, "nonce") != trip.nonce) fail(ec::refused);
  return claims;
}

} // namespace

const client& client_of(const clients& all, provider which) {
  const auto& ours = all.*describe(which).section;
  if (ours.client_id.empty() || ours.client_secret.empty())
    fail(ec::not_found, "Signing in by this provider is not available.", "PROVIDER_NOT_AVAILABLE");
  return ours;
}

std::string authorize_url(const client& ours, const round_trip& trip, const secret& state) {
  const auto& how = describe(trip.provider);
  parameters query{{"client_id", ours.client_id},
                   {"redirect_uri", trip.redirect_uri},
                   {"response_type", "code"},
                   {"scope", how.scope},
                   {"state", state.reveal()}};
  if (how.takes_challenge) {
    query.emplace_back("code_challenge", challenge_of(trip.verifier));
    query.emplace_back("code_challenge_method", "S256");
  }
  if (how.gives_identity_token) query.emplace_back("nonce", trip.nonce);
  if (how.response_mode) query.emplace_back("response_mode", how.response_mode);
  return url_of(ours, how.authorize) + "?" + to_query(query);
}

http_request token_request(const client& ours, const round_trip& trip, const secret& code) {
  const auto& how = describe(trip.provider);
  parameters form{{"grant_type", "authorization_code"}, {"code", code.reveal()}, {"redirect_uri", trip.redirect_uri}};
  http_request request{"POST", url_of(ours, how.token), {}, {}, call_timeout};
  request.headers = {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}};
  if (how.takes_challenge) form.emplace_back("code_verifier", trip.verifier.reveal());
  form.emplace_back("client_id", ours.client_id);
  if (how.wants_basic) {
    auto credentials = percent_encode(ours.client_id) + ":" + percent_encode(ours.client_secret.reveal());
    request.headers.emplace_back("Authorization", "Basic " + crypto::to_base64(credentials));
  } else {
    form.emplace_back("client_secret", ours.client_secret.reveal());
  }
  request.body = to_query(form);
  return request;
}

json read_tokens(const http_response& answer) {
  auto tokens = json::parse(answer.body, nullptr, false);
  const auto error = tokens.is_object() ? tokens.value("error", json{}) : json{};
  const auto name = error.is_string() ? error.get<std::string>() : std::string{};
  if (is_about_code(name) && answer.status < 500) fail(ec::refused);
  if (!integrations::is_success(answer) || !name.empty()) integrations::fail_status(answer, name); // GitHub's are 200
  if (!tokens.is_object()) fail_outside(ec::upstream, "not a JSON object");
  return tokens;
}

std::size_t count_pages(provider which) {
  const auto& pages = describe(which).pages;
  return static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](auto& page) { return page.base; }));
}

http_request page_request(const client& ours, provider which, std::size_t index, const json& tokens) {
  const auto bearer = "Bearer " + fields{tokens}.get<std::string>("access_token");
  return {"GET",
          url_of(ours, describe(which).pages.at(index)),
          {{"Accept", "application/json"}, {"Authorization", bearer}},
          {},
          call_timeout};
}

json read_page(provider which, std::size_t index, const http_response& answer) {
  if (integrations::is_success(answer)) return integrations::parse(answer.body);
  const bool is_closed = answer.status == 403 || answer.status == 404;
  if (is_closed && describe(which).pages.at(index).may_be_closed) return nullptr;
  integrations::fail_status(answer);
}

person read_person(const client& ours, const round_trip& trip, const json& tokens, const std::vector<json>& pages,
                   timestamp now) {
  const auto& how = describe(trip.provider);
  const auto claims = how.gives_identity_token ? read_identity_token(ours, trip, tokens, now) : json{};
  auto who = how.read({claims, pages});
  for (auto* each : {&who.username, &who.name})
    if (*each && (*each)->size() > longest_name) each->reset();
  if (who.subject.empty() || who.subject.size() > longest_name)
    fail_outside(ec::upstream, "the person has no usable id");
  return who;
}

} // namespace backstay::oauth
