#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Who invited whom, and what that earns.
namespace backstay::referrals {

template <class T>
void admitted(const T&);

struct invitation {
  std::string code; ///< 8 capital letters and digits without look-alikes
  std::string share_url;
  bool operator==(const invitation&) const = default;
};

/// The caller's code; made when it is first asked for.
struct get_invitation {
  using reply = invitation;
  account_id account;
};

/// What an account has from inviting and being invited, in one currency.
struct earnings {
  money credited;     ///< in its wallet, or spent; without what a refund took back
  money pending;      ///< bonuses that wait for the end of their hold
  money withdrawable; ///< of what was credited, as much as the wallet still has
  bool operator==(const earnings&) const = default;
};

/// How somebody's invitations go.
struct standing {
  referrals::invitation invitation;
  bool is_enabled = true;   ///< new accounts are counted
  int percent = 0;          ///< of a payment, for those who join now
  std::int64_t invited = 0; ///< accounts
  std::int64_t active = 0;  ///< of these: with a subscription that runs
  std::int64_t expired = 0; ///< with one that has ended
  std::int64_t paid = 0;    ///< who have ever paid
  /// One a currency, that of the latest reward first. Never empty: nothing yet is nothing in `terms::currency`.
  std::vector<referrals::earnings> earnings;
};

struct get_standing {
  using reply = standing;
  account_id account;
};

/// How far an invited account has come.
enum class progress : std::uint8_t {
  pending,   ///< has no subscription yet
  active,    ///< has one that runs
  completed, ///< had one
};

struct referral {
  uuid id;
  std::string code; ///< that it joined by
  std::string masked_email;
  referrals::progress progress = progress::pending;
  money earned; ///< by the referrer, in the currency of the latest reward
  timestamp joined_at;
  bool operator==(const referral&) const = default;
};

struct referral_list {
  std::vector<referral> items;
  bool is_for_device = false; ///< the caller's session is an app's on a device
};

/// Newest first.
struct list_referrals {
  using reply = referral_list;
  backstay::caller caller;
  std::int64_t limit = 10;
};

using referrals_actor = caf::typed_actor<answers<get_invitation>, answers<get_standing>, answers<list_referrals>>;

} // namespace backstay::referrals

template <>
inline constexpr std::array backstay::names_of<backstay::referrals::progress>{"pending", "active", "completed"};
