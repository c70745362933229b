#pragma once

#include "actors/sessions/messages.hpp"
#include "http/kernel/shape.hpp"
#include "http/kernel/signed_in.hpp"

#include <algorithm>
#include <string>

/// What several tables of this family show.
namespace backstay::http::mobile {

inline constexpr shape channels{
    field("push", &notifications::channels::push),
    field("email", &notifications::channels::email),
    field("in_app", &notifications::channels::in_app),
};

/// An account in this family; the app's models want an e-mail that is never null. A new address is shown as soon as it
/// is asked for, not verified; `confirmed_email` signs in and gets the mails until it is.
inline constexpr shape account{
    field("id", &sessions::account::id, example(R"("550e8400-e29b-41d4-a716-446655440000")")),
    field("login", &sessions::account::login, example(R"("new_username")")),
    field("username", &sessions::account::login, "The login again, under the name that the app reads"),
    field(
        "email", [](const sessions::account& a) { return a.pending_email.value_or(a.email.value_or("")); },
        example(R"("new@example.com")"), "Empty when there is none"),
    field(
        "confirmed_email", [](const sessions::account& a) { return a.pending_email ? a.email : std::nullopt; }, rule{},
        "The address that counts until `email` is confirmed; null when they are the same"),
    field("display_name", &sessions::account::display_name),
    field("role", &sessions::account::role),
    field("telegram_id", &sessions::account::telegram_id),
    field("is_active", &sessions::account::is_active),
    field("is_email_verified", [](const sessions::account& a) { return a.is_email_verified && !a.pending_email; }),
    field("has_password", &sessions::account::has_password),
    field("locale", &sessions::account::locale),
    field("notification_preferences", &sessions::account::notification_preferences, channels,
          "What was chosen; kinds that are missing go every way"),
    field("created_at", &sessions::account::created_at),
    field("last_login_at", &sessions::account::last_login_at),
};

/// What a sign-up may bring along.
inline constexpr rule referral_code = length(0, 32);
inline constexpr auto invited = "Of whoever invited this new account; one that nobody has is ignored";

/// The phone that signs in.
inline constexpr shape device{
    field("device_id", &sessions::device::device_id, length(36, 36), "UUID v4 made by the app"),
    field("platform", &sessions::device::platform),
    field("platform_id", &sessions::device::platform_id, length(1, 255)),
    field("os_version", &sessions::device::os_version, length(1, 20)),
    field("app_version", &sessions::device::app_version, length(1, 20)),
    field("device_model", &sessions::device::device_model, length(1, 100)),
    field("push_token", &sessions::device::push_token, length(0, 512)),
};

/// The account as the workspace's and the console's own programs read it.
inline constexpr shape plain_account{
    field("id", &sessions::account::number, example("42")),
    field("email", [](const sessions::account& a) { return a.email.value_or(""); }),
    field("username", &sessions::account::login),
    field("display_name", &sessions::account::display_name),
    field("avatar_url", &sessions::account::avatar_url),
    field(
        "tier", [](const sessions::account&) { return std::string{"free"}; }, "Nothing else is sold to workspaces yet"),
    field("is_admin", [](const sessions::account& a) { return a.role >= role::admin; }),
    field("created_at", &sessions::account::created_at),
    field("subscription_status", [](const sessions::account&) { return std::nullopt; }),
    field("renews_at", [](const sessions::account&) { return std::nullopt; }),
    field("ends_at", [](const sessions::account&) { return std::nullopt; }),
};

inline std::string name_shown(const sessions::account& a) { return a.display_name.value_or(a.login); }

/// What `/auth/me` says: for every family that reads that path.
inline constexpr auto whole_account =
    extend(account, field("full_name", name_shown), field("name", name_shown), field("bio", &sessions::account::bio),
           field("avatar", &sessions::account::avatar_url), field("avatar_url", &sessions::account::avatar_url),
           field("is_admin", [](const sessions::account& a) { return a.role >= role::admin; }),
           field("last_login", &sessions::account::last_login_at),
           field(
               "org_id", [](const sessions::account&) { return std::nullopt; }, "There are no organizations yet"),
           field("org_name", [](const sessions::account&) { return std::nullopt; }),
           field("org_role", [](const sessions::account&) { return std::nullopt; }),
           field("tier", [](const sessions::account&) { return std::string{"free"}; }),
           field("subscription_tier", [](const sessions::account&) { return std::string{"free"}; }),
           field(
               "data", [](const sessions::account& a) -> const sessions::account& { return a; }, plain_account,
               "For the workspace, with the integer id"));

/// The account as `/mobile/auth` shows it.
inline constexpr shape mobile_account{
    field("id", &sessions::account::id),
    field(
        "email",
        [](const sessions::account& a) {
          auto none = a.telegram_id ? "tg" + std::to_string(*a.telegram_id) + "@telegram.local" : std::string{};
          return a.email.value_or(none);
        },
        "Of who came by Telegram and has none: tg<telegram_id>@telegram.local, which gets no mail"),
    field("username", &sessions::account::login),
    field(
        "status", [](const sessions::account& a) { return std::string{a.is_active ? "active" : "inactive"}; },
        example(R"("active")")),
    field("telegram_id", &sessions::account::telegram_id),
    field("created_at", &sessions::account::created_at),
    field("is_email_verified", &sessions::account::is_email_verified),
};

/// A code from a mail.
inline constexpr rule mailed_code{.low = 6,
                                  .high = 6,
                                  .accepts =
                                      [](std::string_view text) {
                                        return std::all_of(text.begin(), text.end(),
                                                           [](char c) { return c >= '0' && c <= '9'; });
                                      },
                                  .expectation = "six digits",
                                  .pattern = "^[0-9]{6}$"};

/// The tokens again, and the account with its integer id: for the workspace.
template <class Tokens>
constexpr auto workspace_session(Tokens pair) {
  return extend(
      pair,
      optional_field(
          "user", [](const sessions::signed_in& s) { return s.second_step ? std::nullopt : std::optional{s.account}; },
          plain_account));
}

/// What the ways under `/auth` answer, and those under `/mobile/auth`.
inline constexpr auto session =
    extend(signed_in_shape(tokens, account),
           field(
               "data", [](const sessions::signed_in& s) -> const sessions::signed_in& { return s; },
               workspace_session(tokens), "For the workspace"));

inline constexpr auto refreshed =
    extend(tokens, field(
                       "data", [](const sessions::signed_in& s) -> const sessions::signed_in& { return s; }, tokens,
                       "For the workspace"));
inline constexpr auto mobile_session = signed_in_shape(mobile_tokens, mobile_account);

inline constexpr auto itself = [](const auto& value) -> const auto& { return value; };

} // namespace backstay::http::mobile
