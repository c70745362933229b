#include "actors/accounts/actor.hpp"

#include "actors/accounts/administration.hpp"
#include "actors/accounts/recovery.hpp"
#include "actors/accounts/rules.hpp"
#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/outbox/store.hpp"
#include "actors/proofs/store.hpp"
#include "actors/two_factor/store.hpp"
#include "config/log.hpp"

namespace backstay::accounts {

namespace {

using self_pointer = purging_accounts_actor::stateful_pointer<accounts_state>;
template <class T>
using promise = caf::typed_response_promise<T>;
using sessions::store::terms;
using sessions::store::terms_ptr;

constexpr std::chrono::seconds first_purge{10}; ///< after the start, when the others are there too
constexpr std::chrono::hours purge_pause{1};

void check_problems(std::vector<problem> problems) {
  if (!problems.empty()) fail({.code = ec::invalid, .problems = std::move(problems)});
}

/// Ours are ASCII: what looks alike in another script must not be taken for them.
void check_email(const std::string& email) {
  if (!is_email(email)) fail_field("email", "is not an e-mail address");
}

void forget(self_pointer self, const account_id& id) { self->state.with.invalidate("account:" + to_string(id)); }

// --- registering

void check(const register_account& command, bool registration_enabled) {
  if (!registration_enabled) fail(ec::forbidden, "Registration is disabled", "REGISTRATION_DISABLED");
  check_problems(problems_of(command));
}

/// Counts the try, also if it fails, and sees whether going on is worth it.
outcome<done> admit(transaction& tx, const terms& terms, const std::optional<std::string>& email,
                    const std::optional<std::string>& login, timestamp now) {
  if (email) {
    auto wait = sessions::store::reserve_mail(tx, terms, *email, now);
    if (wait.count() > 0) return sessions::mails_rest(wait);
  }
  try {
    store::check_free(tx, email, login);
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
          .tos_accepted = command.tos_accepted.value_or(false),
          .display_name = command.display_name};
}

referrals::store::newcomer newcomer_of(const account_id& account, const register_account& command) {
  auto device_id = command.device ? std::optional{command.device->device_id} : std::nullopt;
  return {account, device_id, command.origin};
}

/// Account, code, mail and session stand together or not at all. Killed right after the commit, the answer is lost:
/// the owner can sign in, or verify with the code in the mail; a repeat is told that the address is taken.
registered create(transaction& tx, const terms& terms, const referrals::store::terms& referral_terms,
                  const register_account& command, const std::string& password_hash, timestamp now) {
  registered result{.account = store::create(tx, new_account_of(command, password_hash), now)};
  if (command.referral_code)
    referrals::store::join(tx, referral_terms, newcomer_of(result.account.id, command), *command.referral_code, now);
  audit::store::record(tx,
                       {.action = "user.create",
                        .actor = result.account.id,
                        .subject = result.account.id,
                        .origin = command.origin,
                        .details = {{"way", "registration"}}},
                       now);
  if (command.email && command.confirmation == confirmation::code)
    sessions::store::issue_code(tx, terms, *command.email, command.locale, now);
  if (command.welcome == welcome::sign_in_at_once)
    result.session = sessions::store::open(tx, terms,
                                           {.account = result.account,
                                            .device = command.device,
                                            .origin = command.origin,
                                            .is_new = true,
                                            .way = "registration",
                                            .is_fresh = true},
                                           now);
  if (command.email && command.confirmation == confirmation::link)
    store::send_verification_link(tx, terms, result.account, now);
  return result;
}

promise<registered> register_new(self_pointer self, const register_account& command) {
  auto& state = self->state;
  check(command, state.with.registration_enabled);
  auto answer = self->make_response_promise<registered>();
  auto terms = state.with.terms;
  auto referral_terms = state.with.referral_terms;
  auto now = state.context.now();
  auto keep = [=](hashing::verdict& password) mutable {
    auto hash = std::move(password.hash);
    transact(
        self, self->state.context.database,
        [=](transaction& tx) { return create(tx, *terms, referral_terms, command, hash, now); }, answer,
        [answer](registered& result) mutable { answer.deliver(std::move(result)); });
  };
  transact(
      self, state.context.database,
      [=](transaction& tx) { return admit(tx, *terms, command.email, command.login, now); }, answer,
      [=](outcome<done>& admitted) mutable {
        value_of(admitted);
        ask(self, self->state.with.hashing, caf::infinite, hashing::password_job{.password = command.password}, answer,
            keep);
      });
  return answer;
}

// --- what operators do

account_details details_of(transaction& tx, const terms& terms, const account_id& account, timestamp now) {
  auto details = store::find_details(tx, account, now);
  if (!details) fail(ec::not_found);
  auto tally = budgets::store::look(tx, budgets::guesses_of(account), terms.guesses, now);
  details->guesses = tally.within_hour;
  details->guesses_rest = tally.rest;
  return *details;
}

/// What an operator does to an account; this node's sessions know of it before the operator does.
template <class Command>
auto administer(self_pointer self, const Command& command) {
  using reply = typename Command::reply;
  auto answer = self->make_response_promise<reply>();
  transact(
      self, self->state.context.database,
      [command, now = self->state.context.now()](transaction& tx) { return perform(tx, command, now); }, answer,
      [=](outcome<reply>& result) mutable {
        auto& done = value_of(result);
        self->state.with.invalidate("account:" + to_string(command.account));
        answer.deliver(std::move(done));
      });
  return answer;
}

// --- what is mailed

promise<done> handle(self_pointer self, const request_password_reset& command) {
  check_email(command.email);
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    store::request_password_reset(tx, *terms, command.email, now);
                    return done{};
                  });
}

promise<done> handle(self_pointer self, const request_magic_link& command) {
  check_email(command.email);
  if (!is_locale(command.locale)) fail_field("locale", "is not a locale such as en-EN");
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, may_register = self->state.with.registration_enabled,
                   now = self->state.context.now()](transaction& tx) {
                    store::request_magic_link(tx, *terms, command, may_register, now);
                    return done{};
                  });
}

promise<done> handle(self_pointer self, const request_verification_link& command) {
  check_email(command.email);
  return transact(self, self->state.context.database,
                  [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    store::request_verification_link(tx, *terms, command.email, now);
                    return done{};
                  });
}

/// The password is hashed first, as a sign-in does for each guess: then code, password and sessions change in one
/// transaction, and a code is never used up by a hash that could not be made.
promise<done> handle(self_pointer self, const reset_password& command) {
  if (!command.token && !(command.email && command.code))
    fail_field("token", "either a token, or email and code are required", "missing");
  if (command.email) check_email(*command.email);
  check_problems(
      password_problems(command.new_password, command.email.value_or(""), command.password_strength, "new_password"));
  auto answer = self->make_response_promise<done>();
  ask(self, self->state.with.hashing, caf::infinite, hashing::password_job{.password = command.new_password}, answer,
      [=](hashing::verdict& hashed) {
        transact(
            self, self->state.context.database,
            [=, terms = self->state.with.terms, hash = hashed.hash, now = self->state.context.now()](transaction& tx) {
              return store::reset_password(tx, *terms, command, hash, now);
            },
            answer,
            [=](outcome<account_id>& whose) mutable {
              forget(self, value_of(whose));
              answer.deliver(done{});
            });
      });
  return answer;
}

promise<sessions::signed_in> handle(self_pointer self, const use_magic_link& command) {
  auto answer = self->make_response_promise<sessions::signed_in>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, may_register = self->state.with.registration_enabled,
       now = self->state.context.now()](transaction& tx) {
        return store::use_magic_link(tx, *terms, command, may_register, now);
      },
      answer,
      [=](sessions::signed_in& session) mutable {
        forget(self, session.account.id);
        answer.deliver(std::move(session));
      });
  return answer;
}

promise<done> handle(self_pointer self, const use_verification_link& command) {
  auto answer = self->make_response_promise<done>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return store::use_verification_link(tx, *terms, command, now);
      },
      answer,
      [=](account_id& whose) mutable {
        forget(self, whose);
        answer.deliver(done{});
      });
  return answer;
}

// --- reading and changing

/// The account's own address again ends the waiting for another.
bool is_own_address(transaction& tx, const change_account& command) {
  auto current = store::find_by_email(tx, *command.email);
  return current && current->id == command.caller.account;
}

/// Killed right after the commit, the answer is lost: the values stand, and the code for a new address is in its mail.
/// The fault is that of `admit`: whoever asks which addresses are taken is counted.
outcome<sessions::account> change(transaction& tx, const terms& terms, const change_account& command, timestamp now) {
  bool is_new_address = command.email && !is_own_address(tx, command);
  if (is_new_address) {
    auto admitted = admit(tx, terms, command.email, std::nullopt, now);
    if (auto* refusal = std::get_if<fault>(&admitted)) return *refusal;
    auto locale = command.locale ? *command.locale : store::find(tx, command.caller.account).value().locale;
    sessions::store::issue_code(tx, terms, *command.email, locale, now);
  }
  auto changed = store::change(tx, command, now);
  if (command.email) changed = store::set_pending_email(tx, changed.id, is_new_address ? command.email : std::nullopt);
  audit::entry entry{.action = "account.changed", .actor = changed.id, .subject = changed.id, .origin = command.origin};
  if (command.login) entry.details["login"] = changed.login;
  if (is_new_address) entry.details["pending_email"] = *command.email;
  if (command.login || command.email) audit::store::record(tx, entry, now);
  return changed;
}

promise<sessions::account> handle(self_pointer self, const change_account& command) {
  check_problems(problems_of(command));
  auto answer = self->make_response_promise<sessions::account>();
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return change(tx, *terms, command, now);
      },
      answer,
      [=](outcome<sessions::account>& result) mutable {
        auto& changed = value_of(result);
        forget(self, changed.id);
        answer.deliver(std::move(changed));
      });
  return answer;
}

sessions::account read_account(transaction& tx, const account_id& id) {
  auto found = store::find(tx, id);
  if (!found) fail(ec::not_found);
  return *found;
}

promise<overview> handle(self_pointer self, const get_overview& wanted) {
  auto answer = self->make_response_promise<overview>();
  auto read = [id = wanted.account](transaction& tx) {
    return overview{.account = read_account(tx, id), .telegram_username = store::telegram_username_of(tx, id)};
  };
  query(self, self->state.context.database, read, answer, [=](overview& found) {
    // Without the subscription the rest is still worth telling.
    self->request(self->state.with.subscriptions, std::chrono::seconds{3}, subscriptions::get_active{found.account.id})
        .then(
            [=](subscriptions::subscription_view& subscription) mutable {
              found.subscription = std::move(subscription);
              answer.deliver(std::move(found));
            },
            [=](const caf::error&) mutable { answer.deliver(std::move(found)); });
  });
  return answer;
}

/// Not checked, so not a wrong guess: a flood of logins must not lock the owner out.
template <class Reply>
void give_back(self_pointer self, const std::string& key, const caf::error& why, promise<Reply> answer) {
  run_aside(self, self->state.context.database, "giving a guess back",
            [key](transaction& tx) { budgets::store::give_back(tx, key); });
  answer.deliver(to_error(describe(why)));
}

// --- deleting

/// Takes a guess, and returns what the password is checked against; empty where there is none.
outcome<std::string> begin_deletion(transaction& tx, const terms& terms, const delete_account& command, timestamp now) {
  auto wait = budgets::store::take(tx, budgets::guesses_of(command.caller.account), terms.guesses, now);
  if (wait.count() > 0) return sessions::locked_out(wait);
  auto account = read_account(tx, command.caller.account);
  if (account.has_second_factor && !command.code)
    fail(ec::forbidden, "A code of the second factor is needed too", "SECOND_FACTOR_REQUIRED");
  return store::password_hash_of(tx, account.id);
}

/// What is thrown here undoes only what this transaction did: a wrong code costs the guess that was taken before.
void check_may_leave(transaction& tx, const terms& terms, const delete_account& command, const sessions::account& who,
                     timestamp now) {
  bool needs_code = command.asks_for_proof && who.has_second_factor;
  if (needs_code && !two_factor::store::use_code(tx, terms.keys, who.id, command.code.value_or(secret{}), now))
    fail(ec::forbidden, "The code is wrong", "INVALID_CODE");
  if (who.role != role::super_admin) return;
  store::lock_super_admins(tx);
  auto standing = store::find_standing(tx, who.id, who.id).value();
  if (auto refusal = refusal_to_change_role(standing, role::viewer)) fail(std::move(*refusal));
}

/// Killed right after the commit, the answer is lost: the account is deleted, and the caller's session is over.
done finish_deletion(transaction& tx, const terms& terms, const delete_account& command, timestamp now) {
  auto& id = command.caller.account;
  if (command.asks_for_proof) budgets::store::give_back(tx, budgets::guesses_of(id));
  auto account = read_account(tx, id);
  check_may_leave(tx, terms, command, account, now);
  store::mark_deleted(tx, id, now);
  sessions::store::revoke_all(tx, id, std::nullopt, now);
  audit::store::record(tx, {.action = "account.deleted", .actor = id, .subject = id, .origin = command.origin}, now);
  if (account.email)
    outbox::store::enqueue(tx,
                           outbox::mail_work{.to = *account.email,
                                             .locale = account.locale,
                                             .template_ = outbox::template_name::account_deleted},
                           now);
  return done{};
}

void finish_deletion(self_pointer self, const delete_account& command, promise<done> answer) {
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return finish_deletion(tx, *terms, command, now);
      },
      answer,
      [=](done& result) mutable {
        forget(self, command.caller.account);
        answer.deliver(result);
      });
}

void check_proof(self_pointer self, const delete_account& command, const std::string& hash, promise<done> answer) {
  if (hash.empty()) return finish_deletion(self, command, answer);
  auto go_on = [=](const hashing::verdict& verdict) mutable {
    if (verdict.matches) finish_deletion(self, command, answer);
    else
      answer.deliver(to_error({.code = ec::forbidden, .message = "The password is wrong", .name = "INVALID_PASSWORD"}));
  };
  self->request(self->state.with.hashing, caf::infinite, hashing::password_job{command.password, hash})
      .then(go_on,
            [=](const caf::error& why) { give_back(self, budgets::guesses_of(command.caller.account), why, answer); });
}

promise<done> handle(self_pointer self, const delete_account& command) {
  auto answer = self->make_response_promise<done>();
  if (!command.asks_for_proof) {
    finish_deletion(self, command, answer);
    return answer;
  }
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        return begin_deletion(tx, *terms, command, now);
      },
      answer, [=](outcome<std::string>& hash) { check_proof(self, command, value_of(hash), answer); });
  return answer;
}

void handle(self_pointer self, const purge& again) {
  self->delayed_send(self, purge_pause, again);
  auto& state = self->state;
  auto job = [now = state.context.now(), after = state.with.purge_after](transaction& tx) -> std::any {
    return store::purge_deleted_before(tx, now - after, now);
  };
  self->request(state.context.database, caf::infinite, database_job{job})
      .then(
          [](database_outcome& outcome) {
            auto count = std::any_cast<std::int64_t>(outcome.value);
            if (count > 0) log::info("accounts", "deleted accounts were purged", {{"count", std::to_string(count)}});
          },
          [](const caf::error& error) { // the next occasion makes up for it
            log::warning("accounts", "could not purge", {{"cause", to_string(describe(error).code)}});
          });
}

// --- profiles

promise<profile> change_profile(self_pointer self, const update_profile& command) {
  auto answer = self->make_response_promise<profile>();
  auto keep = [=](const std::optional<std::string>& png) {
    transact(
        self, self->state.context.database,
        [=, now = self->state.context.now()](transaction& tx) { return store::update_profile(tx, command, png, now); },
        answer,
        [=](profile& changed) mutable {
          forget(self, command.caller.account);
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
        forget(self, command.caller.account);
        answer.deliver(std::move(changed));
      });
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
      .then(go_on, [=](const caf::error& why) { give_back(self, taken.key, why, answer); });
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

purging_accounts_actor::behavior_type accounts(self_pointer self, domain_context context, accounts_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.with = std::move(deps);
  self->delayed_send(self, first_purge, purge{});
  return {
      on([self](const register_account& command) { return register_new(self, command); }),
      on([self](const get_account& wanted) {
        return query(self, self->state.context.database,
                     [id = wanted.account](transaction& tx) { return read_account(tx, id); });
      }),
      on([self](const get_overview& m) { return handle(self, m); }),
      on([self](const request_password_reset& m) { return handle(self, m); }),
      on([self](const reset_password& m) { return handle(self, m); }),
      on([self](const request_magic_link& m) { return handle(self, m); }),
      on([self](const use_magic_link& m) { return handle(self, m); }),
      on([self](const request_verification_link& m) { return handle(self, m); }),
      on([self](const use_verification_link& m) { return handle(self, m); }),
      on([self](const change_account& m) { return handle(self, m); }),
      on([self](const delete_account& m) { return handle(self, m); }),
      on([self](const list_accounts& wanted) {
        return query(self, self->state.context.database, [wanted](transaction& tx) { return store::list(tx, wanted); });
      }),
      on([self](const get_account_details& wanted) {
        return query(self, self->state.context.database,
                     [id = wanted.account, terms = self->state.with.terms,
                      now = self->state.context.now()](transaction& tx) { return details_of(tx, *terms, id, now); });
      }),
      on([self](const change_role& command) { return administer(self, command); }),
      on([self](const lock_account& command) { return administer(self, command); }),
      on([self](const unlock_account& command) { return administer(self, command); }),
      on([self](const end_sessions& command) { return administer(self, command); }),
      [self](const purge& m) { handle(self, m); },
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
