#include "http/console/family.hpp"
#include "http/kernel/endpoint.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http::console {

namespace {

using sessions::session_list;
using sessions::session_summary;

// ---- what the session that asks knows about itself

struct browser_session {
  bool is_signed_in = false;
  sessions::account account;
  sessions::access_grant grant;
};

/// What a page asks first: am I signed in, and as whom?
struct get_browser_session {
  using reply = browser_session;
};

/// Its access token has an id of its own: the use of it is no sign that the newest refresh token arrived (ruling 6).
browser_session respond(const get_browser_session&, const exchange& x) {
  if (!x.session) return {};
  auto& account = x.session->account;
  auto now = x.context().clock->now();
  auto lifetime = std::chrono::ceil<std::chrono::seconds>(x.context().settings.sessions.access);
  return {.is_signed_in = true,
          .account = account,
          .grant = {.account = account.id,
                    .session = x.session->session,
                    .role = account.role,
                    .token_id = to_string(uuid::random()),
                    .issued_at = now,
                    .expires_at = std::min(x.session->expires_at, now + lifetime)}};
}

constexpr shape browser_account{
    field("username", &sessions::account::login),
    field("email", [](const sessions::account& a) { return a.email.value_or(""); }),
    field("name", [](const sessions::account& a) { return a.display_name.value_or(a.login); }),
    field("role", &sessions::account::role),
    field("avatar", &sessions::account::avatar_url),
};

constexpr shape own_session_shape{
    field("authenticated", &browser_session::is_signed_in),
    field(
        "token", [](const browser_session& s, const rendering& with) { return with.tokens.sign(s.grant); },
        example(R"("eyJ…")"), "An access token of this session"),
    field("user", &browser_session::account, browser_account),
};

/// The 401 of somebody without a session says so to programs, too.
void deny_session(const browser_session& s, const exchange& x, response& out) {
  if (s.is_signed_in) return;
  out = render_error({.code = ec::unauthenticated, .message = "No valid session"}, x.request_id, family);
  out.body.insert(1, R"("authenticated":false,)");
}

struct csrf_token {
  std::string value;
};

struct get_csrf_token {
  using reply = csrf_token;
};

/// Without a session nothing needs a token; the one that is shown then belongs to no session.
csrf_token respond(const get_csrf_token&, const exchange& x) {
  return {x.context().cookies.csrf_token(x.session ? x.session->session : session_id::random())};
}

void set_csrf_cookie(const csrf_token& token, const exchange& x, response& out) {
  if (!x.session) return;
  auto left = std::chrono::ceil<std::chrono::seconds>(x.session->expires_at - x.context().clock->now());
  out.headers.emplace_back("Set-Cookie", x.context().cookies.set("csrf_token", token.value, left, true));
}

constexpr shape csrf{
    field("csrf_token", &csrf_token::value, "To be sent in `X-CSRF-Token` with every write that a cookie speaks for"),
    field("header_name", [](const csrf_token&) { return std::string{"X-CSRF-Token"}; }),
    field("cookie_name", [](const csrf_token&) { return std::string{"csrf_token"}; }),
};

constexpr std::tuple own_session{
    get<get_browser_session>("/api/v1/auth/session", allow::anyone_better_signed_in, bucket::dashboard,
                             "Am I signed in, and as whom?", answers(200, own_session_shape),
                             fails(401, "No: `authenticated` is false"), decorated_by(deny_session)),
    get<get_csrf_token>("/api/v1/auth/csrf-token", allow::anyone_better_signed_in, bucket::dashboard,
                        "The session's CSRF token, also as a cookie", answers(200, csrf),
                        decorated_by(set_csrf_cookie)),
};

// ---- all sessions of the account

constexpr shape summary{
    field("session_id", &session_summary::id),
    field("id", &session_summary::id),
    field("device_name", &session_summary::device_name, rule{}, "The phone's model"),
    field("platform", [](const session_summary& s) { return std::string{s.platform ? "mobile" : "web"}; }),
    field("ip_address", &session_summary::address),
    field("user_agent", &session_summary::user_agent),
    field("created_at", &session_summary::created_at),
    field("last_activity", &session_summary::last_seen_at, rule{}, "To within five minutes"),
    field("last_active", &session_summary::last_seen_at),
    field("last_seen", &session_summary::last_seen_at),
    field("suspicious", &session_summary::is_suspicious, "Neither address, program nor device had signed in before"),
    field("is_current", &session_summary::is_current),
};

constexpr shape list{
    field("sessions", &session_list::items, summary),
    field("items", &session_list::items, summary),
    field("total", &session_list::total),
    field("page", &session_list::page),
    field("page_size", &session_list::page_size),
};

constexpr shape revoked{
    field("message", [](const done&) { return std::string{"Session revoked successfully"}; }),
    field(
        "data", [](const done& d) { return d; }, shape{field("revoked", [](const done&) { return true; })}),
};

/// Who ends the session that asks has signed out.
void forget_own_session(const done& d, const exchange& x, response& out) {
  if (session_id::parse(x.placeholders.front()) == x.session->session) delete_session_cookies(d, x, out);
}

constexpr std::tuple all_sessions{
    get<sessions::list_sessions>("/api/v1/auth/sessions", allow::signed_in, bucket::dashboard,
                                 "Where I am signed in, the place last seen first", answers(200, list),
                                 from_session(&sessions::list_sessions::caller),
                                 from_query("page", &sessions::list_sessions::page, between(1, 1'000'000)),
                                 from_query("page_size", &sessions::list_sessions::page_size, between(1, 100))),
    del<sessions::revoke_session>(
        "/api/v1/auth/sessions/{session_id}", allow::signed_in, bucket::general, "End one of my sessions",
        also("/api/v1/sessions/{session_id}"), answers(200, revoked), fails(404, "Another's, or ended already"),
        from_session(&sessions::revoke_session::caller), from_path("session_id", &sessions::revoke_session::session),
        from_origin(&sessions::revoke_session::origin), decorated_by(forget_own_session)),
};

} // namespace

void add_browser_sessions(router& to, const domains& who) {
  add_endpoints(to, family, "Sessions", answered_here, own_session);
  add_endpoints(to, family, "Sessions", who.sessions, all_sessions);
}

} // namespace backstay::http::console
