#include "actors/accounts/actor.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/proofs/store.hpp"

namespace backstay::accounts {

namespace {

using self_pointer = accounts_actor::stateful_pointer<accounts_state>;
template <class T>
using promise = caf::typed_response_promise<T>;
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
    result.session = sessions::store::open(
        tx, terms, {.account = result.account, .device = command.device, .origin = command.origin, .is_new = true},
        now);
  return result;
}

promise<registered> register_new(self_pointer self, const register_account& command) {
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

std::string about(const account_id& id) { return "account:" + to_string(id); }

// --- profiles

promise<profile> change_profile(self_pointer self, const update_profile& command) {
  auto answer = self->make_response_promise<profile>();
  auto keep = [=](const std::optional<std::string>& png) {
    transact(
        self, self->state.context.database,
        [=, now = self->state.context.now()](transaction& tx) { return store::update_profile(tx, command, png, now); },
        answer,
        [=](profile& changed) mutable {
          self->state.with.invalidate(about(command.caller.account));
          answer.deliver(std::move(changed));
        });
  };
  if (!command.picture) return keep(std::nullopt), answer;
  ask(self, self->state.with.imaging, caf::infinite, imaging::picture_job{*command.picture}, answer,
      [keep](imaging::picture& made) { keep(std::move(made.png)); });
  return answer;
}

// --- passwords

// A new password takes four steps: a guess is taken from the budget of the caller's session, the present password is
// checked, the new one is hashed, and what it changes is changed.

using sessions::store::attempt;

/// A session is a device that has signed in before: strangers' guesses do not count against it.
outcome<attempt> take_guess(transaction& tx, const terms& terms, const change_password& command, timestamp now) {
  auto whose = store::find(tx, command.caller.account);
  if (!whose) fail(ec::not_found);
  check_new_password(command.new_password, whose->email.value_or(""));
  if (!whose->has_password) fail(ec::refused, "This account has no password.", "NO_PASSWORD");
  attempt taken{budgets::guesses_of(whose->id, "session:" + to_string(command.caller.session))};
  if (auto wait = budgets::store::take(tx, taken.key, terms.guesses, now); wait.count() > 0)
    return sessions::locked_out(wait);
  taken.credential = store::credential{whose->id, store::password_hash_of(tx, whose->id), whose->is_active};
  return taken;
}

/// Killed right after the commit, the answer is lost: the new password is good, and the other sessions have ended.
password_changed change(transaction& tx, const change_password& command, const attempt& right,
                        const std::string& new_hash, timestamp now) {
  auto& who = command.caller;
  budgets::store::give_back(tx, right.key);
  for (auto what : {proofs::store::purpose::second_step, proofs::store::purpose::magic_link,
                    proofs::store::purpose::password_reset, proofs::store::purpose::session_token})
    proofs::store::withdraw(tx, what, who.account);
  if (!store::replace_password(tx, who.account, right.credential->password_hash, new_hash, now))
    fail(ec::conflict, "The password was changed meanwhile.");
  sessions::store::revoke_all(tx, who.account, who.session, now);
  audit::store::record(
      tx, {.action = "auth.password.change", .actor = who.account, .subject = who.account, .origin = command.origin},
      now);
  return judge(command.new_password);
}

void keep_password(self_pointer self, const change_password& command, const attempt& right, const std::string& new_hash,
                   promise<password_changed> answer) {
  transact(
      self, self->state.context.database,
      [=, now = self->state.context.now()](transaction& tx) { return change(tx, command, right, new_hash, now); },
      answer,
      [=](password_changed& changed) mutable {
        self->state.with.invalidate(about(command.caller.account));
        answer.deliver(std::move(changed));
      });
}

/// Not checked, so not a wrong guess.
void give_back(self_pointer self, const attempt& unused, const caf::error& why, promise<password_changed> answer) {
  transact(
      self, self->state.context.database,
      [key = unused.key](transaction& tx) {
        budgets::store::give_back(tx, key);
        return done{};
      },
      answer, [=](done&) mutable { answer.deliver(to_error(describe(why))); });
}

void check_present(self_pointer self, const change_password& command, const attempt& taken,
                   promise<password_changed> answer) {
  auto go_on = [=](const hashing::verdict& present) mutable {
    auto keep = [=](hashing::verdict& made) { keep_password(self, command, taken, made.hash, answer); };
    if (present.matches)
      ask(self, self->state.with.hashing, caf::infinite, hashing::password_job{.password = command.new_password},
          answer, keep);
    else
      answer.deliver(
          to_error({.code = ec::refused, .message = "Current password is incorrect", .name = "WRONG_PASSWORD"}));
  };
  self->request(self->state.with.hashing, caf::infinite,
                hashing::password_job{command.current_password, taken.credential->password_hash})
      .then(go_on, [=](const caf::error& why) { give_back(self, taken, why, answer); });
}

promise<password_changed> change_password_of(self_pointer self, const change_password& command) {
  auto answer = self->make_response_promise<password_changed>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return take_guess(tx, *terms, command, now);
      },
      answer, [=](outcome<attempt>& taken) { check_present(self, command, value_of(taken), answer); });
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
      on([self](const get_profile& wanted) {
        return query(self, self->state.context.database,
                     [id = wanted.account](transaction& tx) { return store::profile_of(tx, id); });
      }),
      on([self](const update_profile& command) { return change_profile(self, command); }),
      on([self](const get_avatar& wanted) {
        return query(self, self->state.context.database, [name = wanted.name](transaction& tx) {
          auto found = store::find_avatar(tx, name);
          if (!found) fail(ec::not_found);
          return *found;
        });
      }),
      on([self](const change_password& command) { return change_password_of(self, command); }),
  };
}

caf::actor spawn_accounts(caf::scheduled_actor* parent, domain_context context, accounts_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(accounts, std::move(context), std::move(deps)));
}

} // namespace backstay::accounts
