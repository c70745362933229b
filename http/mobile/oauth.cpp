#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http::mobile {

namespace {

using identities::begin_link;
using identities::begin_sign_in;
using identities::begun;
using identities::link;
using identities::provider;
using identities::sign_in;

constexpr shape authorization{
    field("authorize_url", &begun::authorize_url,
          example(R"("https://github.com/login/oauth/authorize?client_id=…&state=…")"), "Open it in a browser"),
    field("state", &begun::state, rule{}, "Compare it with what comes back; good for 10 minutes and one success"),
};

/// The app reads the address under another name.
constexpr auto link_authorization = extend(authorization, field("authorization_url", &begun::authorize_url));

constexpr shape linked{
    field("status", [](const identities::linked&) { return std::string{"linked"}; }),
    field("provider", &identities::linked::provider),
    field("provider_user_id", &identities::linked::subject, example(R"("583231")")),
};

constexpr shape unlinked{
    field("status", [](const identities::unlinked&) { return std::string{"unlinked"}; }),
    field("provider", &identities::unlinked::provider),
    field("provider_user_id", [](const identities::unlinked&) { return std::nullopt; }),
};

constexpr rule uri = length(1, 2000);
constexpr rule code = length(1, 4000);
constexpr rule state = length(1, 200);

/// Missing in a query leaves a member as it was, but here each has to be sent.
template <class Message>
void require_way_back(Message& m) {
  fault incomplete{.code = ec::invalid};
  auto require = [&](const char* name, bool is_there) {
    if (!is_there) incomplete.problems.push_back({{"query", name}, "Field required", "missing"});
  };
  require("code", !m.code.empty());
  require("state", m.state && !m.state->empty());
  require("redirect_uri", m.redirect_uri && !m.redirect_uri->empty());
  if (!incomplete.problems.empty()) fail(std::move(incomplete));
}

void require_redirect_uri(begin_sign_in& m) {
  if (m.redirect_uri.empty())
    fail({.code = ec::invalid, .problems = {{{"query", "redirect_uri"}, "Field required", "missing"}}});
}

constexpr auto no_client = "We are no client of this provider";
constexpr auto not_taken = "The state or the code is not good";
constexpr auto taken = "The identity is another account's, or the account has another one there";
constexpr auto provider_down = "The provider failed, and may be asked again";

constexpr std::tuple endpoints{
    get<begin_sign_in>("/api/v1/oauth/{provider}/login", allow::anyone, bucket::login, "Begin to sign in by a provider",
                       answers(200, authorization), fails(400, "Telegram signs in by other ways"),
                       fails(404, no_client), from_path("provider", &begin_sign_in::provider),
                       from_query("redirect_uri", &begin_sign_in::redirect_uri, uri,
                                  "Where the browser comes back to; one of the setting `oauth.redirect_uris`"),
                       refined_by(require_redirect_uri)),

    post<sign_in>(
        "/api/v1/oauth/{provider}/login/callback", allow::anyone, bucket::login,
        "Sign in with what the browser brought back", answers(200, session), decorated_by(set_session_cookies),
        fails(400, "Telegram signs in by other ways"), fails(401, not_taken),
        fails(409, "Somebody has this e-mail address, and it is not verified on both sides"), fails(502, provider_down),
        from_path("provider", &sign_in::provider), from_json("code", &sign_in::code, code),
        from_json("state", &sign_in::state, state), from_json("redirect_uri", &sign_in::redirect_uri, uri),
        from_json("referral_code", &sign_in::referral_code, referral_code, invited), from_origin(&sign_in::origin)),

    get<begin_link>("/api/v1/oauth/telegram/authorize", allow::signed_in, bucket::general, "Begin to link Telegram",
                    answers(200, link_authorization), fails(404, no_client),
                    set(&begin_link::provider, provider::telegram),
                    from_query("redirect_uri", &begin_link::redirect_uri, uri, "The app's own page when missing"),
                    from_session(&begin_link::caller)),

    get<begin_link>("/api/v1/oauth/github/authorize", allow::signed_in, bucket::general, "Begin to link GitHub",
                    answers(200, link_authorization), fails(404, no_client),
                    set(&begin_link::provider, provider::github),
                    from_query("redirect_uri", &begin_link::redirect_uri, uri, "The app's own page when missing"),
                    from_session(&begin_link::caller)),

    get<begin_link>("/api/v1/oauth/{provider}/authorize", allow::signed_in, bucket::general,
                    "Begin to link any of the providers", answers(200, link_authorization), fails(404, no_client),
                    from_path("provider", &begin_link::provider),
                    from_query("redirect_uri", &begin_link::redirect_uri, uri, "The app's own page when missing"),
                    from_session(&begin_link::caller)),

    post<link>("/api/v1/oauth/github/callback", allow::signed_in, bucket::general,
               "Link GitHub with what the browser brought back", answers(200, linked), fails(400, not_taken),
               fails(409, taken), fails(502, provider_down), set(&link::provider, provider::github),
               from_json("code", &link::code, code),
               from_json("state", &link::state, state, "The newest of this session when missing"),
               from_json("redirect_uri", &link::redirect_uri, uri), from_session(&link::caller),
               from_origin(&link::origin)),

    get<link>("/api/v1/oauth/github/callback", allow::signed_in, bucket::general,
              "Link GitHub with what the browser brought back", answers(200, linked), fails(400, not_taken),
              fails(409, taken), fails(502, provider_down), set(&link::provider, provider::github),
              from_query("code", &link::code, code), from_query("state", &link::state, state),
              from_query("redirect_uri", &link::redirect_uri, uri), refined_by(require_way_back<link>),
              from_session(&link::caller), from_origin(&link::origin)),

    post<link>("/api/v1/oauth/{provider}/callback", allow::signed_in, bucket::general,
               "Link any of the providers with what the browser brought back", answers(200, linked),
               fails(400, not_taken), fails(409, taken), fails(502, provider_down),
               from_path("provider", &link::provider), from_json("code", &link::code, code),
               from_json("state", &link::state, state, "The newest of this session when missing"),
               from_json("redirect_uri", &link::redirect_uri, uri), from_session(&link::caller),
               from_origin(&link::origin)),

    del<identities::unlink>("/api/v1/oauth/{provider}", allow::signed_in, bucket::general, "Unlink a provider",
                            answers(200, unlinked), fails(409, "It is the last way into the account"),
                            from_path("provider", &identities::unlink::provider),
                            from_session(&identities::unlink::caller), from_origin(&identities::unlink::origin)),
};

} // namespace

void add_oauth(router& to, const domains& who) {
  add_endpoints(to, family, "Sign-in by providers", who.identities, endpoints);
}

} // namespace backstay::http::mobile
