#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "actors/sessions/keyring.hpp"
#include "actors/sessions/messages.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Decisions about sessions, codes and guesses: no actor, no SQL, no clock of their own.
namespace backstay::sessions {

/// For how long we believe somebody (contract's ruling 6).
struct lifetimes {
  std::chrono::seconds access{std::chrono::minutes{15}};
  std::chrono::seconds refresh{std::chrono::days{7}};
  std::chrono::seconds refresh_remembered{std::chrono::days{30}};
};

/// How often something may be tried. After `per_minute` tries within a minute it rests for `pause`, after `per_hour`
/// within an hour for the rest of that hour.
struct budget {
  std::int64_t per_minute = 5;
  std::int64_t per_hour = 10;
  std::chrono::seconds pause{30};
};

/// Password, TOTP and code guesses of one account (contract's ruling 11).
inline constexpr budget guess_budget{5, 10, std::chrono::seconds{30}};
/// Registrations and mails of one e-mail address (contract's ruling 11).
inline constexpr budget mail_budget{5, 20, std::chrono::seconds{60}};

// Refresh tokens: base64url(session ‖ generation ‖ HMAC), so that a retry can be given the same one again while the
// database keeps only its hash. That is a plain SHA-256: there is no guessing at 256 bits.

struct refresh_token {
  session_id session;
  std::string hash; ///< as stored
};

secret make_refresh_token(const keyring& keys, const session_id& session, std::uint32_t generation);
std::string hash_of(const secret& token);
/// Nothing unless one of our keys made it; says nothing about whether it is still good.
std::optional<refresh_token> read_refresh_token(const keyring& keys, const secret& token);
/// The token of that generation with that hash, whichever key made it; nothing if that key is gone.
std::optional<secret> repeat_refresh_token(const keyring& keys, const session_id& session, std::uint32_t generation,
                                           std::string_view hash);

/// Where a session's refresh tokens stand.
struct rotation {
  std::uint32_t generation = 0;
  std::string hash;        ///< of the newest token, which nobody has used yet
  std::string parent_hash; ///< of the one before; empty in the first generation
  std::string token_id;    ///< of the newest access token
  bool token_used = false; ///< that access token has been seen
  timestamp rotated_at;    ///< when the newest was made
};

enum class refresh_verdict : std::uint8_t {
  rotate, ///< the newest token: make the next
  repeat, ///< the parent of an unused child: its answer was probably lost, give it again
  replay, ///< an old token: somebody has a copy
};

/// Contract's ruling 6.
refresh_verdict judge(const rotation& state, std::string_view presented_hash, timestamp now);

// Codes by mail. What is told depends on the address's record only, which exists for every address that was asked
// about, so that known, unknown and verified addresses look alike (contract's ruling 10).

inline constexpr std::chrono::hours code_lifetime{3};
inline constexpr int code_tries = 5;
inline constexpr std::chrono::seconds resend_pause{30};
inline constexpr std::chrono::hours resend_window{1};
inline constexpr int resends_per_window = 3;

/// HMAC as it is stored: a million codes are guessed in a second where the key is known, hence the key.
std::string code_hash(const keyring& keys, std::string_view address, const secret& code);
/// Whether `hash` is of this code, by whichever key.
bool code_matches(const keyring& keys, std::string_view address, const secret& code,
                  const std::optional<std::string>& hash);

/// What is kept about the codes of one address.
struct code_record {
  std::optional<std::string> hash; ///< of the code, if there is one
  timestamp started_at;            ///< when it was made, or when the first try without one came
  int failures = 0;                ///< since then
  bool is_consumed = false;        ///< the code has done its work
};

enum class code_verdict : std::uint8_t {
  right,     ///< do what the code is for, and consume it
  wrong,     ///< counted
  exhausted, ///< wrong, and the last try: the code is dead now
  dead,      ///< no tries are left
  expired,   ///< it was right, but came too late
  consumed,  ///< it was right, and did its work before
};

/// Judges a try and counts it in `record`. That a code is expired or consumed is told only to those who know it.
code_verdict judge(code_record& record, bool matches, timestamp now);

/// What the caller is told. Not for `right`.
fault code_fault(code_verdict verdict, const code_record& record);

/// The resends of one address.
struct resend_record {
  timestamp window_started_at; ///< by the first resend
  int count = 0;               ///< in that window
  timestamp last_at;
};

/// Counts a resend, or throws `too_many` named RATE_LIMITED.
code_sent count_resend(resend_record& record, timestamp now);

// What callers are told.

fault invalid_credentials();
fault invalid_refresh_token();
/// `wait` > 0.
fault locked_out(std::chrono::seconds wait);
/// A code was tried while the guesses of its account rest: 429 where only a code is checked (contract's ruling 11).
fault codes_rest(std::chrono::seconds wait);
/// Too many registrations or mails for one address.
fault mails_rest(std::chrono::seconds wait);

} // namespace backstay::sessions
