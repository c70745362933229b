#include "actors/payments/actor.hpp"

#include "actors/outbox/store.hpp"
#include "actors/payments/rules.hpp"
#include "actors/payments/wording.hpp"
#include "config/log.hpp"

#include <bit>

namespace backstay::payments {

namespace {

using self_pointer = full_payments_actor::stateful_pointer<payments_state>;
using payment_promise = caf::typed_response_promise<payment>;
using namespace payment_provider;
using namespace std::chrono_literals;

constexpr auto create_patience = 3s;      // of a request that asks once
constexpr auto resume_patience = 1500ms;  // for each of the two questions of a request that goes on with a row
constexpr auto check_patience = 1500ms;   // of a buyer who looks at a payment's state
constexpr auto check_pause = 3s;          // between two questions about one payment
constexpr auto background_patience = 10s; // nobody waits
constexpr auto lease = 30s;               // of the poller on a row; longer than its questions take
constexpr int batch = 100;                // the most that a provider may be asked about at once

/// Stands in for a promise: whatever fails, the asker gets `value`.
template <class Value>
struct instead {
  payment_promise promise;
  Value value;
  void deliver(const caf::error&) { promise.deliver(value); }
};

/// Stands in for a promise where nobody waits. What failed stays due.
struct log_failure {
  const char* what;
  void deliver(const caf::error& error) const {
    log::warning("payments", what, {{"cause", to_string(describe(error).code)}});
  }
};

const provider_actor& provider_named(self_pointer self, const std::string& name, ec otherwise) {
  auto& providers = self->state.deps.providers;
  auto entry = providers.find(name);
  if (entry == providers.end()) fail(otherwise, "No such payment provider");
  return entry->second;
}

breaker& circuit_of(self_pointer self, const std::string& provider) { return self->state.circuits[provider]; }

/// Changes a provider's circuit, and tells when it opened or closed by that.
template <class Change>
void note(self_pointer self, const std::string& provider, Change change) {
  auto& circuit = circuit_of(self, provider);
  bool was_open = circuit.is_open();
  change(circuit);
  if (circuit.is_open() == was_open) return;
  if (was_open) log::info("payments", "a provider answers again", {{"provider", provider}});
  else log::warning("payments", "a provider is left alone for a while", {{"provider", provider}});
  if (auto& tell = self->state.deps.on_circuit) tell(provider, !was_open);
}

fault left_alone(self_pointer self, const std::string& provider) {
  auto wait = circuit_of(self, provider).wait(self->state.context.now());
  return {.code = ec::unavailable, .name = "PROVIDER_UNAVAILABLE", .retry_after = std::max(wait, 1s)};
}

/// Stands in for a promise: what the provider failed with counts against it.
template <class Promise>
struct noting {
  self_pointer self;
  std::string provider;
  Promise promise;

  void deliver(const caf::error& error) {
    bool is_down = is_trouble(describe(error));
    note(self, provider,
         [&](breaker& circuit) { is_down ? circuit.fail(self->state.context.now()) : circuit.succeed(); });
    promise.deliver(error);
  }
};

/// `ask` by way of the provider's circuit. Throws nothing: there is a promise already.
template <class Message, class Promise, class Then>
void ask_provider(self_pointer self, const std::string& name, std::chrono::milliseconds patience, Message message,
                  Promise promise, Then then) {
  auto provider = self->state.deps.providers.find(name);
  if (provider == self->state.deps.providers.end()) return promise.deliver(to_error({.code = ec::unavailable})), void();
  if (!circuit_of(self, name).begin(self->state.context.now()))
    return promise.deliver(to_error(left_alone(self, name))), void();
  ask(self, provider->second, patience, std::move(message), noting<Promise>{self, name, promise},
      [self, name, promise, then = std::move(then)](typename Message::reply& reply) mutable {
        note(self, name, [](breaker& circuit) { circuit.succeed(); });
        try {
          then(reply);
        } catch (const fault_error& error) {
          promise.deliver(to_error(error.what_failed)); // our own failure, which says nothing about the provider
        }
      });
}

/// Tells the log what a committed `apply` did.
void announce(const std::string& provider, const charge& seen, const std::optional<applied>& result) {
  if (!result)
    return log::warning("payments", "a charge is of no payment here",
                        {{"provider", provider}, {"charge", seen.external_id}});
  auto& row = result->after;
  if (result->taken == step::settle) log::info("payments", "settled", {{"payment", to_string(row.id)}});
  if (result->taken == step::reverse || result->taken == step::refund)
    log::info("payments", "given back", {{"payment", to_string(row.id)}});
  if (result->taken == step::hold || result->taken == step::review || result->taken == step::surplus)
    log::error("payments", "a person has to look at a payment", {{"payment", to_string(row.id)}, {"why", row.review}});
}

/// Applies what was seen, in a transaction of its own; `then` gets the result after the commit.
template <class Promise, class Then>
void apply_seen(self_pointer self, const std::string& provider, const charge& seen, Promise promise, Then then) {
  auto& context = self->state.context;
  transact(
      self, context.database,
      [by = self->state.deps.by, provider, seen, now = context.now()](transaction& tx) {
        return apply(tx, *by, provider, seen, now);
      },
      promise,
      [provider, seen, then](std::optional<applied>& result) mutable {
        announce(provider, seen, result);
        then(result);
      });
}

/// The provider's clock may be behind ours.
find_charge lost_charge(const store::record& row) { return {row.id, row.created_at - 5min}; }

// ---- Creating

/// Answers with the row as the charge left it.
void answer_applied(self_pointer self, const store::record& row, charge seen, payment_promise promise) {
  seen.payment = row.id; // not every provider gives it back here
  apply_seen(self, row.provider, seen, promise, [promise, row](std::optional<applied>& result) mutable {
    promise.deliver(payment{result ? result->after : row});
  });
}

/// A create without an answer: notes in the row what is known of it, then tells the asker.
struct lost_create {
  self_pointer self;
  store::record row;
  payment_promise promise;

  void deliver(const caf::error& error) {
    auto what = describe(error);
    bool executed = !is_certainly_not_executed(what.code);
    if (executed && what.code != ec::upstream) what = {.code = ec::timeout};
    // An earlier try may still be on its way to the provider.
    bool is_first_try = row.tried_at == row.created_at;
    auto outcome = executed || !is_first_try ? state::unknown : state::failed;
    auto& context = self->state.context;
    auto answer = to_error(std::move(what));
    transact(
        self, context.database,
        [id = row.id, outcome, now = context.now()](transaction& tx) {
          note_attempt(tx, id, outcome, now);
          return done{};
        },
        instead<caf::error>{promise, answer}, [promise = promise, answer](done&) mutable { promise.deliver(answer); });
  }
};

/// Killed after the provider has made the charge and before `apply` is committed: the poller finds the charge.
void create_at_provider(self_pointer self, const begun& begun, std::chrono::milliseconds patience,
                        payment_promise promise) {
  ask_provider(self, begun.row.provider, patience, begun.order, lost_create{self, begun.row, promise},
               [self, row = begun.row, promise](charge& made) { answer_applied(self, row, made, promise); });
}

/// A provider that cannot look for a charge takes a repeated create for the same one, by its idempotency key.
struct or_repeat {
  self_pointer self;
  begun again;
  payment_promise promise;

  void deliver(const caf::error& error) {
    if (is_not_supported(describe(error))) create_at_provider(self, again, resume_patience, promise);
    else promise.deliver(error);
  }
};

/// The provider may have made the charge already: it is looked for before another one is asked for.
void find_or_create(self_pointer self, const begun& begun, payment_promise promise) {
  ask_provider(self, begun.row.provider, resume_patience, lost_charge(begun.row), or_repeat{self, begun, promise},
               [self, begun, promise](charge_list& found) {
                 if (found.items.empty()) create_at_provider(self, begun, resume_patience, promise);
                 else answer_applied(self, begun.row, best_of(found.items), promise);
               });
}

void go_on(self_pointer self, const begun& begun, payment_promise promise) {
  switch (begun.then) {
  case begun::next::create:
    return create_at_provider(self, begun, create_patience, promise);
  case begun::next::find:
    return find_or_create(self, begun, promise);
  case begun::next::answer:
    promise.deliver(payment{begun.row});
  }
}

template <class Request>
auto create(self_pointer self, const Request& request) {
  auto promise = self->make_response_promise<payment>();
  auto& context = self->state.context;
  transact(
      self, context.database,
      [by = self->state.deps.by, request, now = context.now()](transaction& tx) {
        return begin(tx, *by, request, now);
      },
      promise, [self, promise](begun& begun) { go_on(self, begun, promise); });
  return promise;
}

/// Nothing is written for a provider that is left alone.
template <class Request>
auto create_by_method(self_pointer self, const Request& request) {
  auto& provider = find_method(self->state.deps.by->methods, request.payment_method).provider;
  provider_named(self, provider, ec::unavailable);
  if (!circuit_of(self, provider).admits(self->state.context.now())) fail(left_alone(self, provider));
  return create(self, request);
}

auto list_offered(self_pointer self) {
  method_list list;
  auto now = self->state.context.now();
  for (auto& method : self->state.deps.by->methods)
    list.items.push_back({method, method.enabled && circuit_of(self, method.provider).admits(now)});
  return list;
}

// ---- Reading

store::record look_up(transaction& tx, const get_payment& request) {
  std::optional<account_id> owner;
  if (!request.caller.may(permission::payment_read)) owner = request.caller.account;
  auto row = is_plausible_id(request.id) ? store::find(tx, request.id, owner) : std::nullopt;
  if (!row) fail(ec::not_found, "Invoice " + request.id + " not found", "PAYMENT_NOT_FOUND");
  return *row;
}

using shows_row = instead<payment>;

/// The first of what is found is about the row; a second payment of it comes behind.
void check_at_provider(self_pointer self, const store::record& row, shows_row as_it_is) {
  ask_provider(self, row.provider, check_patience, list_charges{{row.external_id}}, as_it_is,
               [self, row, as_it_is](charge_list& found) mutable {
                 if (found.items.empty()) return as_it_is.deliver({});
                 auto apply_others = [self, row, seen = found.items] {
                   for (auto other = seen.begin() + 1; other != seen.end(); ++other)
                     apply_seen(self, row.provider, *other, log_failure{"could not apply a charge"}, [](auto&) {});
                 };
                 apply_seen(self, row.provider, found.items.front(), as_it_is,
                            [row, as_it_is, apply_others](auto& result) mutable {
                              as_it_is.promise.deliver(payment{result ? result->after : row});
                              apply_others();
                            });
               });
}

/// A buyer who comes back from the provider wants to see it at once; but a slow provider must not keep him waiting.
void check_when_due(self_pointer self, const store::record& row, shows_row as_it_is) {
  auto& context = self->state.context;
  transact(
      self, context.database,
      [id = row.id, now = context.now()](transaction& tx) { return store::take_look(tx, id, now, check_pause); },
      as_it_is,
      [self, row, as_it_is](bool& is_due) mutable {
        if (is_due) check_at_provider(self, row, as_it_is);
        else as_it_is.deliver({});
      });
}

/// A settled payment costs one round trip to the database.
auto get(self_pointer self, const get_payment& request) {
  auto promise = self->make_response_promise<payment>();
  query(
      self, self->state.context.database, [request](transaction& tx) { return look_up(tx, request); }, promise,
      [self, promise](store::record& row) mutable {
        bool may_have_news = row.state == state::pending && self->state.deps.providers.contains(row.provider);
        if (may_have_news) check_when_due(self, row, {promise, row});
        else promise.deliver(payment{row});
      });
  return promise;
}

auto search(self_pointer self, const search_payments& wanted) {
  return query(self, self->state.context.database, [wanted](transaction& tx) { return store::search(tx, wanted); });
}

auto list(self_pointer self, const list_payments& request) {
  auto account = request.account.value_or(request.caller.account);
  if (account != request.caller.account && !request.caller.may(permission::payment_read))
    fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
  return search(self, {.account = account, .offset = request.offset, .limit = request.limit});
}

// ---- Saved methods

auto list_saved(self_pointer self, const list_saved_methods& request) {
  return query(self, self->state.context.database, [account = request.account](transaction& tx) {
    return saved_method_list{store::list_methods(tx, account)};
  });
}

auto remove_saved(self_pointer self, const remove_saved_method& request) {
  return transact(self, self->state.context.database, [request](transaction& tx) {
    if (!store::remove_method(tx, request.account, request.id))
      fail(ec::not_found, "Payment method not found", "PAYMENT_METHOD_NOT_FOUND");
    return done{};
  });
}

// ---- What operators decide

/// A refund without an answer: the row says so, and the poller repeats it, unless it certainly did not happen. An
/// earlier try may still be on its way to the provider, whatever becomes of this one.
struct lost_refund {
  self_pointer self;
  payment_id id;
  bool is_first_try;
  payment_promise promise;

  void deliver(const caf::error& error) {
    auto what = describe(error);
    bool executed = !is_certainly_not_executed(what.code);
    if (executed && what.code != ec::upstream) what = {.code = ec::timeout};
    if (executed || !is_first_try) return promise.deliver(to_error(std::move(what))), void();
    auto answer = to_error(std::move(what));
    transact(
        self, self->state.context.database,
        [id = id](transaction& tx) {
          end_refund(tx, id);
          return done{};
        },
        instead<caf::error>{promise, answer}, [promise = promise, answer](done&) mutable { promise.deliver(answer); });
  }
};

refund_charge refund_of(const store::record& row) { return {row.id, row.external_id, refundable(row)}; }

/// Killed after the provider has given the money back and before `apply` is committed: the poller repeats the refund,
/// which happens once, and sees it.
void refund_at_provider(self_pointer self, const refunding& begun, payment_promise promise) {
  auto& row = begun.row;
  ask_provider(self, row.provider, create_patience, refund_of(row),
               lost_refund{self, row.id, begun.is_first_try, promise},
               [self, row = row, promise](charge& seen) { answer_applied(self, row, seen, promise); });
}

auto refund(self_pointer self, const refund_payment& request) {
  auto promise = self->make_response_promise<payment>();
  auto& context = self->state.context;
  transact(
      self, context.database,
      [by = self->state.deps.by, request, now = context.now()](transaction& tx) {
        return begin_refund(tx, *by, request, now);
      },
      promise,
      [self, promise](refunding& begun) mutable {
        if (begun.asks_provider) refund_at_provider(self, begun, promise);
        else promise.deliver(payment{begun.row});
      });
  return promise;
}

auto decide_held(self_pointer self, const resolve_payment& request) {
  auto& context = self->state.context;
  return transact(self, context.database,
                  [request, now = context.now()](transaction& tx) { return payment{resolve(tx, request, now)}; });
}

// ---- Webhooks

/// A forged call costs a counter and a few log lines, however many there are.
struct refuse_forged {
  self_pointer self;
  caf::typed_response_promise<done> promise;
  std::string address;

  void deliver(const caf::error& error) {
    auto what = describe(error);
    if (what.code == ec::unauthenticated && std::has_single_bit(++self->state.forged_webhooks))
      log::warning("payments", "refused webhooks with a wrong signature",
                   {{"count", std::to_string(self->state.forged_webhooks)}, {"last_address", address}});
    promise.deliver(to_error(std::move(what)));
  }
};

/// Nothing is kept of it: the provider waits some seconds, and calls again if there was no answer.
void answer_question(self_pointer self, const std::string& name, const checkout& question,
                     caf::typed_response_promise<done> promise) {
  auto job = [name, question](transaction& tx) -> std::string {
    auto row = store::find(tx, to_string(question.payment), std::nullopt);
    if (may_pay(row, name, question.price)) return {};
    return wording::closed_invoice(row && row->account ? store::find_buyer(tx, *row->account).locale : "en");
  };
  query(self, self->state.context.database, job, promise, [self, name, question, promise](std::string& refusal) {
    ask(self, provider_named(self, name, ec::unavailable), create_patience, answer_checkout{question.query_id, refusal},
        promise, [promise](done& answered) mutable { promise.deliver(answered); });
  });
}

/// Killed before the commit: the provider gets no answer and calls again. Killed after: the outbox has it.
void store_event(self_pointer self, const std::string& provider, const webhook_event& event,
                 caf::typed_response_promise<done> promise) {
  if (event.asks) return answer_question(self, provider, *event.asks, promise);
  if (!event.about) return promise.deliver(done{}), void();
  auto& context = self->state.context;
  transact(
      self, context.database,
      [work = outbox::settle_work{provider, event.about->external_id, event.is_proof ? event.about : std::nullopt},
       key = provider + ":" + event.event_id,
       now = context.now()](transaction& tx) { return outbox::store::enqueue(tx, work, now, key); },
      promise, [promise](bool) mutable { promise.deliver(done{}); });
}

auto receive(self_pointer self, const receive_webhook& call) {
  auto& provider = provider_named(self, call.provider, ec::not_found);
  auto promise = self->make_response_promise<done>();
  ask(self, provider, background_patience, read_webhook{call.body, call.headers, call.origin.address},
      refuse_forged{self, promise, call.origin.address},
      [self, name = call.provider, promise](webhook_event& event) { store_event(self, name, event, promise); });
  return promise;
}

/// What a webhook said is not used if the provider can be asked, so that an old or doubled call cannot mislead.
auto settle_from_provider(self_pointer self, const settle_charge& work) {
  auto promise = self->make_response_promise<done>();
  auto apply_it = [self, name = work.provider, promise](const charge& seen) {
    apply_seen(self, name, seen, promise, [promise](auto&) mutable { promise.deliver(done{}); });
  };
  if (work.proof) apply_it(*work.proof);
  else
    ask_provider(self, work.provider, create_patience, list_charges{{work.external_id}}, promise,
                 [apply_it](charge_list& found) {
                   if (found.items.empty()) fail(ec::upstream, "the provider does not know the charge of its webhook");
                   apply_it(found.items.front());
                 });
  return promise;
}

// ---- The poller

double jitter(self_pointer self) { return std::uniform_real_distribution{}(self->state.random); }

using rows = std::vector<store::record>;

/// Rows about which there is nothing new: looked at again later, or, if this was their last look, closed.
/// Killed before the commit: the lease ends, and they are looked at again.
void put_back(self_pointer self, const rows& quiet, std::optional<timestamp> looked_at) {
  if (quiet.empty()) return;
  auto& context = self->state.context;
  std::vector<std::pair<payment_id, timestamp>> later;
  std::vector<payment_id> over;
  for (auto& row : quiet)
    if (looked_at && *looked_at >= closing_time(row)) over.push_back(row.id);
    else later.emplace_back(row.id, next_look(row, context.now(), jitter(self)));
  transact(
      self, context.database,
      [later, over, looked_at](transaction& tx) {
        store::schedule(tx, later);
        for (auto& id : over) close(tx, id, *looked_at);
        return done{};
      },
      log_failure{"could not put payments back"}, [](done&) {});
}

/// The provider did not answer: nothing is known, and nothing is closed. One that cannot be asked at all never has
/// news.
struct ask_later {
  self_pointer self;
  rows asked;
  timestamp looked_at;
  void deliver(const caf::error& error) {
    if (is_not_supported(describe(error))) return put_back(self, asked, looked_at);
    log_failure{"a provider did not answer the poller"}.deliver(error);
    put_back(self, asked, std::nullopt);
  }
};

/// Some charges change their name when they are paid, from a checkout's to an order's; our id on them stays.
bool is_about(const charge& seen, const store::record& row) {
  return seen.payment == row.id || (!row.external_id.empty() && seen.external_id == row.external_id);
}

/// Every charge with news gets a transaction of its own, so that one that cannot be applied holds up no other.
void reconcile(self_pointer self, const rows& asked, const std::vector<charge>& seen, timestamp looked_at) {
  rows quiet;
  for (auto& row : asked) {
    bool news = false;
    for (auto& one : seen) {
      if (!is_about(one, row) || decide(row, one) == step::nothing) continue;
      news = true;
      apply_seen(self, row.provider, one, log_failure{"could not apply a charge"}, [](auto&) {});
    }
    if (!news) quiet.push_back(row);
  }
  put_back(self, quiet, looked_at);
}

/// Makes a lost charge anew, where the provider takes the repetition for the same one; while it surely does.
/// Killed at any moment: it is repeated again.
void repeat_create(self_pointer self, const store::record& row, timestamp looked_at) {
  auto& context = self->state.context;
  auto later = ask_later{self, {row}, looked_at};
  if (looked_at >= row.created_at + repeatable_time)
    return run_aside(self, context.database, "could not give a payment up",
                     [id = row.id](auto& tx) { give_up(tx, id); });
  query(
      self, context.database, [by = self->state.deps.by, row](transaction& tx) { return order_of(tx, *by, row); },
      later,
      [self, row, later](create_charge& order) {
        ask_provider(self, row.provider, background_patience, order, later, [self, row](charge& made) {
          made.payment = row.id;
          apply_seen(self, row.provider, made, log_failure{"could not apply a charge"}, [](auto&) {});
        });
      });
}

/// A create without an answer is looked for, else repeated.
struct or_create {
  self_pointer self;
  store::record row;
  timestamp looked_at;
  void deliver(const caf::error& error) {
    if (is_not_supported(describe(error))) repeat_create(self, row, looked_at);
    else ask_later{self, {row}, looked_at}.deliver(error);
  }
};

void ask_about_lost(self_pointer self, const store::record& row, timestamp looked_at) {
  ask_provider(self, row.provider, background_patience, lost_charge(row), or_create{self, row, looked_at},
               [self, row, looked_at](charge_list& found) { reconcile(self, {row}, found.items, looked_at); });
}

/// A refund without an answer is repeated until there is one.
void ask_about_refund(self_pointer self, const store::record& row, timestamp looked_at) {
  ask_provider(self, row.provider, background_patience, refund_of(row), ask_later{self, {row}, looked_at},
               [self, row, looked_at](charge& seen) { reconcile(self, {row}, {seen}, looked_at); });
}

/// The charges that are known by name in one question, whatever else is open one by one.
void ask_about(self_pointer self, const std::string& provider, const rows& due, timestamp looked_at) {
  rows named;
  list_charges question;
  for (auto& row : due) {
    if (row.refund_at) ask_about_refund(self, row, looked_at);
    else if (row.external_id.empty()) ask_about_lost(self, row, looked_at);
    else named.push_back(row), question.external_ids.push_back(row.external_id);
  }
  if (named.empty()) return;
  ask_provider(self, provider, background_patience, question, ask_later{self, named, looked_at},
               [self, named, looked_at](charge_list& found) { reconcile(self, named, found.items, looked_at); });
}

void ask_providers(self_pointer self, const rows& due, timestamp looked_at) {
  std::map<std::string, rows> by_provider;
  for (auto& row : due) by_provider[row.provider].push_back(row);
  for (auto& [name, some] : by_provider) {
    if (self->state.deps.providers.contains(name)) ask_about(self, name, some, looked_at);
    else put_back(self, some, std::nullopt); // it is switched off here; another node may know it
  }
}

/// One tick leads to the next however it ends; only then, so that a slow database is not asked twice.
struct tick_again {
  self_pointer self;
  void deliver(const caf::error& error) {
    log_failure{"could not look for due payments"}.deliver(error);
    self->delayed_send(self, self->state.deps.poll_every, poll{});
  }
};

/// Killed after the commit: the leases end, and the rows are due again.
void look_for_due(self_pointer self) {
  auto& context = self->state.context;
  auto now = context.now();
  transact(
      self, context.database, [now](transaction& tx) { return store::take_due(tx, now, now + lease, batch); },
      tick_again{self},
      [self, now](rows& due) {
        // A full batch means that there is more; the pause is the provider's to breathe.
        auto pause = due.size() < batch ? self->state.deps.poll_every : std::chrono::milliseconds{1s};
        self->delayed_send(self, pause, poll{});
        ask_providers(self, due, now);
      });
}

} // namespace

full_payments_actor::behavior_type payments(self_pointer self, domain_context context, payments_dependencies deps) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.deps = std::move(deps);
  self->send(self, poll{});
  if (auto& tell = self->state.deps.on_circuit)
    for (auto& [provider, _] : self->state.deps.providers) tell(provider, false); // we may have been restarted
  return {
      on([self](const payments::list_methods&) { return list_offered(self); }),
      on([self](const create_payment& message) { return create_by_method(self, message); }),
      on([self](const create_top_up& message) { return create_by_method(self, message); }),
      on([self](const charge_saved& message) { return create(self, message); }),
      on([self](const get_payment& message) { return get(self, message); }),
      on([self](const list_payments& message) { return list(self, message); }),
      on([self](const search_payments& message) { return search(self, message); }),
      on([self](const resolve_payment& message) { return decide_held(self, message); }),
      on([self](const refund_payment& message) { return refund(self, message); }),
      on([self](const list_saved_methods& message) { return list_saved(self, message); }),
      on([self](const remove_saved_method& message) { return remove_saved(self, message); }),
      on([self](const receive_webhook& message) { return receive(self, message); }),
      on([self](const settle_charge& message) { return settle_from_provider(self, message); }),
      [self](const poll&) { look_for_due(self); },
  };
}

caf::actor spawn_payments(caf::scheduled_actor* parent, domain_context context, payments_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(payments, std::move(context), std::move(deps)));
}

} // namespace backstay::payments
