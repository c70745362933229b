#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/hashing/messages.hpp"
#include "actors/imaging/messages.hpp"
#include "actors/kernel/context.hpp"
#include "actors/sessions/store.hpp"

#include <functional>

namespace backstay::accounts {

struct accounts_dependencies {
  hashing::hashing_actor hashing;
  sessions::store::terms_ptr terms; ///< for the session and the code that a registration may come with
  bool registration_enabled = true;
  imaging::imaging_actor imaging; ///< for avatars
  /// Drops "account:<id>" from this node's cache, as in sessions.
  std::function<void(const std::string& what)> invalidate;
};

struct accounts_state {
  accounts_state() = default;
  static inline constexpr auto name = "accounts";

  domain_context context;
  accounts_dependencies with;
};
static_assert(!std::is_aggregate_v<accounts_state>);

/// The actor's body.
accounts_actor::behavior_type accounts(accounts_actor::stateful_pointer<accounts_state> self, domain_context context,
                                       accounts_dependencies deps);

/// To be run under a guardian.
caf::actor spawn_accounts(caf::scheduled_actor* parent, domain_context context, accounts_dependencies deps);

} // namespace backstay::accounts
