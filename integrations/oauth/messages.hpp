#pragma once

#include "actors/kernel/message.hpp"
#include "actors/kernel/names.hpp"
#include "config/secret.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <optional>
#include <string>

/// Providers of sign-ins that speak OAuth 2.0 (RFC 6749) with an authorization code.
namespace backstay::oauth {

template <class T>
void admitted(const T&);

enum class provider : std::uint8_t { github, google, discord, apple, microsoft, twitter };

/// Somebody as a provider knows them.
struct person {
  std::string subject; ///< the provider's id of them: never changed, never given to somebody else
  std::optional<std::string> username, name, email;
  bool is_email_verified = false; ///< the provider says that the address is theirs
  bool operator==(const person&) const = default;
};

/// One round to a provider and back: what the answer must fit.
struct round_trip {
  oauth::provider provider{};
  std::string redirect_uri;
  secret verifier;   ///< PKCE (RFC 7636); never sent before the code is there
  std::string nonce; ///< OpenID Connect
};

struct address {
  std::string url;
};

/// Where a browser is sent to sign in. Errors: `not_found` named PROVIDER_NOT_AVAILABLE, when we are no client there.
struct get_authorize_url {
  using reply = address;
  oauth::round_trip trip;
  secret state;
};

/// Trades the code for the person who agreed; the provider's tokens are forgotten at once. Errors: `refused` when the
/// provider does not take the code; `unavailable` (nothing was sent), `timeout`, `upstream`; `not_found` as above.
struct identify {
  using reply = person;
  oauth::round_trip trip;
  secret code;
};

using oauth_actor = caf::typed_actor<answers<get_authorize_url>, answers<identify>>;

} // namespace backstay::oauth

template <>
inline constexpr std::array backstay::names_of<backstay::oauth::provider>{"github", "google",    "discord",
                                                                          "apple",  "microsoft", "twitter"};
