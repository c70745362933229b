#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/error.hpp"
#include "actors/kernel/keyring.hpp"
#include "actors/sessions/messages.hpp"
#include "http/kernel/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace backstay::http {

class exchange;

/// What we give to browsers (contract's rulings 7 and 11). All are stateless: names of rows, signed by the server's
/// keys.
///
///     session_token   base64url(session ‖ HMAC)            a credential, as the row's session says
///     csrf_token      base64url(HMAC of the session)       to be repeated in X-CSRF-Token; scripts may read it
///     known_device    base64url(account ‖ device ‖ HMAC)   no credential: its guesses are counted apart
class browser_cookies {
public:
  /// `secure`: over TLS only (RFC 6265bis, 5.6.5).
  browser_cookies(keyring keys, bool secure) : keys_(std::move(keys)), secure_(secure) {}

  std::string session_token(const session_id& session) const;
  std::optional<session_id> read_session_token(std::string_view token) const;

  std::string csrf_token(const session_id& session) const;
  bool is_csrf_token(const session_id& session, std::string_view token) const;

  std::string known_device_token(const known_device& device) const;
  std::optional<known_device> read_known_device_token(std::string_view token) const;

  /// A `Set-Cookie` value (RFC 6265). `lifetime` 0 deletes the cookie.
  std::string set(std::string_view name, std::string_view value, std::chrono::seconds lifetime,
                  bool readable_by_scripts = false) const;

private:
  std::string sign(std::string_view purpose, std::string_view text) const;
  std::optional<std::string> read(std::string_view purpose, std::string_view token, std::size_t size) const;

  keyring keys_;
  bool secure_;
};

/// Whether a write that a cookie speaks for comes from our own pages: it repeats the session's CSRF token, or the
/// browser says so (Fetch Metadata; pages of other origins can send neither).
bool is_own_page(const exchange& x, const session_id& session);

/// The session of the cookie `session_token`, for what needs no bearer: refresh and logout. A bearer of another session
/// speaks for somebody else, and the cookie does not count then. Throws `forbidden` when it does not come from our
/// pages.
std::optional<session_id> session_of_cookie(const exchange& x);

/// The browser, if it has signed in before.
std::optional<known_device> known_device_of(const exchange& x);

/// What a cookie-authenticated write without proof is told.
fault csrf_failed();

/// To decorate the answer of whatever signs in: a session for the browser, and that it is known from now on. Not for
/// forms (ruling 7), nor while the second factor is missing.
void set_session_cookies(const sessions::signed_in& who, const exchange& x, response& out);

/// To decorate a refresh: the cookie, if it has one for that session, lasts as long.
void prolong_session_cookies(const sessions::signed_in& who, const exchange& x, response& out);

/// To decorate a logout.
void delete_session_cookies(const done&, const exchange& x, response& out);

} // namespace backstay::http
