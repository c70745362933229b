#include "actors/accounts/actor.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/accounts/store.hpp"
#include "actors/kernel/outcome.hpp"

namespace backstay::accounts {

namespace {

using self_pointer = accounts_actor::stateful_pointer<accounts_state>;
using promise = caf::typed_response_promise<registered>;
using sessions::store::terms;
using sessions::store::terms_ptr;

void check(const register_account& command, bool registration_enabled) {
  if (!registration_enabled) fail(ec::forbidden, "Registration is disabled", "REGISTRATION_DISABLED");
  auto problems = problems_of(command);
  if (!problems.empty()) fail({.code = ec::invalid, .problems = std::move(problems)});
}

/// Counts the try, also if it fails, and sees whether hashing the password is worth it.
outcome<done> admit(transaction& tx, const terms& terms, const register_account& command, timestamp now) {
  if (command.email) {
    auto wait = sessions::store::reserve_mail(tx, terms, *command.email, now);
    if (wait.count() > 0) return sessions::mails_rest(wait);
  }
  try {
    store::check_free(tx, command.email, command.login);
  } catch (const fault_error& error) {
    return error.what_failed;
  }
  return done{};
}

store::new_account new_account_of(const register_account& command, const std::string& password_hash) {
  return {.logins = command.login ? std::vector{*command.login} : logins_from(*command.email),
          .email = command.email,
          .password_hash = password_hash,
          .is_active = command.welcome == welcome::sign_in_at_once || !command.email,
          .locale = command.locale,
          .tos_accepted = command.tos_accepted.value_or(false)};
}

/// Account, code, mail and session stand together or not at all. Killed right after the commit, the answer is lost:
/// the owner can sign in, or verify with the code in the mail; a repeat is told that the address is taken.
registered create(transaction& tx, const terms& terms, const register_account& command,
                  const std::string& password_hash, timestamp now) {
  registered result{.account = store::create(tx, new_account_of(command, password_hash), now)};
  if (command.email) sessions::store::issue_code(tx, terms, result.account, now);
  if (command.welcome == welcome::sign_in_at_once)
    result.session = sessions::store::open(tx, terms,
                                           {.account = result.account,
                                            .device = command.device,
                                            .origin = command.origin,
                                            .is_new = true,
                                            .way = "registration",
                                            .is_fresh = true},
                                           now);
  return result;
}

promise register_new(self_pointer self, const register_account& command) {
  auto& state = self->state;
  check(command, state.with.registration_enabled);
  auto answer = self->make_response_promise<registered>();
  auto terms = state.with.terms;
  auto now = state.context.now();
  auto keep = [=](hashing::verdict& password) mutable {
    auto hash = std::move(password.hash);
    transact(
        self, self->state.context.database, [=](transaction& tx) { return create(tx, *terms, command, hash, now); },
        answer, [answer](registered& result) mutable { answer.deliver(std::move(result)); });
  };
  transact(
      self, state.context.database, [=](transaction& tx) { return admit(tx, *terms, command, now); }, answer,
      [=](outcome<done>& admitted) mutable {
        value_of(admitted);
        ask(self, self->state.with.hashing, caf::infinite, hashing::password_job{.password = command.password}, answer,
            keep);
      });
  return answer;
}

} // namespace

accounts_actor::behavior_type accounts(self_pointer self, domain_context context, accounts_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.with = std::move(deps);
  return {
      on([self](const register_account& command) { return register_new(self, command); }),
      on([self](const get_account& wanted) {
        return query(self, self->state.context.database, [id = wanted.account](transaction& tx) {
          auto found = store::find(tx, id);
          if (!found) fail(ec::not_found);
          return *found;
        });
      }),
  };
}

caf::actor spawn_accounts(caf::scheduled_actor* parent, domain_context context, accounts_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(accounts, std::move(context), std::move(deps)));
}

} // namespace backstay::accounts
