// The life of an account: what is mailed for it, what its owner changes, its devices, its end.

#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http::mobile {

namespace {

using accounts::change_account;
using accounts::delete_account;
using accounts::overview;
using accounts::reset_password;
using sessions::device_view;
using subscriptions::subscription_view;

constexpr std::tuple mail_endpoints{
    post<accounts::request_password_reset>(
        "/api/v1/auth/forgot-password", allow::anyone, bucket::mail, "Mail a code and a link that set a new password",
        answers(200, says("If this email is registered, a password reset code has been sent."),
                "The same for every address"),
        fails(429, "Too often for this address"),
        from_json("email", &accounts::request_password_reset::email, length(3, 254))),

    post<reset_password>(
        "/api/v1/auth/reset-password", allow::anyone, bucket::login,
        "Set a new password by the mailed code, or by the token of the mailed link; ends every session",
        answers(200, says("Password has been reset successfully. Please login with your new password.")),
        fails(400, "OTP_INVALID, OTP_NOT_FOUND or OTP_EXPIRED, with `attempts_remaining`; INVALID_TOKEN"),
        fails(429, "OTP_EXHAUSTED"), from_json("email", &reset_password::email, length(3, 254)),
        from_json("code", &reset_password::code, mailed_code),
        from_json("token|reset_token", &reset_password::token, length(1, 200), "Instead of email and code"),
        from_json("new_password|password", &reset_password::new_password, length(1, 128),
                  "12 to 128 characters with an upper and a lower case letter, a digit and a special one"),
        set(&reset_password::password_strength, accounts::strength::strong), from_origin(&reset_password::origin)),

    post<accounts::request_magic_link>(
        "/api/v1/auth/magic-link", allow::anyone, bucket::mail, "Mail a link that signs in, once within 15 minutes",
        answers(200, says("If this email is registered, a login link has been sent."), "The same for every address"),
        also("/api/v1/auth/magic-link/request"), fails(429, "Too often for this address"),
        from_json("email", &accounts::request_magic_link::email, length(3, 254)),
        from_json_or_default("locale", &accounts::request_magic_link::locale, length(2, 10), "Of the mail")),

    post<accounts::use_magic_link>(
        "/api/v1/auth/magic-link/verify", allow::anyone, bucket::login,
        "Sign in by the token of a mailed link; an unknown address gets an account", answers(200, session),
        decorated_by(set_session_cookies), fails(400, "INVALID_TOKEN: never was, was used, or has expired"),
        fails(403, "Registration is switched off"),
        from_json("token", &accounts::use_magic_link::token, length(1, 200)),
        from_json("device", &accounts::use_magic_link::device, device), from_origin(&accounts::use_magic_link::origin)),
};

/// What the app draws on its first page.
constexpr shape subscription{
    field("status", &subscription_view::status, example(R"("active")")),
    field("plan_name", &subscription_view::plan_name),
    field("expires_at", &subscription_view::expires_at),
    field("traffic_limit_bytes", &subscription_view::traffic_limit_bytes),
    field("used_traffic_bytes", &subscription_view::used_traffic_bytes),
    field("auto_renew", &subscription_view::auto_renew),
};

/// The account with more, which takes it apart: a field can only be read from the whole reply.
template <class... Fields>
constexpr auto of_overview(const shape<Fields...>& form) {
  auto lift = [](const auto& f) {
    return field(
        f.name,
        [f](const overview& o, const rendering& with) -> std::remove_cvref_t<decltype(f.value(o.account, with))> {
          return f.value(o.account, with);
        },
        f.detail, f.doc);
  };
  return std::apply([&](const auto&... fields) { return shape{lift(fields)...}; }, form.fields);
}

constexpr auto own_account =
    extend(of_overview(account),
           field(
               "status", [](const overview& o) { return std::string{o.account.is_active ? "active" : "inactive"}; },
               example(R"("active")")),
           field("telegram_username", &overview::telegram_username),
           field("subscription", &overview::subscription, subscription, "null while it cannot be read"));

constexpr auto account_deleted = says("Account has been deleted");

constexpr std::tuple account_endpoints{
    get<accounts::get_overview>("/api/v1/mobile/auth/me", allow::signed_in, bucket::general,
                                "Who am I, with my subscription", answers(200, own_account),
                                from_session(&accounts::get_overview::account)),

    patch<change_account>(
        "/api/v1/auth/me", allow::signed_in, bucket::general,
        "Change what is given; a new e-mail address counts once its mailed code is confirmed at verify-otp",
        answers(200, account), fails(409, "The login or e-mail is taken"), from_session(&change_account::caller),
        from_json("login", &change_account::login, length(3, 50)),
        from_json("email", &change_account::email, length(3, 254)),
        from_json("display_name", &change_account::display_name, length(1, 100)),
        from_json("locale", &change_account::locale, length(2, 10)),
        from_json("notification_preferences", &change_account::notification_preferences, channels,
                  "Of the kinds that are named"),
        from_origin(&change_account::origin)),

    del<delete_account>("/api/v1/auth/me", allow::signed_in, bucket::general,
                        "Delete my account; what is personal goes 30 days later", answers(200, account_deleted),
                        from_session(&delete_account::caller), from_origin(&delete_account::origin)),

    post<delete_account>(
        "/api/v1/auth/me/delete", allow::signed_in, bucket::general,
        "The same, with the password and, where there is one, the second factor", answers(200, account_deleted),
        fails(403, "INVALID_PASSWORD, SECOND_FACTOR_REQUIRED or INVALID_CODE"),
        fails(409, "The last super_admin stays"), fails(423, "Too many wrong passwords"),
        from_session(&delete_account::caller), set(&delete_account::asks_for_proof, true),
        from_json_or_default("password", &delete_account::password, length(0, 255), "Unless there is none"),
        from_json("totp_code", &delete_account::code, length(1, 20)), from_origin(&delete_account::origin)),
};

constexpr shape ended{
    field("message", [](const sessions::signed_out&) { return std::string{"All sessions terminated"}; }),
    field("sessions_revoked", &sessions::signed_out::sessions),
};

constexpr shape own_device{
    field("id", &device_view::device_id, "What the app calls it; the path of DELETE takes it"),
    field("name", &device_view::name, example(R"("Pixel 8")")),
    field("platform", &device_view::platform, example(R"("android")")),
    field("ip_address", &device_view::address, "Of its newest session"),
    field("last_active_at", &device_view::last_active_at),
    field("created_at", &device_view::registered_at),
    field("is_current", &device_view::is_current),
};

constexpr shape registered_device{
    field("device_id", &device_view::device_id),
    field("registered_at", &device_view::registered_at),
    field("last_active_at", &device_view::last_active_at),
};

constexpr std::tuple session_endpoints{
    post<sessions::sign_out_everywhere>("/api/v1/auth/logout-all", allow::signed_in, bucket::general,
                                        "End every session of the account, this one too", answers(200, ended),
                                        from_session(&sessions::sign_out_everywhere::caller),
                                        from_origin(&sessions::sign_out_everywhere::origin)),

    post<sessions::keep_push_token>(
        "/api/v1/auth/me/fcm-token", allow::signed_in, bucket::general, "Where to push to; one token a device",
        answers_nothing(204), from_session(&sessions::keep_push_token::caller),
        from_json("fcm_token|token", &sessions::keep_push_token::token, length(1, 4096)),
        from_json("platform", &sessions::keep_push_token::platform),
        from_json("device_id", &sessions::keep_push_token::device_id, length(1, 255), "The session's own if missing")),

    get<sessions::list_devices>(
        "/api/v1/auth/me/devices", allow::signed_in, bucket::general, "My devices, the newest activity first",
        answers(200, list_of(&sessions::device_list::items, own_device)), from_session(&sessions::list_devices::caller),
        from_query("page", &sessions::list_devices::page, between(1, 10'000)),
        from_query("per_page", &sessions::list_devices::per_page, between(1, 100))),

    post<sessions::add_device>("/api/v1/auth/me/devices", allow::signed_in, bucket::general,
                               "Name a device; again for the same id changes its name", answers(201, own_device),
                               from_session(&sessions::add_device::caller),
                               from_json("device_id", &sessions::add_device::device_id, length(36, 36)),
                               from_json("device_name", &sessions::add_device::name, length(1, 100)),
                               from_json("os", &sessions::add_device::os, length(1, 50))),

    del<sessions::remove_device>("/api/v1/auth/me/devices/{id}", allow::signed_in, bucket::general,
                                 "Remove a device: its sessions end, and nothing is pushed to it any more",
                                 answers(200, shape<>{}), fails(404, "Not one of mine"),
                                 from_session(&sessions::remove_device::caller),
                                 from_path("id", &sessions::remove_device::device_id, length(1, 255)),
                                 from_origin(&sessions::remove_device::origin)),

    post<sessions::register_device>(
        "/api/v1/mobile/auth/device", allow::signed_in, bucket::general, "Describe the phone of this session",
        answers(201, registered_device), from_session(&sessions::register_device::caller),
        from_json("device", &sessions::register_device::device, device), refined_by(+[](sessions::register_device& m) {
          if (!m.device) fail_field("device", "Field required", "missing");
        })),
};

} // namespace

void add_account(router& to, const domains& who) {
  add_endpoints(to, family, "Sign-in", who.accounts, mail_endpoints);
  add_endpoints(to, family, "Account", who.accounts, account_endpoints);
  add_endpoints(to, family, "Account", who.sessions, session_endpoints);
}

} // namespace backstay::http::mobile
