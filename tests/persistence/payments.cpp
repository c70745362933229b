#define CAF_SUITE payments

#include "actors/payments/actor.hpp"

#include "actors/outbox/store.hpp"
#include "actors/subscriptions/store.hpp"
#include "persistence/database.hpp"
#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::payments;
using namespace backstay::payment_provider;
using namespace std::chrono_literals;
using backstay::payments::state;

namespace {

struct fixture : commerce_database {
  account_id alice = add_account("alice");
  subscriptions::plan plan{.id = plan_id::random(),
                           .name = "Basic",
                           .prices = {{999, "USD"}, {89900, "RUB"}, {0, "EUR"}},
                           .duration_days = 30,
                           .traffic_limit_bytes = 1 << 30,
                           .max_devices = 3};
  timestamp now = moment(0);

  fixture() {
    commit([&](transaction& tx) { subscriptions::store::insert_plan(tx, plan, 1); });
  }

  create_payment request(std::optional<claim_id> claim = {}) {
    create_payment request;
    request.caller.account = alice;
    request.plan = "basic";
    request.currency = "USD";
    request.claim = claim;
    return request;
  }
  begun begin_payment(const create_payment& request) {
    return commit([&](transaction& tx) { return payments::begin(tx, request, now); });
  }
  charge charge_for(const store::record& row, charge_state seen, const std::string& external_id = "77") {
    return {.external_id = external_id,
            .payment = row.id,
            .state = seen,
            .price = row.price,
            .url = "https://pay.example/" + external_id,
            .expires_at = now + 24h};
  }
  std::optional<applied> apply(const charge& seen, const std::string& provider = "cryptobot") {
    return commit([&](transaction& tx) { return payments::apply(tx, provider, seen, now); });
  }
  store::record row_of(const payment_id& id) {
    return commit([&](transaction& tx) { return store::lock(tx, id).value(); });
  }
  std::int64_t count(const std::string& query) {
    return commit([&](transaction& tx) { return sql::get<std::int64_t>((*tx.first(query))[0]); });
  }
  std::vector<wallet::store::discrepancy> audit() {
    return commit([](transaction& tx) { return wallet::store::audit(tx); });
  }
  /// Exactly one settlement left its traces, and the ledger is right.
  void check_settled_once() {
    CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments WHERE state = 'paid'"), 1);
    CAF_CHECK_EQUAL(count("SELECT count(*) FROM ledger_transfers"), 2);
    CAF_CHECK_EQUAL(count("SELECT count(*) FROM notifications WHERE kind = 'payment_confirmed'"), 1);
    CAF_CHECK_EQUAL(count("SELECT extract(day FROM expires_at - started_at)::bigint FROM subscriptions"), 30);
    CAF_CHECK(audit().empty());
  }
};

template <class F>
void in_parallel(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&f, i] { f(i); });
  for (auto& thread : threads) thread.join();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(settlement_tests, fixture)

CAF_TEST(a payment begins with a row that keeps the deal) {
  auto begun = begin_payment(request());
  CAF_CHECK(begun.then == begun::next::create);
  plan.duration_days = 90;
  commit([&](transaction& tx) { tx.run("UPDATE plans SET duration_days = 90, is_active = false"); });
  auto row = row_of(begun.row.id);
  CAF_CHECK(row == begun.row);
  CAF_CHECK(row.state == state::created);
  CAF_CHECK((row.price == money{999, "USD"}));
  apply(charge_for(row, charge_state::paid));
  check_settled_once(); // 30 days: what was bought
}

CAF_TEST(what cannot be bought leaves no row) {
  auto code = [&](auto change) {
    auto changed = request();
    change(changed);
    return code_of([&] { begin_payment(changed); });
  };
  CAF_CHECK(code([](auto& r) { r.plan = "Gold"; }) == ec::not_found);
  CAF_CHECK(code([](auto& r) { r.currency = "GBP"; }) == ec::invalid);
  CAF_CHECK(code([](auto& r) { r.currency = "EUR"; }) == ec::invalid); // free of charge needs no payment
  CAF_CHECK(code([](auto& r) { r.account = account_id::random(); }) == ec::not_found);
  CAF_CHECK(code([](auto& r) { r.account = account_id::random(), r.caller.role = role::admin; }) == ec::not_found);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments"), 0);
  auto bob = add_account("bob");
  CAF_CHECK(code([&](auto& r) { r.account = bob, r.caller.role = role::support; }) == ec::not_found);
  CAF_CHECK(code([&](auto& r) { r.account = bob, r.caller.role = role::admin; }) == ec::none);
}

CAF_TEST(a claim goes on with its row) {
  auto claim = claim_id::random();
  auto first = begin_payment(request(claim));
  now = moment(30);
  auto second = begin_payment(request(claim));
  CAF_CHECK(second.then == begun::next::find);
  CAF_CHECK(second.row.id == first.row.id);
  CAF_CHECK(second.row.tried_at == now);
  apply(charge_for(first.row, charge_state::pending));
  auto third = begin_payment(request(claim));
  CAF_CHECK(third.then == begun::next::answer);
  CAF_CHECK(third.row.state == state::pending);
}

CAF_TEST(one claim by many at once has one row) {
  auto claim = claim_id::random();
  std::atomic<int> creates = 0;
  in_parallel(16, [&](int) { creates += begin_payment(request(claim)).then == begun::next::create; });
  CAF_CHECK_EQUAL(creates.load(), 1);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments"), 1);
}

CAF_TEST(64 at once settle once) {
  auto row = begin_payment(request()).row;
  std::atomic<int> settled = 0;
  in_parallel(64, [&](int) { settled += apply(charge_for(row, charge_state::paid))->taken == step::settle; });
  CAF_CHECK_EQUAL(settled.load(), 1);
  check_settled_once();
}

CAF_TEST(payments of one account at once add up) {
  std::vector<store::record> rows;
  for (int i = 0; i < 8; ++i) rows.push_back(begin_payment(request()).row);
  in_parallel(8, [&](int i) { apply(charge_for(rows[i], charge_state::paid, std::to_string(i))); });
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments WHERE state = 'paid'"), 8);
  CAF_CHECK_EQUAL(count("SELECT extract(day FROM expires_at - started_at)::bigint FROM subscriptions"), 240);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a settlement that fails half way leaves nothing) {
  auto row = begin_payment(request()).row;
  commit([](transaction& tx) { tx.run("ALTER TABLE ledger_entries ADD CONSTRAINT broken CHECK (false) NOT VALID"); });
  CAF_CHECK(code_of([&] { apply(charge_for(row, charge_state::paid)); }) != ec::none);
  CAF_CHECK(row_of(row.id).state == state::created);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM subscriptions"), 0);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM notifications"), 0);
  commit([](transaction& tx) { tx.run("ALTER TABLE ledger_entries DROP CONSTRAINT broken"); });
  apply(charge_for(row, charge_state::paid));
  check_settled_once();
}

CAF_TEST(another amount or currency is held) {
  for (auto paid : {money{998, "USD"}, money{999, "EUR"}}) {
    auto row = begin_payment(request()).row;
    auto seen = charge_for(row, charge_state::paid, paid.currency);
    seen.price = paid;
    CAF_CHECK(apply(seen)->taken == step::hold);
    CAF_CHECK(apply(seen)->taken == step::nothing);
    auto held = row_of(row.id);
    CAF_CHECK(held.state == state::held);
    CAF_CHECK(!held.due_at);
    CAF_CHECK(held.review.ends_with("instead of 9.99 USD"));
    auto second = charge_for(row, charge_state::paid, "2nd " + paid.currency);
    for (int i = 0; i < 2; ++i) CAF_CHECK(apply(second)->taken == step::review);
    CAF_CHECK_EQUAL(row_of(row.id).review, held.review + "; paid a second time, as charge " + second.external_id);
  }
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM ledger_transfers"), 0);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM subscriptions"), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a late payment of an expired invoice is credited) {
  auto row = begin_payment(request()).row;
  apply(charge_for(row, charge_state::pending));
  CAF_CHECK(apply(charge_for(row, charge_state::expired))->taken == step::expire);
  CAF_CHECK(row_of(row.id).due_at); // still watched
  now = moment(3600 * 40);
  CAF_CHECK(apply(charge_for(row, charge_state::paid))->taken == step::settle);
  CAF_CHECK(!row_of(row.id).due_at);
  check_settled_once();
}

CAF_TEST(a second payment for one row is put before a person) {
  auto row = begin_payment(request()).row;
  apply(charge_for(row, charge_state::paid, "77"));
  CAF_CHECK(apply(charge_for(row, charge_state::paid, "78"))->taken == step::review);
  auto after = row_of(row.id);
  CAF_CHECK(after.state == state::paid);
  CAF_CHECK_EQUAL(after.external_id, "77");
  CAF_CHECK_EQUAL(after.review, "paid a second time, as charge 78");
  check_settled_once();
}

CAF_TEST(a charge of nobody is left alone) {
  auto row = begin_payment(request()).row;
  auto stranger = charge_for(row, charge_state::paid);
  stranger.payment = payment_id::random();
  CAF_CHECK(!apply(stranger));
  stranger.payment.reset();
  CAF_CHECK(!apply(stranger));
  CAF_CHECK(!apply(charge_for(row, charge_state::paid), "another"));
  CAF_CHECK(row_of(row.id).state == state::created);
}

CAF_TEST(an attempt is noted only while nobody knows better) {
  auto row = begin_payment(request()).row;
  auto note = [&](state outcome) { commit([&](transaction& tx) { note_attempt(tx, row.id, outcome, now); }); };
  note(state::unknown);
  CAF_CHECK(row_of(row.id).state == state::unknown);
  CAF_CHECK(row_of(row.id).due_at == now + first_look);
  apply(charge_for(row, charge_state::pending));
  note(state::failed);
  CAF_CHECK(row_of(row.id).state == state::pending);
}

CAF_TEST(due rows are taken by one and come back after the lease) {
  for (int i = 0; i < 20; ++i) begin_payment(request());
  now = moment(60);
  std::mutex mutex;
  std::vector<payment_id> taken;
  in_parallel(4, [&](int) {
    auto due = commit([&](transaction& tx) { return store::take_due(tx, now, now + 30s, 5); });
    std::lock_guard lock{mutex};
    for (auto& row : due) taken.push_back(row.id);
  });
  CAF_CHECK_EQUAL(taken.size(), 20u);
  std::sort(taken.begin(), taken.end());
  CAF_CHECK(std::adjacent_find(taken.begin(), taken.end()) == taken.end());
  auto take = [&](timestamp at) {
    return commit([&](transaction& tx) { return store::take_due(tx, at, at + 30s, 100); });
  };
  CAF_CHECK(take(now + 29s).empty());
  auto again = take(now + 30s);
  CAF_CHECK_EQUAL(again.size(), 20u);
  CAF_CHECK_EQUAL(again.front().looks, 2);
}

CAF_TEST(what was closed stays closed) {
  auto row = begin_payment(request()).row;
  apply(charge_for(row, charge_state::paid));
  commit([&](transaction& tx) { store::schedule(tx, {{row.id, now + 5s}}); });
  CAF_CHECK(!row_of(row.id).due_at);
  auto open = begin_payment(request()).row;
  commit([&](transaction& tx) { store::schedule(tx, {{open.id, now + 5s}}); });
  CAF_CHECK(row_of(open.id).due_at == now + 5s);
}

CAF_TEST(closing respects what happened since the look) {
  auto claim = claim_id::random();
  auto row = begin_payment(request(claim)).row;
  auto close = [&](timestamp looked_at) { commit([&](transaction& tx) { payments::close(tx, row.id, looked_at); }); };
  close(now + safe_time - 1s);
  CAF_CHECK(row_of(row.id).state == state::created);
  now = now + 100s;
  begin_payment(request(claim)); // tried anew
  close(moment(0) + safe_time);
  CAF_CHECK(row_of(row.id).state == state::created);
  close(now + safe_time);
  CAF_CHECK(row_of(row.id).state == state::failed);
  CAF_CHECK(!row_of(row.id).due_at);
}

CAF_TEST(payments are found by either id and only by their owner) {
  auto row = begin_payment(request()).row;
  apply(charge_for(row, charge_state::pending));
  auto find = [&](const std::string& id, std::optional<account_id> owner) {
    return commit([&](transaction& tx) { return store::find(tx, id, owner).has_value(); });
  };
  CAF_CHECK(find(to_string(row.id), alice));
  CAF_CHECK(find("77", alice));
  CAF_CHECK(find("77", std::nullopt));
  CAF_CHECK(!find("77", add_account("bob")));
  CAF_CHECK(!find("7", alice));
  CAF_CHECK(!find("'; DROP TABLE payments; --", alice));
}

CAF_TEST(lists are newest first with their total) {
  for (int i = 0; i < 5; ++i, now += 1s) begin_payment(request());
  auto page = commit([&](transaction& tx) { return store::list(tx, alice, 1, 2); });
  CAF_CHECK_EQUAL(page.total, 5);
  CAF_REQUIRE_EQUAL(page.items.size(), 2u);
  CAF_CHECK(page.items[0].created_at == moment(3));
  CAF_CHECK(page.items[1].created_at == moment(2));
  CAF_CHECK_EQUAL(page.items[0].plan_name, "Basic");
}

CAF_TEST(one question to the provider in a pause) {
  auto row = begin_payment(request()).row;
  std::atomic<int> allowed = 0;
  in_parallel(8,
              [&](int) { allowed += commit([&](transaction& tx) { return store::take_look(tx, row.id, now, 3s); }); });
  CAF_CHECK_EQUAL(allowed.load(), 1);
  CAF_CHECK(!commit([&](transaction& tx) { return store::take_look(tx, row.id, now + 2s, 3s); }));
  CAF_CHECK(commit([&](transaction& tx) { return store::take_look(tx, row.id, now + 3s, 3s); }));
}

CAF_TEST(the audit misses a booking and a state) {
  auto row = begin_payment(request()).row;
  apply(charge_for(row, charge_state::paid));
  auto rules = [&](const std::string& tampering) {
    auto opened = begin();
    opened->tx.run(tampering);
    std::vector<std::string> rules;
    for (auto& one : wallet::store::audit(opened->tx)) rules.push_back(one.rule);
    return rules;
  };
  CAF_CHECK(audit().empty());
  CAF_CHECK((rules("UPDATE payments SET state = 'failed', settled_at = NULL") ==
             std::vector<std::string>{"booked_without_payment"}));
  CAF_CHECK_EQUAL(rules("UPDATE payments SET amount = 998").size(), 4u); // both entries of both transfers
  CAF_CHECK_EQUAL(rules("UPDATE ledger_transfers SET cause_id = 'x' WHERE cause_kind = 'purchase'").size(), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()

namespace {

/// A provider's till, as it survives our crashes.
struct till {
  enum class mood { answers, loses_answers, refuses };

  std::mutex mutex;
  std::vector<charge> charges;
  mood on_create = mood::answers;
  bool is_down = false;
  int creates = 0, finds = 0, lists = 0;

  charge make(const create_charge& order) {
    auto id = std::to_string(1000 + charges.size());
    return charges.emplace_back(
        charge{.external_id = id, .payment = order.payment, .price = order.price, .url = "https://pay/" + id});
  }
  void set_all(charge_state next) {
    std::lock_guard lock{mutex};
    for (auto& one : charges) one.state = next;
  }
};

caf::result<charge> answer(till& till, const create_charge& order) {
  std::lock_guard lock{till.mutex};
  ++till.creates;
  if (till.on_create == till::mood::refuses) return to_error({.code = ec::unavailable});
  auto made = till.make(order);
  if (till.on_create == till::mood::loses_answers) return to_error({.code = ec::timeout});
  return made;
}

caf::result<charge_list> list_where(till& till, const std::function<bool(const charge&)>& wanted) {
  charge_list list;
  if (till.is_down) return to_error({.code = ec::unavailable});
  std::copy_if(till.charges.begin(), till.charges.end(), std::back_inserter(list.items), wanted);
  return list;
}

provider_actor::behavior_type fake_provider(provider_actor::pointer, std::shared_ptr<till> till) {
  return {
      [till](const create_charge& order) { return answer(*till, order); },
      [till](const list_charges& question) {
        std::lock_guard lock{till->mutex};
        ++till->lists;
        return list_where(*till, [&](const charge& one) {
          return std::count(question.external_ids.begin(), question.external_ids.end(), one.external_id) > 0;
        });
      },
      [till](const find_charge& question) {
        std::lock_guard lock{till->mutex};
        ++till->finds;
        return list_where(*till, [&](const charge& one) { return one.payment == question.payment; });
      },
      [](const refund_charge&) -> caf::result<charge> { return to_error({.code = ec::refused}); },
      [](const answer_checkout&) { return done{}; },
      [](const read_webhook& call) -> caf::result<webhook_event> {
        if (call.headers.empty()) return to_error({.code = ec::unauthenticated});
        if (call.body.empty()) return webhook_event{"nothing", std::nullopt};
        return webhook_event{"event-" + call.body, charge{.external_id = call.body}};
      },
  };
}

outbox::outbox_actor::behavior_type fake_outbox(outbox::outbox_actor::pointer,
                                                std::shared_ptr<std::atomic<int>> woken) {
  return {
      [](const outbox::get_backlog&) { return outbox::backlog_view{}; },
      [woken](const outbox::wake&) {
        ++*woken;
        return done{};
      },
  };
}

/// The real actors on the real database, with a provider of ours. The clock is the test's.
struct living : fixture {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  clock_handle clock = std::make_shared<domain_clock>();
  std::shared_ptr<till> provider = std::make_shared<till>();
  std::shared_ptr<std::atomic<int>> woken = std::make_shared<std::atomic<int>>(0);
  provider_actor provider_handle = system.spawn(fake_provider, provider);
  outbox::outbox_actor outbox_handle = system.spawn(fake_outbox, woken);
  caf::actor database;
  std::vector<caf::actor> nodes;

  living() {
    std::promise<caf::actor> started;
    system.spawn([&](caf::event_based_actor* parent) {
      started.set_value(
          spawn_database(parent, std::make_shared<vitals>("database", true), {scratch.url(), {4, 1000, 3s}, 2s}));
    });
    database = started.get_future().get();
    now = clock->now();
  }
  ~living() {
    for (auto& node : nodes) caf::anon_send_exit(node, caf::exit_reason::kill);
    for (auto& node : nodes) self->wait_for(node);
    caf::anon_send_exit(database, caf::exit_reason::kill);
    self->wait_for(database);
    caf::anon_send_exit(provider_handle, caf::exit_reason::kill);
    caf::anon_send_exit(outbox_handle, caf::exit_reason::kill);
  }

  payments_actor start(std::chrono::milliseconds poll_every) {
    domain_context context{std::make_shared<vitals>("payments", true), clock,
                           caf::actor_cast<database_actor>(database)};
    payments_dependencies deps{
        .providers = {{"cryptobot", provider_handle}}, .outbox = outbox_handle, .poll_every = poll_every};
    auto node = system.spawn(payments::payments, context, deps);
    nodes.push_back(caf::actor_cast<caf::actor>(node));
    return caf::actor_cast<payments_actor>(node);
  }

  template <class Message>
  caf::expected<typename Message::reply> ask(const payments_actor& node, Message message) {
    caf::expected<typename Message::reply> answer{caf::error{}};
    self->request(node, 10s, std::move(message))
        .receive([&](typename Message::reply& reply) { answer = std::move(reply); },
                 [&](caf::error& error) { answer = std::move(error); });
    return answer;
  }
  template <class Message>
  ec code_of_answer(const payments_actor& node, Message message) {
    auto answer = ask(node, std::move(message));
    return answer ? ec::none : describe(answer.error()).code;
  }

  void pass(std::chrono::seconds time) {
    clock->set_offset(clock->offset() + time);
    now = clock->now();
  }
  state state_now() {
    return commit([](transaction& tx) { return sql::get<state>((*tx.first("SELECT state FROM payments"))[0]); });
  }
  /// Waits until the poller has brought the only payment there.
  bool becomes(state wanted) {
    for (int i = 0; i < 200; ++i, std::this_thread::sleep_for(50ms))
      if (state_now() == wanted) return true;
    return false;
  }
};

constexpr auto idle = 10h; // a node that only answers

} // namespace

CAF_TEST_FIXTURE_SCOPE(payments_actor_tests, living)

CAF_TEST(a payment is created and checked and seen by its owner only) {
  auto node = start(idle);
  auto made = ask(node, request());
  CAF_REQUIRE(made);
  CAF_CHECK(made->state == state::pending);
  CAF_CHECK_EQUAL(made->payment_url, "https://pay/1000");
  get_payment look{request().caller, "1000"};
  CAF_CHECK(ask(node, look)->state == state::pending);
  provider->set_all(charge_state::paid);
  CAF_CHECK(ask(node, look)->state == state::pending); // asked less than 3 s ago
  CAF_CHECK_EQUAL(provider->lists, 1);
  pass(3s);
  CAF_CHECK(ask(node, look)->state == state::paid);
  CAF_CHECK(ask(node, look)->state == state::paid);
  CAF_CHECK_EQUAL(provider->lists, 2);
  check_settled_once();
  get_payment stranger{{add_account("bob")}, "1000"};
  CAF_CHECK(code_of_answer(node, stranger) == ec::not_found);
  stranger.caller.role = role::support;
  CAF_CHECK(code_of_answer(node, stranger) == ec::none);
  CAF_CHECK(code_of_answer(node, get_payment{request().caller, "\xff"}) == ec::not_found);
  list_payments list{request().caller};
  auto listed = ask(node, list);
  CAF_REQUIRE(listed);
  CAF_CHECK_EQUAL(listed->total, 1);
  list_payments foreign{{add_account("eve")}, alice};
  CAF_CHECK(code_of_answer(node, foreign) == ec::not_found);
}

CAF_TEST(a check with a provider that is away shows the row) {
  auto node = start(idle);
  ask(node, request());
  provider->is_down = true;
  auto shown = ask(node, get_payment{request().caller, "1000"});
  CAF_REQUIRE(shown);
  CAF_CHECK(shown->state == state::pending);
}

CAF_TEST(an unknown provider is a broken field) {
  auto node = start(idle);
  auto elsewhere = request();
  elsewhere.provider = "bank";
  CAF_CHECK(code_of_answer(node, elsewhere) == ec::invalid);
  CAF_CHECK(code_of_answer(node, receive_webhook{"bank", "1", {}, {}}) == ec::not_found);
}

CAF_TEST(a refused create may be repeated with the same row) {
  auto node = start(idle);
  auto claim = claim_id::random();
  provider->on_create = till::mood::refuses;
  CAF_CHECK(code_of_answer(node, request(claim)) == ec::unavailable);
  CAF_CHECK(state_now() == state::failed);
  pass(1s);
  CAF_CHECK(code_of_answer(node, request(claim)) == ec::unavailable);
  CAF_CHECK(state_now() == state::unknown); // two tries: nothing is certain any more
  provider->on_create = till::mood::answers;
  auto again = ask(node, request(claim));
  CAF_REQUIRE(again);
  CAF_CHECK(again->state == state::pending);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments"), 1);
}

CAF_TEST(a lost answer is found by the repeat and not made twice) {
  auto node = start(idle);
  auto claim = claim_id::random();
  provider->on_create = till::mood::loses_answers;
  CAF_CHECK(code_of_answer(node, request(claim)) == ec::timeout);
  CAF_CHECK(state_now() == state::unknown);
  auto again = ask(node, request(claim));
  CAF_REQUIRE(again);
  CAF_CHECK(again->state == state::pending);
  CAF_CHECK_EQUAL(again->external_id, "1000");
  CAF_CHECK_EQUAL(provider->creates, 1);
}

CAF_TEST(a lost answer is found by the poller) {
  auto node = start(20ms);
  provider->on_create = till::mood::loses_answers;
  CAF_CHECK(code_of_answer(node, request()) == ec::timeout);
  pass(11s);
  CAF_CHECK(becomes(state::pending));
  provider->set_all(charge_state::paid);
  pass(11s);
  CAF_CHECK(becomes(state::paid));
  check_settled_once();
}

CAF_TEST(killed before the provider was asked) {
  begin_payment(request());
  start(20ms);
  pass(11s);
  for (int i = 0; i < 100 && provider->finds == 0; ++i) std::this_thread::sleep_for(20ms);
  CAF_CHECK_EQUAL(provider->finds, 1);
  CAF_CHECK(state_now() == state::created); // too early to know
  pass(safe_time);
  CAF_CHECK(becomes(state::failed));
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments WHERE due_at IS NOT NULL"), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(killed after the provider was asked) {
  auto row = begin_payment(request()).row;
  provider->make({row.id, row.price, {}});
  start(20ms);
  pass(11s);
  CAF_CHECK(becomes(state::pending));
  CAF_CHECK_EQUAL(row_of(row.id).payment_url, "https://pay/1000");
  CAF_CHECK_EQUAL(provider->creates, 0);
}

CAF_TEST(killed between the payment at the provider and the settlement) {
  auto row = begin_payment(request()).row;
  apply(provider->make({row.id, row.price, {}}));
  provider->set_all(charge_state::paid);
  start(20ms);
  start(20ms); // a second node does no harm
  pass(11s);
  CAF_CHECK(becomes(state::paid));
  check_settled_once();
}

CAF_TEST(a provider that is away closes nothing) {
  auto row = begin_payment(request()).row;
  apply(provider->make({row.id, row.price, {}}));
  provider->is_down = true;
  start(20ms);
  pass(24h * 10);
  for (int i = 0; i < 100 && provider->lists == 0; ++i) std::this_thread::sleep_for(20ms);
  CAF_CHECK(state_now() == state::pending);
  provider->is_down = false;
  pass(2h);
  CAF_CHECK(becomes(state::expired));
  for (int i = 0; i < 40 && row_of(row.id).due_at; ++i) std::this_thread::sleep_for(20ms);
  CAF_CHECK(!row_of(row.id).due_at);
  provider->set_all(charge_state::paid); // and still a webhook would be believed
  CAF_CHECK(code_of_answer(start(idle), settle_charge{"cryptobot", "1000"}) == ec::none);
  check_settled_once();
}

CAF_TEST(webhooks are stored once and only if genuine) {
  auto node = start(idle);
  receive_webhook call{"cryptobot", "1000", {{"signature", "good"}}, {}};
  CAF_CHECK(code_of_answer(node, call) == ec::none);
  CAF_CHECK(code_of_answer(node, call) == ec::none);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM outbox"), 1);
  call.body = "1001";
  CAF_CHECK(code_of_answer(node, call) == ec::none);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM outbox"), 2);
  call.body.clear(); // no concern of ours
  CAF_CHECK(code_of_answer(node, call) == ec::none);
  call.body = "1002", call.headers.clear();
  CAF_CHECK(code_of_answer(node, call) == ec::unauthenticated);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM outbox"), 2);
  for (int i = 0; i < 100 && *woken < 3; ++i) std::this_thread::sleep_for(10ms);
  CAF_CHECK_EQUAL(woken->load(), 3);
}

CAF_TEST(a webhook is not taken at its word) {
  auto node = start(idle);
  ask(node, request());
  CAF_CHECK(code_of_answer(node, settle_charge{"cryptobot", "1000"}) == ec::none);
  CAF_CHECK(state_now() == state::pending); // the provider says so
  CAF_CHECK(code_of_answer(node, settle_charge{"cryptobot", "9"}) == ec::upstream);
}

CAF_TEST(webhook and poller and manual check together settle once) {
  auto nodes = std::vector{start(20ms), start(20ms)};
  auto made = ask(nodes[0], request());
  provider->set_all(charge_state::paid);
  pass(11s);
  for (int i = 0; i < 16; ++i) {
    self->send(nodes[i % 2], settle_charge{"cryptobot", made->external_id});
    self->send(nodes[i % 2], get_payment{request().caller, made->external_id});
  }
  CAF_CHECK(becomes(state::paid));
  CAF_CHECK(code_of_answer(nodes[0], settle_charge{"cryptobot", made->external_id}) == ec::none);
  check_settled_once();
}

CAF_TEST(many due payments are asked about in few questions) {
  for (int i = 0; i < 120; ++i) {
    auto row = begin_payment(request()).row;
    apply(provider->make({row.id, row.price, {}}));
  }
  provider->set_all(charge_state::paid);
  start(20ms);
  pass(11s);
  for (int i = 0; i < 200 && count("SELECT count(*) FROM payments WHERE state = 'paid'") < 120; ++i)
    std::this_thread::sleep_for(50ms);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments WHERE state = 'paid'"), 120);
  CAF_CHECK_EQUAL(provider->lists, 2);
  CAF_CHECK(audit().empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
