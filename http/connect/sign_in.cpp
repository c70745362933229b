#include "http/connect/family.hpp"
#include "http/kernel/endpoint.hpp"
#include "http/kernel/signed_in.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http::connect {

namespace {

using accounts::register_account;
using accounts::registered;
using sessions::signed_in;

/// The app's model wants all of them, and both times.
constexpr shape account{
    field("id", &sessions::account::id, example(R"("550e8400-e29b-41d4-a716-446655440000")")),
    field(
        "email", [](const sessions::account& a) { return a.email.value_or(""); }, example(R"("ada@example.com")")),
    field("full_name", &sessions::account::display_name),
    field(
        "phone", [](const sessions::account&) { return std::optional<std::string>{}; }, "Never known: null"),
    field("is_email_verified", &sessions::account::is_email_verified),
    field("created_at", &sessions::account::created_at),
    field("updated_at", &sessions::account::updated_at),
};

constexpr auto session = signed_in_shape(tokens, account);

const signed_in& session_of(const registered& r) { return r.session.value(); }

/// The same for somebody new.
constexpr shape registration{
    field(
        "access_token", [](const registered& r, const rendering& with) { return access_token_of(session_of(r), with); },
        example(R"("eyJ…")")),
    field("refresh_token", [](const registered& r) { return session_of(r).refresh_token; }),
    field(
        "token_type", [](const registered&) { return std::string{"bearer"}; }, example(R"("bearer")")),
    field(
        "expires_in", [](const registered& r) { return seconds_left(session_of(r)); }, example("900")),
    field("tokens", session_of, tokens),
    field("user", &registered::account, account),
};

constexpr auto said_goodbye = says("Successfully logged out");
constexpr auto link_may_be_sent = says("If the email exists, a verification link has been sent");
constexpr auto reset_may_be_sent = says("If the email exists, a reset link has been sent");
constexpr auto verified = says("Email verified successfully");
constexpr auto password_set = says("Password reset successfully");

/// A browser that opened the link from a mail gets a page.
void answer_browsers(const done&, const exchange& x, response& out) {
  if (x.in().header("Accept").find("text/html") == std::string_view::npos) return;
  out.content_type = "text/html; charset=utf-8";
  out.body = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
             "<meta name=\"viewport\" content=\"width=device-width\"><title>Email verified</title></head>\n"
             "<body style=\"font-family:sans-serif\"><p>Email verified successfully. You can close this page.</p>"
             "</body></html>\n";
}

constexpr const char* policy = "8 to 128 characters with an upper and a lower case letter, a digit and a special one";

constexpr std::tuple account_endpoints{
    post<register_account>(
        "/v1/auth/register", allow::anyone, bucket::mail,
        "Create an account; signed in at once, and a link that confirms the address is mailed",
        answers(200, registration), fails(403, "Registration is switched off"), fails(409, "The e-mail is taken"),
        from_json("email", &register_account::email, length(3, 254)),
        from_json("password", &register_account::password, length(1, 128), policy),
        from_json("full_name", &register_account::display_name, length(1, 100)),
        set(&register_account::welcome, accounts::welcome::sign_in_at_once),
        set(&register_account::confirmation, accounts::confirmation::link),
        set(&register_account::password_strength, accounts::strength::four_kinds), refined_by(+[](register_account& m) {
          if (!m.email) fail_field("email", "Field required", "missing");
        }),
        from_origin(&register_account::origin)),

    post<accounts::request_verification_link>(
        "/v1/auth/verify-email", allow::anyone, bucket::mail, "Mail a link that confirms the address",
        answers(200, link_may_be_sent, "The same for every address"), fails(429, "Too often for this address"),
        from_json("email", &accounts::request_verification_link::email, length(3, 254))),

    get<accounts::use_verification_link>("/v1/auth/verify-email/{token}", allow::anyone, bucket::login,
                                         "Confirm the address; for browsers a page, for all others JSON",
                                         answers(200, verified), fails(400, "INVALID_TOKEN: never was, or has expired"),
                                         decorated_by(answer_browsers),
                                         from_path("token", &accounts::use_verification_link::token, length(1, 200)),
                                         from_origin(&accounts::use_verification_link::origin)),

    post<accounts::request_password_reset>(
        "/v1/auth/forgot-password", allow::anyone, bucket::mail, "Mail a code and a link that set a new password",
        answers(200, reset_may_be_sent, "The same for every address"), fails(429, "Too often for this address"),
        from_json("email", &accounts::request_password_reset::email, length(3, 254))),

    post<accounts::reset_password>(
        "/v1/auth/reset-password", allow::anyone, bucket::login,
        "Set a new password by the token of the mailed link; ends every session", answers(200, password_set),
        fails(400, "INVALID_TOKEN: never was, was used, or has expired"),
        from_json("token|reset_token", &accounts::reset_password::token, length(1, 200)),
        from_json("new_password|password", &accounts::reset_password::new_password, length(1, 128), policy),
        set(&accounts::reset_password::password_strength, accounts::strength::four_kinds),
        refined_by(+[](accounts::reset_password& m) {
          if (!m.token) fail_field("token", "Field required", "missing");
        }),
        from_origin(&accounts::reset_password::origin)),
};

constexpr std::tuple session_endpoints{
    post<sessions::sign_in>(
        "/v1/auth/login", allow::anyone, bucket::login, "Sign in with a password; JSON or a form",
        answers(200, session), decorated_by(set_session_cookies),
        fails(401, "Unknown user, wrong password, inactive or not verified"),
        fails(429, "Too many failed attempts; `Retry-After` says how long"),
        from_json("username|email|login_or_email|login", &sessions::sign_in::identifier, length(1, 255)),
        from_json("password", &sessions::sign_in::password, length(1, 255)), from_origin(&sessions::sign_in::origin)),

    post<sessions::refresh>("/v1/auth/refresh", allow::anyone, bucket::none, "Get a new pair of tokens",
                            answers(200, session), fails(401, "Unknown, expired, revoked or already used"),
                            from_json("refresh_token", &sessions::refresh::token, length(1, 1000))),

    post<sessions::leave>("/v1/auth/logout", allow::signed_in, bucket::general, "Sign out", answers(200, said_goodbye),
                          from_session(&sessions::leave::caller), from_origin(&sessions::leave::origin)),
};

} // namespace

void add_sign_in(router& to, const domains& who) {
  add_endpoints(to, family, "Sign-in", who.accounts, account_endpoints);
  add_endpoints(to, family, "Sign-in", who.sessions, session_endpoints);
}

} // namespace backstay::http::connect
