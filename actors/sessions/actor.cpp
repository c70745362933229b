#include "actors/sessions/actor.hpp"

#include "actors/audit/store.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/proofs/store.hpp"
#include "actors/sessions/devices.hpp"
#include "config/log.hpp"

namespace backstay::sessions {

namespace {

using self_pointer = sweeping_sessions_actor::stateful_pointer<sessions_state>;
template <class T>
using promise = caf::typed_response_promise<T>;

constexpr std::chrono::minutes sweep_pause{5};

std::string about(const session_id& id) { return "session:" + to_string(id); }
std::string about(const account_id& id) { return "account:" + to_string(id); }

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

/// After the answer, so that it takes no longer for having been wrong. Killed before: the guess is counted all the
/// same.
void record_failed(self_pointer self, const sign_in& how, const store::attempt& attempt) {
  auto account = attempt.credential ? std::optional{attempt.credential->account} : std::nullopt;
  run_aside(self, self->state.context.database, "recording a failed sign-in",
            [account, from = how.origin, now = self->state.context.now()](transaction& tx) {
              store::record_failed(tx, account, "password", from, now);
            });
}

void check_password(self_pointer self, const sign_in& how, const store::attempt& attempt, promise<signed_in> answer) {
  auto against = attempt.credential ? attempt.credential->password_hash : std::string{};
  self->request(self->state.with.hashing, caf::infinite, hashing::password_job{how.password, against})
      .then(
          [=](const hashing::verdict& verdict) mutable {
            bool is_right = attempt.credential && attempt.credential->is_active && verdict.matches;
            if (is_right) return open_session(self, how, attempt, verdict.hash, answer);
            answer.deliver(to_error(invalid_credentials()));
            record_failed(self, how, attempt);
          },
          [=](const caf::error& error) mutable {
            // Not checked, so not a wrong guess: a flood of logins must not lock the owner out.
            run_aside(self, self->state.context.database, "giving a guess back",
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
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return token ? store::refresh(tx, *terms, *token, command, now) : store::prolong(tx, *terms, *session, now);
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
      [session = *ended, from = command.origin, now = self->state.context.now()](transaction& tx) {
        store::sign_out(tx, session, from, now);
        return done{};
      },
      answer,
      [=](done& result) mutable {
        self->state.with.invalidate(about(*ended));
        answer.deliver(result);
      });
  return answer;
}

promise<done> handle(self_pointer self, const leave& command) {
  auto answer = self->make_response_promise<done>();
  transact(
      self, self->state.context.database,
      [=, now = self->state.context.now()](transaction& tx) {
        store::sign_out(tx, command.caller.session, command.origin, now);
        return done{};
      },
      answer,
      [=](done& result) mutable {
        self->state.with.invalidate(about(command.caller.session));
        answer.deliver(result);
      });
  return answer;
}

/// Killed right after the commit, the answer is lost: everybody is signed out.
signed_out sign_out_all(transaction& tx, const sign_out_everywhere& command, timestamp now) {
  auto& account = command.caller.account;
  auto ended = store::revoke_all(tx, account, std::nullopt, now);
  audit::store::record(tx,
                       {.action = "auth.logout.all",
                        .actor = account,
                        .subject = account,
                        .origin = command.origin,
                        .details = {{"sessions", std::to_string(ended)}}},
                       now);
  return {ended};
}

promise<signed_out> handle(self_pointer self, const sign_out_everywhere& command) {
  auto answer = self->make_response_promise<signed_out>();
  transact(
      self, self->state.context.database,
      [=, now = self->state.context.now()](transaction& tx) { return sign_out_all(tx, command, now); }, answer,
      [=](signed_out& result) mutable {
        self->state.with.invalidate(about(command.caller.account));
        answer.deliver(result);
      });
  return answer;
}

promise<device_list> handle(self_pointer self, const list_devices& wanted) {
  return query(self, self->state.context.database, [=](transaction& tx) { return store::list_devices(tx, wanted); });
}

promise<device_view> handle(self_pointer self, const add_device& command) {
  return transact(self, self->state.context.database, [=, now = self->state.context.now()](transaction& tx) {
    return store::add_device(tx, command, now);
  });
}

promise<device_view> handle(self_pointer self, const register_device& command) {
  return transact(self, self->state.context.database, [=, now = self->state.context.now()](transaction& tx) {
    return store::register_device(tx, command.caller, command.device.value(), now);
  });
}

promise<done> handle(self_pointer self, const remove_device& command) {
  auto answer = self->make_response_promise<done>();
  transact(
      self, self->state.context.database,
      [=, now = self->state.context.now()](transaction& tx) {
        store::remove_device(tx, command, now);
        return done{};
      },
      answer,
      [=](done& result) mutable {
        self->state.with.invalidate(about(command.caller.account));
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

promise<done> handle(self_pointer self, const keep_push_token& command) {
  return transact(self, self->state.context.database, [=, now = self->state.context.now()](transaction& tx) {
    store::keep_push_token(tx, command, now);
    return done{};
  });
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

promise<device_enrolled> handle(self_pointer self, const enroll_device& command) {
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    return store::enroll_device(tx, *terms, command, now);
                  });
}

promise<device_challenge> handle(self_pointer self, const challenge_device& command) {
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    return store::challenge_device(tx, *terms, command.device_id, now);
                  });
}

promise<signed_in> handle(self_pointer self, const sign_in_by_device& command) {
  auto answer = self->make_response_promise<signed_in>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return store::sign_in_by_device(tx, *terms, command, now);
      },
      answer, [answer](outcome<signed_in>& result) mutable { answer.deliver(std::move(value_of(result))); });
  return answer;
}

void handle(self_pointer self, const sweep&) {
  run_aside(self, self->state.context.database, "removing what is stale",
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
      on([self](const leave& m) { return handle(self, m); }),
      on([self](const sign_out_everywhere& m) { return handle(self, m); }),
      on([self](const list_devices& m) { return handle(self, m); }),
      on([self](const add_device& m) { return handle(self, m); }),
      on([self](const register_device& m) { return handle(self, m); }),
      on([self](const remove_device& m) { return handle(self, m); }),
      on([self](const keep_push_token& m) { return handle(self, m); }),
      on([self](const enroll_device& m) { return handle(self, m); }),
      on([self](const challenge_device& m) { return handle(self, m); }),
      on([self](const sign_in_by_device& m) { return handle(self, m); }),
      [self](const sweep& m) { handle(self, m); },
  };
}

caf::actor spawn_sessions(caf::scheduled_actor* parent, domain_context context, sessions_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(sessions, std::move(context), std::move(deps)));
}

} // namespace backstay::sessions
