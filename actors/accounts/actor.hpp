#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/hashing/messages.hpp"
#include "actors/imaging/messages.hpp"
#include "actors/kernel/context.hpp"
#include "actors/referrals/store.hpp"
#include "actors/sessions/store.hpp"
#include "actors/subscriptions/messages.hpp"

#include <chrono>
#include <functional>

namespace backstay::accounts {

struct accounts_dependencies {
  hashing::hashing_actor hashing;
  sessions::store::terms_ptr terms; ///< for sessions, codes and links
  bool registration_enabled = true;
  subscriptions::subscriptions_actor subscriptions;
  /// Drops "account:<id>" from this node's cache; called after the commit and before the answer, in the actor's
  /// context. The other nodes hear of it by NOTIFY.
  std::function<void(const std::string& what)> invalidate = [](const std::string&) {};
  std::chrono::seconds purge_after{std::chrono::days{30}}; ///< from an account's deletion on
  imaging::imaging_actor imaging;                          ///< for avatars
  referrals::store::terms referral_terms;                  ///< for those who were invited
};

/// The actor's note to itself: time to remove what is personal of accounts that were deleted long ago.
struct purge {};

/// The public protocol and the purge.
using purging_accounts_actor = accounts_actor::extend<caf::reacts_to<purge>>;

struct accounts_state {
  accounts_state() = default;
  static inline constexpr auto name = "accounts";

  domain_context context;
  accounts_dependencies with;
};
static_assert(!std::is_aggregate_v<accounts_state>);

/// The actor's body.
purging_accounts_actor::behavior_type accounts(purging_accounts_actor::stateful_pointer<accounts_state> self,
                                               domain_context context, accounts_dependencies deps);

/// To be run under a guardian.
caf::actor spawn_accounts(caf::scheduled_actor* parent, domain_context context, accounts_dependencies deps);

} // namespace backstay::accounts
