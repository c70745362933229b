#define CAF_SUITE persistence_promotions

#include "actors/promotions/activation.hpp"

#include "actors/promotions/rules.hpp"
#include "actors/subscriptions/commerce.hpp"
#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace backstay::promotions;
using namespace std::chrono_literals;
namespace store = promotions::store;
using std::chrono::days;

namespace {

struct fixture : commerce_database {
  fixture() {
    commit([&](transaction& tx) {
      subscriptions::store::insert_plan(tx, basic, 1);
      subscriptions::store::insert_plan(tx, premium, 2);
    });
  }

  promo_code add(const std::string& name, benefit brings, limits within = {}) {
    promo_code what{.id = uuid::random(),
                    .code = name,
                    .benefit = std::move(brings),
                    .limits = within,
                    .created_at = now,
                    .updated_at = now};
    return commit([&](transaction& tx) { return store::insert(tx, what, std::nullopt); });
  }
  promo_code add_money(const std::string& name, std::int64_t minor, limits within = {}) {
    return add(name, {.kind = promo_kind::balance, .amount = money{minor, "RUB"}}, within);
  }
  activation use(const account_id& who, const std::string& code) {
    return commit([&](transaction& tx) { return promotions::use(tx, who, code, now); });
  }
  std::string refusal(const account_id& who, const std::string& code) {
    try {
      use(who, code);
    } catch (const fault_error& error) {
      return error.what_failed.name;
    }
    return "";
  }
  std::int64_t wallet_of(const account_id& account) {
    return commit([&](transaction& tx) { return wallet::store::balance_of(tx, account, "RUB"); });
  }
  std::optional<subscriptions::store::subscription> subscription_of(const account_id& account) {
    return commit([&](transaction& tx) { return subscriptions::store::find_current(tx, account); });
  }
  void grant(const account_id& who, const subscriptions::plan& plan) {
    commit([&](transaction& tx) {
      subscriptions::store::grant(
          tx, who, {plan, plan.prices.front(), subscriptions::source::admin, to_string(uuid::random())}, now);
    });
  }
  discount discount_of(const account_id& who, timestamp at) {
    return commit([&](transaction& tx) { return store::discount_of(tx, who, at); });
  }
  discount use_discount(const account_id& who, timestamp at) {
    return commit([&](transaction& tx) { return store::use_discount(tx, who, at); });
  }
  std::int64_t count(const std::string& query) {
    return commit([&](transaction& tx) { return sql::get<std::int64_t>((*tx.first(query))[0]); });
  }
  std::int64_t uses_of(const promo_code& code) {
    return commit([&](transaction& tx) { return store::find(tx, code.id)->uses; });
  }
  void check_ledger() {
    CAF_CHECK(commit([](transaction& tx) { return wallet::store::audit(tx); }).empty());
  }

  subscriptions::plan basic{.id = plan_id::random(),
                            .name = "Basic",
                            .prices = {{30'000, "RUB"}},
                            .duration_days = 30,
                            .traffic_limit_bytes = std::int64_t{100} << 30,
                            .max_devices = 3};
  subscriptions::plan premium{
      .id = plan_id::random(), .name = "Premium", .prices = {{60'000, "RUB"}}, .duration_days = 30};
  account_id ann = add_account("ann"), bob = add_account("bob");
  timestamp now = moment(0);
};

template <class F>
void in_parallel(int count, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&f, i] { f(i); });
  for (auto& thread : threads) thread.join();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(promotion_tests, fixture)

CAF_TEST(money comes to the wallet once an account) {
  auto code = add_money("WELCOME", 10'000);
  CAF_CHECK(use(ann, "welcome").benefit == code.benefit);
  CAF_CHECK_EQUAL(wallet_of(ann), 10'000);
  CAF_CHECK_EQUAL(refusal(ann, "WELCOME"), "PROMO_ALREADY_USED");
  use(bob, "Welcome");
  CAF_CHECK_EQUAL(wallet_of(ann), 10'000);
  CAF_CHECK_EQUAL(wallet_of(bob), 10'000);
  CAF_CHECK_EQUAL(uses_of(code), 2);
  check_ledger();
}

CAF_TEST(strange codes and accounts are not found) {
  for (auto* code : {"", "NOBODY", "' OR true --"}) CAF_CHECK_EQUAL(refusal(ann, code), "PROMO_NOT_FOUND");
  add_money("WELCOME", 1);
  CAF_CHECK(code_of([&] { use(account_id::random(), "WELCOME"); }) == ec::not_found);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM promo_code_uses"), 0);
}

CAF_TEST(of 64 at the same time one gets the last use) {
  auto code = add_money("LAST", 10'000, {.max_uses = 3});
  use(ann, "LAST");
  use(bob, "LAST");
  std::vector<account_id> crowd;
  for (int i = 0; i < 64; ++i) crowd.push_back(add_account("guest" + std::to_string(i)));
  std::atomic<int> lucky = 0, late = 0;
  in_parallel(64, [&](int i) {
    auto told = refusal(crowd[i], "LAST");
    lucky += told.empty();
    late += told == "PROMO_USED_UP";
  });
  CAF_CHECK_EQUAL(lucky.load(), 1);
  CAF_CHECK_EQUAL(late.load(), 63);
  CAF_CHECK_EQUAL(uses_of(code), 3);
  CAF_CHECK_EQUAL(count("SELECT -sum(balance)::bigint FROM ledger_books WHERE kind = 'rewards'"), 30'000);
  check_ledger();
}

CAF_TEST(of 64 at the same time an account uses a code once) {
  auto code = add_money("ONCE", 10'000);
  std::atomic<int> lucky = 0;
  in_parallel(64, [&](int) { lucky += refusal(ann, "ONCE").empty(); });
  CAF_CHECK_EQUAL(lucky.load(), 1);
  CAF_CHECK_EQUAL(wallet_of(ann), 10'000);
  CAF_CHECK_EQUAL(uses_of(code), 1);
}

CAF_TEST(an account uses five codes a day also at the same time) {
  for (int i = 0; i < 16; ++i) add_money("GIFT" + std::to_string(i), 1);
  std::atomic<int> lucky = 0, refused = 0;
  in_parallel(16, [&](int i) {
    auto told = refusal(ann, "GIFT" + std::to_string(i));
    lucky += told.empty();
    refused += told == "PROMO_DAILY_LIMIT";
  });
  CAF_CHECK_EQUAL(lucky.load(), 5);
  CAF_CHECK_EQUAL(refused.load(), 11);
  CAF_CHECK_EQUAL(refusal(bob, "GIFT0"), "");
  now += 24h;
  add_money("TOMORROW", 1);
  CAF_CHECK_EQUAL(refusal(ann, "TOMORROW"), "");
}

CAF_TEST(a code for the first purchase is refused after one) {
  add_money("FIRST", 1, {.is_for_first_purchase = true});
  add_money("GIFT", 500);
  CAF_CHECK_EQUAL(refusal(bob, "FIRST"), "");
  use(ann, "GIFT");
  commit([&](transaction& tx) {
    wallet::store::spend(tx, ann, {500, "RUB"}, {wallet::cause_kind::purchase, "a plan"}, now);
  });
  CAF_CHECK_EQUAL(refusal(ann, "FIRST"), "PROMO_FIRST_PURCHASE_ONLY");
}

CAF_TEST(a switched off or deleted code brings nothing) {
  auto code = add_money("GIFT", 500, {.is_active = false});
  CAF_CHECK_EQUAL(refusal(ann, "GIFT"), "PROMO_INACTIVE");
  commit([&](transaction& tx) { store::remove(tx, code.id, now); });
  CAF_CHECK_EQUAL(refusal(ann, "GIFT"), "PROMO_NOT_FOUND");
  CAF_CHECK_EQUAL(wallet_of(ann), 0);
}

CAF_TEST(days extend the plan that runs and its traffic) {
  grant(ann, premium);
  grant(bob, basic);
  auto before = subscription_of(bob);
  add("WEEK", {.kind = promo_kind::days, .days = 7, .plan = basic.id, .traffic_bytes = std::int64_t{5} << 30});
  use(ann, "WEEK");
  auto after = subscription_of(ann);
  CAF_CHECK_EQUAL(after->plan_name, "Premium");
  CAF_CHECK(after->expires_at == now + days{37});
  CAF_CHECK(!after->traffic_limit_bytes);
  CAF_CHECK(use(bob, "WEEK").expires_at == before->expires_at + days{7});
  CAF_CHECK(subscription_of(bob)->traffic_limit_bytes == std::int64_t{105} << 30);
  CAF_CHECK(subscription_of(bob)->version > before->version);
}

CAF_TEST(days for an account without a plan are of the codes or of the first on sale) {
  add("WEEK", {.kind = promo_kind::days, .days = 7, .plan = premium.id});
  add("MONTH", {.kind = promo_kind::days, .days = 31, .traffic_bytes = std::int64_t{1} << 30});
  use(ann, "WEEK");
  CAF_CHECK(subscription_of(ann)->plan_name == "Premium");
  use(bob, "MONTH");
  CAF_CHECK(subscription_of(bob)->plan_name == "Basic");
  CAF_CHECK(subscription_of(bob)->expires_at == now + days{31});
  CAF_CHECK(subscription_of(bob)->traffic_limit_bytes == std::int64_t{101} << 30);
}

CAF_TEST(both days and money come or neither) {
  auto code = add("BOTH", {.kind = promo_kind::balance_and_days, .amount = money{700, "RUB"}, .days = 7});
  use(ann, "BOTH");
  CAF_CHECK_EQUAL(wallet_of(ann), 700);
  CAF_CHECK(subscription_of(ann)->expires_at == now + days{7});
  commit([](transaction& tx) { tx.run("UPDATE plans SET is_active = false"); });
  CAF_CHECK_EQUAL(refusal(bob, "BOTH"), "NO_PLAN");
  CAF_CHECK_EQUAL(wallet_of(bob), 0);
  CAF_CHECK_EQUAL(uses_of(code), 1);
  CAF_CHECK_EQUAL(count("SELECT count(*) FROM promo_code_uses"), 1);
}

CAF_TEST(a trial is for those who never had a subscription) {
  add("TRY", {.kind = promo_kind::trial, .days = 3});
  add("TRYAGAIN", {.kind = promo_kind::trial, .days = 3});
  use(ann, "TRY");
  CAF_CHECK(subscription_of(ann)->status == subscriptions::status::trial);
  CAF_CHECK(subscription_of(ann)->expires_at == now + days{3});
  CAF_CHECK_EQUAL(refusal(ann, "TRYAGAIN"), "TRIAL_USED");
  grant(bob, basic);
  CAF_CHECK_EQUAL(refusal(bob, "TRY"), "TRIAL_USED");
}

CAF_TEST(days do not turn a trial into more than that) {
  add("TRY", {.kind = promo_kind::trial, .days = 3});
  add("WEEK", {.kind = promo_kind::days, .days = 7});
  use(ann, "TRY");
  use(ann, "WEEK");
  CAF_CHECK(subscription_of(ann)->status == subscriptions::status::trial);
  CAF_CHECK(subscription_of(ann)->expires_at == now + days{10});
}

CAF_TEST(a group stays and an offer is used up by one purchase) {
  add("FRIENDS", {.kind = promo_kind::group, .group = "friends", .percent = 10});
  add("FAMILY", {.kind = promo_kind::group, .group = "family", .percent = 20});
  add("SALE", {.kind = promo_kind::discount, .percent = 30});
  CAF_CHECK(discount_of(ann, now) == discount{});
  use(ann, "FRIENDS");
  use(ann, "SALE");
  CAF_CHECK((discount_of(ann, now + days{1'000}) == discount{"friends", 10, 30, {}}));
  CAF_CHECK((use_discount(ann, now) == discount{"friends", 10, 30, {}}));
  CAF_CHECK((use_discount(ann, now) == discount{"friends", 10, 0, {}}));
  use(ann, "FAMILY");
  CAF_CHECK((discount_of(ann, now) == discount{"family", 20, 0, {}}));
  CAF_CHECK(discount_of(bob, now) == discount{});
}

CAF_TEST(an offer of hours ends by itself and there is one at a time) {
  add("HOURS", {.kind = promo_kind::discount, .percent = 30, .hours = 2});
  add("MORE", {.kind = promo_kind::discount, .percent = 50});
  auto until = use(ann, "HOURS").offer_until;
  CAF_CHECK(until == now + 2h);
  CAF_CHECK((discount_of(ann, *until - 1us) == discount{"", 0, 30, until}));
  CAF_CHECK_EQUAL(refusal(ann, "MORE"), "DISCOUNT_RUNNING");
  CAF_CHECK(discount_of(ann, *until) == discount{});
  now = *until;
  CAF_CHECK_EQUAL(refusal(ann, "MORE"), "");
  CAF_CHECK((discount_of(ann, now) == discount{"", 0, 50, {}}));
}

CAF_TEST(a purchase costs less by group and offer and uses the offer up) {
  add_money("MONEY", 100'000);
  add("FRIENDS", {.kind = promo_kind::group, .group = "friends", .percent = 10});
  add("SALE", {.kind = promo_kind::discount, .percent = 50});
  for (auto* code : {"MONEY", "FRIENDS", "SALE"}) use(ann, code);
  auto buy = [&] {
    return commit([&](transaction& tx) {
      return subscriptions::perform(tx, subscriptions::purchase{.account = ann, .plan = "Basic", .currency = "RUB"},
                                    now);
    });
  };
  auto look = [&] {
    return commit([&](transaction& tx) {
      return subscriptions::perform(tx, subscriptions::preview{.account = ann, .plan = "Basic", .currency = "RUB"},
                                    now);
    });
  };
  CAF_CHECK_EQUAL(look().price.minor, 13'500);
  CAF_CHECK_EQUAL(look().discount_percent, 55); // looking uses nothing up
  CAF_CHECK_EQUAL(buy().paid.minor, 13'500);
  CAF_CHECK_EQUAL(buy().paid.minor, 27'000);
  CAF_CHECK_EQUAL(wallet_of(ann), 100'000 - 13'500 - 27'000);
  add("HALF", {.kind = promo_kind::discount, .percent = 1});
  use(ann, "HALF");
  commit([&](transaction& tx) {
    wallet::store::spend(tx, ann, {50'000, "RUB"}, {wallet::cause_kind::admin, "a fine"}, now);
  });
  CAF_CHECK(code_of(buy) == ec::refused); // for want of money: the offer stands
  CAF_CHECK_EQUAL(discount_of(ann, now).offer_percent, 1);
}

CAF_TEST(of 64 purchases at the same time one has the offer) {
  add("SALE", {.kind = promo_kind::discount, .percent = 30});
  use(ann, "SALE");
  std::atomic<int> cheap = 0;
  in_parallel(64, [&](int) {
    cheap += commit([&](transaction& tx) {
      subscriptions::store::lock_account(tx, ann); // as every purchase does
      return store::use_discount(tx, ann, now).offer_percent == 30;
    });
  });
  CAF_CHECK_EQUAL(cheap.load(), 1);
}

CAF_TEST(no sequence brings more than the codes may) {
  auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::minstd_rand random{seed};
  auto below = [&](int limit) { return std::uniform_int_distribution{0, limit - 1}(random); };
  std::vector<account_id> crowd;
  for (int i = 0; i < 6; ++i) crowd.push_back(add_account("guest" + std::to_string(i)));
  std::vector<promo_code> codes;
  for (int i = 0; i < 5; ++i)
    codes.push_back(add_money("CODE" + std::to_string(i), 1 + below(1'000), {.max_uses = 1 + below(4)}));
  std::map<account_id, std::int64_t> expected;
  std::map<std::pair<std::size_t, account_id>, int> used;
  for (int step = 0; step < 150; ++step) {
    auto which = static_cast<std::size_t>(below(5));
    auto& who = crowd[below(6)];
    auto& code = codes[which];
    now += std::chrono::minutes{below(600)};
    switch (below(4)) {
    case 0: { // an administrator changes it
      code.benefit.amount->minor = 1 + below(1'000);
      code.limits.is_active = below(5) > 0;
      code = commit([&](transaction& tx) { return store::update(tx, code); });
      break;
    }
    case 1: // spent as it came
      if (expected[who] > 0) {
        commit([&](transaction& tx) {
          wallet::store::spend(tx, who, {1, "RUB"}, {wallet::cause_kind::purchase, std::to_string(step)}, now);
        });
        --expected[who];
      }
      break;
    default:
      if (refusal(who, code.code).empty()) {
        expected[who] += code.benefit.amount->minor;
        CAF_CHECK_EQUAL(++used[std::pair(which, who)], 1);
      }
    }
    CAF_REQUIRE_EQUAL(wallet_of(who), expected[who]);
  }
  for (auto& code : codes) {
    CAF_CHECK_LESS_OR_EQUAL(uses_of(code), *code.limits.max_uses);
    auto counted = count("SELECT count(*) FROM promo_code_uses WHERE promo_code_id = '" + to_string(code.id) + "'");
    CAF_CHECK_EQUAL(counted, uses_of(code));
  }
  CAF_CHECK_EQUAL(count("SELECT coalesce(sum(amount), 0)::bigint FROM promo_code_uses"),
                  -count("SELECT coalesce(sum(balance), 0)::bigint FROM ledger_books WHERE kind = 'rewards'"));
  check_ledger();
}

CAF_TEST(a code comes back as it was written and its name is free after its end) {
  limits within{.max_uses = 10, .valid_from = now, .valid_until = now + days{1}, .is_for_first_purchase = true};
  auto made = add("FULL",
                  {.kind = promo_kind::balance_and_days,
                   .amount = money{100, "USD"},
                   .days = 7,
                   .plan = basic.id,
                   .traffic_bytes = 1 << 30},
                  within);
  auto find = [&](const uuid& id) { return commit([&](transaction& tx) { return store::find(tx, id); }); };
  CAF_CHECK(find(made.id) == made);
  CAF_CHECK(code_of([&] { add_money("FULL", 1); }) == ec::conflict);
  auto other = add("SALE", {.kind = promo_kind::discount, .percent = 30, .hours = 2});
  CAF_CHECK(find(other.id) == other);
  auto change = [&](promo_code what) { return commit([&](transaction& tx) { return store::update(tx, what); }); };
  auto renamed = other;
  renamed.code = "FULL";
  CAF_CHECK(code_of([&] { change(renamed); }) == ec::conflict);
  commit([&](transaction& tx) { store::remove(tx, made.id, now); });
  CAF_CHECK(!find(made.id));
  CAF_CHECK_EQUAL(change(renamed).code, "FULL");
  CAF_CHECK(code_of([&] { change(made); }) == ec::not_found);
  CAF_CHECK(code_of([&] { commit([&](transaction& tx) { store::remove(tx, made.id, now); }); }) == ec::not_found);
}

CAF_TEST(the limit cannot fall below what was used) {
  auto code = add_money("GIFT", 1);
  use(ann, "GIFT");
  use(bob, "GIFT");
  auto limit = [&](std::int64_t uses) {
    return code_of([&] {
      commit([&](transaction& tx) {
        code.limits.max_uses = uses;
        store::update(tx, code);
      });
    });
  };
  CAF_CHECK(limit(1) == ec::invalid);
  CAF_CHECK(limit(2) == ec::none);
}

CAF_TEST(a repeat with the same key finds the code it made) {
  auto claim = claim_id::random();
  auto make = [&] {
    promo_code what{.id = uuid::random(),
                    .code = "KEY",
                    .benefit = {.kind = promo_kind::balance, .amount = money{1, "RUB"}},
                    .created_at = now,
                    .updated_at = now};
    return commit([&](transaction& tx) { return store::insert(tx, what, claim); });
  };
  auto first = make();
  CAF_CHECK(make() == first);
}

CAF_TEST(codes and their uses are listed newest first) {
  auto code = add_money("GIFT1", 500);
  now += 1s;
  add("SALE1", {.kind = promo_kind::discount, .percent = 5}, {.is_active = false});
  use(ann, "GIFT1");
  now += 1s;
  use(bob, "GIFT1");
  auto list = [&](list_promo_codes wanted) { return commit([&](transaction& tx) { return store::list(tx, wanted); }); };
  CAF_CHECK_EQUAL(list({}).total, 2);
  CAF_CHECK(list({.limit = 1}).items.at(0).code == "SALE1");
  CAF_CHECK_EQUAL(list({.text = "gift"}).total, 1);
  CAF_CHECK_EQUAL(list({.text = "%"}).total, 0);
  CAF_CHECK_EQUAL(list({.kind = promo_kind::discount}).total, 1);
  CAF_CHECK_EQUAL(list({.is_active = true}).total, 1);
  auto uses = commit([&](transaction& tx) { return store::list_uses(tx, {.id = code.id}); });
  CAF_REQUIRE_EQUAL(uses.items.size(), 2u);
  CAF_CHECK_EQUAL(uses.items[0].login, "bob");
  CAF_CHECK((uses.items[1].amount == money{500, "RUB"}));
  CAF_CHECK(code_of([&] { commit([&](transaction& tx) { store::list_uses(tx, {.id = uuid::random()}); }); }) ==
            ec::not_found);
}

CAF_TEST_FIXTURE_SCOPE_END()
