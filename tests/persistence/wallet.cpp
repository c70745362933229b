#define CAF_SUITE wallet

#include "actors/wallet/store.hpp"

#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::wallet::store;

namespace {

struct fixture : commerce_database {
  account_id alice = account_id::random(), bob = account_id::random();
  timestamp now = moment(0);

  bool post(const transfer& what) {
    return commit([&](transaction& tx) { return wallet::store::post(tx, what, now); });
  }
  std::int64_t balance(const book& which, const std::string& currency = "USD") {
    return commit([&](transaction& tx) { return wallet::store::balance(tx, which, currency); });
  }
  std::vector<discrepancy> audit() {
    return commit([](transaction& tx) { return wallet::store::audit(tx); });
  }
  void run(const std::string& statement) {
    commit([&](transaction& tx) { tx.run(statement); });
  }
  transfer top_up(const std::string& cause, const account_id& who, std::int64_t minor, std::string currency = "USD") {
    return {"gift", cause, provider("cryptobot"), wallet_of(who), {minor, std::move(currency)}};
  }
  transfer spend(const std::string& cause, const account_id& who, std::int64_t minor) {
    return {"purchase", cause, wallet_of(who), revenue(), {minor, "USD"}};
  }
  bool finds(const std::string& rule) {
    auto found = audit();
    return std::any_of(found.begin(), found.end(), [&](auto& one) { return one.rule == rule; });
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(wallet_tests, fixture)

CAF_TEST(a cause is booked once) {
  CAF_CHECK(post(top_up("1", alice, 999)));
  CAF_CHECK(!post(top_up("1", alice, 999)));
  CAF_CHECK(!post(top_up("1", bob, 5)));
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 999);
  CAF_CHECK_EQUAL(balance(wallet_of(bob)), 0);
  CAF_CHECK_EQUAL(balance(provider("cryptobot")), -999);
  CAF_CHECK(audit().empty());
}

CAF_TEST(currencies do not mix) {
  post(top_up("1", alice, 999));
  post(top_up("2", alice, 50000, "RUB"));
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 999);
  CAF_CHECK_EQUAL(balance(wallet_of(alice), "RUB"), 50000);
}

CAF_TEST(a wallet cannot go below zero) {
  post(top_up("1", alice, 100));
  CAF_CHECK(code_of([&] { post(spend("1", alice, 101)); }) == ec::refused);
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 100);
  CAF_CHECK(post(spend("1", alice, 100)));
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 0);
  CAF_CHECK(!post(spend("1", alice, 100))); // a repeat is told so, not refused
  CAF_CHECK(audit().empty());
}

CAF_TEST(what is posted together stands or falls together) {
  auto together = [&](std::int64_t earned, std::int64_t spent) {
    return commit([&](transaction& tx) {
      return wallet::store::post(tx, std::vector{top_up("1", alice, earned), spend("2", alice, spent)}, now);
    });
  };
  CAF_CHECK(code_of([&] { together(10, 11); }) == ec::refused);
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 0);
  CAF_CHECK_EQUAL(together(11, 10), 2u);
  CAF_CHECK_EQUAL(together(11, 10), 0u);
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 1);
}

CAF_TEST(nonsense is refused) {
  CAF_CHECK(code_of([&] { post(top_up("1", alice, 0)); }) == ec::internal);
  CAF_CHECK(code_of([&] { post(top_up("1", alice, -5)); }) == ec::internal);
  CAF_CHECK(code_of([&] { post({"gift", "1", revenue(), revenue(), {5, "USD"}}); }) == ec::internal);
  CAF_CHECK(code_of([&] { post({"", "1", revenue(), wallet_of(alice), {5, "USD"}}); }) == ec::internal);
}

CAF_TEST(opposite transfers in parallel neither deadlock nor lose money) {
  post(top_up("a", alice, 1000));
  post(top_up("b", bob, 1000));
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20; ++i) try {
          auto from = wallet_of(thread % 2 ? alice : bob), to = wallet_of(thread % 2 ? bob : alice);
          auto id = std::to_string(thread) + "-" + std::to_string(i);
          // Two transfers whose books a naive order would lock crosswise.
          commit([&](transaction& tx) {
            return wallet::store::post(
                tx, std::vector<transfer>{{"there", id, from, to, {7, "USD"}}, {"fee", id, to, revenue(), {1, "USD"}}},
                now);
          });
        } catch (const std::exception&) {
          ++failures;
        }
    });
  for (auto& thread : threads) thread.join();
  CAF_CHECK_EQUAL(failures.load(), 0);
  CAF_CHECK_EQUAL(balance(wallet_of(alice)) + balance(wallet_of(bob)), 2000 - 160);
  CAF_CHECK_EQUAL(balance(revenue()), 160);
  CAF_CHECK(audit().empty());
}

CAF_TEST(one cause by many at once is booked once) {
  std::atomic<int> booked = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) threads.emplace_back([&] { booked += post(top_up("same", alice, 5)); });
  for (auto& thread : threads) thread.join();
  CAF_CHECK_EQUAL(booked.load(), 1);
  CAF_CHECK_EQUAL(balance(wallet_of(alice)), 5);
}

CAF_TEST(the audit finds what was tampered with) {
  post(top_up("1", alice, 100));
  CAF_REQUIRE(audit().empty());

  run("UPDATE ledger_books SET balance = balance + 1 WHERE kind = 'wallet'");
  CAF_CHECK(finds("balance_differs"));
  CAF_CHECK(finds("currency_not_balanced"));
  run("UPDATE ledger_books SET balance = balance - 1 WHERE kind = 'wallet'");
  CAF_CHECK(audit().empty());

  run("UPDATE ledger_entries SET amount = amount + 1 WHERE amount > 0");
  CAF_CHECK(finds("transfer_not_balanced"));
  run("UPDATE ledger_entries SET amount = amount - 1 WHERE amount > 0");

  run("INSERT INTO ledger_transfers (cause_kind, cause_id, created_at) VALUES ('gift', 'empty', '2026-11-23')");
  CAF_CHECK(finds("transfer_not_balanced"));
  run("DELETE FROM ledger_transfers WHERE cause_id = 'empty'");

  run("ALTER TABLE ledger_books DROP CONSTRAINT ledger_books_no_debt");
  post(spend("2", bob, 5));
  CAF_CHECK(finds("wallet_in_debt"));
}

CAF_TEST(the audit finds a booking without its payment) {
  auto payment = top_up(to_string(payment_id::random()), alice, 100);
  payment.cause_kind = "payment";
  post(payment);
  auto found = audit();
  CAF_REQUIRE_EQUAL(found.size(), 1u);
  CAF_CHECK_EQUAL(found[0].rule, "booked_without_payment");
  CAF_CHECK_EQUAL(found[0].subject, "transfer payment " + payment.cause_id);
}

CAF_TEST_FIXTURE_SCOPE_END()
