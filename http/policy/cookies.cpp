#include "http/policy/cookies.hpp"

#include "actors/kernel/crypto.hpp"
#include "http/kernel/exchange.hpp"
#include "http/kernel/services.hpp"
#include "http/kernel/text.hpp"

#include <algorithm>

namespace backstay::http {

namespace {

using std::chrono::seconds;

constexpr std::size_t id_size = 16, signature_size = 32;
constexpr auto session_name = "session_token", csrf_name = "csrf_token", known_device_name = "known_device";
constexpr seconds known_device_lifetime = std::chrono::days{400}; // the most that browsers keep (RFC 6265bis, 5.5)

std::string bytes_of(const uuid& id) { return {id.bytes.begin(), id.bytes.end()}; }

template <class Id>
Id read_id(std::string_view bytes) {
  Id id;
  std::copy_n(bytes.begin(), id_size, id.bytes.begin());
  return id;
}

bool is_form(const request& in) {
  auto type = to_lower(in.header("Content-Type"));
  return type.starts_with("application/x-www-form-urlencoded") || type.starts_with("multipart/form-data");
}

void add(response& out, std::string cookie) { out.headers.emplace_back("Set-Cookie", std::move(cookie)); }

void add_session(const sessions::signed_in& who, const exchange& x, response& out) {
  auto& context = x.context();
  auto left = std::chrono::ceil<seconds>(who.session_expires_at - context.clock->now());
  add(out, context.cookies.set(session_name, context.cookies.session_token(who.grant.session), left));
  add(out, context.cookies.set(csrf_name, context.cookies.csrf_token(who.grant.session), left, true));
}

} // namespace

std::string browser_cookies::sign(std::string_view purpose, std::string_view text) const {
  return crypto::to_base64url(std::string{text} + keys_.sign(purpose, text));
}

std::optional<std::string> browser_cookies::read(std::string_view purpose, std::string_view token,
                                                 std::size_t size) const {
  auto bytes = crypto::from_base64url(token);
  if (!bytes || bytes->size() != size + signature_size) return std::nullopt;
  auto text = bytes->substr(0, size);
  return keys_.verifies(purpose, text, bytes->substr(size)) ? std::optional{text} : std::nullopt;
}

std::string browser_cookies::session_token(const session_id& session) const {
  return sign("cookie session_token", bytes_of(session));
}

std::optional<session_id> browser_cookies::read_session_token(std::string_view token) const {
  auto text = read("cookie session_token", token, id_size);
  return text ? std::optional{read_id<session_id>(*text)} : std::nullopt;
}

std::string browser_cookies::csrf_token(const session_id& session) const {
  return crypto::to_base64url(keys_.sign("csrf_token", bytes_of(session)));
}

bool browser_cookies::is_csrf_token(const session_id& session, std::string_view token) const {
  auto signature = crypto::from_base64url(token);
  return signature && keys_.verifies("csrf_token", bytes_of(session), *signature);
}

std::string browser_cookies::known_device_token(const known_device& device) const {
  return sign("cookie known_device", bytes_of(device.account) + bytes_of(device.device));
}

std::optional<known_device> browser_cookies::read_known_device_token(std::string_view token) const {
  auto text = read("cookie known_device", token, 2 * id_size);
  if (!text) return std::nullopt;
  return known_device{read_id<account_id>(*text), read_id<uuid>(std::string_view{*text}.substr(id_size))};
}

std::string browser_cookies::set(std::string_view name, std::string_view value, seconds lifetime,
                                 bool readable_by_scripts) const {
  auto text = std::string{name} + "=" + std::string{value} +
              "; Path=/; Max-Age=" + std::to_string(std::max<std::int64_t>(lifetime.count(), 0)) + "; SameSite=Lax";
  if (!readable_by_scripts) text += "; HttpOnly";
  if (secure_) text += "; Secure";
  return text;
}

bool is_own_page(const exchange& x, const session_id& session) {
  return x.in().header("Sec-Fetch-Site") == "same-origin" ||
         x.context().cookies.is_csrf_token(session, x.in().header("X-CSRF-Token"));
}

fault csrf_failed() {
  return {.code = ec::forbidden,
          .message = "CSRF validation failed. Invalid or missing CSRF token.",
          .name = "CSRF_FAILED"};
}

std::optional<session_id> session_of_cookie(const exchange& x) {
  auto& context = x.context();
  auto session = context.cookies.read_session_token(x.in().cookie(session_name));
  if (!session) return std::nullopt;
  auto bearer = context.tokens.read(x.in().bearer());
  if (bearer.verdict != access_tokens::verdict::broken && bearer.grant.session != *session) return std::nullopt;
  if (!is_own_page(x, *session)) fail(csrf_failed());
  return session;
}

std::optional<known_device> known_device_of(const exchange& x) {
  return x.context().cookies.read_known_device_token(x.in().cookie(known_device_name));
}

void set_session_cookies(const sessions::signed_in& who, const exchange& x, response& out) {
  if (who.second_step || is_form(x.in())) return;
  add_session(who, x, out);
  auto& cookies = x.context().cookies;
  auto device = known_device_of(x);
  if (!device || device->account != who.account.id) device = known_device{who.account.id, uuid::random()};
  add(out, cookies.set(known_device_name, cookies.known_device_token(*device), known_device_lifetime));
}

void prolong_session_cookies(const sessions::signed_in& who, const exchange& x, response& out) {
  auto held = x.context().cookies.read_session_token(x.in().cookie(session_name));
  if (held == who.grant.session) add_session(who, x, out);
}

void delete_session_cookies(const done&, const exchange& x, response& out) {
  auto& cookies = x.context().cookies;
  add(out, cookies.set(session_name, "", seconds{0}));
  add(out, cookies.set(csrf_name, "", seconds{0}, true));
}

} // namespace backstay::http
