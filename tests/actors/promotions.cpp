#define CAF_SUITE actors_promotions

#include "actors/promotions/actor.hpp"

#include "actors/promotions/rules.hpp"
#include "tests/actors/scene.hpp"

#include <functional>
#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::promotions;
using namespace std::chrono_literals;

namespace {

const timestamp now{std::chrono::seconds{1'800'000'000}};

struct fixture : scene {
  promotions_actor start() { return on_stage(sys.spawn(promotions::promotions, context)); }
};

/// Every field that a kind may have.
save_promo_code words_of(promo_kind kind) {
  save_promo_code words;
  words.code = "welcome";
  words.kind = kind;
  auto give_money = [&] { words.amount = "100.50", words.currency = "RUB"; };
  auto give_days = [&] { words.days = 7, words.plan = plan_id::random(); };
  switch (kind) {
  case promo_kind::balance:
    give_money();
    break;
  case promo_kind::balance_and_days:
    give_money();
    [[fallthrough]];
  case promo_kind::days:
    words.traffic_gb = 5;
    [[fallthrough]];
  case promo_kind::trial:
    give_days();
    break;
  case promo_kind::group:
    words.group = "friends", words.percent = 10;
    break;
  case promo_kind::discount:
    words.percent = 10, words.hours = 24;
  }
  return words;
}

std::set<std::string> broken_fields(const save_promo_code& words) {
  std::set<std::string> fields;
  try {
    read(words, now);
  } catch (const fault_error& error) {
    CAF_CHECK(error.what_failed.code == ec::invalid);
    for (auto& problem : error.what_failed.problems) fields.insert(problem.location.at(1));
  }
  return fields;
}

using names = std::set<std::string>;

std::string refusal_of(const promo_code& code, const store::record& account) {
  try {
    check(code, account, now);
  } catch (const fault_error& error) {
    return error.what_failed.name;
  }
  return "";
}

} // namespace

CAF_TEST(each kind has its fields and no others) {
  using enum promo_kind;
  struct row {
    promo_kind kind;
    names required;
  };
  for (auto& [kind, required] : {row{balance, {"amount", "currency"}}, row{days, {"days"}},
                                 row{balance_and_days, {"amount", "currency", "days"}}, row{trial, {"days"}},
                                 row{group, {"group", "percent"}}, row{discount, {"percent"}}}) {
    CAF_MESSAGE(name_of(kind));
    CAF_CHECK(broken_fields(words_of(kind)).empty());
    save_promo_code bare;
    bare.code = "BARE";
    bare.kind = kind;
    CAF_CHECK(broken_fields(bare) == required);
    auto full = words_of(kind);
    full.amount = "1", full.currency = "RUB", full.days = 1, full.plan = plan_id::random(), full.traffic_gb = 1;
    full.group = "x", full.percent = 1, full.hours = 1;
    auto own = words_of(kind);
    names strange;
    if (!own.amount) strange.insert({"amount", "currency"});
    if (!own.days) strange.insert({"days", "plan_id"});
    if (!own.traffic_gb) strange.insert("traffic_gb");
    if (!own.group) strange.insert("group");
    if (!own.percent) strange.insert("percent");
    if (!own.hours) strange.insert("hours");
    CAF_CHECK(broken_fields(full) == strange);
  }
}

CAF_TEST(all broken fields are named at once) {
  auto words = words_of(promo_kind::balance);
  words.code = "a code";
  words.amount = "0.001";
  words.valid_from = now;
  words.valid_until = now;
  CAF_CHECK((broken_fields(words) == names{"code", "amount", "valid_until"}));
  for (auto* amount : {"0", "-5", "1e3", "1.005", "a", "99999999999999999999"}) {
    words = words_of(promo_kind::balance);
    words.amount = amount;
    CAF_CHECK((broken_fields(words) == names{"amount"}));
  }
}

CAF_TEST(words become a code) {
  auto made = read(words_of(promo_kind::balance_and_days), now);
  CAF_CHECK_EQUAL(made.code, "WELCOME");
  CAF_CHECK((made.benefit.amount == money{10'050, "RUB"}));
  CAF_CHECK(made.benefit.traffic_bytes == std::int64_t{5} << 30);
  CAF_CHECK(made.created_at == now);
  CAF_CHECK(made.id != read(words_of(promo_kind::days), now).id);
}

CAF_TEST(the limits are looked at in their order) {
  // From the last to the first: each is told before all that were broken before it.
  promo_code code;
  store::record account;
  CAF_CHECK_EQUAL(refusal_of(code, account), "");
  const std::pair<std::string, std::function<void()>> breaches[] = {
      {"PROMO_FIRST_PURCHASE_ONLY", [&] { code.limits.is_for_first_purchase = account.has_purchased = true; }},
      {"PROMO_DAILY_LIMIT", [&] { account.uses_today = 5; }},
      {"PROMO_ALREADY_USED", [&] { account.has_used = true; }},
      {"PROMO_EXPIRED", [&] { code.limits.valid_until = now; }},
      {"PROMO_NOT_YET_VALID", [&] { code.limits.valid_from = now + 1s; }},
      {"PROMO_INACTIVE", [&] { code.limits.is_active = false; }},
      {"PROMO_USED_UP", [&] { code.limits.max_uses = code.uses = 3; }},
  };
  for (auto& [name, breach] : breaches) {
    breach();
    CAF_CHECK_EQUAL(refusal_of(code, account), name);
  }
}

CAF_TEST(the limits let their edges pass) {
  promo_code code{.limits = {.max_uses = 3, .valid_from = now, .valid_until = now + 1us}, .uses = 2};
  CAF_CHECK_EQUAL(refusal_of(code, {.uses_today = 4, .has_purchased = true}), "");
  code.limits.is_for_first_purchase = true;
  CAF_CHECK_EQUAL(refusal_of(code, {}), "");
}

CAF_TEST(an offer of no hours ends with the purchase) {
  CAF_CHECK(!offer_until({.percent = 10}, now));
  CAF_CHECK(!offer_until({.percent = 10, .hours = 0}, now));
  CAF_CHECK(offer_until({.percent = 10, .hours = 2}, now) == now + 2h);
}

CAF_TEST_FIXTURE_SCOPE(promotions_tests, fixture)

CAF_TEST(failures of the database are told and nonsense does not reach it) {
  auto actor = start();
  database.returns(activation{.expires_at = now});
  CAF_CHECK(answer_of(actor, activate{}).expires_at == now);
  database.fails(ec::in_doubt);
  CAF_CHECK(fault_of(actor, activate{}).code == ec::in_doubt);
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, get_discount{}).code == ec::unavailable);
  CAF_CHECK(fault_of(actor, save_promo_code{}).code == ec::invalid);
  CAF_CHECK_EQUAL(*database.asked, 3);
  CAF_CHECK(fault_of(actor, words_of(promo_kind::group)).code == ec::unavailable);
  CAF_CHECK(fault_of(actor, delete_promo_code{}).code == ec::unavailable);
  CAF_CHECK(fault_of(actor, get_promo_code{}).code == ec::unavailable);
  CAF_CHECK(fault_of(actor, list_promo_codes{}).code == ec::unavailable);
  CAF_CHECK(fault_of(actor, list_uses{}).code == ec::unavailable);
}

CAF_TEST_FIXTURE_SCOPE_END()
