#include "actors/two_factor/actor.hpp"

#include "actors/audit/store.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/proofs/store.hpp"
#include "actors/two_factor/qr.hpp"
#include "actors/two_factor/rules.hpp"
#include "actors/two_factor/store.hpp"

namespace backstay::two_factor {

namespace {

using self_pointer = two_factor_actor::stateful_pointer<two_factor_state>;
template <class T>
using promise = caf::typed_response_promise<T>;
using sessions::store::terms;

constexpr auto second_step = proofs::store::purpose::second_step;

void record(transaction& tx, std::string action, const account_id& who, const origin& from, audit::result result,
            timestamp now) {
  audit::store::record(
      tx, {.action = std::move(action), .actor = who, .subject = who, .origin = from, .result = result}, now);
}

void record_success(transaction& tx, std::string action, const account_id& who, const origin& from, timestamp now) {
  record(tx, std::move(action), who, from, audit::result::success, now);
}

std::chrono::seconds take_guess(transaction& tx, const terms& terms, const account_id& account, timestamp now) {
  return budgets::store::take(tx, budgets::guesses_of(account), terms.guesses, now);
}

void give_guess_back(transaction& tx, const account_id& account) {
  budgets::store::give_back(tx, budgets::guesses_of(account));
}

// ---- passwords: a guess is taken from the account's budget (and stays taken whatever happens), the password is
// checked on the hashing threads, and what was asked for is done if it was right.

/// Takes a guess, and returns what the password is checked against.
outcome<std::string> reserve_password(transaction& tx, const terms& terms, const account_id& account, timestamp now) {
  auto hash = accounts::store::password_hash_of(tx, account);
  if (hash.empty()) return no_password();
  if (auto wait = take_guess(tx, terms, account, now); wait.count() > 0) return sessions::locked_out(wait);
  return hash;
}

/// Goes on with `then` if the password is right; else, and if it could not be checked, `answer` gets the reason.
template <class Reply, class Then>
void check_password(self_pointer self, const account_id& account, const secret& password, const std::string& against,
                    promise<Reply> answer, Then then) {
  self->request(self->state.with.hashing, caf::infinite, hashing::password_job{password, against})
      .then(
          [=](const hashing::verdict& verdict) mutable {
            if (verdict.matches) then();
            else answer.deliver(to_error(wrong_password()));
          },
          [=](const caf::error& error) mutable {
            // Not checked, so not a wrong guess: a flood of logins must not lock the owner out.
            run_aside(self, self->state.context.database, "giving a guess back",
                      [account](transaction& tx) { give_guess_back(tx, account); });
            answer.deliver(to_error(describe(error)));
          });
}

/// Somebody changed the password while it was checked.
void check_unchanged(transaction& tx, const account_id& account, const std::string& against) {
  if (accounts::store::password_hash_of(tx, account) != against) fail(wrong_password());
}

// ---- re-authentication

void note_right_password(self_pointer self, const reauthenticate& command, const std::string& against,
                         promise<reauthenticated> answer) {
  transact(
      self, self->state.context.database,
      [=, now = self->state.context.now()](transaction& tx) {
        give_guess_back(tx, command.caller.account);
        check_unchanged(tx, command.caller.account, against);
        sessions::store::note_reauthentication(tx, command.caller.session, now);
        record_success(tx, "auth.reauthenticate", command.caller.account, command.origin, now);
        return done{};
      },
      answer, [answer](done&) mutable { answer.deliver(reauthenticated{sessions::store::reauthentication_lifetime}); });
}

promise<reauthenticated> handle(self_pointer self, const reauthenticate& command) {
  auto answer = self->make_response_promise<reauthenticated>();
  transact(
      self, self->state.context.database,
      [terms = self->state.with.terms, account = command.caller.account,
       now = self->state.context.now()](transaction& tx) { return reserve_password(tx, *terms, account, now); },
      answer,
      [=](outcome<std::string>& reserved) {
        auto against = value_of(reserved);
        check_password(self, command.caller.account, command.password, against, answer,
                       [=] { note_right_password(self, command, against, answer); });
      });
  return answer;
}

// ---- setting up and turning on

/// What authenticator apps list the account under.
std::string keep_waiting(transaction& tx, const terms& terms, const caller& who, const secret& shared, timestamp now) {
  auto account = accounts::store::find(tx, who.account);
  if (!account) fail(ec::not_found);
  if (account->has_second_factor) fail(already_enabled());
  if (!sessions::store::is_reauthenticated(tx, who.session, now)) fail(reauthentication_required());
  if (!store::keep_waiting(tx, terms.keys, who.account, shared, now)) fail(already_enabled());
  return account->email.value_or(account->login);
}

promise<enrollment> handle(self_pointer self, const set_up& command) {
  auto answer = self->make_response_promise<enrollment>();
  auto shared = make_shared_secret();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, who = command.caller, now = self->state.context.now()](transaction& tx) {
        return keep_waiting(tx, *terms, who, shared, now);
      },
      answer,
      [=](std::string& holder) mutable {
        auto uri = key_uri(shared, self->state.with.issuer, holder);
        auto picture = qr_picture(uri);
        answer.deliver(enrollment{shared, std::move(uri), std::move(picture)});
      });
  return answer;
}

outcome<confirmed> turn_on(transaction& tx, const terms& terms, const confirm& command, timestamp now) {
  auto& account = command.caller.account;
  if (auto wait = take_guess(tx, terms, account, now); wait.count() > 0) return codes_rest(wait);
  auto codes = store::confirm(tx, terms.keys, account, command.code, now);
  if (!codes) return wrong_first_code();
  give_guess_back(tx, account);
  record_success(tx, "auth.2fa.enable", account, command.origin, now);
  return confirmed{std::move(*codes)};
}

promise<confirmed> handle(self_pointer self, const confirm& command) {
  auto answer = self->make_response_promise<confirmed>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return turn_on(tx, *terms, command, now);
      },
      answer,
      [=, account = command.caller.account](outcome<confirmed>& result) mutable {
        auto& codes = value_of(result);
        self->state.with.invalidate("account:" + to_string(account));
        answer.deliver(std::move(codes));
      });
  return answer;
}

// ---- showing it

/// Takes a guess and tries the code.
outcome<bool> try_code(transaction& tx, const terms& terms, const account_id& account, const validate& command,
                       timestamp now) {
  if (auto wait = take_guess(tx, terms, account, now); wait.count() > 0) return codes_rest(wait);
  bool is_right = store::use_code(tx, terms.keys, account, command.code, now);
  if (is_right) give_guess_back(tx, account);
  else record(tx, "auth.2fa.validate", account, command.origin, audit::result::failure, now);
  return is_right;
}

// Killed right after the commit, the answer is lost: the code is used up, and the first step has to be done again.
outcome<validated> finish_sign_in(transaction& tx, const terms& terms, const sessions::store::opening& waiting,
                                  const validate& command, timestamp now) {
  auto tried = try_code(tx, terms, waiting.account.id, command, now);
  if (auto* refusal = std::get_if<fault>(&tried)) return *refusal;
  if (!std::get<bool>(tried)) return wrong_code();
  auto session = sessions::store::finish_second_step(tx, terms, command.bearer, waiting, now);
  if (!session) fail(no_second_step()); // another was faster; the code stays good
  return validated{true, std::move(session)};
}

outcome<validated> answer_code(transaction& tx, const terms& terms, const validate& command, timestamp now) {
  auto& account = command.caller->account;
  if (store::get(tx, account).status == status::disabled) return validated{};
  auto tried = try_code(tx, terms, account, command, now);
  if (auto* refusal = std::get_if<fault>(&tried)) return *refusal;
  return validated{std::get<bool>(tried), std::nullopt};
}

/// Two transactions: the look at what waits is counted first, for its row is locked after the budget's.
promise<validated> handle(self_pointer self, const validate& command) {
  auto answer = self->make_response_promise<validated>();
  auto now = self->state.context.now();
  auto terms = self->state.with.terms;
  transact(
      self, self->state.context.database,
      [=](transaction& tx) { return sessions::store::examine_second_step(tx, *terms, command.bearer, now); }, answer,
      [=](std::optional<sessions::store::opening>& waiting) mutable {
        if (!waiting && !command.caller) fail(no_second_step());
        if (waiting) waiting->origin = command.origin;
        transact(
            self, self->state.context.database,
            [=, waiting = std::move(waiting)](transaction& tx) {
              return waiting ? finish_sign_in(tx, *terms, *waiting, command, now)
                             : answer_code(tx, *terms, command, now);
            },
            answer, [answer](outcome<validated>& result) mutable { answer.deliver(std::move(value_of(result))); });
      });
  return answer;
}

// ---- turning off

/// Takes a guess, for the password or the code, and returns what the password is checked against; empty without one.
outcome<std::string> reserve_turning_off(transaction& tx, const terms& terms, const disable& command, timestamp now) {
  auto& who = command.caller;
  if (store::get(tx, who.account).status == status::disabled) return not_enabled();
  if (command.password) return reserve_password(tx, terms, who.account, now);
  if (!sessions::store::is_reauthenticated(tx, who.session, now)) return reauthentication_required();
  if (auto wait = take_guess(tx, terms, who.account, now); wait.count() > 0) return codes_rest(wait);
  return std::string{};
}

/// A wrong code rolls back, so that the guess stays taken.
done turn_off(transaction& tx, const terms& terms, const disable& command, const std::string& against, timestamp now) {
  auto& account = command.caller.account;
  give_guess_back(tx, account);
  if (command.password) check_unchanged(tx, account, against);
  if (!store::use_code(tx, terms.keys, account, command.code, now)) fail(wrong_code());
  proofs::store::withdraw(tx, second_step, account); // sign-ins that wait for a code that nobody has any more
  store::remove(tx, account);
  record_success(tx, "auth.2fa.disable", account, command.origin, now);
  return {};
}

void finish_turning_off(self_pointer self, const disable& command, const std::string& against, promise<done> answer) {
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return turn_off(tx, *terms, command, against, now);
      },
      answer,
      [=](done& result) mutable {
        self->state.with.invalidate("account:" + to_string(command.caller.account));
        answer.deliver(result);
      });
}

promise<done> handle(self_pointer self, const disable& command) {
  auto answer = self->make_response_promise<done>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return reserve_turning_off(tx, *terms, command, now);
      },
      answer,
      [=](outcome<std::string>& reserved) {
        auto against = value_of(reserved);
        auto go_on = [=] { finish_turning_off(self, command, against, answer); };
        if (!command.password) return go_on();
        check_password(self, command.caller.account, *command.password, against, answer, go_on);
      });
  return answer;
}

} // namespace

two_factor_actor::behavior_type two_factor(self_pointer self, domain_context context, two_factor_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.with = std::move(deps);
  return {
      on([self](const get_standing& wanted) {
        return query(self, self->state.context.database,
                     [account = wanted.account](transaction& tx) { return store::get(tx, account); });
      }),
      on([self](const reauthenticate& m) { return handle(self, m); }),
      on([self](const set_up& m) { return handle(self, m); }),
      on([self](const confirm& m) { return handle(self, m); }),
      on([self](const validate& m) { return handle(self, m); }),
      on([self](const disable& m) { return handle(self, m); }),
  };
}

caf::actor spawn_two_factor(caf::scheduled_actor* parent, domain_context context, two_factor_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(two_factor, std::move(context), std::move(deps)));
}

} // namespace backstay::two_factor
