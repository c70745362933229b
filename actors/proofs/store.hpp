#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/keyring.hpp"
#include "actors/kernel/names.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>

/// Secrets that work once: the server gives one away and keeps a keyed hash; whoever shows it uses it up.
namespace backstay::proofs::store {

/// What a proof is good for; one made for one purpose is nothing to the others.
enum class purpose : std::uint8_t {
  socket_ticket,      ///< opens a WebSocket
  second_step,        ///< the first step of a sign-in is done, the second factor is missing
  magic_link,         ///< signs in
  password_reset,     ///< sets a new password
  email_verification, ///< confirms the address of an account
  session_token,      ///< signs another browser in
  oauth_state,        ///< belongs to a sign-in that was begun here (RFC 6749, 10.12)
  telegram_login,     ///< signs in the account of a Telegram user
  telegram_widget,    ///< kept when it was seen: a login widget's hash counts once
  device_challenge,   ///< to be signed by a device's key
};

struct proof {
  store::purpose purpose{};
  std::optional<account_id> account; ///< whom it is for, if anybody in particular
  /// What it was made for: names and values that only its purpose knows.
  std::map<std::string, std::string> content;
};

/// 43 characters of base64url: 256 random bits.
secret make_secret();

/// Keeps `what` under a hash of `shown` for `lifetime`. False if it is kept already: nothing changes then.
bool keep(transaction& tx, const keyring& keys, const secret& shown, const proof& what, std::chrono::seconds lifetime,
          timestamp now);

/// Uses it up. Nothing if there is none of that purpose, it was used, or has expired.
std::optional<proof> redeem(transaction& tx, const keyring& keys, purpose what_for, const secret& shown, timestamp now);

/// Looks without using it up, and counts the look; nothing also from the look after `most_looks` on. For what is
/// redeemed only once something else was right. Parallel calls wait for each other.
std::optional<proof> examine(transaction& tx, const keyring& keys, purpose what_for, const secret& shown,
                             int most_looks, timestamp now);

/// Looks without counting, locking or using it up: for what has to be known before `redeem`, which alone decides.
std::optional<proof> find(transaction& tx, const keyring& keys, purpose what_for, const secret& shown, timestamp now);

/// The newest of that purpose and account whose content has all of `having`; looks without counting.
std::optional<proof> find_newest(transaction& tx, purpose what_for, const account_id& account,
                                 const std::map<std::string, std::string>& having, timestamp now);

/// Ends all of that purpose that the account still has.
void withdraw(transaction& tx, purpose what_for, const account_id& account);

/// Removes some that have expired; a limited number a call.
void forget_expired(transaction& tx, timestamp now);

} // namespace backstay::proofs::store

template <>
inline constexpr std::array backstay::names_of<backstay::proofs::store::purpose>{
    "socket_ticket", "second_step", "magic_link",     "password_reset",  "email_verification",
    "session_token", "oauth_state", "telegram_login", "telegram_widget", "device_challenge"};
