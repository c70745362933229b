#pragma once

#include "actors/sessions/messages.hpp"
#include "http/kernel/shape.hpp"
#include "http/policy/access_token.hpp"

#include <string>

/// What several tables of this family show.
namespace backstay::http::mobile {

/// An account in this family; the app's models want an e-mail that is never null.
inline constexpr shape account{
    field("id", &sessions::account::id, example(R"("550e8400-e29b-41d4-a716-446655440000")")),
    field("login", &sessions::account::login, example(R"("new_username")")),
    field("username", &sessions::account::login, "The login again, under the name that the app reads"),
    field(
        "email", [](const sessions::account& a) { return a.email.value_or(""); }, example(R"("new@example.com")"),
        "Empty when there is none"),
    field("display_name", &sessions::account::display_name),
    field("role", &sessions::account::role),
    field("telegram_id", &sessions::account::telegram_id),
    field("is_active", &sessions::account::is_active),
    field("is_email_verified", &sessions::account::is_email_verified),
    field("locale", &sessions::account::locale),
    field("created_at", &sessions::account::created_at),
    field("last_login_at", &sessions::account::last_login_at),
};

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

inline std::int64_t seconds_left(const sessions::signed_in& s) {
  return std::chrono::ceil<std::chrono::seconds>(s.grant.expires_at - s.grant.issued_at).count();
}

/// Empty while the second factor is missing.
inline std::string access_token_of(const sessions::signed_in& s, const rendering& with) {
  return s.second_step ? std::string{} : with.tokens.sign(s.grant);
}

/// The pair of tokens; `token_type` differs between `/auth` and `/mobile/auth`.
template <class TokenType>
constexpr auto token_pair(TokenType token_type) {
  return shape{
      field("access_token", access_token_of, example(R"("eyJ…")"), "JWT, HS256, 15 minutes; empty without a session"),
      field(
          "refresh_token", [](const sessions::signed_in& s) { return s.refresh_token; }, rule{}, "Opaque; rotates"),
      field("token_type", token_type, rule{}, "Clients ignore case"),
      field("expires_in", seconds_left, example("900"), "Seconds that the access token lives"),
  };
}

inline constexpr auto tokens = token_pair([](const sessions::signed_in&) { return std::string{"bearer"}; });
inline constexpr auto mobile_tokens = token_pair([](const sessions::signed_in&) { return std::string{"Bearer"}; });

/// What every way of signing in answers: flat tokens, the same again in `tokens`, the account, and what is missing if
/// the account has a second factor (contract's ruling 4).
template <class Tokens, class Account>
constexpr auto signed_in_shape(Tokens pair, Account account) {
  return extend(
      pair,
      field(
          "tokens", [](const sessions::signed_in& s) -> const sessions::signed_in& { return s; }, pair),
      optional_field(
          "user", [](const sessions::signed_in& s) { return s.second_step ? std::nullopt : std::optional{s.account}; },
          account, "Not told before the second factor was shown"),
      field("is_new_user", &sessions::signed_in::is_new),
      field(
          "requires_2fa", [](const sessions::signed_in& s) { return s.second_step.has_value(); },
          "Show `tfa_token` with a code at /api/v1/2fa/validate within 5 minutes"),
      field("tfa_token", &sessions::signed_in::second_step));
}

inline constexpr auto itself = [](const auto& value) -> const auto& { return value; };

} // namespace backstay::http::mobile
