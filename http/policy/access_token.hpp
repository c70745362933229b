#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/sessions/messages.hpp"
#include "config/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace backstay::http {

/// Access tokens: JWT (RFC 7519) with HS256, as RFC 8725 wants them: one algorithm, `typ`, issuer, audience and a type
/// claim checked, no key from the token.
class access_tokens {
public:
  /// `keys`: the server's, newest first. The newest signs; all verify, so that keys can be changed with an overlap.
  access_tokens(const std::vector<secret>& keys, clock_handle clock);

  std::string sign(const sessions::access_grant& grant) const;

  enum class verdict { valid, expired, broken };
  struct reading {
    access_tokens::verdict verdict = verdict::broken;
    sessions::access_grant grant; ///< not with `broken`
  };
  /// On the HTTP thread only: remembers tokens that it has verified.
  reading read(std::string_view token);

private:
  std::optional<sessions::access_grant> verify(std::string_view token) const;

  std::vector<secret> keys_;
  clock_handle clock_;
  std::unordered_map<std::string, sessions::access_grant> verified_;
};

} // namespace backstay::http
