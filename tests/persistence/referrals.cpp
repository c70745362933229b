#define CAF_SUITE persistence_referrals

#include "actors/referrals/store.hpp"

#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = referrals::store;
using std::chrono::days;

namespace {

struct fixture : commerce_database {
  fixture() {
    commit([&](transaction& tx) { subscriptions::store::insert_plan(tx, plan, 1); });
  }

  std::string code_of(const account_id& account) {
    return commit([&](transaction& tx) { return store::code_of(tx, account, now); });
  }
  bool join(const store::newcomer& who, const std::string& code) {
    return commit([&](transaction& tx) { return store::join(tx, terms, who, code, now); });
  }
  /// A new account, invited by ann, from an address block and a device of its own.
  account_id invite(const std::string& login) {
    auto account = add_account(login);
    store::newcomer who{account, to_string(uuid::random()), {.address = "10.0." + std::to_string(++blocks) + ".1"}};
    CAF_CHECK(join(who, code_of(ann)));
    return account;
  }
  payment_id add_payment(const account_id& payer, const money& amount) {
    auto id = payment_id::random();
    commit([&](transaction& tx) {
      tx.run("INSERT INTO payments (id, account_id, plan_id, plan_name, duration_days, amount, currency, provider, "
             "external_id, state, created_at, tried_at, settled_at) VALUES ($1::uuid, $2::uuid, $3::uuid, 'Basic', 30, "
             "$4::bigint, $5, 'cryptobot', $1, 'paid', $6, $6, $6)",
             id, payer, plan.id, amount.minor, amount.currency, now);
    });
    return id;
  }
  payment_id pay(const account_id& payer, const money& amount) {
    auto id = add_payment(payer, amount);
    reward(payer, id, amount);
    return id;
  }
  void reward(const account_id& payer, const payment_id& id, const money& amount) {
    commit([&](transaction& tx) { store::reward(tx, payer, id, amount, now); });
  }
  void reverse(const payment_id& id) {
    commit([&](transaction& tx) { store::reverse(tx, id, now); });
  }
  bool credit_due(timestamp at) {
    return commit([&](transaction& tx) { return store::credit_due(tx, at); });
  }
  std::int64_t wallet_of(const account_id& account, const std::string& currency = "RUB") {
    return commit([&](transaction& tx) { return wallet::store::balance_of(tx, account, currency); });
  }
  std::int64_t debt_of(const account_id& account, const std::string& currency = "RUB") {
    return commit([&](transaction& tx) { return wallet::store::owed_by(tx, account, currency); });
  }
  std::int64_t count(const std::string& query) {
    return commit([&](transaction& tx) { return sql::get<std::int64_t>((*tx.first(query))[0]); });
  }
  referrals::standing standing(const account_id& account) {
    return commit([&](transaction& tx) { return store::find_standing(tx, account, "RUB", now); });
  }
  void run(const std::string& statement, const account_id& whose) {
    commit([&](transaction& tx) { tx.run(statement, whose); });
  }
  /// These payments are not settled here; all else of the ledger has to be right.
  ~fixture() {
    for (auto& found : commit([](transaction& tx) { return wallet::store::audit(tx); }))
      if (!found.subject.starts_with("payment ")) CAF_ERROR(found.rule << " " << found.subject << " " << found.detail);
  }

  subscriptions::plan plan{.id = plan_id::random(), .name = "Basic", .prices = {{30'000, "RUB"}}};
  account_id ann = add_account("ann");
  timestamp now = moment(0);
  store::terms terms{.percent = 25,
                     .currency = "RUB",
                     .minimum = 10'000,
                     .referred_bonus = 1'000,
                     .referrer_bonus = 2'000,
                     .hold = days{14}};
  int blocks = 0;
};

template <class F>
void in_parallel(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&f, i] { f(i); });
  for (auto& thread : threads) thread.join();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(referral_store_tests, fixture)

CAF_TEST(an account has one code from its first reading on) {
  std::vector<std::string> read(16);
  in_parallel(16, [&](int i) { read[i] = code_of(ann); });
  CAF_CHECK_EQUAL(std::set<std::string>(read.begin(), read.end()).size(), 1u);
  CAF_CHECK_EQUAL(read[0].size(), 8u);
  CAF_CHECK(code_of(add_account("bob")) != read[0]);
}

CAF_TEST(who joins is recorded once and the referrer is told) {
  auto code = code_of(ann);
  auto bob = add_account("bob"), zoe = add_account("zoe");
  std::string typed = code;
  std::transform(typed.begin(), typed.end(), typed.begin(), [](unsigned char c) { return std::tolower(c); });
  CAF_CHECK(join({bob, {}, {.address = "10.0.0.1"}}, typed));
  CAF_CHECK(!join({bob, {}, {.address = "10.0.0.1"}}, code_of(zoe)));
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referrals"), 1);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM notifications WHERE kind = 'referral_joined'"), 1);
  CAF_CHECK_EQUAL(standing(ann).invited, 1);
}

CAF_TEST(a code that does not count is ignored) {
  auto bob = add_account("bob");
  auto code = code_of(ann);
  for (auto* typed : {"", "ZZZZZZZZ", "not a code", "' OR true --"}) CAF_CHECK(!join({bob, {}, {}}, typed));
  CAF_CHECK(!join({ann, {}, {}}, code));
  terms.is_enabled = false;
  CAF_CHECK(!join({bob, {}, {}}, code));
  terms.is_enabled = true;
  run("UPDATE accounts SET deleted_at = now() WHERE id = $1::uuid", ann);
  CAF_CHECK(!join({bob, {}, {}}, code));
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referrals"), 0);
}

CAF_TEST(nobody invites himself by another account on his device) {
  auto bob = add_account("bob");
  auto code = code_of(ann);
  run("INSERT INTO devices (account, device_id, platform_id, os_version, app_version, device_model, registered_at, "
      "last_active_at) VALUES ($1::uuid, 'phone-of-ann', '', '', '', '', now(), now())",
      ann);
  CAF_CHECK(!join({bob, "Phone-Of-Ann", {.address = "10.0.0.1"}}, code));
  store::newcomer in_browser{bob, {}, {.address = "10.0.0.1"}};
  in_browser.origin.known_device = known_device{ann, uuid::random()};
  CAF_CHECK(!join(in_browser, code));
  in_browser.origin.known_device->account = account_id::random();
  CAF_CHECK(join(in_browser, code));
}

CAF_TEST(a payment brings its commission once and to the referrer alone) {
  auto bob = invite("bob");
  auto payment = pay(bob, {999, "USD"});
  CAF_CHECK_EQUAL(wallet_of(ann, "USD"), 249);
  in_parallel(8, [&](int) { reward(bob, payment, {999, "USD"}); });
  CAF_CHECK_EQUAL(wallet_of(ann, "USD"), 249);
  CAF_CHECK_EQUAL(wallet_of(bob, "USD"), 0);
  pay(ann, {5'000, "USD"}); // whom nobody invited
  pay(bob, {3, "USD"});     // too small for a cent
  CAF_CHECK_EQUAL(wallet_of(ann, "USD"), 249);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referral_rewards"), 1);
}

CAF_TEST(the terms are those of the day of joining) {
  auto bob = invite("bob");
  terms.percent = 1;
  pay(bob, {1'000, "USD"});
  CAF_CHECK_EQUAL(wallet_of(ann, "USD"), 250);
  pay(invite("zoe"), {1'000, "USD"});
  CAF_CHECK_EQUAL(wallet_of(ann, "USD"), 260);
}

CAF_TEST(a deleted referrer gets nothing) {
  auto bob = invite("bob");
  run("UPDATE accounts SET deleted_at = now() WHERE id = $1::uuid", ann);
  pay(bob, {50'000, "RUB"});
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referral_rewards"), 0);
}

CAF_TEST(bonuses come with the first large payment after the hold and once) {
  auto bob = invite("bob");
  pay(bob, {9'999, "RUB"}); // below the minimum: does not use the bonuses up
  pay(bob, {10'000, "RUB"});
  pay(bob, {50'000, "RUB"});
  CAF_CHECK_EQUAL(wallet_of(ann), 2'499 + 2'500 + 12'500);
  CAF_CHECK_EQUAL(wallet_of(bob), 0);
  CAF_CHECK(standing(ann).earnings.front().pending == (money{2'000, "RUB"}));
  CAF_CHECK(!credit_due(now + days{14} - 1us));
  std::atomic<int> credited = 0;
  in_parallel(8, [&](int) {
    while (credit_due(now + days{14})) ++credited;
  });
  CAF_CHECK_EQUAL(credited.load(), 2);
  CAF_CHECK_EQUAL(wallet_of(ann), 17'499 + 2'000);
  CAF_CHECK_EQUAL(wallet_of(bob), 1'000);
  CAF_CHECK_EQUAL(standing(ann).earnings.front().pending.minor, 0);
}

CAF_TEST(parallel first payments bring one pair of bonuses) {
  auto bob = invite("bob");
  std::vector<payment_id> payments(16);
  for (auto& each : payments) each = add_payment(bob, {10'000, "RUB"});
  in_parallel(16, [&](int i) { reward(bob, payments[i], {10'000, "RUB"}); });
  CAF_CHECK_EQUAL(wallet_of(ann), 16 * 2'500);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referral_rewards WHERE state = 'pending'"), 2);
}

CAF_TEST(a device and an address block bring bonuses once) {
  auto join_from = [&](const std::string& login, const std::string& address, std::optional<std::string> device) {
    auto account = add_account(login);
    CAF_CHECK(join({account, device, {.address = address}}, code_of(ann)));
    pay(account, {10'000, "RUB"});
    return count("SELECT count(*) FROM referral_rewards WHERE state = 'pending'");
  };
  CAF_CHECK_EQUAL(join_from("one", "10.1.1.1", "phone-1"), 2);
  CAF_CHECK_EQUAL(join_from("two", "10.1.1.2", "phone-2"), 2);   // the block
  CAF_CHECK_EQUAL(join_from("three", "10.2.2.2", "phone-1"), 2); // the device
  CAF_CHECK_EQUAL(join_from("four", "10.3.3.3", "phone-4"), 4);
  CAF_CHECK_EQUAL(wallet_of(ann), 4 * 2'500);
}

CAF_TEST(the referrers own address block brings no bonuses) {
  run("INSERT INTO sessions (id, account, address, user_agent, is_remembered, is_rotating, generation, refresh_hash, "
      "parent_hash, token_id, is_token_used, created_at, rotated_at, last_seen_at, expires_at) VALUES "
      "(gen_random_uuid(), $1::uuid, '10.9.9.9', '', false, true, 1, 'x', '', 'x', false, now(), now(), now(), now())",
      ann);
  auto bob = add_account("bob");
  CAF_CHECK(join({bob, {}, {.address = "10.9.9.77"}}, code_of(ann)));
  pay(bob, {10'000, "RUB"});
  CAF_CHECK_EQUAL(wallet_of(ann), 2'500);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referral_rewards WHERE state = 'pending'"), 0);
}

CAF_TEST(a refund takes back what the payment brought and once) {
  auto bob = invite("bob");
  auto payment = pay(bob, {10'000, "RUB"});
  while (credit_due(now + days{14})) {
  }
  CAF_CHECK_EQUAL(wallet_of(ann), 4'500);
  auto later = pay(bob, {4'000, "RUB"});
  in_parallel(8, [&](int) { reverse(payment); });
  CAF_CHECK_EQUAL(wallet_of(ann), 1'000);
  CAF_CHECK_EQUAL(wallet_of(bob), 0);
  CAF_CHECK(standing(ann).earnings.front().credited == (money{1'000, "RUB"}));
  reverse(later);
  reverse(add_payment(ann, {1'000, "RUB"})); // that brought nothing
  CAF_CHECK_EQUAL(wallet_of(ann), 0);
  reward(bob, payment, {10'000, "RUB"}); // a late repeat
  CAF_CHECK_EQUAL(wallet_of(ann), 0);
}

CAF_TEST(a bonus on hold ends with the refund) {
  auto payment = pay(invite("bob"), {10'000, "RUB"});
  reverse(payment);
  CAF_CHECK(!credit_due(now + days{15}));
  CAF_CHECK_EQUAL(wallet_of(ann), 0);
}

CAF_TEST(what was spent before the refund is owed and paid by the next commission) {
  auto bob = invite("bob");
  auto payment = pay(bob, {4'000, "RUB"});
  commit([&](transaction& tx) {
    wallet::store::spend(tx, ann, {900, "RUB"}, {wallet::cause_kind::purchase, "a plan"}, now);
  });
  reverse(payment);
  CAF_CHECK_EQUAL(wallet_of(ann), 0);
  CAF_CHECK_EQUAL(debt_of(ann), 900);
  pay(bob, {4'000, "RUB"});
  CAF_CHECK_EQUAL(debt_of(ann), 0);
  CAF_CHECK_EQUAL(wallet_of(ann), 100);
}

CAF_TEST(a refund and the end of the hold meet in one order) {
  terms.hold = 0s;
  std::vector<payment_id> payments;
  for (int i = 0; i < 16; ++i) payments.push_back(pay(invite("guest" + std::to_string(i)), {10'000, "RUB"}));
  std::atomic<int> failures = 0;
  in_parallel(8, [&](int i) {
    try {
      for (int each = i * 2; each < i * 2 + 2; ++each) {
        credit_due(now);
        reverse(payments[each]);
        credit_due(now);
      }
    } catch (const std::exception&) {
      ++failures;
    }
  });
  CAF_CHECK_EQUAL(failures.load(), 0);
  CAF_CHECK_EQUAL(wallet_of(ann), 0);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM referral_rewards WHERE state <> 'reversed'"), 0);
}

CAF_TEST(the standing tells how far the invited have come) {
  auto bob = invite("bob"), zoe = invite("zoe");
  invite("eve");
  auto grant = [&](const account_id& who, timestamp at) {
    commit([&](transaction& tx) {
      subscriptions::store::grant(tx, who, {plan, {}, subscriptions::source::bonus, to_string(uuid::random())}, at);
    });
  };
  grant(bob, now);
  grant(zoe, now - days{31});
  pay(bob, {1'000, "RUB"});
  pay(bob, {1'000, "USD"});
  now += 1s;
  pay(zoe, {2'000, "USD"});
  auto found = standing(ann);
  CAF_CHECK_EQUAL(found.invited, 3);
  CAF_CHECK_EQUAL(found.active, 1);
  CAF_CHECK_EQUAL(found.expired, 1);
  CAF_CHECK_EQUAL(found.paid, 2);
  CAF_REQUIRE_EQUAL(found.earnings.size(), 2u);
  CAF_CHECK((found.earnings[0] == referrals::earnings{{750, "USD"}, {0, "USD"}, {750, "USD"}}));
  CAF_CHECK((found.earnings[1].credited == money{250, "RUB"}));
  auto nothing = standing(bob);
  CAF_CHECK_EQUAL(nothing.invited, 0);
  CAF_CHECK((nothing.earnings == std::vector{referrals::earnings{{0, "RUB"}, {0, "RUB"}, {0, "RUB"}}}));
}

CAF_TEST(the list shows the newest first and nobody elses) {
  auto bob = invite("bob");
  now += 1s;
  auto zoe = invite("zoe");
  pay(bob, {4'000, "RUB"});
  auto list = [&](const account_id& who, std::int64_t limit) {
    return commit([&](transaction& tx) {
      return store::list(tx, {.caller = {who, session_id::random()}, .limit = limit}, now);
    });
  };
  auto found = list(ann, 10);
  CAF_REQUIRE_EQUAL(found.items.size(), 2u);
  CAF_CHECK(!found.is_for_device);
  CAF_CHECK_EQUAL(found.items[0].masked_email, "z***@example.org");
  CAF_CHECK((found.items[1].earned == money{1'000, "RUB"}));
  CAF_CHECK(found.items[1].progress == referrals::progress::pending);
  CAF_CHECK_EQUAL(found.items[1].code, code_of(ann));
  CAF_CHECK_EQUAL(list(ann, 1).items.size(), 1u);
  CAF_CHECK(list(zoe, 10).items.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
