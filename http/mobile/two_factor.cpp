#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"

#include "http/policy/cookies.hpp"
#include <algorithm>

namespace backstay::http::mobile {

namespace {

using namespace backstay::two_factor;

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_code(std::string_view text) {
  return text.size() == 6 ? is_digits(text)
                          : text.size() == 8 && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

constexpr rule six_digits{
    .low = 6, .high = 6, .accepts = is_digits, .expectation = "six digits", .pattern = "^[0-9]{6}$"};
constexpr rule code{.low = 6,
                    .high = 8,
                    .accepts = is_code,
                    .expectation = "six digits, or a recovery code of eight hex digits",
                    .pattern = "^([0-9]{6}|[0-9A-Fa-f]{8})$"};
constexpr rule password = length(1, 255);

constexpr shape standing_form{
    field("status", &standing::status),
    field(
        "recovery_codes", [](const standing&) { return std::nullopt; },
        "Always null: they are shown once, when the second factor is turned on"),
    field("recovery_codes_remaining", &standing::recovery_codes_left),
};

constexpr shape reauthenticated_form{
    field("message",
          [](const reauthenticated&) {
            return std::string{"Re-authentication successful. You can now perform sensitive operations."};
          }),
    field(
        "valid_for_minutes", [](const reauthenticated& r) { return r.valid_for.count(); }, example("5")),
};

constexpr shape enrollment_form{
    field("secret", &enrollment::shared_secret, example(R"("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")"), "Base32"),
    field("qr_uri", &enrollment::uri,
          example(R"("otpauth://totp/Backstay:user%40example.com?secret=…&issuer=Backstay")")),
    field("qr_code_uri", &enrollment::uri, "The same, under the name that the app reads"),
    field("qr_image", &enrollment::picture, example(R"("data:image/png;base64,iVBOR…")"),
          "The same as a QR code, for an `img` element"),
    field("message",
          [](const enrollment&) {
            return std::string{"Scan the QR code with your authenticator app, then verify with a code."};
          }),
};

constexpr shape confirmed_form{
    field("status", [](const confirmed&) { return status::enabled; }),
    field("verified", [](const confirmed&) { return true; }),
    field("recovery_codes", &confirmed::recovery_codes, anything,
          "Each signs in once instead of a code; nobody can show them again"),
};

constexpr auto validated_form = std::apply(
    [](auto... fields) {
      return shape{field("valid", &validated::is_valid), fields...};
    },
    fields_of(&validated::session, session).fields);

constexpr auto set_cookies = [](const validated& done, const exchange& x, response& out) {
  if (done.session) set_session_cookies(*done.session, x, out);
};

constexpr shape disabled_form{
    field("status", [](const done&) { return status::disabled; }),
    field(
        "recovery_codes", [](const done&) { return std::vector<std::string>{}; }, anything,
        "Empty: none is any good now"),
};

constexpr auto cannot_disable =
    fails(400, "Wrong password or code, or the second factor is not on, or the account has no password");
constexpr auto guessed_too_often = fails(423, "Too many wrong passwords or codes; `Retry-After` says how long");

constexpr std::tuple endpoints{
    get<get_standing>("/api/v1/2fa/status", allow::signed_in, bucket::general, "Is the second factor on?",
                      answers(200, standing_form), from_session(&get_standing::account)),

    post<reauthenticate>(
        "/api/v1/2fa/reauth", allow::signed_in, bucket::general, "Show the password again, before something sensitive",
        answers(200, reauthenticated_form), fails(400, "Wrong password, or the account has none"), guessed_too_often,
        from_session(&reauthenticate::caller), from_json("password", &reauthenticate::password, password),
        from_origin(&reauthenticate::origin)),

    post<set_up>("/api/v1/2fa/setup", allow::signed_in, bucket::general,
                 "Get a secret for an authenticator app; its first code is awaited for 10 minutes",
                 answers(200, enrollment_form), fails(400, "The second factor is on already"),
                 fails(403, "Sign in or re-authenticate first: more than 5 minutes have passed"),
                 from_session(&set_up::caller)),

    post<confirm>("/api/v1/2fa/verify", allow::signed_in, bucket::general,
                  "Turn the second factor on with the authenticator's first code", answers(200, confirmed_form),
                  fails(400, "Wrong code, or nothing was set up in the last 10 minutes"),
                  from_session(&confirm::caller), from_json("code", &confirm::code, six_digits),
                  from_origin(&confirm::origin)),

    post<validate>("/api/v1/2fa/validate", allow::anyone_better_signed_in, bucket::login,
                   "Finish a sign-in with its `tfa_token` as bearer; or, signed in, ask whether a code is good",
                   answers(200, validated_form, "Tokens only when a sign-in was finished"),
                   fails(400, "Wrong code, in a sign-in"), fails(401, "No sign-in waits under this token any more"),
                   decorated_by(set_cookies), from_bearer(&validate::bearer), from_session(&validate::caller),
                   from_json("code", &validate::code, code), from_origin(&validate::origin)),

    del<disable>("/api/v1/2fa/disable", allow::signed_in, bucket::general, "Turn the second factor off",
                 answers(200, disabled_form), cannot_disable, guessed_too_often, from_session(&disable::caller),
                 from_json("password", &disable::password, password), from_json("code", &disable::code, code),
                 refined_by(+[](disable& m) {
                   if (!m.password) fail_field("password", "Field required", "missing");
                 }),
                 from_origin(&disable::origin)),

    post<disable>("/api/v1/2fa/disable", allow::signed_in, bucket::general,
                  "Turn the second factor off; without the password soon after signing in or re-authenticating",
                  answers(200, disabled_form), cannot_disable,
                  fails(403, "Without a password: sign in or re-authenticate first"), guessed_too_often,
                  from_session(&disable::caller), from_json("password", &disable::password, password),
                  from_json("code", &disable::code, code), from_origin(&disable::origin)),
};

} // namespace

void add_two_factor(router& to, const domains& who) {
  add_endpoints(to, family, "Second factor", who.two_factor, endpoints);
}

} // namespace backstay::http::mobile
