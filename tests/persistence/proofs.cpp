#define CAF_SUITE proofs

#include "actors/proofs/store.hpp"

#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = proofs::store;
using store::purpose;

namespace {

const secret old_key{std::string(32, 'o')}, new_key{std::string(32, 'n')};

struct fixture : commerce_database {
  bool keep(const secret& shown, const store::proof& what, const keyring& with) {
    return commit([&](transaction& tx) { return store::keep(tx, with, shown, what, 60s, moment(0)); });
  }
  std::optional<store::proof> redeem(const secret& shown, purpose what_for = purpose::magic_link,
                                     timestamp now = moment(59)) {
    return commit([&](transaction& tx) { return store::redeem(tx, keys, what_for, shown, now); });
  }
  bool examine(const secret& shown, timestamp now = moment(1)) {
    return commit(
        [&](transaction& tx) { return store::examine(tx, keys, purpose::magic_link, shown, 2, now).has_value(); });
  }

  account_id alice = add_account("alice");
  keyring keys{{new_key, old_key}};
  secret shown = store::make_secret();
  store::proof proof{purpose::magic_link, alice, {{"where", "here"}, {"empty", ""}}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(proofs_tests, fixture)

CAF_TEST(of parallel redemptions one wins and learns what it was made for) {
  CAF_CHECK_EQUAL(shown.reveal().size(), 43u);
  CAF_CHECK(keep(shown, proof, keys));
  std::atomic<int> won{0};
  std::vector<std::thread> running;
  for (int i = 0; i < 64; ++i)
    running.emplace_back([&] {
      auto found = redeem(shown);
      if (found && found->account == alice && found->content == proof.content) ++won;
    });
  for (auto& thread : running) thread.join();
  CAF_CHECK_EQUAL(won.load(), 1);
}

CAF_TEST(a proof is nothing to another purpose and nothing after its time) {
  keep(shown, proof, keys);
  CAF_CHECK(!redeem(shown, purpose::password_reset));
  CAF_CHECK(!redeem(store::make_secret()));
  CAF_CHECK(!redeem(shown, purpose::magic_link, moment(60)));
}

CAF_TEST(a proof of an older key is good and one of another key is not) {
  keep(shown, proof, keyring{{old_key}});
  auto other = store::make_secret();
  keep(other, proof, keyring{{secret{std::string(32, 'x')}}});
  CAF_CHECK(redeem(shown));
  CAF_CHECK(!redeem(other));
}

CAF_TEST(the same secret is kept once) {
  CAF_CHECK(keep(shown, proof, keys));
  CAF_CHECK(!keep(shown, {purpose::magic_link, std::nullopt, {}}, keys));
  CAF_CHECK(redeem(shown)->account == alice);
}

CAF_TEST(looks are counted) {
  keep(shown, proof, keys);
  CAF_CHECK(examine(shown) && examine(shown) && !examine(shown));
  CAF_CHECK(redeem(shown)); // whoever was right at the last look may still finish
  keep(shown, proof, keys);
  CAF_CHECK(!examine(shown, moment(60)));
}

CAF_TEST(withdrawing and forgetting take what they name) {
  auto other = store::make_secret(), of_nobody = store::make_secret();
  keep(shown, proof, keys);
  keep(other, {purpose::oauth_state, alice, {}}, keys);
  keep(of_nobody, {purpose::magic_link, std::nullopt, {}}, keys);
  commit([&](transaction& tx) { store::withdraw(tx, purpose::magic_link, alice); });
  CAF_CHECK(!redeem(shown) && redeem(of_nobody));
  commit([&](transaction& tx) { store::forget_expired(tx, moment(60)); });
  CAF_CHECK(redeem(other, purpose::oauth_state)); // expires then, is forgotten afterwards
}

CAF_TEST_FIXTURE_SCOPE_END()
