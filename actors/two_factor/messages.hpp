#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/names.hpp"
#include "actors/sessions/messages.hpp"
#include "config/secret.hpp"

#include <caf/typed_actor.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

/// The second factor: codes of an authenticator app (RFC 6238), and recovery codes for whoever lost it. Where a `code`
/// is asked for, either is good, and good once.
namespace backstay::two_factor {

template <class T>
void admitted(const T&);

enum class status : std::uint8_t { disabled, enabled };

struct standing {
  two_factor::status status{};
  std::int64_t recovery_codes_left = 0;
  bool operator==(const standing&) const = default;
};

struct get_standing {
  using reply = standing;
  account_id account;
};

struct reauthenticated {
  std::chrono::minutes valid_for{};
};

/// The password again, for what a stolen session alone must not do. Errors: `refused` named INVALID_PASSWORD or
/// NO_PASSWORD; `locked`; `too_many` or `overloaded` when the server has no time for it.
struct reauthenticate {
  using reply = reauthenticated;
  backstay::caller caller;
  secret password;
  backstay::origin origin;
};

/// What an authenticator app is given.
struct enrollment {
  secret shared_secret; ///< 32 characters of base32
  secret uri;           ///< otpauth://…, all that the app needs
  secret picture;       ///< the same as a QR code: a PNG as data: URI
};

/// Makes a secret, which waits 10 minutes for its first code; another one that waits is forgotten.
/// Errors: `refused` named TWO_FACTOR_ENABLED; `forbidden` named REAUTHENTICATION_REQUIRED.
struct set_up {
  using reply = enrollment;
  backstay::caller caller;
};

struct confirmed {
  std::vector<secret> recovery_codes; ///< 8 of 8 hex digits; nobody can show them again
};

/// The first code turns the second factor on. Errors: `refused` named INVALID_CODE, also when nothing waits for one;
/// `too_many`.
struct confirm {
  using reply = confirmed;
  backstay::caller caller;
  secret code;
  backstay::origin origin;
};

struct validated {
  bool is_valid = false;
  std::optional<sessions::signed_in> session; ///< of the sign-in that was finished
};

/// Finishes the sign-in that waits under `bearer`; or, for somebody who is signed in, only says whether the code is
/// good. Errors: `unauthenticated` when nothing waits there and nobody is signed in; `refused` named INVALID_CODE, of a
/// sign-in only; `too_many`.
struct validate {
  using reply = validated;
  secret bearer;
  std::optional<backstay::caller> caller;
  secret code;
  backstay::origin origin;
};

/// Turns it off, with a code and the password, or without the password soon after signing in or re-authenticating.
/// Errors: `refused` named TWO_FACTOR_NOT_ENABLED, NO_PASSWORD, INVALID_PASSWORD or INVALID_CODE; `forbidden` named
/// REAUTHENTICATION_REQUIRED; `locked`; `too_many` or `overloaded` when the server has no time for it.
struct disable {
  using reply = done;
  backstay::caller caller;
  std::optional<secret> password;
  secret code;
  backstay::origin origin;
};

using two_factor_actor = caf::typed_actor<answers<get_standing>, answers<reauthenticate>, answers<set_up>,
                                          answers<confirm>, answers<validate>, answers<disable>>;

} // namespace backstay::two_factor

template <>
inline constexpr std::array backstay::names_of<backstay::two_factor::status>{"disabled", "enabled"};
