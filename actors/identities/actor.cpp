#include "actors/identities/actor.hpp"

#include "actors/identities/rules.hpp"
#include "actors/identities/store.hpp"
#include "actors/identities/telegram.hpp"
#include "actors/proofs/store.hpp"

namespace backstay::identities {

namespace {

using self_pointer = identities_actor::stateful_pointer<identities_state>;
template <class T>
using promise = caf::typed_response_promise<T>;
using sessions::signed_in;
using store::journey;
using telegram::verdict;

/// The client of the providers gives up earlier; this is for the case that it dies.
constexpr std::chrono::milliseconds patience{4900};

const telegram_bot& bot_of(self_pointer self) {
  auto& bot = self->state.with.bot;
  if (bot.token.empty()) fail(not_available());
  return bot;
}

void forget(self_pointer self, const account_id& account) {
  self->state.with.invalidate("account:" + to_string(account));
}

/// A sign-in may have linked a provider to the account, which this node's sessions do not know yet.
auto deliver_session(self_pointer self, promise<signed_in> answer) {
  return [=](signed_in& result) mutable {
    forget(self, result.account.id);
    answer.deliver(std::move(result));
  };
}

// ---- out: a journey is kept, and the browser goes

[[noreturn]] void fail_redirect_uri() {
  fail({.code = ec::invalid,
        .problems = {{{"query", "redirect_uri"}, "is not one of those that are allowed here", "value_error"}}});
}

oauth::round_trip trip_of(const journey& what) {
  return {oauth_provider_of(what.provider).value(), what.redirect_uri, what.verifier, what.nonce};
}

void keep(self_pointer self, const journey& what, const std::string& url, promise<begun> answer) {
  transact(
      self, self->state.context.database,
      [=, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
        store::keep_journey(tx, *terms, what, now);
        return begun{url, what.state};
      },
      answer, [answer](begun& result) mutable { answer.deliver(std::move(result)); });
}

promise<begun> begin(self_pointer self, provider which, const std::optional<std::string>& redirect_uri,
                     const std::optional<caller>& linking) {
  auto& with = self->state.with;
  auto uri = redirect_uri ? redirect_uri : default_redirect_uri(with.redirect_uris, which);
  if (!uri || !is_allowed(with.redirect_uris, *uri, which)) fail_redirect_uri();
  if (which == provider::telegram) bot_of(self); // throws before there is a promise: after it, nobody would be answered
  auto answer = self->make_response_promise<begun>();
  journey what{which,
               linking,
               *uri,
               proofs::store::make_secret(),
               proofs::store::make_secret(),
               proofs::store::make_secret().reveal()};
  if (which == provider::telegram) {
    auto& bot = bot_of(self);
    keep(self, what, telegram::authorize_url(bot.url, bot.token, *uri, what.state), answer);
  } else {
    ask(self, with.oauth, patience, oauth::get_authorize_url{trip_of(what), what.state}, answer,
        [=](const oauth::address& where) { keep(self, what, where.url, answer); });
  }
  return answer;
}

promise<begun> handle(self_pointer self, const begin_sign_in& m) {
  if (m.provider == provider::telegram)
    fail(ec::refused, "Provider 'telegram' does not support login flow.", "PROVIDER_HAS_NO_LOGIN");
  return begin(self, m.provider, m.redirect_uri, std::nullopt);
}

// ---- back: the journey is found, the provider is asked, and the journey is used up with its effect

struct way_back {
  identities::provider provider{};
  secret code;
  std::optional<secret> state;
  std::optional<std::string> redirect_uri;
  std::optional<backstay::caller> caller;
};

journey find_journey(transaction& tx, const store::terms& terms, const way_back& back, timestamp now) {
  auto account = back.caller ? std::optional{back.caller->account} : std::nullopt;
  auto state = back.state;
  if (!state && back.caller) state = store::newest_state(tx, terms, back.provider, *back.caller, now);
  auto found = state ? store::examine_journey(tx, terms, back.provider, account, *state, now) : std::nullopt;
  if (!found || found->redirect_uri != back.redirect_uri.value_or(found->redirect_uri))
    fail(invalid_state(back.caller.has_value()));
  return *found;
}

void finish_journey(transaction& tx, const store::terms& terms, const secret& state, bool is_signed_in, timestamp now) {
  if (!store::finish_journey(tx, terms, state, now)) fail(invalid_state(is_signed_in));
}

/// Asks the provider who came with `code`; a refusal is what the contract calls a failed authentication.
template <class Promise, class Then>
void identify(self_pointer self, const journey& found, const way_back& back, Promise answer, Then then) {
  self->request(self->state.with.oauth, patience, oauth::identify{trip_of(found), back.code})
      .then([=](const oauth::person& who) { then(who); },
            [=](const caf::error& error) mutable {
              auto why = describe(error);
              answer.deliver(to_error(why.code == ec::refused ? failed_at_provider(back.caller.has_value()) : why));
            });
}

/// Goes from the journey to the person; `effect` runs in a transaction, after the journey was used up in it.
template <class Reply, class Effect, class Then>
promise<Reply> come_back(self_pointer self, const way_back& back, Effect effect, Then then) {
  auto answer = self->make_response_promise<Reply>();
  auto terms = self->state.with.terms;
  auto now = self->state.context.now();
  auto conclude = [=](const journey& found, const oauth::person& who) {
    transact(
        self, self->state.context.database,
        [=](transaction& tx) {
          finish_journey(tx, *terms, found.state, back.caller.has_value(), now);
          return effect(tx, who, now);
        },
        answer, [=](Reply& result) mutable { then(result, answer); });
  };
  transact(
      self, self->state.context.database, [=](transaction& tx) { return find_journey(tx, *terms, back, now); }, answer,
      [=](journey& found) {
        identify(self, found, back, answer, [=](const oauth::person& who) { conclude(found, who); });
      });
  return answer;
}

/// Telegram tells who somebody is by its signature, not by a code.
void refuse_telegram(provider which, bool is_signed_in) {
  if (which != provider::telegram) return;
  if (is_signed_in) fail(failed_at_provider(true));
  fail(ec::refused, "Provider 'telegram' does not support login flow.", "PROVIDER_HAS_NO_LOGIN");
}

promise<signed_in> handle(self_pointer self, const sign_in& m) {
  refuse_telegram(m.provider, false);
  store::arrival arrival{.provider = m.provider,
                         .origin = m.origin,
                         .way = std::string{name_of(m.provider)},
                         .may_register = self->state.with.registration_enabled,
                         .referral_code = m.referral_code,
                         .referral_terms = self->state.with.referral_terms};
  auto enter = [arrival, terms = self->state.with.terms](transaction& tx, const oauth::person& who, timestamp now) {
    auto whole = arrival;
    whole.person = who;
    return store::sign_in(tx, *terms, whole, now);
  };
  return come_back<signed_in>(
      self, {m.provider, m.code, m.state, m.redirect_uri, std::nullopt}, enter,
      [self](signed_in& result, promise<signed_in> answer) { deliver_session(self, answer)(result); });
}

promise<linked> handle(self_pointer self, const link& m) {
  refuse_telegram(m.provider, true);
  auto add = [m](transaction& tx, const oauth::person& who, timestamp now) {
    store::link(tx, m.caller.account, m.provider, who, m.origin, now);
    return linked{m.provider, who.subject};
  };
  return come_back<linked>(self, {m.provider, m.code, m.state, m.redirect_uri, m.caller}, add,
                           [self, account = m.caller.account](linked& result, promise<linked> answer) {
                             forget(self, account);
                             answer.deliver(std::move(result));
                           });
}

promise<unlinked> handle(self_pointer self, const unlink& m) {
  auto answer = self->make_response_promise<unlinked>();
  transact(
      self, self->state.context.database,
      [m, now = self->state.context.now()](transaction& tx) {
        store::unlink(tx, m.caller.account, m.provider, m.origin, now);
        return unlinked{m.provider};
      },
      answer,
      [=](unlinked& result) mutable {
        forget(self, m.caller.account);
        answer.deliver(std::move(result));
      });
  return answer;
}

// ---- Telegram

store::arrival arrival_of(self_pointer self, oauth::person who, std::string way, const origin& from,
                          const std::optional<std::string>& referral_code) {
  return {.provider = provider::telegram,
          .person = std::move(who),
          .origin = from,
          .way = std::move(way),
          .may_register = self->state.with.registration_enabled,
          .referral_code = referral_code,
          .referral_terms = self->state.with.referral_terms};
}

promise<linked> handle(self_pointer self, const link_telegram& m) {
  widget shown{m.id, m.first_name, m.last_name, m.username, m.photo_url, m.auth_date, m.hash.value_or("")};
  if (telegram::check_widget(shown, bot_of(self).token, self->state.context.now()) != verdict::valid)
    fail(failed_at_provider(true));
  auto answer = self->make_response_promise<linked>();
  transact(
      self, self->state.context.database,
      [m, shown, who = telegram::person_of(shown), terms = self->state.with.terms,
       now = self->state.context.now()](transaction& tx) {
        auto found = find_journey(tx, *terms, {provider::telegram, {}, m.state, std::nullopt, m.caller}, now);
        finish_journey(tx, *terms, found.state, true, now);
        if (!store::note_widget(tx, *terms, shown.hash, telegram::end_of(shown), now)) fail(failed_at_provider(true));
        store::link(tx, m.caller.account, provider::telegram, who, m.origin, now);
        return linked{provider::telegram, who.subject};
      },
      answer,
      [=](linked& result) mutable {
        forget(self, m.caller.account);
        answer.deliver(std::move(result));
      });
  return answer;
}

[[noreturn]] void fail_used_widget() {
  fail(ec::unauthenticated, "The Telegram data has expired or was used before.", "TELEGRAM_AUTH_EXPIRED");
}

promise<signed_in> handle(self_pointer self, const sign_in_by_widget& m) {
  auto now = self->state.context.now();
  auto found = telegram::check_widget(m.widget, bot_of(self).token, now);
  if (found == verdict::forged)
    fail(ec::refused, "The Telegram data is not signed for this service.", "INVALID_TELEGRAM_AUTH");
  if (found == verdict::stale) fail_used_widget();
  auto answer = self->make_response_promise<signed_in>();
  auto arrival = arrival_of(self, telegram::person_of(m.widget), "telegram_widget", m.origin, m.referral_code);
  arrival.device = m.device;
  transact(
      self, self->state.context.database,
      [=, shown = m.widget, terms = self->state.with.terms](transaction& tx) {
        if (!store::note_widget(tx, *terms, shown.hash, telegram::end_of(shown), now)) fail_used_widget();
        return store::sign_in(tx, *terms, arrival, now);
      },
      answer, deliver_session(self, answer));
  return answer;
}

promise<signed_in> handle(self_pointer self, const sign_in_by_mini_app& m) {
  auto now = self->state.context.now();
  bool is_valid = telegram::check_mini_app(m.fields, bot_of(self).token, now) == verdict::valid && m.user.id > 0;
  if (!is_valid) fail(ec::unauthenticated, "Invalid or expired Telegram initData", "INVALID_TELEGRAM_AUTH");
  auto answer = self->make_response_promise<signed_in>();
  transact(
      self, self->state.context.database,
      [arrival = arrival_of(self, telegram::person_of(m.user), "telegram_mini_app", m.origin, m.referral_code),
       terms = self->state.with.terms, now](transaction& tx) { return store::sign_in(tx, *terms, arrival, now); },
      answer, deliver_session(self, answer));
  return answer;
}

/// The caller who asks for a login link; nothing for the bot.
std::optional<caller> maker_of(const create_login_link& m, const telegram_bot& bot) {
  if (!bot.api_secret.empty() && m.bearer == bot.api_secret) return std::nullopt;
  if (!m.caller) fail(ec::unauthenticated);
  if (!m.caller->may(permission::manage)) fail(ec::forbidden);
  return m.caller;
}

promise<login_link> handle(self_pointer self, const create_login_link& m) {
  auto maker = maker_of(m, self->state.with.bot);
  auto& bot = bot_of(self);
  auto now = self->state.context.now();
  login_link made{.token = proofs::store::make_secret(), .expires_at = now + store::login_link_lifetime};
  made.url = "https://t.me/" + bot.name + "?start=login_" + made.token.reveal();
  return transact(self, self->state.context.database,
                  [=, id = m.telegram_id, from = m.origin, terms = self->state.with.terms](transaction& tx) {
                    store::keep_login_link(tx, *terms, made.token, id, maker, from, now);
                    return made;
                  });
}

promise<signed_in> handle(self_pointer self, const sign_in_by_login_link& m) {
  bot_of(self);
  return transact(self, self->state.context.database,
                  [m, terms = self->state.with.terms, now = self->state.context.now()](transaction& tx) {
                    return store::sign_in_by_link(tx, *terms, m.token, m.origin, now);
                  });
}

} // namespace

identities_actor::behavior_type identities(self_pointer self, domain_context context, identities_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.with = std::move(deps);
  return {
      on([self](const begin_sign_in& m) { return handle(self, m); }),
      on([self](const begin_link& m) { return begin(self, m.provider, m.redirect_uri, m.caller); }),
      on([self](const sign_in& m) { return handle(self, m); }),
      on([self](const link& m) { return handle(self, m); }),
      on([self](const unlink& m) { return handle(self, m); }),
      on([self](const link_telegram& m) { return handle(self, m); }),
      on([self](const sign_in_by_widget& m) { return handle(self, m); }),
      on([self](const sign_in_by_mini_app& m) { return handle(self, m); }),
      on([self](const create_login_link& m) { return handle(self, m); }),
      on([self](const sign_in_by_login_link& m) { return handle(self, m); }),
  };
}

caf::actor spawn_identities(caf::scheduled_actor* parent, domain_context context, identities_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(identities, std::move(context), std::move(deps)));
}

} // namespace backstay::identities
