#pragma once

#include "actors/identities/messages.hpp"
#include "actors/kernel/context.hpp"
#include "actors/referrals/store.hpp"
#include "actors/sessions/store.hpp"
#include "integrations/oauth/messages.hpp"

#include <functional>
#include <string>
#include <vector>

namespace backstay::identities {

/// Our bot at Telegram.
struct telegram_bot {
  std::string url;   ///< of Telegram's sign-in page
  std::string name;  ///< without @
  secret token;      ///< empty: there is no bot
  secret api_secret; ///< by which it asks for login links; empty: it does not
};

struct identities_dependencies {
  oauth::oauth_actor oauth;
  sessions::store::terms_ptr terms;
  /// Drops "account:<id>" from this node's cache; called after the commit and before the answer, in the actor's
  /// context.
  std::function<void(const std::string& what)> invalidate;
  std::vector<std::string> redirect_uris;
  telegram_bot bot;
  bool registration_enabled = true;
  referrals::store::terms referral_terms; ///< for those who were invited
};

/// Loses with a crash: conversations with providers. Whoever was in one begins anew.
struct identities_state {
  identities_state() = default;
  static inline constexpr auto name = "identities";

  domain_context context;
  identities_dependencies with;
};
static_assert(!std::is_aggregate_v<identities_state>);

/// The actor's body.
identities_actor::behavior_type identities(identities_actor::stateful_pointer<identities_state> self,
                                           domain_context context, identities_dependencies deps);

/// To be run under a guardian.
caf::actor spawn_identities(caf::scheduled_actor* parent, domain_context context, identities_dependencies deps);

} // namespace backstay::identities
