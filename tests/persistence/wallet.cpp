#define CAF_SUITE wallet

#include "actors/wallet/store.hpp"

#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::wallet;
using wallet::store::balance_of;
using wallet::store::discrepancy;
using wallet::store::owed_by;

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
  transfer top_up(const std::string& id, const account_id& who, std::int64_t minor, std::string currency = "USD") {
    return {{cause_kind::promo, id}, provider("cryptobot"), wallet_of(who), {minor, std::move(currency)}};
  }
  transfer spend(const std::string& id, const account_id& who, std::int64_t minor) {
    return {{cause_kind::purchase, id}, wallet_of(who), revenue(), {minor, "USD"}};
  }
  bool credit(const std::string& id, const account_id& who, std::int64_t minor) {
    return commit([&](transaction& tx) {
      return wallet::store::credit(tx, who, rewards(), {minor, "USD"}, {cause_kind::promo, id}, now);
    });
  }
  bool take_back(const std::string& id, const account_id& who, std::int64_t minor) {
    return commit([&](transaction& tx) {
      return wallet::store::take_back(tx, who, rewards(), {minor, "USD"}, {cause_kind::refund, id}, now);
    });
  }
  holding in_usd(const account_id& who) {
    return commit([&](transaction& tx) {
      return holding{{balance_of(tx, who, "USD"), "USD"}, {owed_by(tx, who, "USD"), "USD"}};
    });
  }
  void check_holding(const account_id& who, std::int64_t balance, std::int64_t owed) {
    CAF_CHECK((in_usd(who) == holding{{balance, "USD"}, {owed, "USD"}}));
  }
  bool finds(const std::string& rule) {
    auto found = audit();
    return std::any_of(found.begin(), found.end(), [&](auto& one) { return one.rule == rule; });
  }
};

template <class F>
void in_parallel(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&f, i] { f(i); });
  for (auto& thread : threads) thread.join();
}

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

CAF_TEST(what is posted each by itself loses only what is refused) {
  auto outcomes = commit([&](transaction& tx) {
    return wallet::store::post_each(
        tx, {top_up("1", alice, 10), spend("1", alice, 11), spend("2", alice, 4), spend("2", alice, 4)}, now);
  });
  CAF_REQUIRE_EQUAL(outcomes.size(), 4u);
  CAF_CHECK(outcomes[0] == outcome<transferred>{transferred{true}});
  CAF_CHECK(std::get<fault>(outcomes[1]).code == ec::refused);
  CAF_CHECK(outcomes[2] == outcome<transferred>{transferred{true}});
  CAF_CHECK(outcomes[3] == outcome<transferred>{transferred{false}});
  check_holding(alice, 6, 0);
  CAF_CHECK(post(spend("1", alice, 6)));
  CAF_CHECK(audit().empty());
}

CAF_TEST(what was taken back beyond the wallet is paid by later credits) {
  credit("1", alice, 100);
  CAF_CHECK(take_back("1", alice, 250));
  check_holding(alice, 0, 150);
  CAF_CHECK(!take_back("1", alice, 250));
  check_holding(alice, 0, 150);
  CAF_CHECK(credit("2", alice, 100));
  check_holding(alice, 0, 50);
  CAF_CHECK(!credit("2", alice, 100));
  check_holding(alice, 0, 50);
  CAF_CHECK(credit("3", alice, 51));
  check_holding(alice, 1, 0);
  CAF_CHECK(!credit("1", alice, 100)); // paid nothing then, and pays nothing now
  check_holding(alice, 1, 0);
  CAF_CHECK_EQUAL(balance(rewards()), -1);
  CAF_CHECK(audit().empty());
}

CAF_TEST(what came before there was a debt does not pay it when it is told again) {
  credit("1", alice, 10);
  take_back("1", alice, 30);
  CAF_CHECK(!credit("1", alice, 10));
  check_holding(alice, 0, 20);
}

CAF_TEST(a refund undoes the purchase and leaves what was there) {
  credit("1", alice, 50);
  credit("2", alice, 999);
  post(spend("p", alice, 999));
  auto refund = [&] {
    return commit([&](transaction& tx) {
      auto undone = wallet::store::undo_purchase(tx, "p", now);
      wallet::store::take_back(tx, alice, rewards(), {999, "USD"}, {cause_kind::refund, "p"}, now);
      return undone;
    });
  };
  CAF_CHECK(refund());
  CAF_CHECK(!refund());
  CAF_CHECK(!commit([&](transaction& tx) { return wallet::store::undo_purchase(tx, "unknown", now); }));
  check_holding(alice, 50, 0);
  CAF_CHECK_EQUAL(balance(revenue()), 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(holdings and statement tell what an account has and why) {
  credit("1", alice, 100);
  now = moment(60);
  post(top_up("r", alice, 5, "RUB"));
  post(spend("1", alice, 30));
  take_back("1", alice, 90);
  post(top_up("b", bob, 7));
  commit([&](transaction& tx) {
    CAF_CHECK((wallet::store::balances(tx, alice) == holdings{{{{5, "RUB"}, {0, "RUB"}}, {{0, "USD"}, {20, "USD"}}}}));
    CAF_CHECK(wallet::store::balances(tx, account_id::random()).items.empty());
    auto page = wallet::store::list(tx, {alice});
    CAF_REQUIRE_EQUAL(page.items.size(), 5u);
    CAF_CHECK_EQUAL(page.total, 5);
    auto now = moment(60);
    CAF_CHECK((page.items[0] == statement_line{{cause_kind::refund, "1"}, {-90, "USD"}, rewards(), now}));
    CAF_CHECK((page.items[1] == statement_line{{cause_kind::debt, "refund 1"}, {20, "USD"}, debt_of(alice), now}));
    CAF_CHECK((page.items[2] == statement_line{{cause_kind::purchase, "1"}, {-30, "USD"}, revenue(), now}));
    CAF_CHECK((page.items[3] == statement_line{{cause_kind::promo, "r"}, {5, "RUB"}, provider("cryptobot"), now}));
    CAF_CHECK((page.items[4] == statement_line{{cause_kind::promo, "1"}, {100, "USD"}, rewards(), moment(0)}));
    auto cut = wallet::store::list(tx, {alice, cause_kind::promo, std::nullopt, 1, 1});
    CAF_CHECK_EQUAL(cut.total, 2);
    CAF_REQUIRE_EQUAL(cut.items.size(), 1u);
    CAF_CHECK_EQUAL(cut.items[0].cause.id, "1");
    CAF_CHECK_EQUAL(wallet::store::list(tx, {alice, std::nullopt, "RUB"}).total, 1);
    CAF_CHECK_EQUAL(wallet::store::list(tx, {alice, std::nullopt, "EUR"}).total, 0);
  });
}

CAF_TEST(of 64 who spend what is there for one exactly one succeeds) {
  credit("1", alice, 999);
  std::atomic<int> spent = 0, refused = 0;
  in_parallel(64, [&](int i) {
    auto code = code_of([&] { post(spend(std::to_string(i), alice, 999)); });
    spent += code == ec::none;
    refused += code == ec::refused;
  });
  CAF_CHECK_EQUAL(spent.load(), 1);
  CAF_CHECK_EQUAL(refused.load(), 63);
  check_holding(alice, 0, 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(credits at once pay a debt once) {
  take_back("1", alice, 100);
  in_parallel(16, [&](int i) { credit(std::to_string(i), alice, 30); });
  check_holding(alice, 16 * 30 - 100, 0);
  CAF_CHECK(audit().empty());
}

CAF_TEST(transactions that move money more than once do not deadlock) {
  for (auto& who : {alice, bob}) credit(to_string(who), who, 10'000);
  std::atomic<int> failures = 0;
  in_parallel(16, [&](int i) {
    for (int turn = 0; turn < 10; ++turn) try {
        auto id = std::to_string(i) + "-" + std::to_string(turn);
        auto &one = i % 2 ? alice : bob, &other = i % 2 ? bob : alice;
        commit([&](transaction& tx) {
          wallet::store::spend(tx, one, {3, "USD"}, {cause_kind::purchase, id}, now);
          wallet::store::credit(tx, other, rewards(), {2, "USD"}, {cause_kind::referral, id}, now);
          wallet::store::take_back(tx, one, provider("cryptobot"), {1, "USD"}, {cause_kind::refund, id}, now);
        });
      } catch (const std::exception&) {
        ++failures;
      }
  });
  CAF_CHECK_EQUAL(failures.load(), 0);
  for (auto& who : {alice, bob}) check_holding(who, 10'000 - 80 * 2, 0);
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
          std::vector<transfer> both;
          both.push_back({{cause_kind::admin, id}, from, to, {7, "USD"}});
          both.push_back({{cause_kind::fee, id}, to, revenue(), {1, "USD"}});
          commit([&](transaction& tx) { return wallet::store::post(tx, both, now); });
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
  in_parallel(16, [&](int) { booked += post(top_up("same", alice, 5)); });
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
  CAF_CHECK(finds("unknown_cause"));
  run("DELETE FROM ledger_transfers WHERE cause_id = 'empty'");

  auto cannot = [&](const std::string& statement) {
    try {
      run(statement);
    } catch (const pqxx::check_violation&) {
      return true;
    }
    return false;
  };
  take_back("2", bob, 5);
  auto overdraw = "UPDATE ledger_books SET balance = -1 WHERE kind = 'wallet'";
  auto overpay = "UPDATE ledger_books SET balance = 1 WHERE kind = 'debt'";
  CAF_CHECK(cannot(overdraw));
  CAF_CHECK(cannot(overpay));
  run("ALTER TABLE ledger_books DROP CONSTRAINT ledger_books_no_debt, DROP CONSTRAINT ledger_books_debt_is_owed");
  run(overdraw);
  CAF_CHECK(finds("wallet_below_zero"));
  run(overpay);
  CAF_CHECK(finds("debt_above_zero"));
}

CAF_TEST(the audit finds a booking without its payment) {
  auto payment = top_up(to_string(payment_id::random()), alice, 100);
  payment.cause.kind = cause_kind::payment;
  post(payment);
  auto found = audit();
  CAF_REQUIRE_EQUAL(found.size(), 1u);
  CAF_CHECK_EQUAL(found[0].rule, "booked_without_payment");
  CAF_CHECK_EQUAL(found[0].subject, "transfer payment " + payment.cause.id);
}

CAF_TEST(the audit holds each payment against its bookings) {
  auto buyer = add_account("buyer");
  auto id = to_string(payment_id::random());
  run("INSERT INTO plans (id, name, duration_days) VALUES (gen_random_uuid(), 'Basic', 30)");
  run("INSERT INTO payments (id, account_id, plan_id, plan_name, duration_days, amount, currency, provider, "
      "external_id, "
      "state, created_at, tried_at, settled_at) SELECT '" +
      id + "', '" + to_string(buyer) +
      "', id, name, 30, 999, 'USD', 'stripe', '1', 'paid', now(), now(), now() FROM plans");
  auto found = [&] {
    std::vector<std::string> rules;
    for (auto& one : audit())
      if (rules.empty() || rules.back() != one.rule) rules.push_back(one.rule);
    return rules;
  };
  using rules = std::vector<std::string>;
  auto refund = [&](std::int64_t minor) {
    commit([&](transaction& tx) {
      wallet::store::take_back(tx, buyer, provider("stripe"), {minor, "USD"}, {cause_kind::refund, id}, now);
    });
  };
  CAF_CHECK_EQUAL(found(), rules{"payment_not_booked"});
  commit([&](transaction& tx) {
    wallet::store::credit(tx, buyer, provider("stripe"), {999, "USD"}, {cause_kind::payment, id}, now);
  });
  CAF_CHECK_EQUAL(found(), rules{});
  post(spend(id, buyer, 999));
  CAF_CHECK_EQUAL(found(), rules{"purchase_differs"});
  run("UPDATE payments SET is_fulfilled = true");
  CAF_CHECK_EQUAL(found(), rules{});
  run("UPDATE payments SET state = 'refunded'");
  CAF_CHECK_EQUAL(found(), (rules{"payment_not_booked", "purchase_differs"}));
  commit([&](transaction& tx) { wallet::store::undo_purchase(tx, id, now); });
  CAF_CHECK_EQUAL(found(), rules{"payment_not_booked"});
  refund(999);
  CAF_CHECK_EQUAL(found(), rules{});
  run("UPDATE payments SET state = 'paid'");
  CAF_CHECK_EQUAL(found(), (rules{"refunded_without_payment", "purchase_differs"}));
  run("UPDATE payments SET state = 'expired', settled_at = NULL, is_fulfilled = false");
  CAF_CHECK_EQUAL(found(), (rules{"booked_without_payment", "refunded_without_payment", "purchase_differs"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
