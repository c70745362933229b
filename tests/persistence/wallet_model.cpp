#define CAF_SUITE wallet_model

#include "actors/wallet/actor.hpp"
#include "actors/wallet/rules.hpp"
#include "actors/wallet/store.hpp"
#include "persistence/database.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::wallet;
using namespace std::chrono_literals;

namespace {

/// BACKSTAY_TEST_SEED repeats a run.
unsigned seed() {
  auto* given = std::getenv("BACKSTAY_TEST_SEED");
  auto chosen = given ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
  CAF_MESSAGE("BACKSTAY_TEST_SEED=" << chosen);
  return chosen;
}

/// All that the ledger is about, as simple as can be.
struct model {
  std::map<position, std::int64_t> wallets, debts;
  std::set<cause> booked;

  /// "known", "refused" or "new", of which `act` says only the latter two.
  template <class Act>
  std::string once(const cause& why, Act act) {
    if (booked.contains(why)) return "known";
    if (!act()) return "refused";
    booked.insert(why);
    return "new";
  }
};

/// Something that happens to an account, under a cause that may have been used before.
struct act {
  enum { credit, spend, take_back, send } kind;
  account_id who, other;
  money amount;
  wallet::cause why;
};

struct fixture : commerce_database {
  std::mt19937 random{seed()};
  std::vector<account_id> people{account_id::random(), account_id::random(), account_id::random()};
  model expected;
  timestamp now = moment(0);

  int pick(int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); }

  act any_act() {
    act made{};
    made.kind = static_cast<decltype(made.kind)>(pick(4));
    made.who = people[pick(3)];
    do made.other = people[pick(3)];
    while (made.other == made.who);
    made.amount = {1 + pick(100), pick(2) ? "USD" : "RUB"};
    made.why = {static_cast<cause_kind>(pick(2)), std::to_string(pick(400))}; // few enough to be met again
    return made;
  }

  static transfer sent(const act& what) { return {what.why, wallet_of(what.who), wallet_of(what.other), what.amount}; }

  bool carry_out(transaction& tx, const act& what) {
    switch (what.kind) {
    case act::credit:
      return wallet::store::credit(tx, what.who, rewards(), what.amount, what.why, now);
    case act::spend:
      return wallet::store::spend(tx, what.who, what.amount, what.why, now);
    case act::take_back:
      return wallet::store::take_back(tx, what.who, provider("stripe"), what.amount, what.why, now);
    default:
      return wallet::store::post(tx, sent(what), now);
    }
  }

  std::string carry_out(const act& what) {
    try {
      return commit([&](transaction& tx) { return carry_out(tx, what); }) ? "new" : "known";
    } catch (const fault_error& error) {
      return error.what_failed.name == "INSUFFICIENT_FUNDS" ? "refused" : to_string(error.what_failed.code);
    }
  }

  std::string foresee(const act& what) {
    auto& has = expected.wallets[{wallet_of(what.who), what.amount.currency}];
    auto& owes = expected.debts[{wallet_of(what.who), what.amount.currency}];
    auto amount = what.amount.minor;
    return expected.once(what.why, [&] {
      if (what.kind == act::credit) {
        auto paid = std::min(owes, amount);
        owes -= paid;
        has += amount - paid;
        return true;
      }
      auto covered = std::min(has, amount);
      if (what.kind == act::take_back) {
        has -= covered;
        owes += amount - covered;
        return true;
      }
      if (covered < amount) return false;
      has -= amount;
      if (what.kind == act::send) expected.wallets[{wallet_of(what.other), what.amount.currency}] += amount;
      return true;
    });
  }

  void check_everything() {
    commit([&](transaction& tx) {
      for (auto& [where, balance] : expected.wallets)
        CAF_CHECK_EQUAL(wallet::store::balance(tx, where.book, where.currency), balance);
      for (auto& [where, owed] : expected.debts)
        CAF_CHECK_EQUAL(wallet::store::balance(tx, {book_kind::debt, where.book.owner}, where.currency), -owed);
      // Causes of kind `payment` have no payments here.
      for (auto& one : wallet::store::audit(tx)) CAF_CHECK_EQUAL(one.rule, "booked_without_payment");
    });
  }
};

/// The actor on real threads.
struct actor_fixture : fixture {
  actor_fixture() {
    starter = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      auto pulse = [](auto name) { return std::make_shared<vitals>(name, true); };
      database = spawn_database(self, pulse("database"), {.url = scratch.url(), .pool = {2, 1000, 3000ms}});
      domain_context context{pulse("wallet"), clock, caf::actor_cast<database_actor>(database)};
      actor = caf::actor_cast<wallet_actor>(spawn_wallet(self, context, {.batch = 7, .queue = 10'000}));
      is_ready = true;
      return {[](int) {}};
    });
    while (!is_ready) std::this_thread::sleep_for(5ms);
  }
  ~actor_fixture() {
    for (auto& each : {caf::actor_cast<caf::actor>(actor), database, starter})
      caf::anon_send_exit(each, caf::exit_reason::kill);
  }

  /// Sends all of them at once and waits; how each ended, in their order.
  std::vector<std::string> book(const std::vector<transfer>& transfers) {
    caf::scoped_actor self{system};
    std::vector<std::string> told;
    std::vector<decltype(self->request(actor, caf::infinite, transfers[0]))> requests;
    for (auto& each : transfers) requests.push_back(self->request(actor, caf::infinite, each));
    for (auto& each : requests)
      each.receive([&](const transferred& reply) { told.push_back(reply.is_new ? "new" : "known"); },
                   [&](const caf::error& error) { told.push_back(to_string(describe(error).code)); });
    return told;
  }

  caf::actor_system_config config;
  caf::actor_system system{config};
  clock_handle clock = std::make_shared<domain_clock>();
  std::atomic<bool> is_ready{false};
  caf::actor starter, database;
  wallet_actor actor;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(wallet_model_tests, fixture)

CAF_TEST(no sequence makes a wallet negative or mints money) {
  std::map<std::string, int> met;
  for (int step = 1; step <= 600; ++step) {
    auto what = any_act();
    auto wanted = foresee(what);
    ++met[wanted];
    auto found = carry_out(what);
    if (found != wanted) CAF_FAIL("step " << step << " was " << found << " instead of " << wanted);
    if (step % 100 == 0) check_everything();
  }
  for (auto each : {"new", "known", "refused"}) CAF_CHECK(met[each] > 10);
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST_FIXTURE_SCOPE(wallet_actor_tests, actor_fixture)

CAF_TEST(transfers in batches are what they would be one by one) {
  std::vector<transfer> transfers;
  std::vector<std::string> wanted;
  for (auto& who : people)
    for (auto currency : {"USD", "RUB"}) {
      act gift{act::credit, who, {}, {300, currency}, {cause_kind::promo, to_string(who) + currency}};
      CAF_CHECK_EQUAL(carry_out(gift), foresee(gift));
    }
  for (int i = 0; i < 500; ++i) {
    auto what = any_act();
    what.kind = act::send;
    transfers.push_back(sent(what));
    wanted.push_back(foresee(what));
  }
  CAF_CHECK_EQUAL(book(transfers), wanted);
  check_everything();
}

CAF_TEST(the wallet answers beside other transactions that move money) {
  std::vector<transfer> transfers;
  for (int i = 0; i < 200; ++i)
    transfers.push_back({{cause_kind::promo, std::to_string(i)}, rewards(), wallet_of(people[i % 3]), {10, "USD"}});
  std::atomic<int> spent{0};
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i)
    others.emplace_back([&, i] {
      for (int turn = 0; turn < 25; ++turn) {
        auto id = std::to_string(i) + "-" + std::to_string(turn);
        spent += carry_out({act::spend, people[i % 3], {}, {3, "USD"}, {cause_kind::purchase, id}}) == "new";
      }
    });
  auto told = book(transfers);
  for (auto& each : others) each.join();
  CAF_CHECK_EQUAL(told, std::vector<std::string>(200, "new"));
  commit([&](transaction& tx) {
    CAF_CHECK_EQUAL(wallet::store::balance(tx, rewards(), "USD"), -2000);
    CAF_CHECK_EQUAL(wallet::store::balance(tx, revenue(), "USD"), 3 * spent);
    CAF_CHECK(wallet::store::audit(tx).empty());
  });
}

CAF_TEST_FIXTURE_SCOPE_END()
