#define CAF_SUITE http_session_cache

#include "http/policy/session_cache.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::http;

namespace {

struct fixture {
  fixture() { cache.set_deaf(false); }

  session_cache::entry make(account_id of = account_id::random()) {
    auto made = std::make_shared<sessions::session_view>();
    made->session = session_id::random();
    made->account.id = of;
    return made;
  }
  session_cache::entry store(account_id of = account_id::random()) {
    auto made = make(of);
    cache.store(made, cache.generation());
    return made;
  }
  bool has(const session_cache::entry& entry) const { return cache.find(entry->session) != nullptr; }

  session_cache cache;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(session_cache_tests, fixture)

CAF_TEST(what is stored is found) {
  auto entry = store();
  CAF_CHECK(cache.find(entry->session) == entry);
  CAF_CHECK(cache.find(session_id::random()) == nullptr);
}

CAF_TEST(a session that changed while it was loaded is not stored) {
  auto entry = make();
  auto generation = cache.generation();
  cache.forget("session:" + to_string(entry->session));
  cache.store(entry, generation);
  CAF_CHECK(!has(entry));
  cache.store(entry, cache.generation());
  CAF_CHECK(has(entry));
}

CAF_TEST(an invalidated session is gone and the others stay) {
  auto account = account_id::random();
  auto one = store(account), other = store(account);
  cache.forget("session:" + to_string(one->session));
  CAF_CHECK(!has(one));
  CAF_CHECK(has(other));
}

CAF_TEST(an invalidated account takes all its sessions with it) {
  auto account = account_id::random();
  auto one = store(account), two = store(account), of_another = store();
  cache.forget("account:" + to_string(account));
  CAF_CHECK(!has(one));
  CAF_CHECK(!has(two));
  CAF_CHECK(has(of_another));
  CAF_CHECK_EQUAL(cache.size(), 1u);
}

CAF_TEST(an account is still known after one of its sessions was stored again) {
  auto account = account_id::random();
  auto one = store(account);
  cache.forget("session:" + to_string(one->session));
  cache.store(one, cache.generation());
  cache.forget("account:" + to_string(account));
  CAF_CHECK(!has(one));
}

CAF_TEST(words that name nobody drop nothing but end loads under way) {
  auto entry = store();
  for (auto text : {"", "session:", "account:", "session:x", "account:7", "everything"}) {
    auto generation = cache.generation();
    cache.forget(text);
    CAF_CHECK(cache.generation() != generation);
  }
  CAF_CHECK(has(entry));
}

CAF_TEST(who cannot hear keeps nothing) {
  auto before = store();
  auto generation = cache.generation();
  cache.set_deaf(true);
  CAF_CHECK(!has(before));
  auto during = store();
  CAF_CHECK(!has(during));
  cache.set_deaf(false);
  cache.store(before, generation); // loaded before it went deaf
  CAF_CHECK(!has(before));
  CAF_CHECK(has(store()));
}

CAF_TEST(a new cache is deaf until told otherwise) {
  session_cache fresh;
  auto entry = make();
  fresh.store(entry, fresh.generation());
  CAF_CHECK_EQUAL(fresh.size(), 0u);
}

CAF_TEST(a used token is noted in a copy) {
  auto entry = store();
  cache.mark_token_used(entry->session);
  CAF_CHECK(!entry->token_used); // others may be reading it
  CAF_CHECK(cache.find(entry->session)->token_used);
  cache.mark_token_used(session_id::random());
  CAF_CHECK_EQUAL(cache.size(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
