#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "config/secret.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// One-time codes: no actor, no SQL, no clock. RFC 6238 with what every authenticator app supports: HMAC-SHA-1, 6
/// digits, steps of 30 seconds.
namespace backstay::two_factor {

inline constexpr std::chrono::seconds time_step{30};
inline constexpr std::chrono::minutes setup_lifetime{10};
inline constexpr int recovery_codes = 8;

/// 160 random bits (RFC 4226, 4: R6) as 32 characters of base32 (RFC 4648).
secret make_shared_secret();

/// The code of one time step, counted from 1970. Throws `internal` when `shared` is not base32.
secret code_at(const secret& shared, std::int64_t step);

/// The step whose code this is: the present one, or, as clocks differ, the one before or after (RFC 6238, 5.2).
std::optional<std::int64_t> step_of(const secret& shared, const secret& code, timestamp now);

/// What authenticator apps read from a QR code, as Google Authenticator's wiki describes the key URI format.
/// `holder` tells the owner's accounts apart.
secret key_uri(const secret& shared, std::string_view issuer, std::string_view holder);

/// 8 hex digits in upper case. 32 bits are enough for what is guessed 10 times an hour.
secret make_recovery_code();
/// As it was made, whatever the case it was typed in; nothing if it cannot be one.
std::optional<secret> read_recovery_code(const secret& typed);

fault already_enabled();
fault not_enabled();
fault no_password();
fault wrong_password();
fault wrong_code();
/// Also when there is nothing to confirm.
fault wrong_first_code();
fault reauthentication_required();
fault no_second_step();
/// Where only a code is checked (contract's ruling 11).
fault codes_rest(std::chrono::seconds wait);

} // namespace backstay::two_factor
