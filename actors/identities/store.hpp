#pragma once

#include "actors/identities/messages.hpp"
#include "actors/kernel/database.hpp"
#include "actors/referrals/store.hpp"
#include "actors/sessions/store.hpp"
#include "integrations/oauth/messages.hpp"

#include <optional>
#include <string>

/// The table of identities, and what is begun here and comes back from a provider. Locks are taken on one-time proofs
/// first, then on accounts. Whatever changes an account is announced to every node.
namespace backstay::identities::store {

using sessions::store::terms;

inline constexpr std::chrono::minutes journey_lifetime{10};
/// A journey ends with its success; what fails on the way back may be tried again this often in all.
inline constexpr int journey_tries = 3;
inline constexpr std::chrono::seconds login_link_lifetime{300};

/// A sign-in or a link on its way to a provider and back.
struct journey {
  identities::provider provider{};
  std::optional<backstay::caller> caller; ///< who links; nothing: a sign-in
  std::string redirect_uri;
  secret state;    ///< names it
  secret verifier; ///< PKCE
  std::string nonce;
};

/// Keeps it for ten minutes.
void keep_journey(transaction& tx, const terms& terms, const journey& what, timestamp now);

/// The one that `state` names, and counts the look. Nothing if it never was, is another provider's or account's, was
/// finished, has expired or was looked at too often.
std::optional<journey> examine_journey(transaction& tx, const terms& terms, provider which,
                                       const std::optional<account_id>& account, const secret& state, timestamp now);

/// The state of the newest journey that this session began to the provider, and that has not ended.
std::optional<secret> newest_state(transaction& tx, const terms& terms, provider which, const caller& who,
                                   timestamp now);

/// Ends it. False if another did so first.
bool finish_journey(transaction& tx, const terms& terms, const secret& state, timestamp now);

std::optional<account_id> find_account(transaction& tx, provider which, const std::string& subject);

/// Somebody whom a provider vouches for.
struct arrival {
  identities::provider provider{};
  oauth::person person;
  std::optional<sessions::device> device;
  backstay::origin origin;
  std::string way; ///< for the audit trail
  bool may_register = true;
  std::optional<std::string> referral_code; ///< of whoever invited; counts for a new account
  referrals::store::terms referral_terms;
};

/// Finds, joins or creates the account, and signs in. Errors as `identities::sign_in` says.
sessions::signed_in sign_in(transaction& tx, const terms& terms, const arrival& who, timestamp now);

/// Links, also if it is linked already. Errors: `conflict` named IDENTITY_TAKEN or PROVIDER_ALREADY_LINKED.
void link(transaction& tx, const account_id& account, provider which, const oauth::person& who, const origin& from,
          timestamp now);

/// Errors: `conflict` named LAST_WAY_IN.
void unlink(transaction& tx, const account_id& account, provider which, const origin& from, timestamp now);

/// A widget's hash counts once; false if it was seen. `end`: when it is worth nothing any more.
bool note_widget(transaction& tx, const terms& terms, const std::string& hash, timestamp end, timestamp now);

/// For the account behind a Telegram user, if there is one: a link for nobody signs in nobody. `maker`: nothing for the
/// bot. Errors: `forbidden` when the account stands above the maker.
void keep_login_link(transaction& tx, const terms& terms, const secret& token, std::int64_t telegram_id,
                     const std::optional<caller>& maker, const origin& from, timestamp now);

/// Uses the link up and signs in. Errors: `unauthenticated`.
sessions::signed_in sign_in_by_link(transaction& tx, const terms& terms, const secret& token, const origin& from,
                                    timestamp now);

} // namespace backstay::identities::store
