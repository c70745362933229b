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

/// The tokens again, and the account with its integer id: for the workspace.
template <class Tokens>
constexpr auto workspace_session(Tokens pair) {
  return extend(
      pair,
      optional_field(
          "user", [](const sessions::signed_in& s) { return s.second_step ? std::nullopt : std::optional{s.account}; },
          plain_account));
}

inline constexpr auto itself = [](const auto& value) -> const auto& { return value; };

} // namespace backstay::http::mobile
