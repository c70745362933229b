#define CAF_SUITE payments

#include "actors/payments/actor.hpp"

#include "actors/outbox/store.hpp"
#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"
#include "persistence/database.hpp"
#include "tests/eventually.hpp"
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
                           .max_devices = 3,
                           .traffic_reset = subscriptions::traffic_reset::monthly};
  timestamp now = moment(0);
  terms by{.methods = {{.id = "crypto_bot",
                        .title = "CryptoBot",
                        .provider = "cryptobot",
                        .kind = method_kind::crypto,
                        .currencies = {"USD", "EUR"},
                        .minimum = 100,
                        .maximum = 100'000},
                       {.id = "card",
                        .title = "Card",
                        .provider = "bank",
                        .saves = true,
                        .currencies = {"USD"},
                        .minimum = 100,
                        .maximum = 100'000,
                        .fee = 250},
                       {.id = "donation",
                        .title = "Donation",
                        .provider = "tribute",
                        .kind = method_kind::donation,
                        .currencies = {"RUB"},
                        .maximum = 100'000}},
           .return_url = "https://app.example.org/paid",
           .keys = keyring{{secret{std::string(32, 'k')}}}};

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
  create_top_up top_up(money amount, const std::string& method = "crypto_bot") {
    return {.caller = {alice}, .amount = amount, .payment_method = method};
  }
  template <class Request>
  begun begin_payment(const Request& request) {
    return commit([&](transaction& tx) { return payments::begin(tx, by, request, now); });
  }
  charge charge_for(const store::record& row, charge_state seen, const std::string& external_id = "77") {
    return {.external_id = external_id,
            .payment = row.id,
            .state = seen,
            .price = row.total(),
            .url = "https://pay.example/" + external_id,
            .expires_at = now + 24h};
  }
  std::optional<applied> apply(const charge& seen, const std::string& provider = "cryptobot") {
    return commit([&](transaction& tx) { return payments::apply(tx, by, provider, seen, now); });
  }
  /// A settled payment.
  template <class Request>
  store::record settled(const Request& request, const std::string& external_id = "77") {
    auto row = begin_payment(request).row;
    return apply(charge_for(row, charge_state::paid, external_id), row.provider)->after;
  }
  store::record resolve(const payment_id& id, resolution as, std::optional<account_id> account = {}) {
    resolve_payment request{.caller = {alice}, .id = id, .as = as, .account = account, .note = "a test"};
    return commit([&](transaction& tx) { return payments::resolve(tx, request, now); });
  }
  refunding begin_refund(const payment_id& id, bool at_provider) {
    refund_payment request{.caller = {alice}, .id = id, .at_provider = at_provider, .note = "a test"};
    return commit([&](transaction& tx) { return payments::begin_refund(tx, by, request, now); });
  }
  std::int64_t balance(const std::string& currency = "USD") {
    return commit([&](transaction& tx) { return wallet::store::balance_of(tx, alice, currency); });
  }
  std::int64_t owed() {
    return commit([&](transaction& tx) { return wallet::store::owed_by(tx, alice, "USD"); });
  }
  void spend(std::int64_t minor, const std::string& id = "elsewhere") {
    commit([&](transaction& tx) {
      wallet::store::spend(tx, alice, {minor, "USD"}, {wallet::cause_kind::purchase, id}, now);
    });
  }
  std::string text(const std::string& query) {
    return commit([&](transaction& tx) { return sql::get<std::string>((*tx.first(query))[0]); });
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
  CAF_CHECK_EQUAL(text("SELECT traffic_reset FROM subscriptions"), "monthly");
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
  in_parallel(64, [&](int) { creates += begin_payment(request(claim)).then == begun::next::create; });
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
  bool has_failed = false;
  try {
    apply(charge_for(row, charge_state::paid));
  } catch (const pqxx::check_violation&) {
    has_failed = true;
  }
  CAF_CHECK(has_failed);
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
    CAF_CHECK(held.paid == paid);
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

CAF_TEST(a second payment for one row is held in a row of its own) {
  auto row = settled(request());
  for (int i = 0; i < 2; ++i) apply(charge_for(row, charge_state::paid, "78"));
  CAF_CHECK(row_of(row.id) == row);
  check_settled_once();
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments"), 2);
  auto second = commit([](transaction& tx) { return store::find(tx, "78", std::nullopt).value(); });
  CAF_CHECK(second.state == state::held);
  CAF_CHECK(second.account == alice);
  CAF_CHECK_EQUAL(second.review, "paid a second time, after payment " + to_string(row.id));
  CAF_CHECK(resolve(second.id, resolution::credit).state == state::paid);
  CAF_CHECK_EQUAL(balance(), 999);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a top - up goes to the wallet and its fee to us) {
  auto begun = begin_payment(top_up({1000, "USD"}, "card"));
  CAF_CHECK(begun.row.total() == money({1025, "USD"}));
  CAF_CHECK(begun.order.price == begun.row.total());
  CAF_CHECK_EQUAL(begun.order.method, "card");
  CAF_CHECK_EQUAL(begun.order.email, "alice@example.org");
  CAF_CHECK_EQUAL(begun.order.description, "Balance top-up");
  CAF_CHECK_EQUAL(begun.order.return_url, "https://app.example.org/paid?payment=" + to_string(begun.row.id));
  auto row = apply(charge_for(begun.row, charge_state::paid), "bank")->after;
  CAF_CHECK(row.state == state::paid);
  CAF_CHECK(!row.is_fulfilled);
  CAF_CHECK_EQUAL(balance(), 1000);
  CAF_CHECK_EQUAL(count("SELECT balance FROM ledger_books WHERE kind = 'revenue'"), 25);
  CAF_CHECK_EQUAL(count("SELECT balance FROM ledger_books WHERE kind = 'provider'"), -1025);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM subscriptions"), 0);
  CAF_CHECK_EQUAL(text("SELECT body FROM notifications"), "10.00 USD was added to your balance");
  CAF_CHECK(row_of(row.id) == row);
  CAF_CHECK(audit().empty());
}

CAF_TEST(what a method does not take leaves no row) {
  auto code = [&](const create_top_up& asked) { return code_of([&] { begin_payment(asked); }); };
  CAF_CHECK(code(top_up({99, "USD"})) == ec::invalid);
  CAF_CHECK(code(top_up({100'001, "USD"})) == ec::invalid);
  CAF_CHECK(code(top_up({1000, "RUB"})) == ec::invalid);
  CAF_CHECK(code(top_up({1000, "USD"}, "cash")) == ec::invalid);
  auto keeps = top_up({1000, "USD"});
  keeps.saves_method = true;
  CAF_CHECK(code(keeps) == ec::invalid);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments"), 0);
}

CAF_TEST(a debt is paid first and the plan waits for the rest) {
  auto spent = settled(top_up({1000, "USD"}), "1");
  spend(600);
  begin_refund(spent.id, false);
  CAF_CHECK_EQUAL(owed(), 600);
  auto row = settled(request(), "2");
  CAF_CHECK(row.state == state::paid);
  CAF_CHECK(!row.is_fulfilled);
  CAF_CHECK_EQUAL(owed(), 0);
  CAF_CHECK_EQUAL(balance(), 399);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM subscriptions"), 0);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM notifications WHERE body LIKE '%instead of buying Basic'"), 1);
  CAF_CHECK(audit().empty());
  auto next = settled(request(), "3"); // the next one is enough
  CAF_CHECK(next.is_fulfilled);
  CAF_CHECK_EQUAL(balance(), 399);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a notice speaks the language of its account) {
  commit([&](transaction& tx) { tx.run("UPDATE accounts SET locale = 'ru-RU'"); });
  settled(request());
  CAF_CHECK_EQUAL(text("SELECT title FROM notifications"), "Платёж получен");
}

CAF_TEST(a refund takes back days and money once) {
  auto row = settled(request());
  auto gone = charge_for(row, charge_state::refunded);
  std::atomic<int> reversed = 0;
  in_parallel(64, [&](int) { reversed += apply(gone)->taken == step::reverse; });
  CAF_CHECK_EQUAL(reversed.load(), 1);
  auto after = row_of(row.id);
  CAF_CHECK(after.state == state::refunded);
  CAF_CHECK(after.settled_at == row.settled_at);
  CAF_CHECK_EQUAL(after.refunded, 999);
  CAF_CHECK_EQUAL(balance(), 0);
  CAF_CHECK_EQUAL(owed(), 0);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM ledger_books WHERE balance <> 0"), 0);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM subscriptions WHERE expires_at > '" + sql::to_parameter(now) + "'"), 0);
  CAF_CHECK(audit().empty());
  CAF_CHECK(apply(charge_for(row, charge_state::paid))->taken == step::nothing); // an old webhook
}

CAF_TEST(a fee goes back with the rest and what was spent is owed) {
  auto row = settled(top_up({1000, "USD"}, "card"));
  spend(700);
  CAF_CHECK(apply(charge_for(row, charge_state::refunded), "bank")->taken == step::reverse);
  CAF_CHECK_EQUAL(balance(), 0);
  CAF_CHECK_EQUAL(owed(), 700);
  CAF_CHECK_EQUAL(count("SELECT balance FROM ledger_books WHERE kind = 'provider'"), 0);
  CAF_CHECK_EQUAL(count("SELECT balance FROM ledger_books WHERE kind = 'revenue'"), 700);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a partial refund is put before a person) {
  auto row = settled(request());
  auto seen = charge_for(row, charge_state::paid);
  seen.refunded = 100;
  CAF_CHECK(apply(seen)->taken == step::review);
  CAF_CHECK(apply(seen)->taken == step::nothing);
  CAF_CHECK_EQUAL(row_of(row.id).review, "1.00 USD of 9.99 USD went back at the provider");
  CAF_CHECK(code_of([&] { resolve(row.id, resolution::credit); }) == ec::refused);
  CAF_CHECK_EQUAL(resolve(row.id, resolution::dismiss).review, "");
  CAF_CHECK(code_of([&] { resolve(row.id, resolution::dismiss); }) == ec::refused);
  CAF_CHECK(apply(seen)->taken == step::nothing); // dismissed for good
  check_settled_once();
  CAF_CHECK(apply(charge_for(row, charge_state::refunded))->taken == step::reverse);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a held payment is credited once by many) {
  auto row = begin_payment(request()).row;
  auto seen = charge_for(row, charge_state::paid);
  seen.price = {998, "EUR"};
  apply(seen);
  in_parallel(64, [&](int) { resolve(row.id, resolution::credit); });
  auto after = row_of(row.id);
  CAF_CHECK(after.state == state::paid);
  CAF_CHECK((after.price == money{998, "EUR"}));
  CAF_CHECK_EQUAL(after.review, "");
  CAF_CHECK_EQUAL(balance("EUR"), 998);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM audit WHERE action = 'payment.resolve'"), 1);
  CAF_CHECK(audit().empty());
  CAF_CHECK(code_of([&] { resolve(row.id, resolution::dismiss); }) == ec::refused);
  CAF_CHECK(code_of([&] { resolve(payment_id::random(), resolution::credit); }) == ec::not_found);
  apply(charge_for(after, charge_state::refunded));
  CAF_CHECK_EQUAL(balance("EUR"), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a held payment that went back was never booked) {
  auto row = begin_payment(request()).row;
  auto seen = charge_for(row, charge_state::paid);
  seen.price.minor = 500;
  apply(seen);
  auto refunding = begin_refund(row.id, true);
  CAF_CHECK(refunding.asks_provider);
  CAF_CHECK((refundable(refunding.row) == money{500, "USD"}));
  CAF_CHECK(row_of(row.id).due_at);
  seen.state = charge_state::refunded;
  CAF_CHECK(apply(seen)->taken == step::refund);
  CAF_CHECK(row_of(row.id).state == state::refunded);
  CAF_CHECK(!row_of(row.id).due_at);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM ledger_transfers"), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a refund begins only for what was paid) {
  auto row = begin_payment(request()).row;
  CAF_CHECK(code_of([&] { begin_refund(row.id, true); }) == ec::refused);
  CAF_CHECK(code_of([&] { begin_refund(payment_id::random(), true); }) == ec::not_found);
  apply(charge_for(row, charge_state::paid));
  CAF_CHECK(begin_refund(row.id, true).asks_provider);
  CAF_CHECK(row_of(row.id).refund_at == now);
  commit([&](transaction& tx) { end_refund(tx, row.id); });
  CAF_CHECK(!row_of(row.id).refund_at);
  CAF_CHECK(!row_of(row.id).due_at);
  CAF_CHECK(!begin_refund(row.id, false).asks_provider);
  CAF_CHECK(row_of(row.id).state == state::refunded);
  CAF_CHECK(!begin_refund(row.id, true).asks_provider); // again
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM audit WHERE action = 'payment.refund'"), 2);
}

CAF_TEST(a refund that nobody confirms is put before a person) {
  auto row = settled(request());
  begin_refund(row.id, true);
  commit([&](transaction& tx) { payments::close(tx, row.id, now + watch_after_expiry); });
  auto after = row_of(row.id);
  CAF_CHECK(after.state == state::paid);
  CAF_CHECK_EQUAL(after.review, "the provider did not confirm the refund");
  CAF_CHECK(!after.due_at && !after.refund_at);
}

CAF_TEST(a lost create that cannot be repeated is put before a person) {
  auto row = begin_payment(request()).row;
  commit([&](transaction& tx) { give_up(tx, row.id); });
  CAF_CHECK(row_of(row.id).state == state::failed);
  CAF_CHECK_EQUAL(row_of(row.id).review, "the provider never told whether it made the charge");
  auto paid = settled(request(), "78");
  commit([&](transaction& tx) { give_up(tx, paid.id); });
  CAF_CHECK(row_of(paid.id) == paid);
}

CAF_TEST(a donation is credited once to whoever has its Telegram id) {
  commit([&](transaction& tx) {
    tx.run("INSERT INTO identities (provider, subject, account, linked_at) VALUES ('telegram', '4711', $1::uuid, "
           "$2::timestamptz)",
           alice, now);
  });
  charge donated{.external_id = "d1", .state = charge_state::paid, .price = {5000, "RUB"}, .payer = 4711};
  std::atomic<int> settled = 0;
  in_parallel(64, [&](int) { settled += apply(donated, "tribute")->taken == step::settle; });
  CAF_CHECK_EQUAL(settled.load(), 1);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments"), 1);
  CAF_CHECK_EQUAL(balance("RUB"), 5000);
  CAF_CHECK_EQUAL(text("SELECT method FROM payments"), "donation");
  CAF_CHECK_EQUAL(text("SELECT purpose FROM payments"), "top_up");
  CAF_CHECK(audit().empty());
}

CAF_TEST(a donation of nobody is held until somebody says whose it is) {
  charge donated{.external_id = "d1", .state = charge_state::paid, .price = {5000, "RUB"}, .payer = 4711};
  CAF_CHECK(apply(donated, "tribute")->taken == step::hold);
  CAF_CHECK(apply(donated, "tribute")->taken == step::nothing);
  auto held = commit([](transaction& tx) { return store::search(tx, {.review = true}); });
  CAF_REQUIRE_EQUAL(held.items.size(), 1u);
  CAF_CHECK(!held.items[0].account);
  auto id = held.items[0].id;
  CAF_CHECK(code_of([&] { resolve(id, resolution::credit); }) == ec::invalid);
  CAF_CHECK(code_of([&] { resolve(id, resolution::credit, account_id::random()); }) == ec::not_found);
  resolve(id, resolution::credit, alice);
  CAF_CHECK_EQUAL(balance("RUB"), 5000);
  CAF_CHECK(row_of(id).account == alice);
  CAF_CHECK(audit().empty());
  CAF_CHECK(code_of([&] { resolve(id, resolution::credit, account_id::random()); }) == ec::none); // done already
  donated.state = charge_state::refunded;
  donated.external_id = "d2"; // never seen
  CAF_CHECK(!apply(donated, "tribute"));
}

CAF_TEST(a method is saved once with consent and sealed) {
  auto pay = [&](bool agrees, const std::string& charge_id, const std::string& method_id) {
    auto asked = top_up({1000, "USD"}, "card");
    asked.saves_method = agrees;
    auto seen = charge_for(begin_payment(asked).row, charge_state::paid, charge_id);
    seen.saved = payment_provider::saved_method{method_id, "Visa •• " + method_id};
    apply(seen, "bank");
  };
  auto list = [&] { return commit([&](transaction& tx) { return store::list_methods(tx, alice); }); };
  pay(false, "1", "pm_1");
  CAF_CHECK(list().empty());
  pay(true, "2", "pm_1");
  pay(true, "3", "pm_1");
  now += 1s;
  pay(true, "4", "pm_2");
  auto saved = list();
  CAF_REQUIRE_EQUAL(saved.size(), 2u);
  CAF_CHECK_EQUAL(saved[0].title, "Visa •• pm_1");
  CAF_CHECK(saved[0].is_default && !saved[1].is_default);
  // Not by LIKE: its `_` is any character, which a sealed id may well have there.
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM saved_payment_methods WHERE strpos(sealed_id, 'pm_1') > 0"), 0);

  auto find = [&](const account_id& who, saved_method_id id) {
    return commit([&](transaction& tx) { return store::find_method(tx, by.keys, who, id); });
  };
  CAF_CHECK(find(alice, saved[1].id)->second == "pm_2");
  auto bob = add_account("bob");
  CAF_CHECK(!find(bob, saved[1].id));
  auto remove = [&](const account_id& who, saved_method_id id) {
    return commit([&](transaction& tx) { return store::remove_method(tx, who, id); });
  };
  CAF_CHECK(!remove(bob, saved[0].id));
  CAF_CHECK(remove(alice, saved[0].id));
  CAF_CHECK(!remove(alice, saved[0].id));
  CAF_CHECK(list().front().is_default);

  charge_saved again{.account = alice, .method = saved[1].id, .plan = "Basic", .days = 90, .price = {2500, "USD"}};
  auto begun = begin_payment(again);
  CAF_CHECK_EQUAL(begun.order.saved_method, "pm_2");
  CAF_CHECK(begun.row.purpose == purpose::plan);
  CAF_CHECK_EQUAL(begun.row.duration_days, 90);
  CAF_CHECK((begun.order.price == money{2563, "USD"})); // with the fee
  CAF_CHECK(row_of(begun.row.id) == begun.row);
  again.account = bob;
  CAF_CHECK(code_of([&] { begin_payment(again); }) == ec::not_found);
}

CAF_TEST(operators find payments by whatever they know) {
  auto bob = add_account("bob");
  auto mine = settled(request());
  auto his = top_up({1000, "USD"}, "card");
  his.caller.account = bob;
  auto row = begin_payment(his).row;
  auto found = [&](const search_payments& wanted) {
    auto page = commit([&](transaction& tx) { return store::search(tx, wanted); });
    CAF_CHECK_EQUAL(page.total, static_cast<std::int64_t>(page.items.size()));
    return page.items.size() == 1 ? page.items[0].id : payment_id{};
  };
  CAF_CHECK(found({.state = state::paid}) == mine.id);
  CAF_CHECK(found({.provider = "bank"}) == row.id);
  CAF_CHECK(found({.account = bob}) == row.id);
  CAF_CHECK(found({.state = state::paid, .account = bob}).is_nil());
  CAF_CHECK(found({.review = true}).is_nil());
  CAF_CHECK_EQUAL(commit([](transaction& tx) { return store::search(tx, {.review = false}); }).total, 2);
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
  auto page = commit([&](transaction& tx) { return store::search(tx, {.account = alice, .offset = 1, .limit = 2}); });
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
  CAF_CHECK((rules("UPDATE payments SET state = 'failed', settled_at = NULL, is_fulfilled = false") ==
             std::vector<std::string>{"booked_without_payment", "purchase_differs"}));
  CAF_CHECK_EQUAL(rules("UPDATE payments SET amount = 998").size(), 2u); // both entries
  CAF_CHECK_EQUAL(rules("UPDATE ledger_transfers SET cause_id = 'x' WHERE cause_kind = 'payment'").size(), 3u);
  CAF_CHECK((rules("UPDATE ledger_transfers SET cause_id = 'x' WHERE cause_kind = 'purchase'") ==
             std::vector<std::string>{"purchase_differs"}));
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
  bool can_find = true, can_refund = true;
  int creates = 0, finds = 0, lists = 0, refunds = 0;
  std::optional<answer_checkout> told;

  charge make(const create_charge& order) {
    for (auto& one : charges)
      if (!can_find && one.payment == order.payment) return one; // by its idempotency key
    auto id = std::to_string(1000 + charges.size());
    return charges.emplace_back(charge{.external_id = id,
                                       .payment = order.payment,
                                       .state = order.saved_method.empty() ? charge_state::pending : charge_state::paid,
                                       .price = order.price,
                                       .url = "https://pay/" + id});
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

caf::error not_supported() { return to_error({.code = ec::refused, .name = "NOT_SUPPORTED"}); }

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
      [till](const find_charge& question) -> caf::result<charge_list> {
        std::lock_guard lock{till->mutex};
        if (!till->can_find) return not_supported();
        ++till->finds;
        return list_where(*till, [&](const charge& one) { return one.payment == question.payment; });
      },
      [till](const refund_charge& order) -> caf::result<charge> {
        std::lock_guard lock{till->mutex};
        if (!till->can_refund) return not_supported();
        ++till->refunds;
        for (auto& one : till->charges) {
          if (one.external_id != order.external_id || one.price != order.amount) continue;
          one.state = charge_state::refunded;
          if (till->is_down) return to_error({.code = ec::timeout}); // done, but nobody hears of it
          return one;
        }
        return to_error({.code = ec::upstream});
      },
      [till](const answer_checkout& told) {
        till->told = told;
        return done{};
      },
      [](const read_webhook& call) -> caf::result<webhook_event> {
        if (auto asked = payment_id::parse(call.body)) // a checkout
          return webhook_event{.event_id = "q", .asks = checkout{"query", *asked, {999, "USD"}}};
        if (call.headers.empty()) return to_error({.code = ec::unauthenticated});
        if (call.body.empty()) return webhook_event{"nothing", std::nullopt};
        return webhook_event{"event-" + call.body, charge{.external_id = call.body}};
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
  caf::actor database;
  std::vector<caf::actor> nodes;

  living() {
    std::promise<caf::actor> started;
    system.spawn([&](caf::event_based_actor* parent) {
      started.set_value(spawn_database(parent, std::make_shared<vitals>("database", true),
                                       {scratch.url(), {4, 1000, 3s}, 2s, [count = woken] { ++*count; }}));
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
  }

  payments_actor start(std::chrono::milliseconds poll_every) {
    domain_context context{std::make_shared<vitals>("payments", true), clock,
                           caf::actor_cast<database_actor>(database)};
    payments_dependencies deps{
        {{"cryptobot", provider_handle}, {"bank", provider_handle}}, std::make_shared<const terms>(by), poll_every};
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
    return eventually([&] { return state_now() == wanted; });
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
  elsewhere.payment_method = "cash";
  CAF_CHECK(code_of_answer(node, elsewhere) == ec::invalid);
  elsewhere.payment_method = "donation"; // known, but not here
  CAF_CHECK(code_of_answer(node, elsewhere) == ec::unavailable);
  CAF_CHECK(code_of_answer(node, receive_webhook{"tribute", "1", {}, {}}) == ec::not_found);
  auto offered = ask(node, payments::list_methods{});
  CAF_CHECK_EQUAL(offered->items.size(), 3u);
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
  eventually([&] { return provider->finds > 0; });
  CAF_CHECK_EQUAL(provider->finds, 1);
  CAF_CHECK(state_now() == state::created); // too early to know
  pass(safe_time);
  CAF_CHECK(becomes(state::failed));
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM payments WHERE due_at IS NOT NULL"), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(killed after the provider was asked) {
  auto row = begin_payment(request()).row;
  provider->make({.payment = row.id, .price = row.price});
  start(20ms);
  pass(11s);
  CAF_CHECK(becomes(state::pending));
  CAF_CHECK_EQUAL(row_of(row.id).payment_url, "https://pay/1000");
  CAF_CHECK_EQUAL(provider->creates, 0);
}

CAF_TEST(killed between the payment at the provider and the settlement) {
  auto row = begin_payment(request()).row;
  apply(provider->make({.payment = row.id, .price = row.price}));
  provider->set_all(charge_state::paid);
  start(20ms);
  start(20ms); // a second node does no harm
  pass(11s);
  CAF_CHECK(becomes(state::paid));
  check_settled_once();
}

CAF_TEST(a provider that is away closes nothing) {
  auto row = begin_payment(request()).row;
  apply(provider->make({.payment = row.id, .price = row.price}));
  provider->is_down = true;
  start(20ms);
  pass(24h * 10);
  CAF_CHECK(eventually([&] { return provider->lists > 0; }));
  CAF_CHECK(state_now() == state::pending);
  provider->is_down = false;
  pass(2h);
  CAF_CHECK(becomes(state::expired));
  CAF_CHECK(eventually([&] { return !row_of(row.id).due_at; }));
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
  CAF_CHECK_EQUAL(woken->load(), 2);
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
  commit([&](transaction& tx) {
    for (int i = 0; i < 120; ++i) {
      auto row = payments::begin(tx, by, request(), now).row;
      payments::apply(tx, by, "cryptobot", provider->make({.payment = row.id, .price = row.price}), now);
    }
  });
  provider->set_all(charge_state::paid);
  start(20ms);
  pass(11s);
  CAF_CHECK(eventually([&] { return count("SELECT count(*) FROM payments WHERE state = 'paid'") == 120; }));
  CAF_CHECK_EQUAL(provider->lists, 2);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a lost create is repeated by the poller where it cannot be found) {
  provider->can_find = false;
  provider->on_create = till::mood::loses_answers;
  auto node = start(20ms);
  CAF_CHECK(code_of_answer(node, request()) == ec::timeout);
  provider->on_create = till::mood::answers;
  pass(11s);
  CAF_CHECK(becomes(state::pending));
  CAF_CHECK_EQUAL(provider->charges.size(), 1u);
  CAF_CHECK_EQUAL(provider->creates, 2);
}

CAF_TEST(a refund at the provider takes everything back) {
  auto node = start(idle);
  auto made = ask(node, request());
  provider->set_all(charge_state::paid);
  CAF_CHECK(code_of_answer(node, settle_charge{"cryptobot", made->external_id}) == ec::none);
  refund_payment order{.caller = {alice, {}, role::admin}, .id = made->id, .note = "asked for"};
  for (int i = 0; i < 2; ++i) {
    auto refunded = ask(node, order);
    CAF_REQUIRE(refunded);
    CAF_CHECK(refunded->state == state::refunded);
  }
  CAF_CHECK_EQUAL(provider->refunds, 1);
  CAF_CHECK_EQUAL(balance(), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a refund whose answer was lost is found out by the poller) {
  auto node = start(20ms);
  auto made = ask(node, request());
  provider->set_all(charge_state::paid);
  CAF_CHECK(code_of_answer(node, settle_charge{"cryptobot", made->external_id}) == ec::none);
  provider->is_down = true;
  refund_payment order{.caller = {alice, {}, role::admin}, .id = made->id, .note = "asked for"};
  CAF_CHECK(code_of_answer(node, order) == ec::timeout);
  CAF_CHECK(state_now() == state::paid);
  provider->is_down = false;
  pass(11s);
  CAF_CHECK(becomes(state::refunded));
  CAF_CHECK(audit().empty());
}

CAF_TEST(a provider without refunds is refunded by hand) {
  auto node = start(idle);
  provider->can_refund = false;
  auto made = ask(node, request());
  provider->set_all(charge_state::paid);
  CAF_CHECK(code_of_answer(node, settle_charge{"cryptobot", made->external_id}) == ec::none);
  refund_payment order{.caller = {alice, {}, role::admin}, .id = made->id, .note = "asked for"};
  CAF_CHECK(code_of_answer(node, order) == ec::refused);
  CAF_CHECK(!row_of(made->id).due_at);
  order.at_provider = false;
  CAF_CHECK(ask(node, order)->state == state::refunded);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a saved method is charged once for a claim without the buyer) {
  auto node = start(idle);
  auto first = top_up({1000, "USD"}, "card");
  first.saves_method = true;
  auto seen = charge_for(begin_payment(first).row, charge_state::paid, "first");
  seen.saved = payment_provider::saved_method{"pm_1", "Visa •• 4242"};
  apply(seen, "bank");
  auto saved = ask(node, list_saved_methods{alice});
  CAF_REQUIRE_EQUAL(saved->items.size(), 1u);
  charge_saved order{alice, saved->items[0].id, "Basic", 90, {2500, "USD"}, claim_id::random()};
  for (int i = 0; i < 2; ++i) CAF_CHECK(ask(node, order)->state == state::paid);
  CAF_CHECK_EQUAL(provider->creates, 1);
  CAF_CHECK_EQUAL(count("SELECT extract(day FROM expires_at - started_at)::bigint FROM subscriptions"), 90);
  CAF_CHECK_EQUAL(balance(), 1000);
  CAF_CHECK(audit().empty());
  CAF_CHECK(code_of_answer(node, remove_saved_method{add_account("bob"), saved->items[0].id}) == ec::not_found);
  CAF_CHECK(code_of_answer(node, remove_saved_method{alice, saved->items[0].id}) == ec::none);
  order.claim = claim_id::random();
  CAF_CHECK(code_of_answer(node, order) == ec::not_found);
}

CAF_TEST(a question is answered by how the row stands) {
  auto node = start(idle);
  auto made = ask(node, request());
  receive_webhook question{"cryptobot", to_string(made->id), {}, {}};
  CAF_CHECK(code_of_answer(node, question) == ec::none);
  CAF_CHECK_EQUAL(provider->told->refusal, "");
  provider->set_all(charge_state::paid);
  CAF_CHECK(code_of_answer(node, settle_charge{"cryptobot", made->external_id}) == ec::none);
  CAF_CHECK(code_of_answer(node, question) == ec::none);
  CAF_CHECK(provider->told->refusal.starts_with("This invoice cannot be paid"));
  question.body = to_string(payment_id::random());
  CAF_CHECK(code_of_answer(node, question) == ec::none);
  CAF_CHECK(!provider->told->refusal.empty());
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM outbox WHERE kind = 'settle'"), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
