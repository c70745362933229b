#define CAF_SUITE persistence_provisioning

#include "actors/provisioning/store.hpp"

#include "actors/audit/store.hpp"
#include "actors/subscriptions/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::provisioning;
using panel::template_kind;

namespace {

const std::string panel_id = "5f3c1c2e-7d0a-4b7e-9c55-0c6a1f6f5b10";

struct fixture : commerce_database {
  create_template wish(std::optional<claim_id> claim = std::nullopt) const {
    return {.caller = {.account = admin},
            .origin = {.address = "192.0.2.1"},
            .name = "Mine",
            .type = "v2ray",
            .host = "host",
            .flow = "xtls-rprx-vision",
            .config = json_object{R"({"log": {}})"},
            .claim = claim};
  }
  store::reservation reserve(const create_template& what, template_kind kind = template_kind::xray_json) const {
    return commit([&](transaction& tx) { return store::reserve(tx, what, kind, moment(0)); });
  }
  template_view keep(const create_template& what, const std::string& id = panel_id) const {
    return commit([&](transaction& tx) { return store::keep(tx, what, template_kind::xray_json, id, moment(1)); });
  }
  void release() const {
    commit([](transaction& tx) { store::release(tx, "Mine", template_kind::xray_json); });
  }

  account_id admin = add_account("admin");
};

const store::reservation fresh{}, repetition{.is_repetition = true};

} // namespace

CAF_TEST_FIXTURE_SCOPE(provisioning_store_tests, fixture)

CAF_TEST(a reserved name is continued by whoever comes next) {
  CAF_CHECK(reserve(wish()) == fresh);
  CAF_CHECK(reserve(wish()) == repetition);
  CAF_CHECK(reserve(wish(), template_kind::clash) == fresh); // names are unique in each kind
  release();
  CAF_CHECK(reserve(wish()) == fresh);
}

CAF_TEST(a template that was made is kept whole and goes into the trail) {
  auto claim = claim_id::random();
  reserve(wish(claim));
  auto made = keep(wish(claim));
  CAF_CHECK(made == (template_view{.id = panel_id,
                                   .name = "Mine",
                                   .type = "v2ray",
                                   .host = "host",
                                   .flow = "xtls-rprx-vision",
                                   .config = json_object{R"({"log": {}})"}}));
  auto trail = commit([](transaction& tx) { return audit::store::list(tx, {.action = "template.created"}); });
  CAF_REQUIRE_EQUAL(trail.items.size(), 1u);
  CAF_CHECK(trail.items[0].entry.actor == admin);
  CAF_CHECK_EQUAL(trail.items[0].entry.resource, "template:" + panel_id);

  CAF_CHECK(reserve(wish(claim)) == store::reservation{.made = made}); // the same request again
  CAF_CHECK(reserve(wish(claim_id::random())) == fresh);               // another one asks the panel
  CAF_CHECK(reserve(wish()) == fresh);
  release();
  CAF_CHECK(reserve(wish(claim)).made == made); // stays
}

CAF_TEST(of many at once one is the first) {
  std::atomic<int> first = 0;
  std::vector<std::thread> all;
  for (int i = 0; i < 16; ++i) all.emplace_back([&] { first += !reserve(wish()).is_repetition; });
  for (auto& each : all) each.join();
  CAF_CHECK_EQUAL(first.load(), 1);
}

CAF_TEST(names lead to accounts with a subscription and nowhere else) {
  auto find = [&](const std::string& username) {
    return commit([&](transaction& tx) { return store::find_account(tx, username); });
  };
  auto number = commit([&](transaction& tx) {
    return sql::get<std::int64_t>((*tx.first("SELECT number FROM accounts WHERE id = $1::uuid", admin))[0]);
  });
  auto name = "bs_" + std::to_string(number);
  CAF_CHECK(!find(name));
  CAF_CHECK(!commit([&](transaction& tx) { return store::find_subscriber(tx, admin); }));
  subscriptions::plan plan{.id = plan_id::random(), .name = "Basic", .prices = {{100, "USD"}}};
  commit([&](transaction& tx) {
    subscriptions::store::insert_plan(tx, plan, 1);
    subscriptions::store::grant(tx, admin, {plan, {100, "USD"}, subscriptions::source::payment, "one"}, moment(0));
  });
  CAF_CHECK(find(name) == admin);
  CAF_CHECK(commit([&](transaction& tx) { return store::find_subscriber(tx, admin)->username; }) == name);
  for (auto* other : {"", "bs_", "bs_x", "7", "tg_1", "bs_-1", "bs_99999999999999999999"}) CAF_CHECK(!find(other));
  CAF_CHECK(!find(name + "x"));
  CAF_CHECK(!find("bs_0" + std::to_string(number)));
}

CAF_TEST_FIXTURE_SCOPE_END()
