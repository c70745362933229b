#define CAF_SUITE persistence_outbox

#include "actors/outbox/store.hpp"

#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <set>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = outbox::store;

namespace {

const std::vector<secret> keys{secret{std::string(32, 'k')}};

struct fixture : commerce_database {
  fixture() { store::seal_with(keyring{keys}); }

  bool add(const outbox::work& what, const std::string& deduplication = {}, timestamp when = moment(0)) {
    return commit([&](transaction& tx) { return store::enqueue(tx, what, when, deduplication); });
  }
  std::vector<store::entry> claim(timestamp now, int limit = 10) {
    return commit([&](transaction& tx) { return store::claim(tx, now, 60s, limit); });
  }
  store::backlog measure(timestamp now) {
    return commit([&](transaction& tx) { return store::measure(tx, now); });
  }
  std::string cell(const std::string& expression) {
    return commit([&](transaction& tx) {
      return sql::get<std::optional<std::string>>((*tx.first("SELECT (" + expression + ")::text FROM outbox"))[0])
          .value_or("");
    });
  }
};

outbox::mail_work letter() {
  return {"ann@example.org", "ru-RU", outbox::template_name::verification_code, secret{"123456"}};
}
outbox::settle_work settlement(int number) { return {"cryptobot", std::to_string(number)}; }

} // namespace

CAF_TEST_FIXTURE_SCOPE(outbox_store_tests, fixture)

CAF_TEST(every kind of work comes back as it was written) {
  auto account = account_id::random();
  add(letter());
  add(outbox::panel_work{account});
  add(settlement(7));
  payment_provider::charge proof{.external_id = "d1",
                                 .payment = payment_id::random(),
                                 .state = payment_provider::charge_state::paid,
                                 .price = {500, "EUR"},
                                 .refunded = 1,
                                 .paid_at = moment(-5),
                                 .payer = 4711};
  add(outbox::settle_work{"tribute", "d1", proof});
  auto entries = claim(moment(0));
  CAF_REQUIRE_EQUAL(entries.size(), 4u);
  std::ranges::sort(entries, {}, &store::entry::id);
  auto& mail = std::get<outbox::mail_work>(entries[0].work);
  CAF_CHECK_EQUAL(mail.to, "ann@example.org");
  CAF_CHECK_EQUAL(mail.locale, "ru-RU");
  CAF_CHECK_EQUAL(mail.code.reveal(), "123456");
  CAF_CHECK(std::get<outbox::panel_work>(entries[1].work).account == account);
  CAF_CHECK_EQUAL(std::get<outbox::settle_work>(entries[2].work).external_id, "7");
  CAF_CHECK(!std::get<outbox::settle_work>(entries[2].work).proof);
  CAF_CHECK(std::get<outbox::settle_work>(entries[3].work).proof == proof);
  CAF_CHECK(entries[0].created_at == moment(0));
  CAF_CHECK_EQUAL(entries[0].attempts, 0);
}

CAF_TEST(a code is unreadable in the row and emptied once the mail is sent) {
  add(letter());
  CAF_CHECK_EQUAL(cell("payload::text LIKE '%123456%'"), "false");
  CAF_CHECK_EQUAL(cell("payload ? 'code'"), "true");
  auto entries = claim(moment(0));
  CAF_REQUIRE_EQUAL(entries.size(), 1u);
  CAF_CHECK(commit([&](transaction& tx) { return store::complete(tx, entries[0], moment(1)); }));
  CAF_CHECK_EQUAL(cell("payload ? 'code'"), "false");
}

CAF_TEST(an older key still opens and an unknown one buries the entry only) {
  add(letter());
  store::seal_with(keyring{{secret{std::string(32, 'n')}, keys[0]}});
  auto entries = claim(moment(0));
  CAF_REQUIRE_EQUAL(entries.size(), 1u);
  CAF_CHECK_EQUAL(std::get<outbox::mail_work>(entries[0].work).code.reveal(), "123456");
  store::seal_with(keyring{{secret{std::string(32, 'x')}}});
  add(settlement(1));
  auto later = claim(moment(120));
  CAF_REQUIRE_EQUAL(later.size(), 1u);
  CAF_CHECK(std::holds_alternative<outbox::settle_work>(later[0].work));
  CAF_CHECK_EQUAL(measure(moment(120)).dead, 1);
}

CAF_TEST(a key counts once even after the work is done) {
  CAF_CHECK(add(settlement(1), "cryptobot 1"));
  CAF_CHECK(!add(settlement(1), "cryptobot 1"));
  CAF_CHECK(add(settlement(1)));
  CAF_CHECK(add(settlement(1)));
  auto entries = claim(moment(0));
  CAF_CHECK_EQUAL(entries.size(), 3u);
  commit([&](transaction& tx) {
    for (auto& entry : entries) store::complete(tx, entry, moment(1));
  });
  CAF_CHECK(!add(settlement(1), "cryptobot 1"));
  commit([&](transaction& tx) { store::forget_done_before(tx, moment(2)); });
  CAF_CHECK(add(settlement(1), "cryptobot 1"));
}

CAF_TEST(work of a cause that rolls back does not exist) {
  auto opened = begin();
  store::enqueue(opened->tx, settlement(1), moment(0));
  opened.reset();
  CAF_CHECK(claim(moment(10)).empty());
}

CAF_TEST(a lease keeps others away until it ends and then the first holder has lost it) {
  add(settlement(1));
  auto first = claim(moment(0));
  CAF_REQUIRE_EQUAL(first.size(), 1u);
  CAF_CHECK(claim(moment(59)).empty());
  auto second = claim(moment(60));
  CAF_REQUIRE_EQUAL(second.size(), 1u);
  commit([&](transaction& tx) {
    CAF_CHECK(!store::complete(tx, first[0], moment(61)));
    CAF_CHECK(!store::postpone(tx, first[0], moment(99), "late"));
    CAF_CHECK(!store::bury(tx, first[0], moment(61), "late"));
    CAF_CHECK(store::complete(tx, second[0], moment(61)));
    CAF_CHECK(!store::complete(tx, second[0], moment(62)));
  });
  CAF_CHECK(claim(moment(1000)).empty());
}

CAF_TEST(what is postponed comes back when it is due with its failures counted) {
  add(settlement(1));
  auto first = claim(moment(0));
  CAF_REQUIRE_EQUAL(first.size(), 1u);
  commit([&](transaction& tx) { store::postpone(tx, first[0], moment(5), "unavailable"); });
  CAF_CHECK_EQUAL(cell("cause"), "unavailable");
  CAF_CHECK(claim(moment(4)).empty());
  auto second = claim(moment(5));
  CAF_REQUIRE_EQUAL(second.size(), 1u);
  CAF_CHECK_EQUAL(second[0].attempts, 1);
  commit([&](transaction& tx) { store::postpone(tx, second[0], moment(6), "restarting", false); });
  auto third = claim(moment(6));
  CAF_REQUIRE_EQUAL(third.size(), 1u);
  CAF_CHECK_EQUAL(third[0].attempts, 1);
}

CAF_TEST(the backlog tells what waits how long and what is dead) {
  add(settlement(1), "", moment(0));
  add(settlement(2), "", moment(20));
  add(settlement(3), "", moment(500));
  auto now = measure(moment(30));
  CAF_CHECK_EQUAL(now.waiting, 3);
  CAF_CHECK_EQUAL(now.dead, 0);
  CAF_CHECK_EQUAL(now.oldest.count(), 30);
  auto taken = claim(moment(30), 1);
  CAF_REQUIRE_EQUAL(taken.size(), 1u);
  commit([&](transaction& tx) { store::bury(tx, taken[0], moment(30), "refused"); });
  auto after = measure(moment(30));
  CAF_CHECK_EQUAL(after.waiting, 2);
  CAF_CHECK_EQUAL(after.dead, 1);
  CAF_CHECK_EQUAL(after.oldest.count(), 10);
}

CAF_TEST(an unknown kind is left to the newer binary that wrote it) {
  add(settlement(1));
  commit([](transaction& tx) { tx.run("UPDATE outbox SET kind = 'fax'"); });
  CAF_CHECK(claim(moment(10)).empty());
  CAF_CHECK_EQUAL(measure(moment(10)).waiting, 1);
}

CAF_TEST(claimers at the same time share without doubles) {
  for (int i = 0; i < 200; ++i) add(settlement(i));
  std::vector<std::vector<std::int64_t>> taken(4);
  std::vector<std::thread> claimers;
  for (auto& mine : taken)
    claimers.emplace_back([this, &mine] {
      for (auto batch = claim(moment(0), 7); !batch.empty(); batch = claim(moment(0), 7))
        for (auto& entry : batch) mine.push_back(entry.id);
    });
  for (auto& claimer : claimers) claimer.join();
  std::set<std::int64_t> distinct;
  std::size_t total = 0;
  for (auto& mine : taken) total += mine.size(), distinct.insert(mine.begin(), mine.end());
  CAF_CHECK_EQUAL(total, 200u);
  CAF_CHECK_EQUAL(distinct.size(), 200u);
}

CAF_TEST_FIXTURE_SCOPE_END()
