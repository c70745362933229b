#include "http/kernel/endpoint.hpp"
#include "http/policy/cookies.hpp"
#include "http/workspace/family.hpp"
#include "http/workspace/shapes.hpp"

namespace backstay::http::workspace {

namespace {

using sessions::session_token;
using sessions::signed_in;

constexpr shape link{
    field("url",
          [](const session_token& t, const rendering& with) {
            return std::string{with.public_url} + "/login/session/" + t.value.reveal();
          }),
    field("token", &session_token::value),
    field("expires_at", &session_token::expires_at, rule{}, "90 seconds from now"),
};

/// The session itself comes as a cookie.
constexpr shape exchanged{
    field("status", [](const signed_in& s) { return std::string{s.second_step ? "second_factor" : "success"}; }),
    optional_field(
        "user", [](const signed_in& s) { return s.second_step ? std::nullopt : std::optional{s.account}; },
        subscriber_profile),
    field(
        "requires_2fa", [](const signed_in& s) { return s.second_step.has_value(); },
        "Show `tfa_token` with a code at /api/v1/2fa/validate within 5 minutes"),
    optional_field("tfa_token", &signed_in::second_step),
};

constexpr std::tuple endpoints{
    post<sessions::create_session_token>("/api/v1/auth/session-token", allow::signed_in, bucket::general,
                                         "Get a link that signs another browser in, once", answers(200, link),
                                         from_session(&sessions::create_session_token::caller)),

    post<sessions::exchange_session_token>(
        "/api/v1/auth/session-exchange", allow::anyone, bucket::login, "Sign in with the token of such a link",
        answers(200, exchanged), fails(400, "TOKEN_MISSING"), fails(410, "Used, expired or never made"),
        from_json("token", &sessions::exchange_session_token::token, length(0, 1000)),
        from_origin(&sessions::exchange_session_token::origin), decorated_by(set_session_cookies)),
};

} // namespace

void add_session_tokens(router& to, const domains& who) {
  add_endpoints(to, family, "Sessions", who.sessions, endpoints);
}

} // namespace backstay::http::workspace
