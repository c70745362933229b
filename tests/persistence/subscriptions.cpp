#define CAF_SUITE persistence_subscriptions

#include "actors/subscriptions/store.hpp"

#include "actors/live/store.hpp"
#include "actors/outbox/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = subscriptions::store;
using std::chrono::days;
using subscriptions::plan;

namespace {

plan make_plan(const std::string& name, int duration, std::vector<money> prices) {
  return {.id = plan_id::random(),
          .name = name,
          .description = "about " + name,
          .prices = std::move(prices),
          .duration_days = duration,
          .traffic_limit_bytes = 1000,
          .max_devices = 3,
          .features = {"fast", "\"quoted\""}};
}

store::order order_of(const plan& what) {
  return {what, what.prices.front(), subscriptions::source::payment, to_string(uuid::random())};
}

struct fixture : commerce_database {
  fixture() {
    commit([&](transaction& tx) {
      store::insert_plan(tx, dear, 2);
      store::insert_plan(tx, cheap, 1);
    });
  }

  store::subscription grant(const plan& what, timestamp now) {
    return commit([&](transaction& tx) { return store::grant(tx, ann, order_of(what), now); });
  }
  std::int64_t count(const std::string& table) {
    return commit(
        [&](transaction& tx) { return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM " + table))[0]); });
  }
  void save_link(std::int64_t version) {
    commit([&](transaction& tx) { store::save_panel_link(tx, ann, "abc", "https://panel/abc", version, moment(0)); });
  }

  account_id ann = add_account("ann");
  plan cheap = make_plan("Basic", 30, {{300, "USD"}, {30'000, "RUB"}});
  plan dear = make_plan("Premium", 30, {{600, "USD"}});
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(subscription_store_tests, fixture)

CAF_TEST(plans come back as they were written in their order) {
  auto plans = commit([](transaction& tx) { return store::list_plans(tx); });
  CAF_REQUIRE_EQUAL(plans.size(), 2u);
  CAF_CHECK(plans[1] == dear);
  auto expected = cheap;
  std::ranges::sort(expected.prices, {}, &money::currency);
  CAF_CHECK(plans[0] == expected);
  CAF_CHECK(commit([](transaction& tx) { return store::has_plans(tx); }));
}

CAF_TEST(a plan is found by id and by name in any case but only while on sale) {
  auto find = [&](const std::string& what) {
    return commit([&](transaction& tx) { return store::find_plan(tx, what); });
  };
  CAF_CHECK(find(to_string(dear.id)) == dear);
  CAF_CHECK(find("pREMIUM") == dear);
  CAF_CHECK(!find("Premium Plus"));
  CAF_CHECK(!find(to_string(plan_id::random())));
  CAF_CHECK(!find("' OR true --"));
  commit([](transaction& tx) { tx.run("UPDATE plans SET is_active = false WHERE name = 'Premium'"); });
  CAF_CHECK(!find("premium"));
}

CAF_TEST(two plans cannot have one name) {
  bool refused = false;
  try {
    commit([&](transaction& tx) { store::insert_plan(tx, make_plan("BASIC", 1, {}), 3); });
  } catch (const pqxx::unique_violation&) {
    refused = true;
  }
  CAF_CHECK(refused);
}

CAF_TEST(a grant entitles from now and tells panel and sockets in the same transaction) {
  auto opened = begin();
  auto granted = store::grant(opened->tx, ann, order_of(cheap), moment(0));
  CAF_CHECK_EQUAL(count("outbox"), 0);
  CAF_CHECK_EQUAL(count("live_events"), 0);
  opened->commit();
  CAF_CHECK(granted.started_at == moment(0));
  CAF_CHECK(granted.expires_at == moment(0) + days{30});
  CAF_CHECK(granted.status == subscriptions::status::active);
  CAF_CHECK_EQUAL(granted.plan_name, "Basic");
  CAF_CHECK_EQUAL(granted.version, 1);
  CAF_CHECK_EQUAL(granted.synced_version, 0);
  auto work = commit([](transaction& tx) { return outbox::store::claim(tx, moment(0), 60s, 10); });
  CAF_REQUIRE_EQUAL(work.size(), 1u);
  CAF_CHECK(std::get<outbox::panel_work>(work[0].work).account == ann);
  auto events = commit([](transaction& tx) { return live::store::read_after(tx, 0, 10); });
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  CAF_CHECK(events[0].what == live::event{live::subscription_updated{granted.id, "active"}});
}

CAF_TEST(the same plan goes on from its end and an expired one from now) {
  grant(cheap, moment(0));
  auto longer = grant(cheap, moment(1000));
  CAF_CHECK(longer.started_at == moment(0));
  CAF_CHECK(longer.expires_at == moment(0) + days{60});
  CAF_CHECK_EQUAL(longer.version, 2);
  auto late = longer.expires_at + 1s;
  auto again = grant(cheap, late);
  CAF_CHECK(again.started_at == late);
  CAF_CHECK(again.expires_at == late + days{30});
  CAF_CHECK(again.id == longer.id);
}

CAF_TEST(another plan takes over with the value that is left) {
  grant(cheap, moment(0));
  auto changed = grant(dear, moment(0) + days{10});
  CAF_CHECK_EQUAL(changed.plan_name, "Premium");
  CAF_CHECK(changed.started_at == moment(0) + days{10});
  CAF_CHECK(changed.expires_at == moment(0) + days{10 + 30 + 10}); // 20 days at 10 cents are 10 at 20
  CAF_CHECK_EQUAL(count("subscriptions"), 1);
}

CAF_TEST(payments at the same time add up) {
  std::vector<std::thread> buyers;
  for (int i = 0; i < 8; ++i) buyers.emplace_back([this] { grant(cheap, moment(0)); });
  for (auto& buyer : buyers) buyer.join();
  auto current = commit([&](transaction& tx) { return store::find_current(tx, ann); });
  CAF_REQUIRE(current.has_value());
  CAF_CHECK(current->expires_at == moment(0) + days{240});
  CAF_CHECK_EQUAL(current->version, 8);
  CAF_CHECK_EQUAL(count("outbox"), 8);
}

CAF_TEST(nobody can be entitled who does not exist) {
  auto stranger = account_id::random();
  CAF_CHECK(code_of([&] {
              commit([&](transaction& tx) { store::grant(tx, stranger, order_of(cheap), moment(0)); });
            }) == ec::not_found);
  CAF_CHECK(!commit([&](transaction& tx) { return store::find_current(tx, stranger); }));
  CAF_CHECK(!commit([&](transaction& tx) { return store::find_panel_link(tx, stranger); }));
}

CAF_TEST(the panel link is unknown until it is saved) {
  auto link = commit([&](transaction& tx) { return store::find_panel_link(tx, ann); });
  CAF_REQUIRE(link.has_value());
  CAF_CHECK_GREATER(link->account_number, 0);
  CAF_CHECK(link->email == "ann@example.org");
  CAF_CHECK(!link->short_uuid);
  grant(cheap, moment(0));
  save_link(1);
  link = commit([&](transaction& tx) { return store::find_panel_link(tx, ann); });
  CAF_CHECK(link->short_uuid == "abc");
  CAF_CHECK(link->subscription_url == "https://panel/abc");
  auto current = commit([&](transaction& tx) { return store::find_current(tx, ann); });
  CAF_CHECK_EQUAL(current->synced_version, 1);
  CAF_CHECK_EQUAL(current->account_number, link->account_number);
}

CAF_TEST(what the panel was told too late is told again) {
  grant(cheap, moment(0));
  save_link(1);
  CAF_CHECK_EQUAL(count("outbox"), 1);
  grant(cheap, moment(1));
  save_link(2);
  CAF_CHECK_EQUAL(count("outbox"), 2);
  save_link(1); // an older call that arrived last
  CAF_CHECK_EQUAL(count("outbox"), 3);
}

CAF_TEST_FIXTURE_SCOPE_END()
