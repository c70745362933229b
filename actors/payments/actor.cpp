#include "actors/payments/actor.hpp"

#include "actors/outbox/store.hpp"
#include "actors/payments/rules.hpp"
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

/// Tells the log what a committed `apply` did.
void announce(const std::string& provider, const charge& seen, const std::optional<applied>& result) {
  if (!result)
    return log::warning("payments", "a charge is of no payment here",
                        {{"provider", provider}, {"charge", seen.external_id}});
  auto& row = result->after;
  if (result->taken == step::settle) log::info("payments", "settled", {{"payment", to_string(row.id)}});
  if (result->taken == step::hold || result->taken == step::review)
    log::error("payments", "a person has to look at a payment", {{"payment", to_string(row.id)}, {"why", row.review}});
}

/// Applies what was seen, in a transaction of its own; `then` gets the result after the commit.
template <class Promise, class Then>
void apply_seen(self_pointer self, const std::string& provider, const charge& seen, Promise promise, Then then) {
  auto& context = self->state.context;
  transact(
      self, context.database,
      [provider, seen, now = context.now()](transaction& tx) { return apply(tx, provider, seen, now); }, promise,
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
void create_at_provider(self_pointer self, const store::record& row, std::chrono::milliseconds patience,
                        payment_promise promise) {
  auto& provider = provider_named(self, row.provider, ec::unavailable);
  auto description = row.plan_name + " - " + std::to_string(row.duration_days) + " days";
  ask(self, provider, patience, create_charge{row.id, row.price, description}, lost_create{self, row, promise},
      [self, row, promise](charge& made) { answer_applied(self, row, made, promise); });
}

/// The provider may have made the charge already: it is looked for before another one is asked for.
void find_or_create(self_pointer self, const store::record& row, payment_promise promise) {
  auto& provider = provider_named(self, row.provider, ec::unavailable);
  ask(self, provider, resume_patience, lost_charge(row), promise, [self, row, promise](charge_list& found) {
    if (found.items.empty()) create_at_provider(self, row, resume_patience, promise);
    else answer_applied(self, row, best_of(found.items), promise);
  });
}

void go_on(self_pointer self, const begun& begun, payment_promise promise) {
  switch (begun.then) {
  case begun::next::create:
    return create_at_provider(self, begun.row, create_patience, promise);
  case begun::next::find:
    return find_or_create(self, begun.row, promise);
  case begun::next::answer:
    promise.deliver(payment{begun.row});
  }
}

auto create(self_pointer self, const create_payment& request) {
  if (!self->state.deps.providers.contains(request.provider)) fail_field("payment_method", "No such payment method");
  auto promise = self->make_response_promise<payment>();
  auto& context = self->state.context;
  transact(
      self, context.database, [request, now = context.now()](transaction& tx) { return begin(tx, request, now); },
      promise, [self, promise](begun& begun) { go_on(self, begun, promise); });
  return promise;
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

void check_at_provider(self_pointer self, const store::record& row, shows_row as_it_is) {
  auto& provider = provider_named(self, row.provider, ec::unavailable);
  ask(self, provider, check_patience, list_charges{{row.external_id}}, as_it_is,
      [self, row, as_it_is](charge_list& found) mutable {
        if (found.items.empty()) return as_it_is.deliver({});
        apply_seen(self, row.provider, found.items.front(), as_it_is, [row, as_it_is](auto& result) mutable {
          as_it_is.promise.deliver(payment{result ? result->after : row});
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

auto list(self_pointer self, const list_payments& request) {
  auto account = request.account.value_or(request.caller.account);
  if (account != request.caller.account && !request.caller.may(permission::payment_read))
    fail(ec::not_found, "Account not found", "ACCOUNT_NOT_FOUND");
  return query(self, self->state.context.database,
               [request, account](transaction& tx) { return store::list(tx, account, request.offset, request.limit); });
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

/// Killed before the commit: the provider gets no answer and calls again. Killed after: the outbox has it.
void store_event(self_pointer self, const std::string& provider, const webhook_event& event,
                 caf::typed_response_promise<done> promise) {
  if (!event.about) return promise.deliver(done{}), void();
  auto& context = self->state.context;
  transact(
      self, context.database,
      [work = outbox::settle_work{provider, event.about->external_id}, key = provider + ":" + event.event_id,
       now = context.now()](transaction& tx) { return outbox::store::enqueue(tx, work, now, key); },
      promise,
      [self, promise](bool) mutable {
        promise.deliver(done{});
        caf::anon_send(self->state.deps.outbox, outbox::wake{}); // without waiting for its answer
      });
}

auto receive(self_pointer self, const receive_webhook& call) {
  auto& provider = provider_named(self, call.provider, ec::not_found);
  auto promise = self->make_response_promise<done>();
  ask(self, provider, background_patience, read_webhook{call.body, call.headers, call.origin.address},
      refuse_forged{self, promise, call.origin.address},
      [self, name = call.provider, promise](webhook_event& event) { store_event(self, name, event, promise); });
  return promise;
}

/// What the webhook said is not used: the provider is asked, so that an old or doubled call cannot mislead.
auto settle_from_provider(self_pointer self, const settle_charge& work) {
  auto& provider = provider_named(self, work.provider, ec::unavailable);
  auto promise = self->make_response_promise<done>();
  ask(self, provider, create_patience, list_charges{{work.external_id}}, promise,
      [self, name = work.provider, promise](charge_list& found) {
        if (found.items.empty()) fail(ec::upstream, "the provider does not know the charge of its own webhook");
        apply_seen(self, name, found.items.front(), promise, [promise](auto&) mutable { promise.deliver(done{}); });
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

/// The provider did not answer: nothing is known, and nothing is closed.
struct ask_later {
  self_pointer self;
  rows asked;
  void deliver(const caf::error& error) {
    log_failure{"a provider did not answer the poller"}.deliver(error);
    put_back(self, asked, std::nullopt);
  }
};

bool is_about(const charge& seen, const store::record& row) {
  return row.external_id.empty() ? seen.payment == row.id : seen.external_id == row.external_id;
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

/// The charges that are known by name in one question, those whose create was lost one by one.
void ask_about(self_pointer self, const provider_actor& provider, const rows& due, timestamp looked_at) {
  rows named;
  list_charges question;
  for (auto& row : due) {
    if (row.external_id.empty()) {
      ask(self, provider, background_patience, lost_charge(row), ask_later{self, {row}},
          [self, row, looked_at](charge_list& found) { reconcile(self, {row}, found.items, looked_at); });
      continue;
    }
    named.push_back(row);
    question.external_ids.push_back(row.external_id);
  }
  if (named.empty()) return;
  ask(self, provider, background_patience, question, ask_later{self, named},
      [self, named, looked_at](charge_list& found) { reconcile(self, named, found.items, looked_at); });
}

void ask_providers(self_pointer self, const rows& due, timestamp looked_at) {
  std::map<std::string, rows> by_provider;
  for (auto& row : due) by_provider[row.provider].push_back(row);
  for (auto& [name, some] : by_provider) {
    auto provider = self->state.deps.providers.find(name);
    if (provider != self->state.deps.providers.end()) ask_about(self, provider->second, some, looked_at);
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
  return {
      on([self](const create_payment& message) { return create(self, message); }),
      on([self](const get_payment& message) { return get(self, message); }),
      on([self](const list_payments& message) { return list(self, message); }),
      on([self](const receive_webhook& message) { return receive(self, message); }),
      on([self](const settle_charge& message) { return settle_from_provider(self, message); }),
      [self](const poll&) { look_for_due(self); },
  };
}

caf::actor spawn_payments(caf::scheduled_actor* parent, domain_context context, payments_dependencies deps) {
  return caf::actor_cast<caf::actor>(parent->spawn(payments, std::move(context), std::move(deps)));
}

} // namespace backstay::payments
