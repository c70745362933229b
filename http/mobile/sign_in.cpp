#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http::mobile {

namespace {

using accounts::register_account;
using sessions::signed_in;

template <class Member>
auto of_session(const accounts::registered& r, Member member) {
  return r.session ? std::optional{std::invoke(member, *r.session)} : std::nullopt;
}

/// With a session: the app's answer; without: "check your e-mail". Both carry the account flat.
constexpr shape registration{
    field("id", [](const accounts::registered& r) { return r.account.id; }),
    field("login", [](const accounts::registered& r) { return r.account.login; }),
    field("email", [](const accounts::registered& r) { return r.account.email.value_or(""); }),
    field("is_active", [](const accounts::registered& r) { return r.account.is_active; }),
    field("is_email_verified", [](const accounts::registered& r) { return r.account.is_email_verified; }),
    field("message",
          [](const accounts::registered& r) -> std::string {
            return r.account.email ? "Registration successful. Please check your email for verification code."
                                   : "Registration successful.";
          }),
    field("user", &accounts::registered::account, account),
    optional_field("access_token",
                   [](const accounts::registered& r, const rendering& with) {
                     return of_session(r, [&](const signed_in& s) { return with.tokens.sign(s.grant); });
                   }),
    optional_field("refresh_token",
                   [](const accounts::registered& r) { return of_session(r, &signed_in::refresh_token); }),
    optional_field("token_type",
                   [](const accounts::registered& r) {
                     return of_session(r, [](const signed_in&) { return std::string{"bearer"}; });
                   }),
    optional_field("expires_in", [](const accounts::registered& r) { return of_session(r, seconds_left); }),
    optional_field("tokens", &accounts::registered::session, tokens),
    field("is_new_user", [](const accounts::registered&) { return true; }),
    optional_field("data", &accounts::registered::session, workspace_session(tokens), "For the workspace"),
};

void set_cookies_of_new(const accounts::registered& r, const exchange& x, response& out) {
  if (r.session) set_session_cookies(*r.session, x, out);
}

constexpr shape mobile_registration{
    field("tokens", &accounts::registered::session, mobile_tokens),
    field("user", &accounts::registered::account, mobile_account),
    field("is_new_user", [](const accounts::registered&) { return true; }),
    optional_field("access_token",
                   [](const accounts::registered& r, const rendering& with) {
                     return of_session(r, [&](const signed_in& s) { return with.tokens.sign(s.grant); });
                   }),
    optional_field("refresh_token",
                   [](const accounts::registered& r) { return of_session(r, &signed_in::refresh_token); }),
    optional_field("expires_in", [](const accounts::registered& r) { return of_session(r, seconds_left); }),
};

/// The contract's ruling 5: who sends a login or agrees to the terms is the web client, which confirms the e-mail
/// first and has the stricter password rule.
void choose_welcome(register_account& m) {
  bool is_web = m.login || m.tos_accepted;
  m.welcome = is_web && !m.device ? accounts::welcome::verify_first : accounts::welcome::sign_in_at_once;
  m.password_strength = is_web ? accounts::strength::strong : accounts::strength::common;
}

constexpr shape said_goodbye{
    field("message", [](const done&) { return std::string{"Successfully logged out"}; }),
    field("ok", [](const done&) { return true; }),
    field("logout_url", [](const done&) { return std::nullopt; }),
    field("sso_logout_url", [](const done&) { return std::nullopt; }),
    field(
        "data", [](const done& d) { return d; }, shape{field("logged_out", [](const done&) { return true; })}),
};

constexpr shape code_sent{
    field("message",
          [](const sessions::code_sent&) {
            return std::string{"If your email is registered, you will receive a new code."};
          }),
    field("resends_remaining", &sessions::code_sent::resends_remaining),
    field("next_resend_available_at", &sessions::code_sent::next_resend_available_at),
};

constexpr shape ticket{
    field("ticket", &sessions::ticket::value, example(R"("9f86d081884c7d659a2feaa0c55ad015")")),
    field(
        "expires_in", [](const sessions::ticket& t) { return t.lifetime.count(); }, example("30"), "Seconds"),
};

constexpr std::tuple registration_endpoints{
    post<register_account>(
        "/api/v1/auth/register", allow::anyone, bucket::mail, "Create an account",
        answers(201, registration,
                "Created; signed in at once when a device or neither login nor tos_accepted was sent"),
        fails(403, "Registration is switched off"), fails(409, "The login or e-mail is taken"),
        from_json("login", &register_account::login, length(3, 50)),
        from_json("email", &register_account::email, length(3, 254)),
        from_json("password", &register_account::password, length(1, 128)),
        from_json_or_default("locale", &register_account::locale, length(1, 10)),
        from_json("tos_accepted", &register_account::tos_accepted),
        from_json("device", &register_account::device, device),
        from_json("referral_code", &register_account::referral_code, referral_code, invited),
        refined_by(choose_welcome), decorated_by(set_cookies_of_new), from_origin(&register_account::origin)),

    post<register_account>(
        "/api/v1/mobile/auth/register", allow::anyone, bucket::mail, "Create an account from a phone",
        answers(201, mobile_registration, "Created and signed in"), fails(409, "The e-mail is taken"),
        from_json("email", &register_account::email, length(3, 254)),
        from_json("password", &register_account::password, length(1, 128)),
        from_json("device", &register_account::device, device),
        from_json("referral_code", &register_account::referral_code, referral_code, invited),
        set(&register_account::welcome, accounts::welcome::sign_in_at_once),
        set(&register_account::password_strength, accounts::strength::strong), refined_by(+[](register_account& m) {
          if (!m.email) fail_field("email", "Field required", "missing");
          if (!m.device) fail_field("device", "Field required", "missing");
        }),
        from_origin(&register_account::origin), decorated_by(set_cookies_of_new)),
};

constexpr std::tuple sign_in_endpoints{
    post<sessions::sign_in>(
        "/api/v1/auth/login", allow::anyone, bucket::login, "Sign in with a password", answers(200, session),
        fails(401, "Unknown user, wrong password, inactive or not verified"),
        fails(423, "Too many failed attempts; `Retry-After` says how long"),
        from_json("login_or_email|email|username|login", &sessions::sign_in::identifier, length(1, 255)),
        from_json("password", &sessions::sign_in::password, length(1, 255)),
        from_json("device", &sessions::sign_in::device, device),
        from_json_or_default("remember_me", &sessions::sign_in::remember, anything,
                             "Stay signed in for 30 days instead of 7"),
        from_origin(&sessions::sign_in::origin), decorated_by(set_session_cookies)),

    post<sessions::sign_in>(
        "/api/v1/mobile/auth/login", allow::anyone, bucket::login, "Sign in from a phone", answers(200, mobile_session),
        fails(401, "Unknown user, wrong password, inactive or not verified"),
        fails(423, "Too many failed attempts; `Retry-After` says how long"),
        from_json("email|login_or_email|username|login", &sessions::sign_in::identifier, length(1, 255)),
        from_json("password", &sessions::sign_in::password, length(1, 128)),
        from_json("device", &sessions::sign_in::device, device),
        from_json_or_default("remember_me", &sessions::sign_in::remember), refined_by(+[](sessions::sign_in& m) {
          if (!m.device) fail_field("device", "Field required", "missing");
        }),
        from_origin(&sessions::sign_in::origin), decorated_by(set_session_cookies)),

    post<sessions::verify_code>(
        "/api/v1/auth/verify-otp", allow::anyone_better_signed_in, bucket::login,
        "Confirm the e-mailed code and sign in; a new address of an account needs its session too",
        answers(200, session), also("/api/v1/auth/verify-email"), from_session(&sessions::verify_code::caller),
        fails(403, "SIGN_IN_REQUIRED: the address is one that an account changes to"),
        fails(400, "OTP_INVALID, OTP_NOT_FOUND, OTP_EXPIRED or ALREADY_VERIFIED, with `attempts_remaining`"),
        fails(429, "OTP_EXHAUSTED"), from_json("email", &sessions::verify_code::email, length(3, 254)),
        from_json("code", &sessions::verify_code::code, mailed_code), from_origin(&sessions::verify_code::origin),
        decorated_by(set_session_cookies)),

    post<sessions::resend_code>("/api/v1/auth/resend-otp", allow::anyone, bucket::mail,
                                "Mail a new code; the old one ends", answers(200, code_sent),
                                fails(429, "Too soon or too often"),
                                from_json("email", &sessions::resend_code::email, length(3, 254))),

    post<sessions::refresh>("/api/v1/auth/refresh", allow::anyone, bucket::none, "Get a new pair of tokens",
                            answers(200, refreshed), fails(401, "Unknown, expired, revoked or already used"),
                            from_json("refresh_token", &sessions::refresh::token, length(1, 1000),
                                      "Without one, the session of the cookie is meant"),
                            from_cookie(&sessions::refresh::session, "refresh_token"),
                            from_json("device_id", &sessions::refresh::device_id, length(36, 36)),
                            from_origin(&sessions::refresh::origin), decorated_by(prolong_session_cookies)),

    post<sessions::refresh>("/api/v1/mobile/auth/refresh", allow::anyone, bucket::none, "Get a new pair of tokens",
                            answers(200, mobile_tokens), fails(401, "Unknown, expired, revoked or already used"),
                            from_json("refresh_token", &sessions::refresh::token, length(1, 1000)),
                            from_json("device_id", &sessions::refresh::device_id, length(36, 36)),
                            from_origin(&sessions::refresh::origin), refined_by(+[](sessions::refresh& m) {
                              if (!m.token) fail_field("refresh_token", "Field required", "missing");
                            })),

    post<sessions::sign_out>("/api/v1/auth/logout", allow::anyone, bucket::none,
                             "Sign out; silent for an unknown token", answers(200, said_goodbye),
                             from_json("refresh_token", &sessions::sign_out::token, length(0, 1000),
                                       "Without one, the session of the cookie is meant"),
                             from_cookie(&sessions::sign_out::session, "refresh_token"),
                             from_origin(&sessions::sign_out::origin), decorated_by(delete_session_cookies)),

    post<sessions::sign_out>("/api/v1/mobile/auth/logout", allow::anyone, bucket::none,
                             "Sign out; silent for an unknown token", answers_nothing(204),
                             from_json("refresh_token", &sessions::sign_out::token, length(0, 1000)),
                             from_origin(&sessions::sign_out::origin)),

    post<sessions::create_ticket>("/api/v1/ws/ticket", allow::signed_in, bucket::general,
                                  "Get a ticket that opens one WebSocket within 30 seconds", answers(200, ticket),
                                  from_session(&sessions::create_ticket::caller)),
};

} // namespace

void add_sign_in(router& to, const domains& who) {
  add_endpoints(to, family, "Sign-in", who.accounts, registration_endpoints);
  add_endpoints(to, family, "Sign-in", who.sessions, sign_in_endpoints);
}

} // namespace backstay::http::mobile
