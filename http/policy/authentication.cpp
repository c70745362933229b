#include "http/policy/authentication.hpp"

#include "http/kernel/services.hpp"

namespace backstay::http {

namespace {

/// No session: the end where one is needed, no matter where it is only welcome.
void go_without(const exchange_ptr& x, fault why, const std::function<void()>& then) {
  x->route->needs.needs_session() ? x->fail(why) : then();
}

fault rejected(const char* text) { return {.code = ec::unauthenticated, .message = text}; }

/// The first use of a new access token ends the time in which its parent refresh token may be repeated (ruling 6).
void note_use(services& context, const sessions::session_view& session, const std::string& token_id) {
  if (session.token_used || session.token_id != token_id) return;
  context.sessions.mark_token_used(session.session);
  context.entry.ask_aside(
      context.sessions_domain, sessions::confirm_token{session.session, token_id}, [](done&) {},
      [](const fault&) {}); // only widens the time in which a retry is forgiven
}

void go_on(const exchange_ptr& x, session_cache::entry session, const sessions::access_grant& grant,
           const std::function<void()>& then) {
  if (session->account.id != grant.account || session->expires_at <= x->context().clock->now())
    return go_without(x, rejected("Invalid or revoked token"), then);
  note_use(x->context(), *session, grant.token_id);
  auto needed = x->route->needs.needed();
  if (needed && !may(session->account.role, *needed)) return x->fail({.code = ec::forbidden});
  x->session = std::move(session);
  then();
}

void load(const exchange_ptr& x, const sessions::access_grant& grant, std::function<void()> then) {
  auto& context = x->context();
  auto generation = context.sessions.generation();
  context.entry.ask_aside(
      context.sessions_domain, sessions::get_session{grant.session},
      [x, grant, then, generation](sessions::session_view& loaded) mutable {
        auto session = std::make_shared<const sessions::session_view>(std::move(loaded));
        x->context().run_on_http_thread([x, grant, session, generation, then = std::move(then)] {
          x->context().sessions.store(session, generation);
          go_on(x, session, grant, then);
        });
      },
      [x, then](const fault& what) {
        auto why = what.code == ec::unauthenticated ? rejected("Invalid or revoked token") : what;
        x->context().run_on_http_thread([x, why, then] { go_without(x, why, then); });
      });
}

} // namespace

void authenticate(const exchange_ptr& x, std::function<void()> then) {
  if (x->route->needs.ignores_session()) return then();
  auto token = x->in().bearer();
  if (token.empty()) return go_without(x, rejected("Not authenticated"), then);
  auto read = x->context().tokens.read(token);
  if (read.verdict != access_tokens::verdict::valid) return go_without(x, rejected("Invalid or expired token"), then);
  if (auto session = x->context().sessions.find(read.grant.session)) return go_on(x, session, read.grant, then);
  load(x, read.grant, std::move(then));
}

} // namespace backstay::http
