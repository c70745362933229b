#pragma once

#include "actors/identities/messages.hpp"
#include "actors/kernel/error.hpp"
#include "integrations/oauth/messages.hpp"

#include <optional>
#include <string>
#include <vector>

/// What decides without actor, SQL or clock.
namespace backstay::identities {

/// The provider as the client of all OAuth providers knows it; nothing for Telegram.
std::optional<oauth::provider> oauth_provider_of(provider which);

/// Whether `uri` is one of `allowed` word for word (RFC 9700, 2.1), or one followed by `?provider=` and the name.
bool is_allowed(const std::vector<std::string>& allowed, const std::string& uri, provider which);

/// The app's own: the first that is allowed, with the provider's name.
std::optional<std::string> default_redirect_uri(const std::vector<std::string>& allowed, provider which);

/// What a login for a new account is made from: the user name, a name in Latin letters, the e-mail address, or what
/// the provider calls them.
std::string login_source(provider which, const oauth::person& who);

// The same failure is 401 for strangers and 400 for whoever is signed in, whose phone signs out on a 401 (contract's
// ruling 3).
fault invalid_state(bool is_signed_in);
fault failed_at_provider(bool is_signed_in);

/// The provider is no way in here: we have no client or bot there.
fault not_available();

} // namespace backstay::identities
