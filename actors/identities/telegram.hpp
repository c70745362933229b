#pragma once

#include "actors/identities/messages.hpp"
#include "config/secret.hpp"
#include "integrations/oauth/messages.hpp"

#include <chrono>
#include <map>
#include <string>

/// What Telegram signs, and how to tell: no actor, no SQL, no clock.
namespace backstay::identities::telegram {

using fields = std::map<std::string, std::string>;

/// How old signed data may be, and how far Telegram's clock may be ahead (contract's ruling 18).
inline constexpr std::chrono::hours longest_age{24};
inline constexpr std::chrono::seconds clock_difference{300};

enum class verdict : std::uint8_t {
  valid,
  forged, ///< not signed with this bot's token, or from the future
  stale,  ///< signed, but too old
};

/// https://core.telegram.org/widgets/login#checking-authorization: HMAC-SHA256 under SHA-256 of the token.
verdict check_widget(const widget& shown, const secret& bot_token, timestamp now);

/// https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app: HMAC-SHA256 under the token's own
/// HMAC with the key "WebAppData".
verdict check_mini_app(const fields& shown, const secret& bot_token, timestamp now);

/// When a widget that is valid stops being so.
timestamp end_of(const widget& shown);

/// Of data that was found valid.
oauth::person person_of(const widget& shown);
oauth::person person_of(const telegram_user& user);

/// The number in front of the token.
std::string bot_id(const secret& bot_token);

/// Telegram's page that asks somebody whether to sign in at `redirect_uri`. `url`: where Telegram's pages are.
std::string authorize_url(const std::string& url, const secret& bot_token, const std::string& redirect_uri,
                          const secret& state);

} // namespace backstay::identities::telegram
