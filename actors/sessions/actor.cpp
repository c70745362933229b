#include "actors/sessions/actor.hpp"

#include "actors/audit/store.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/proofs/store.hpp"
#include "config/log.hpp"

namespace backstay::sessions {

namespace {

using self_pointer = sweeping_sessions_actor::stateful_pointer<sessions_state>;
template <class T>
using promise = caf::typed_response_promise<T>;

constexpr std::chrono::minutes sweep_pause{5};

std::string about(const session_id& id) { return "session:" + to_string(id); }
std::string about(const account_id& id) { return "account:" + to_string(id); }

/// For what nobody waits for; a failure is logged and the next occasion makes up for it.
void run_aside(self_pointer self, std::string what, std::function<void(transaction&)> job) {
  database_job wrapped{[job = std::move(job)](transaction& tx) -> std::any {
    job(tx);
    return done{};
  }};
  self->request(self->state.context.database, caf::infinite, std::move(wrapped))
      .then([](const database_outcome&) {},
            [what](const caf::error& error) {
              log::warning("sessions", "something on the side failed",
                           {{"what", what}, {"cause", to_string(describe(error).code)}});
            });
}

// Signing in takes three steps: a guess is taken from the budget (and stays taken whatever happens), the password is
// checked, the session is opened. An unknown identifier goes the same way up to the end of the second step: hashing a
// password costs what checking one does.

void open_session(self_pointer self, const sign_in& how, const store::attempt& checked, const std::string& new_hash,
                  promise<signed_in> answer) {
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return store::sign_in(tx, *terms, checked, new_hash, how, now);
      },
      answer, [answer](signed_in& result) mutable { answer.deliver(std::move(result)); });
}

void check_password(self_pointer self, const sign_in& how, const store::attempt& attempt, promise<signed_in> answer) {
  auto against = attempt.credential ? attempt.credential->password_hash : std::string{};
  self->request(self->state.with.hashing, caf::infinite, hashing::password_job{how.password, against})
      .then(
          [=](const hashing::verdict& verdict) mutable {
            bool is_right = attempt.credential && attempt.credential->is_active && verdict.matches;
            if (is_right) open_session(self, how, attempt, verdict.hash, answer);
            else answer.deliver(to_error(invalid_credentials()));
          },
          [=](const caf::error& error) mutable {
            // Not checked, so not a wrong guess: a flood of logins must not lock the owner out.
            run_aside(self, "giving a guess back",
                      [key = attempt.key](transaction& tx) { budgets::store::give_back(tx, key); });
            answer.deliver(to_error(describe(error)));
          });
}

promise<signed_in> handle(self_pointer self, const sign_in& how) {
  auto answer = self->make_response_promise<signed_in>();
  transact(
      self, self->state.context.database,
      [terms = self->state.with.terms, how, now = self->state.context.now()](transaction& tx) {
        store::familiarity who{.browser = how.origin.known_device};
        if (how.device) who.device_id = how.device->device_id;
        return store::reserve_guess(tx, *terms, how.identifier, now, who);
      },
      answer, [=](outcome<store::attempt>& attempt) { check_password(self, how, value_of(attempt), answer); });
  return answer;
}

promise<signed_in> handle(self_pointer self, const verify_code& command) {
  auto answer = self->make_response_promise<signed_in>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return store::verify_code(tx, *terms, command, now);
      },
      answer,
      [=](outcome<signed_in>& result) mutable {
        auto& session = value_of(result);
        self->state.with.invalidate(about(session.account.id));
        answer.deliver(std::move(session));
      });
  return answer;
}

promise<code_sent> handle(self_pointer self, const resend_code& command) {
  auto answer = self->make_response_promise<code_sent>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return store::resend_code(tx, *terms, command.email, now);
      },
      answer, [=](outcome<code_sent>& result) mutable { answer.deliver(std::move(value_of(result))); });
  return answer;
}

promise<signed_in> handle(self_pointer self, const refresh& command) {
  bool by_cookie = !command.token || command.token->empty();
  auto token = by_cookie ? std::nullopt : read_refresh_token(self->state.with.terms->keys, *command.token);
  auto session = token ? std::optional{token->session} : by_cookie ? command.session : std::nullopt;
  if (!session) fail(invalid_refresh_token());
  auto wait = self->state.refreshes.take(to_string(*session), self->state.with.refreshes_per_minute);
  if (wait.count() > 0) fail({.code = ec::too_many, .retry_after = wait});
  auto answer = self->make_response_promise<signed_in>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, device = command.device_id,
       now = self->state.context.now()](transaction& tx) {
        return token ? store::refresh(tx, *terms, *token, device, now) : store::prolong(tx, *terms, *session, now);
      },
      answer,
      [=](outcome<signed_in>& result) mutable {
        self->state.with.invalidate(about(*session)); // also after a replay, which has revoked it
        answer.deliver(std::move(value_of(result)));
      });
  return answer;
}

promise<done> handle(self_pointer self, const sign_out& command) {
  auto answer = self->make_response_promise<done>();
  bool by_cookie = !command.token || command.token->empty();
  auto token = by_cookie ? std::nullopt : read_refresh_token(self->state.with.terms->keys, *command.token);
  auto ended = token ? std::optional{token->session} : by_cookie ? command.session : std::nullopt;
  if (!ended) {
    answer.deliver(done{});
    return answer;
  }
  transact(
      self, self->state.context.database,
      [session = *ended, now = self->state.context.now()](transaction& tx) {
        store::revoke(tx, session, now);
        return done{};
      },
      answer,
      [=](done& result) mutable {
        self->state.with.invalidate(about(*ended));
        answer.deliver(result);
      });
  return answer;
}

promise<done> handle(self_pointer self, const revoke_session& command) {
  auto answer = self->make_response_promise<done>();
  transact(
      self, self->state.context.database,
      [=, now = self->state.context.now()](transaction& tx) {
        if (!store::revoke_own(tx, command.caller.account, command.session, now))
          fail(ec::not_found, "Session not found", "SESSION_NOT_FOUND");
        audit::store::record(tx,
                             {.action = "auth.session.revoke",
                              .actor = command.caller.account,
                              .subject = command.caller.account,
                              .origin = command.origin,
                              .resource = about(command.session)},
                             now);
        return done{};
      },
      answer,
      [=](done& result) mutable {
        self->state.with.invalidate(about(command.session));
        answer.deliver(result);
      });
  return answer;
}

promise<session_list> handle(self_pointer self, const list_sessions& wanted) {
  return query(self, self->state.context.database,
               [=, now = self->state.context.now()](transaction& tx) { return store::list(tx, wanted, now); });
}

promise<session_view> handle(self_pointer self, const get_session& wanted) {
  return query(self, self->state.context.database, [=, now = self->state.context.now()](transaction& tx) {
    auto found = store::view(tx, wanted.session, now);
    if (!found) fail(ec::unauthenticated);
    return *found;
  });
}

promise<done> handle(self_pointer self, const confirm_token& command) {
  return transact(self, self->state.context.database, [=](transaction& tx) {
    store::confirm_token(tx, command.session, command.token_id);
    return done{};
  });
}

promise<done> handle(self_pointer self, const note_seen& command) {
  return transact(self, self->state.context.database, [=, now = self->state.context.now()](transaction& tx) {
    store::note_seen(tx, command.session, now);
    return done{};
  });
}

promise<session_token> handle(self_pointer self, const create_session_token& command) {
  auto now = self->state.context.now();
  session_token made{proofs::store::make_secret(), now + store::session_token_lifetime};
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, session = command.caller.session](transaction& tx) {
                    store::keep_session_token(tx, *terms, session, made, now);
                    return made;
                  });
}

promise<signed_in> handle(self_pointer self, const exchange_session_token& command) {
  if (!command.token || command.token->empty()) fail(ec::refused, "A token is needed.", "TOKEN_MISSING");
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    auto session = store::exchange_session_token(tx, *terms, *command.token, command.origin, now);
                    if (!session) fail(ec::gone, "The token was used or has expired.", "TOKEN_EXPIRED_OR_USED");
                    return *session;
                  });
}

promise<ticket> handle(self_pointer self, const create_ticket& command) {
  ticket made{.value = secret{crypto::to_hex(crypto::random_bytes(16))}};
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, session = command.caller.session,
                   now = self->state.context.now()](transaction& tx) {
                    store::keep_ticket(tx, *terms, session, made, now);
                    return made;
                  });
}

promise<session_view> handle(self_pointer self, const redeem_ticket& command) {
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    auto session = store::redeem_ticket(tx, *terms, command.ticket, now);
                    if (!session) fail(ec::forbidden, "Invalid or expired ticket", "INVALID_TICKET");
                    return *session;
                  });
}

void handle(self_pointer self, const sweep&) {
  run_aside(self, "removing what is stale",
            [now = self->state.context.now()](transaction& tx) { store::forget_stale(tx, now); });
  self->delayed_send(self, sweep_pause, sweep{});
}

} // namespace

sweeping_sessions_actor::behavior_type sessions(self_pointer self, domain_context context, sessions_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.with = std::move(deps);
  self->delayed_send(self, sweep_pause, sweep{});
  return {
      on([self](const sign_in& m) { return handle(self, m); }),
      on([self](const verify_code& m) { return handle(self, m); }),
      on([self](const resend_code& m) { return handle(self, m); }),
      on([self](const refresh& m) { return handle(self, m); }),
      on([self](const sign_out& m) { return handle(self, m); }),
      on([self](const get_session& m) { return handle(self, m); }),
      on([self](const confirm_token& m) { return handle(self, m); }),
      on([self](const note_seen& m) { return handle(self, m); }),
      on([self](const list_sessions& m) { return handle(self, m); }),
      on([self](const revoke_session& m) { return handle(self, m); }),
      on([self](const create_session_token& m) { return handle(self, m); }),
      on([self](const exchange_session_token& m) { return handle(self, m); }),
      on([self](const create_ticket& m) { return handle(self, m); }),
      on([self](const redeem_ticket& m) { return handle(self, m); }),
      [self](const sweep& m) { handle(self, m); },
  };
}

caf::actor spawn_sessions(caf::scheduled_actor* parent, domain_context context, sessions_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(sessions, std::move(context), std::move(deps)));
}

} // namespace backstay::sessions
