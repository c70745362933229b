#define CAF_SUITE hashing

#include "actors/hashing/actor.hpp"

#include "actors/hashing/rules.hpp"
#include "tests/actors/scene.hpp"

#include <array>
#include <sodium.h>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::hashing;

namespace {

const secret password{"correct horse battery staple"};

/// A worker that never answers, so that jobs pile up.
worker_actor<password_job>::behavior_type idler(worker_actor<password_job>::stateful_pointer<caf::unit_t> self) {
  return {[self](const password_job&) { return self->make_response_promise<verdict>(); }};
}

} // namespace

CAF_TEST(a hash has the agreed parameters and its own salt) {
  auto hash = hash_password(password);
  CAF_CHECK_EQUAL(hash.find("$argon2id$v=19$m=19456,t=2,p=1$"), 0u);
  CAF_CHECK(hash != hash_password(password));
  CAF_CHECK(hash.find(password.reveal()) == std::string::npos);
}

CAF_TEST(only the right password matches) {
  auto hash = hash_password(password);
  auto right = check_password(password, hash);
  CAF_CHECK(right.matches && right.hash.empty());
  CAF_CHECK(!check_password(secret{"wrong"}, hash).matches);
  CAF_CHECK(!check_password(secret{}, hash).matches);
}

CAF_TEST(an unreadable hash matches nothing) {
  for (auto hash : {std::string{"none"}, std::string{"$argon2id$"}, std::string(1000, '$')})
    CAF_CHECK(!check_password(password, hash).matches);
}

CAF_TEST(an outdated hash is replaced once its password is known) {
  std::array<char, crypto_pwhash_STRBYTES> weak{};
  auto& text = password.reveal();
  CAF_REQUIRE_EQUAL(crypto_pwhash_str_alg(weak.data(), text.data(), text.size(), 1, crypto_pwhash_MEMLIMIT_MIN,
                                          crypto_pwhash_ALG_ARGON2ID13),
                    0);
  auto verdict = check_password(password, weak.data());
  CAF_CHECK(verdict.matches);
  CAF_CHECK(check_password(password, verdict.hash).matches);
  CAF_CHECK(check_password(secret{"wrong"}, weak.data()).hash.empty());
}

// The hash is of `correct horse battery staple` at cost 4, made by Python's crypt.
CAF_TEST(a bcrypt hash from elsewhere is understood and replaced) {
  std::string hash = "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG";
  for (auto kind : {"$2b$", "$2y$"}) {
    hash.replace(0, 4, kind);
    auto right = check_password(password, hash);
    CAF_CHECK(right.matches);
    CAF_CHECK(check_password(password, right.hash).matches);
    CAF_CHECK(right.hash.starts_with("$argon2id$"));
  }
  CAF_CHECK(!check_password(secret{"wrong"}, hash).matches);
  CAF_CHECK(!check_password(secret{password.reveal() + std::string(1, '\0')}, hash).matches);
  hash.back() = hash.back() == '.' ? 'O' : '.';
  CAF_CHECK(!check_password(password, hash).matches);
  CAF_CHECK(!check_password(password, "$2b$99$" + std::string(53, 'a')).matches);
}

CAF_TEST_FIXTURE_SCOPE(hashing_tests, scene)

CAF_TEST(a worker hashes and checks) {
  auto worker = on_stage(sys.spawn(hasher));
  auto hash = answer_of(worker, password_job{.password = password}).hash;
  CAF_CHECK(answer_of(worker, password_job{password, hash}).matches);
  CAF_CHECK(!answer_of(worker, password_job{secret{"wrong"}, hash}).matches);
}

CAF_TEST(a full queue refuses at once) {
  pool<password_job>::hire_function hire = [](caf::scheduled_actor* parent) { return parent->spawn(idler); };
  auto hashing = on_stage(caf::actor_cast<hashing_actor>(sys.spawn(
      pool<password_job>::behave, pulse, pool_options{.workers = 1, .queue = 1, .refusal = ec::too_many}, hire)));
  self->send(hashing, password_job{.password = password}); // runs
  self->send(hashing, password_job{.password = password}); // waits
  auto refusal = fault_of(hashing, password_job{.password = password});
  CAF_CHECK(refusal.code == ec::too_many && refusal.retry_after.count() > 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
