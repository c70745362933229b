#include "http/policy/authentication.hpp"

#include "actors/sessions/messages.hpp"
#include "http/kernel/services.hpp"
#include "http/policy/cookies.hpp"

namespace backstay::http {

namespace {

/// What a request shows: an access token, or a browser's cookie.
struct credential {
  session_id session;
  std::optional<sessions::access_grant> grant; ///< nothing: a cookie
};

/// No session: the end where one is needed, no matter where it is only welcome.
void go_without(const exchange_ptr& x, fault why, const std::function<void()>& then) {
  x->route->needs.needs_session() ? x->fail(why) : then();
}

fault rejected(const char* text) { return {.code = ec::unauthenticated, .message = text}; }

bool is_write(const request& in) { return in.method != "GET" && in.method != "HEAD" && in.method != "OPTIONS"; }

/// The first use of a new access token ends the time in which its parent refresh token may be repeated (ruling 6).
void note_use(services& context, const sessions::session_view& session, const std::string& token_id) {
  if (session.token_used || session.token_id != token_id) return;
  context.sessions.mark_token_used(session.session);
  context.entry.ask_aside(
      context.sessions_domain, sessions::confirm_token{session.session, token_id}, [](done&) {},
      [](const fault&) {}); // only widens the time in which a retry is forgiven
}

/// For the list of sessions; not more often than it is worth.
void note_seen(services& context, const sessions::session_view& session) {
  auto now = context.clock->now();
  if (now < session.last_seen_at + sessions::seen_precision) return;
  context.sessions.mark_seen(session.session, now);
  context.entry.ask_aside(
      context.sessions_domain, sessions::note_seen{session.session}, [](done&) {}, [](const fault&) {});
}

void go_on(const exchange_ptr& x, session_cache::entry session, const credential& shown,
           const std::function<void()>& then) {
  bool is_anothers = shown.grant && shown.grant->account != session->account.id;
  if (is_anothers || session->expires_at <= x->context().clock->now())
    return go_without(x, rejected("Invalid or revoked token"), then);
  if (shown.grant) note_use(x->context(), *session, shown.grant->token_id);
  note_seen(x->context(), *session);
  auto needed = x->route->needs.needed();
  if (needed && !may(session->account.role, *needed)) return x->fail({.code = ec::forbidden});
  x->session = std::move(session);
  then();
}

void load(const exchange_ptr& x, const credential& shown, std::function<void()> then) {
  auto& context = x->context();
  auto generation = context.sessions.generation();
  context.entry.ask_aside(
      context.sessions_domain, sessions::get_session{shown.session},
      [x, shown, then, generation](sessions::session_view& loaded) mutable {
        auto session = std::make_shared<const sessions::session_view>(std::move(loaded));
        x->context().run_on_http_thread([x, shown, session, generation, then = std::move(then)] {
          x->context().sessions.store(session, generation);
          go_on(x, session, shown, then);
        });
      },
      [x, then](const fault& what) {
        auto why = what.code == ec::unauthenticated ? rejected("Invalid or revoked token") : what;
        x->context().run_on_http_thread([x, why, then] { go_without(x, why, then); });
      });
}

void go_on_with(const exchange_ptr& x, const credential& shown, std::function<void()> then) {
  if (auto session = x->context().sessions.find(shown.session)) return go_on(x, session, shown, then);
  load(x, shown, std::move(then));
}

} // namespace

void authenticate(const exchange_ptr& x, std::function<void()> then) {
  if (x->route->needs.ignores_session()) return then();
  auto& context = x->context();
  auto token = x->in().bearer();
  auto read = context.tokens.read(token);
  if (read.verdict == access_tokens::verdict::valid)
    return go_on_with(x, {read.grant.session, read.grant}, std::move(then));
  // Only where the bearer is nothing: an expired one speaks for its own account, whoever's the cookie is (ruling 7).
  auto by_cookie = read.verdict == access_tokens::verdict::broken
                       ? context.cookies.read_session_token(x->in().cookie("session_token"))
                       : std::nullopt;
  if (!by_cookie)
    return go_without(x, rejected(token.empty() ? "Not authenticated" : "Invalid or expired token"), then);
  if (is_write(x->in()) && !is_own_page(*x, *by_cookie)) return go_without(x, csrf_failed(), then);
  go_on_with(x, {*by_cookie, std::nullopt}, std::move(then));
}

} // namespace backstay::http
