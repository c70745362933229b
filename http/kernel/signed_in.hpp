#pragma once

#include "actors/sessions/messages.hpp"
#include "http/kernel/shape.hpp"
#include "http/policy/access_token.hpp"

#include <string>

/// What every way of signing in answers, in every family.
namespace backstay::http {

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

} // namespace backstay::http
