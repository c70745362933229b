#define CAF_SUITE persistence_two_factor

#include "actors/sessions/store.hpp"
#include "actors/two_factor/rules.hpp"
#include "actors/two_factor/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <set>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = two_factor::store;
using two_factor::code_at;

namespace {

const secret old_key{std::string(32, 'o')}, new_key{std::string(32, 'n')};

struct fixture : commerce_database {
  bool keep_waiting(const secret& what, timestamp now = moment(0)) {
    return commit([&](transaction& tx) { return store::keep_waiting(tx, keys, alice, what, now); });
  }
  std::optional<std::vector<secret>> confirm(const secret& code, timestamp now = moment(0)) {
    return commit([&](transaction& tx) { return store::confirm(tx, keys, alice, code, now); });
  }
  bool use(const secret& code, timestamp now = moment(0)) {
    return commit([&](transaction& tx) { return store::use_code(tx, keys, alice, code, now); });
  }
  two_factor::standing standing() {
    return commit([&](transaction& tx) { return store::get(tx, alice); });
  }
  /// Turned on by the code of moment(0); returns the recovery codes.
  std::vector<secret> turn_on() {
    CAF_REQUIRE(keep_waiting(shared));
    auto codes = confirm(code_of(0));
    CAF_REQUIRE(codes);
    return *codes;
  }
  secret code_of(std::int64_t seconds, const secret& of = secret{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}) {
    return code_at(of, (moment(seconds).time_since_epoch() / 1s) / 30);
  }
  template <class Job>
  int count_winners(Job job) {
    std::atomic<int> won{0};
    std::vector<std::thread> running;
    for (int i = 0; i < 64; ++i) running.emplace_back([&] { won += job(); });
    for (auto& thread : running) thread.join();
    return won;
  }

  account_id alice = add_account("alice");
  keyring keys{{new_key, old_key}};
  secret shared{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_two_factor_tests, fixture)

CAF_TEST(the first code turns the second factor on) {
  CAF_CHECK(standing() == two_factor::standing{});
  CAF_CHECK(!confirm(code_of(0)));
  CAF_CHECK(keep_waiting(shared));
  CAF_CHECK(standing() == two_factor::standing{});
  CAF_CHECK(!use(code_of(0)));                      // not on yet
  CAF_CHECK(!confirm(code_of(90)) && !confirm({})); // a wrong code leaves it waiting
  auto codes = confirm(code_of(0));
  CAF_REQUIRE(codes);
  CAF_CHECK_EQUAL(std::set<std::string>([&] {
                    std::set<std::string> texts;
                    for (auto& code : *codes) texts.insert(code.reveal());
                    return texts;
                  }())
                      .size(),
                  8u);
  CAF_CHECK((standing() == two_factor::standing{two_factor::status::enabled, 8}));
  CAF_CHECK(!keep_waiting(shared) && !confirm(code_of(30), moment(30)));
  auto account = commit([&](transaction& tx) { return accounts::store::find(tx, alice); });
  CAF_CHECK(account->has_second_factor);
}

CAF_TEST(what was set up waits ten minutes and only the newest counts) {
  const secret other{"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"};
  keep_waiting(other);
  keep_waiting(shared, moment(60));
  CAF_CHECK(!confirm(code_of(60, other), moment(60)));
  CAF_CHECK(!confirm(code_of(660), moment(660)));
  CAF_CHECK(confirm(code_of(630), moment(659)));
}

CAF_TEST(each code is good once also for parallel tries) {
  turn_on();
  CAF_CHECK(!use(code_of(0))); // it turned the second factor on
  CAF_CHECK_EQUAL(count_winners([&] { return use(code_of(60), moment(60)); }), 1);
  CAF_CHECK(!use(code_of(60), moment(89)));
  CAF_CHECK(!use(code_of(30), moment(59))); // of an earlier step than the last one used
  CAF_CHECK(use(code_of(120), moment(90))); // of a clock that is ahead
  CAF_CHECK(!use(code_of(90), moment(90)));
}

CAF_TEST(of parallel first codes one turns it on) {
  keep_waiting(shared);
  CAF_CHECK_EQUAL(count_winners([&] { return confirm(code_of(0)).has_value(); }), 1);
  CAF_CHECK_EQUAL(standing().recovery_codes_left, 8);
}

CAF_TEST(a recovery code is good once also for parallel tries) {
  auto codes = turn_on();
  CAF_CHECK_EQUAL(count_winners([&] { return use(codes[0]); }), 1);
  CAF_CHECK_EQUAL(standing().recovery_codes_left, 7);
  auto lower = codes[1].reveal();
  for (auto& c : lower) c = static_cast<char>(std::tolower(c));
  CAF_CHECK(use(secret{lower}) && !use(codes[1]));
  auto bob = add_account("bob");
  CAF_CHECK(!commit([&](transaction& tx) { return store::use_code(tx, keys, bob, codes[2], moment(0)); }));
  CAF_CHECK(use(codes[2]));
}

CAF_TEST(turning it off forgets everything) {
  auto codes = turn_on();
  commit([&](transaction& tx) { store::remove(tx, alice); });
  CAF_CHECK(standing() == two_factor::standing{});
  CAF_CHECK(!use(codes[0]) && !use(code_of(60), moment(60)));
  CAF_CHECK(keep_waiting(shared, moment(60)));
  CAF_CHECK(confirm(code_of(60), moment(60)));
  CAF_CHECK(!use(codes[1]));
}

CAF_TEST(nothing that signs in can be read in the database) {
  auto codes = turn_on();
  auto kept = commit([&](transaction& tx) {
    return sql::get<std::string>((*tx.first("SELECT (SELECT string_agg(a::text, '') FROM authenticators a) || "
                                            "(SELECT string_agg(r::text, '') FROM recovery_codes r)"))[0]);
  });
  for (auto& code : codes) CAF_CHECK(kept.find(code.reveal()) == std::string::npos);
  CAF_CHECK(kept.find(shared.reveal()) == std::string::npos);
}

CAF_TEST(keys may be replaced) {
  keys = keyring{{old_key}};
  auto codes = turn_on();
  keys = keyring{{new_key, old_key}};
  CAF_CHECK(use(code_of(60), moment(60)) && use(codes[0]));
  keys = keyring{{new_key}};
  CAF_CHECK(!use(codes[1]));
  CAF_CHECK(backstay::persistence::code_of([&] { use(code_of(90), moment(90)); }) == ec::internal);
}

CAF_TEST(a sign - in is fresh for five minutes and a re - authentication too) {
  sessions::store::terms terms{.keys = keys};
  auto open = [&](bool is_fresh) {
    return commit([&](transaction& tx) {
      sessions::store::opening what{.account = *accounts::store::find(tx, alice), .is_fresh = is_fresh};
      return sessions::store::open(tx, terms, what, moment(0)).grant.session;
    });
  };
  auto is_fresh = [&](const session_id& session, std::int64_t seconds) {
    return commit([&](transaction& tx) { return sessions::store::is_reauthenticated(tx, session, moment(seconds)); });
  };
  auto asked = open(true), stored = open(false);
  CAF_CHECK(is_fresh(asked, 299) && !is_fresh(asked, 300) && !is_fresh(stored, 0));
  commit([&](transaction& tx) { sessions::store::note_reauthentication(tx, stored, moment(1000)); });
  CAF_CHECK(is_fresh(stored, 1299) && !is_fresh(stored, 1300) && !is_fresh(asked, 1000));
  commit([&](transaction& tx) { sessions::store::revoke(tx, stored, moment(1001)); });
  CAF_CHECK(!is_fresh(stored, 1002));
}

CAF_TEST_FIXTURE_SCOPE_END()
