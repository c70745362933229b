#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "actors/kernel/keyring.hpp"
#include "actors/kernel/names.hpp"
#include "config/secret.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Codes of six digits that are mailed to an address, and typed in by whoever reads it: no actor, no SQL, no clock.
/// What is told depends on the address's record only, which exists for every address that was asked about, so that
/// known, unknown and verified addresses look alike (contract's ruling 10).
namespace backstay::codes {

/// What a code is for; each has codes, tries and resends of its own.
enum class purpose : std::uint8_t { verification, password_reset };

inline constexpr std::chrono::hours lifetime{3};
inline constexpr int tries = 5;
inline constexpr std::chrono::seconds resend_pause{30};
inline constexpr std::chrono::hours resend_window{1};
inline constexpr int resends_per_window = 3;

/// HMAC as it is stored: without a key, a million codes are tried in a second.
std::string hash_of(const keyring& keys, purpose what_for, std::string_view address, const secret& code);
/// Whether `hash` is of this code, by whichever key.
bool matches(const keyring& keys, purpose what_for, std::string_view address, const secret& code,
             const std::optional<std::string>& hash);

/// What is kept about the codes of one address.
struct record {
  std::optional<std::string> hash; ///< of the code, if there is one
  timestamp started_at;            ///< when it was made, or when the first try without one came
  int failures = 0;                ///< since then
  bool is_consumed = false;        ///< the code has done its work
};

enum class verdict : std::uint8_t {
  right,     ///< do what the code is for, and consume it
  wrong,     ///< counted
  exhausted, ///< wrong, and the last try: the code is dead now
  dead,      ///< no tries are left
  expired,   ///< it was right, but came too late
  consumed,  ///< it was right, and did its work before
};

/// Judges a try and counts it in `kept`. That a code is expired or consumed is told only to those who know it.
verdict judge(record& kept, bool is_right, timestamp now);

/// What the caller is told. Not for `right`.
fault fault_of(verdict what, purpose what_for, const record& kept);

/// The resends of one address.
struct resend_record {
  timestamp window_started_at; ///< by the first resend
  int count = 0;               ///< in that window
  timestamp last_at;
};

struct resends_left {
  std::int64_t count = 0; ///< in this window
  timestamp next_at;      ///< when the next is allowed
};

/// Counts a resend, or throws `too_many` named RATE_LIMITED.
resends_left count_resend(resend_record& record, timestamp now);

/// A code was tried while the guesses of its account rest: 429 where only a code is checked (contract's ruling 11).
fault fault_of_rest(std::chrono::seconds wait);

} // namespace backstay::codes

template <>
inline constexpr std::array backstay::names_of<backstay::codes::purpose>{"verification", "password_reset"};
