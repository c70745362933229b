#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "actors/kernel/keyring.hpp"
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

// What callers are told.

fault invalid_credentials();
fault invalid_refresh_token();
fault unknown_device();
/// `wait` > 0.
fault locked_out(std::chrono::seconds wait);
/// Too many registrations or mails for one address.
fault mails_rest(std::chrono::seconds wait);

} // namespace backstay::sessions
