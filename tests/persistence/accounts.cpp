#define CAF_SUITE persistence_accounts

#include "actors/accounts/store.hpp"

#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
namespace store = accounts::store;

namespace {

struct fixture : commerce_database {
  sessions::account create(const store::new_account& what) {
    return commit([&](transaction& tx) { return store::create(tx, what, moment(0)); });
  }
  std::string conflict_of(const store::new_account& what) {
    try {
      create(what);
    } catch (const fault_error& error) {
      return error.what_failed.name;
    }
    return "none";
  }
  std::optional<store::credential> find_credential(const std::string& identifier) {
    return commit([&](transaction& tx) { return store::find_credential(tx, identifier); });
  }
};

store::new_account somebody(std::string login, std::optional<std::string> email) {
  return {.logins = {std::move(login)}, .email = std::move(email), .password_hash = "hash", .is_active = true};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_accounts_tests, fixture)

CAF_TEST(what was stored is found again) {
  auto what = somebody("Bob", "Bob@Example.org");
  what.role = role::super_admin;
  what.is_email_verified = true;
  what.locale = "de-DE";
  auto created = create(what);
  CAF_CHECK_EQUAL(created.login, "Bob");
  CAF_CHECK_EQUAL(created.email.value_or(""), "Bob@Example.org");
  CAF_CHECK(created.role == role::super_admin && created.is_active && created.is_email_verified);
  CAF_CHECK_EQUAL(created.locale, "de-DE");
  CAF_CHECK(created.created_at == moment(0) && !created.last_login_at && created.number > 0);
  commit([&](transaction& tx) {
    CAF_CHECK(store::find(tx, created.id) == created);
    CAF_CHECK(store::find_by_email(tx, "bob@example.ORG") == created);
    CAF_CHECK(!store::find(tx, account_id::random()));
  });
}

CAF_TEST(e - mail and login are taken whatever their case) {
  create(somebody("bob", "bob@example.org"));
  CAF_CHECK_EQUAL(conflict_of(somebody("BOB", "other@example.org")), "LOGIN_EXISTS");
  CAF_CHECK_EQUAL(conflict_of(somebody("other", "BOB@example.org")), "EMAIL_EXISTS");
  CAF_CHECK_EQUAL(conflict_of(somebody("bob", "bob@example.org")), "EMAIL_EXISTS");
  CAF_CHECK_EQUAL(conflict_of(somebody("other", std::nullopt)), "none");
  CAF_CHECK_EQUAL(conflict_of(somebody("another", std::nullopt)), "none");
}

CAF_TEST(the first free login is taken) {
  create(somebody("bob", std::nullopt));
  create(somebody("bob_1", std::nullopt));
  store::new_account what{.logins = {"bob", "bob_1", "bob_2"}, .email = "bob@example.org", .password_hash = "hash"};
  CAF_CHECK_EQUAL(create(what).login, "bob_2");
  what.email = "bob2@example.org";
  CAF_CHECK_EQUAL(conflict_of(what), "LOGIN_EXISTS");
}

CAF_TEST(what is taken is known before anything is created) {
  create(somebody("bob", "bob@example.org"));
  auto check = [&](std::optional<std::string> email, std::optional<std::string> login) {
    return code_of([&] { commit([&](transaction& tx) { store::check_free(tx, email, login); }); });
  };
  CAF_CHECK(check("BOB@example.org", std::nullopt) == ec::conflict);
  CAF_CHECK(check(std::nullopt, "Bob") == ec::conflict);
  CAF_CHECK(check("ann@example.org", "ann") == ec::none);
}

CAF_TEST(of parallel registrations with one e - mail one wins) {
  std::atomic<int> created{0}, refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      auto outcome = conflict_of(somebody("bob" + std::to_string(i), i % 2 ? "bob@example.org" : "BOB@example.org"));
      ++(outcome == "none" ? created : refused);
    });
  for (auto& thread : threads) thread.join();
  CAF_CHECK_EQUAL(created.load(), 1);
  CAF_CHECK_EQUAL(refused.load(), 15);
}

CAF_TEST(credentials are found by login and by e - mail) {
  auto bob = create(somebody("bob", "bob@example.org"));
  store::credential expected{bob.id, "hash", true};
  CAF_CHECK(find_credential("BOB") == expected);
  CAF_CHECK(find_credential("Bob@Example.org") == expected);
  CAF_CHECK(!find_credential("bob@example"));
  CAF_CHECK(!find_credential(""));
}

CAF_TEST(a sign - in is noted unless the account has changed since its password was read) {
  auto bob = create(somebody("bob", "bob@example.org"));
  auto note = [&](const store::credential& checked, const std::string& new_hash) {
    return commit([&](transaction& tx) { return store::note_sign_in(tx, checked, new_hash, moment(5)); });
  };
  store::credential read{bob.id, "hash", true};
  CAF_CHECK(note(read, "")->last_login_at == moment(5));
  CAF_CHECK(find_credential("bob")->password_hash == "hash");
  CAF_CHECK(note(read, "better hash"));
  CAF_CHECK(find_credential("bob")->password_hash == "better hash");
  CAF_CHECK(!note(read, ""));
  commit([&](transaction& tx) { tx.run("UPDATE accounts SET is_active = false"); });
  CAF_CHECK(!note({bob.id, "better hash", true}, ""));
}

CAF_TEST(a verified e - mail address makes an account active) {
  auto what = somebody("bob", "bob@example.org");
  what.is_active = false;
  auto bob = create(what);
  auto verified = commit([&](transaction& tx) { return store::verify_email(tx, "BOB@example.org", moment(9)); });
  CAF_REQUIRE(verified);
  CAF_CHECK(verified->id == bob.id && verified->is_active && verified->is_email_verified);
  CAF_CHECK(!commit([&](transaction& tx) { return store::verify_email(tx, "ann@example.org", moment(9)); }));
}

CAF_TEST(roles are set) {
  auto bob = create(somebody("bob", std::nullopt));
  commit([&](transaction& tx) { store::set_role(tx, bob.id, role::operator_); });
  CAF_CHECK(commit([&](transaction& tx) { return store::find(tx, bob.id); })->role == role::operator_);
  CAF_CHECK(code_of([&] {
              commit([&](transaction& tx) { store::set_role(tx, account_id::random(), role::admin); });
            }) == ec::not_found);
}

CAF_TEST_FIXTURE_SCOPE_END()
