#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/names.hpp"
#include "actors/sessions/messages.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

/// Accounts at outside providers that sign in to ours.
namespace backstay::identities {

template <class T>
void admitted(const T&);

enum class provider : std::uint8_t { telegram, github, google, discord, apple, microsoft, twitter };

/// Where the browser goes, and what it brings back: `state` is good for ten minutes and one success.
struct begun {
  std::string authorize_url;
  secret state;
};

/// Errors: `invalid` for a `redirect_uri` that is not allowed; `refused` for Telegram, which signs in by its own ways;
/// `not_found` for a provider that we are no client of.
struct begin_sign_in {
  using reply = begun;
  identities::provider provider{};
  std::string redirect_uri;
};

/// Errors: as above, but Telegram can be linked.
struct begin_link {
  using reply = begun;
  backstay::caller caller;
  identities::provider provider{};
  std::optional<std::string> redirect_uri; ///< the app's own when missing
};

/// The way back. An unknown person gets a new account, unless the e-mail address is somebody's: then that account is
/// joined if both sides have verified the address, else `conflict` (contract's ruling 18).
/// Errors: `unauthenticated` for a state or code that is not good; `forbidden` when registration is off; `unavailable`,
/// `timeout` and `upstream` when it is the provider who fails: the person did nothing wrong.
struct sign_in {
  using reply = sessions::signed_in;
  identities::provider provider{};
  secret code, state;
  std::string redirect_uri;
  std::optional<std::string> referral_code; ///< of whoever invited; counts for a new account
  backstay::origin origin;
};

struct linked {
  identities::provider provider{};
  std::string subject;
};

/// Errors: `refused` for a state or code that is not good; `conflict` when the identity is another account's, or the
/// account has another one there.
struct link {
  using reply = linked;
  backstay::caller caller;
  identities::provider provider{};
  secret code;
  std::optional<secret> state; ///< the newest that this session began when missing
  std::optional<std::string> redirect_uri;
  backstay::origin origin;
};

struct unlinked {
  identities::provider provider{};
};

/// Nothing happens if it is not linked. Errors: `conflict` when it is the last way in.
struct unlink {
  using reply = unlinked;
  backstay::caller caller;
  identities::provider provider{};
  backstay::origin origin;
};

/// What Telegram's login widget hands out about somebody. https://core.telegram.org/widgets/login
struct widget {
  std::optional<std::string> id, first_name, last_name, username, photo_url, auth_date;
  std::string hash; ///< of all the others that are there, in lower-case hex
};

/// Errors: `refused` for a state or widget that is not good; `conflict` as `link`.
struct link_telegram {
  using reply = linked;
  backstay::caller caller;
  std::optional<std::string> id, first_name, last_name, username, photo_url, auth_date, hash;
  std::optional<std::string> code; ///< the seven above as base64 of JSON, from apps that know nothing else
  std::optional<secret> state;     ///< the newest that this session began when missing
  backstay::origin origin;
};

/// Errors: `refused` named INVALID_TELEGRAM_AUTH when Telegram did not sign it; `unauthenticated` named
/// TELEGRAM_AUTH_EXPIRED when it is over a day old or was used before.
struct sign_in_by_widget {
  using reply = sessions::signed_in;
  std::string auth_data;     ///< base64 of JSON, as the app got it
  identities::widget widget; ///< what it says
  std::optional<sessions::device> device;
  std::optional<std::string> referral_code; ///< of whoever invited; counts for a new account
  backstay::origin origin;
};

/// The person in the data of a Mini App.
struct telegram_user {
  std::int64_t id = 0;
  std::string first_name;
  std::optional<std::string> last_name, username;
};

/// https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
/// Errors: `unauthenticated` when Telegram did not sign it, or it is over a day old.
struct sign_in_by_mini_app {
  using reply = sessions::signed_in;
  std::string init_data;                     ///< as the page got it
  std::map<std::string, std::string> fields; ///< what it says, decoded
  telegram_user user;                        ///< what its field `user` says
  std::optional<std::string> referral_code;  ///< of whoever invited; counts for a new account
  backstay::origin origin;
};

struct login_link {
  secret token;
  std::string url; ///< leads to the bot, which hands the token to the app
  timestamp expires_at;
};

/// A link that signs in the account of a Telegram user, for administrators and the bot. Errors: `unauthenticated`;
/// `forbidden`, also when the account stands above the caller.
struct create_login_link {
  using reply = login_link;
  std::optional<backstay::caller> caller;
  secret bearer; ///< the bot's secret, or the caller's token again
  std::int64_t telegram_id = 0;
  backstay::origin origin;
};

/// Errors: `unauthenticated` for a token that never was, was used or has expired, or whose account is gone.
struct sign_in_by_login_link {
  using reply = sessions::signed_in;
  secret token;
  backstay::origin origin;
};

using identities_actor =
    caf::typed_actor<answers<begin_sign_in>, answers<begin_link>, answers<sign_in>, answers<link>, answers<unlink>,
                     answers<link_telegram>, answers<sign_in_by_widget>, answers<sign_in_by_mini_app>,
                     answers<create_login_link>, answers<sign_in_by_login_link>>;

} // namespace backstay::identities

template <>
inline constexpr std::array backstay::names_of<backstay::identities::provider>{
    "telegram", "github", "google", "discord", "apple", "microsoft", "twitter"};
