#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/keyring.hpp"

#include <chrono>
#include <cstdint>
#include <string>

/// How often something may be tried, counted in the database: the counts survive a restart and hold across nodes.
namespace backstay::budgets {

/// After `per_minute` tries within a minute it rests for `pause`, after `per_hour`
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

/// The names of budgets. What is not known to be ours is kept as an HMAC: people type passwords into the wrong field.
/// `device`, if any, names one that has signed in to the account before: its guesses are counted apart, so that
/// strangers cannot lock the owner out (contract's ruling 11).
std::string guesses_of(const account_id& account, std::string_view device = {});
std::string guesses_of_unknown(const keyring& keys, std::string_view identifier);
std::string mails_to(const keyring& keys, std::string_view address);

namespace store {

/// Takes one try from the budget `key`, before whatever is tried. Returns for how long the next has to wait; 0 if this
/// one may go on. One statement decides and counts, so that parallel tries, also on other nodes, cannot overdraw.
std::chrono::seconds take(transaction& tx, const std::string& key, const budget& from, timestamp now);

/// The try was right, or was never made.
void give_back(transaction& tx, const std::string& key);

/// How a budget stands; looking takes nothing.
struct tally {
  std::int64_t within_hour = 0; ///< tries that were taken and not given back
  std::chrono::seconds rest{};  ///< for how long the next has to wait
};
tally look(transaction& tx, const std::string& key, const budget& from, timestamp now);

/// As if nothing had been tried; so too for the budgets whose names begin with `key` and a colon.
void refill(transaction& tx, const std::string& key);

/// Removes some that nothing depends on any more.
void forget_stale(transaction& tx, timestamp now);

} // namespace store
} // namespace backstay::budgets
