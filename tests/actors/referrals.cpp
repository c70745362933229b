#define CAF_SUITE actors_referrals

#include "actors/referrals/actor.hpp"

#include "actors/referrals/rules.hpp"
#include "tests/actors/scene.hpp"

#include <limits>
#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::referrals;
using namespace std::chrono_literals;

namespace {

struct fixture : scene {
  referrals_actor start() {
    referrals_dependencies with;
    with.share_url = "https://example.org/r";
    return on_stage(caf::actor_cast<referrals_actor>(sys.spawn(referrals::referrals, context, with)));
  }
  void next_round() {
    sched.advance_time(30s);
    consume_messages();
  }
};

store::newcomer from(const std::string& address, std::optional<std::string> device = {}) {
  return {account_id::random(), std::move(device), {.address = address}};
}

} // namespace

CAF_TEST(codes have eight characters that nobody mistakes) {
  CAF_CHECK_EQUAL(code_from(std::string(8, '\0')), "AAAAAAAA");
  CAF_CHECK_EQUAL(code_from("\x1f\x3f\x5f\x7f\x9f\xbf\xdf\xff"), "99999999");
  std::set<char> seen;
  for (int byte = 0; byte < 256; ++byte) seen.insert(code_from(std::string(8, static_cast<char>(byte))).front());
  CAF_CHECK_EQUAL(seen.size(), 32u);
  for (char c : {'0', 'O', '1', 'I'}) CAF_CHECK(!seen.contains(c));
}

CAF_TEST(a code is read in whatever case and nothing else is one) {
  CAF_CHECK(read_code("k7qwx2mp") == "K7QWX2MP");
  for (auto* typed : {"", "K7QWX2M", "K7QWX2MPP", "K7QWX2M0", "K7QWX2MI", "K7QWX2M ", "' OR 1--"})
    CAF_CHECK(!read_code(typed));
}

CAF_TEST(a commission is rounded down) {
  struct row {
    std::int64_t paid;
    int percent;
    std::int64_t expected;
  };
  auto most = std::numeric_limits<std::int64_t>::max();
  for (auto [paid, percent, expected] :
       {row{999, 25, 249}, row{1000, 25, 250}, row{3, 25, 0}, row{4, 25, 1}, row{1, 99, 0}, row{1, 100, 1},
        row{100, 0, 0}, row{0, 25, 0}, row{199, 1, 1}, row{most, 100, most}, row{most, 50, most / 2}})
    CAF_CHECK(commission({paid, "USD"}, percent) == (money{expected, "USD"}));
}

CAF_TEST(bonuses come for a payment that is large enough in their currency) {
  store::terms terms{.currency = "RUB", .minimum = 10'000, .referred_bonus = 5'000, .referrer_bonus = 7'000};
  CAF_CHECK(brings_bonuses(terms, {10'000, "RUB"}));
  CAF_CHECK(!brings_bonuses(terms, {9'999, "RUB"}));
  CAF_CHECK(!brings_bonuses(terms, {10'000, "USD"}));
  terms.referred_bonus = 0;
  CAF_CHECK(brings_bonuses(terms, {10'000, "RUB"}));
  terms.referrer_bonus = 0;
  CAF_CHECK(!brings_bonuses(terms, {10'000, "RUB"}));
}

CAF_TEST(no more can be withdrawn than was credited and is still there) {
  CAF_CHECK_EQUAL(withdrawable(100, 30), 30);
  CAF_CHECK_EQUAL(withdrawable(30, 100), 30);
  CAF_CHECK_EQUAL(withdrawable(0, 100), 0);
  CAF_CHECK_EQUAL(withdrawable(100, 0), 0);
}

CAF_TEST(addresses of one customer are one block) {
  CAF_CHECK(block_of("203.0.113.7") == block_of("203.0.113.200"));
  CAF_CHECK(block_of("203.0.113.7") != block_of("203.0.114.7"));
  CAF_CHECK(block_of("2001:db8:1:2::1") == block_of("2001:db8:1:2:ffff::"));
  CAF_CHECK(block_of("2001:db8:1:2::1") != block_of("2001:db8:1:3::1"));
  CAF_CHECK(block_of("nowhere").empty());
  CAF_CHECK(block_of("").empty());
}

CAF_TEST(marks tell device and browser and block apart and nothing in clear) {
  CAF_CHECK(marks_of(from("")).empty());
  auto one = marks_of(from("203.0.113.7", "3F0E8B5E-6F0A-4C57-9D55-0D2F3C5B7A11"));
  CAF_REQUIRE_EQUAL(one.size(), 2u);
  for (auto& mark : one) CAF_CHECK_EQUAL(mark.size(), 64u);
  CAF_CHECK(one == marks_of(from("203.0.113.9", "3f0e8b5e-6f0a-4c57-9d55-0d2f3c5b7a11")));
  auto browser = from("203.0.113.7");
  browser.origin.known_device = known_device{account_id::random(), uuid::random()};
  CAF_CHECK_EQUAL(marks_of(browser).size(), 2u);
  CAF_CHECK(marks_of(browser) != one);
}

CAF_TEST(addresses are shown by their first letter) {
  CAF_CHECK_EQUAL(mask("john@example.com"), "j***@example.com");
  CAF_CHECK_EQUAL(mask("j@example.com"), "j***@example.com");
  CAF_CHECK_EQUAL(mask(""), "");
  CAF_CHECK_EQUAL(mask("@example.com"), "");
}

CAF_TEST_FIXTURE_SCOPE(referrals_tests, fixture)

CAF_TEST(failures of the database are told) {
  auto actor = start();
  database.returns(invitation{"K7QWX2MP", "https://example.org/r/K7QWX2MP"});
  CAF_CHECK_EQUAL(answer_of(actor, get_invitation{}).code, "K7QWX2MP");
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, get_invitation{}).code == ec::unavailable);
  database.fails(ec::in_doubt);
  CAF_CHECK(fault_of(actor, get_standing{}).code == ec::in_doubt);
  database.fails(ec::overloaded);
  CAF_CHECK(fault_of(actor, list_referrals{}).code == ec::overloaded);
}

CAF_TEST(bonuses are credited until none is due and again after a failure) {
  auto actor = start();
  for (bool more : {true, true, false}) database.returns(more);
  next_round();
  CAF_CHECK_EQUAL(*database.asked, 3);
  database.fails(ec::unavailable);
  next_round();
  CAF_CHECK_EQUAL(*database.asked, 4);
  database.returns(false);
  next_round();
  CAF_CHECK_EQUAL(*database.asked, 5);
}

CAF_TEST_FIXTURE_SCOPE_END()
