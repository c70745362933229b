#define CAF_SUITE persistence_identities

#include "actors/identities/store.hpp"
#include "actors/proofs/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::identities;
using namespace backstay::persistence;
using namespace std::chrono_literals;
using identities::provider;

namespace {

struct fixture : commerce_database {
  fixture() { sign_up("alice", true); }

  void sign_up(const std::string& login, bool is_verified, const std::string& password_hash = "hash") {
    accounts::store::new_account what{.logins = {login},
                                      .email = login + "@example.org",
                                      .password_hash = password_hash,
                                      .is_active = true,
                                      .is_email_verified = is_verified};
    accounts_of[login] = commit([&](transaction& tx) { return accounts::store::create(tx, what, moment(0)).id; });
  }
  store::arrival arrival(const std::string& subject, std::optional<std::string> email = {}, bool is_verified = true,
                         provider which = provider::github) {
    return {.provider = which,
            .person = {.subject = subject,
                       .username = "octocat",
                       .name = "The Octocat",
                       .email = email,
                       .is_email_verified = is_verified},
            .way = "github"};
  }
  sessions::signed_in sign_in(const store::arrival& who) {
    return commit([&](transaction& tx) { return store::sign_in(tx, terms, who, moment(1)); });
  }
  void link(const std::string& login, provider which, const std::string& subject) {
    commit([&](transaction& tx) { store::link(tx, accounts_of[login], which, {.subject = subject}, {}, moment(1)); });
  }
  void unlink(const account_id& account, provider which) {
    commit([&](transaction& tx) { store::unlink(tx, account, which, {}, moment(2)); });
  }
  std::string name_of_failure(const std::function<void()>& job) {
    try {
      job();
    } catch (const fault_error& error) {
      return error.what_failed.name;
    }
    return "";
  }
  std::int64_t count(const std::string& what) {
    return commit(
        [&](transaction& tx) { return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM " + what))[0]); });
  }
  store::journey keep_journey(std::optional<caller> who, provider which = provider::github, timestamp now = moment(0)) {
    store::journey made{which, who, "app://callback", proofs::store::make_secret(), secret{"the verifier"}, "nonce"};
    commit([&](transaction& tx) { store::keep_journey(tx, terms, made, now); });
    return made;
  }
  std::optional<store::journey> examine(const secret& state, std::optional<account_id> who,
                                        provider which = provider::github, timestamp now = moment(599)) {
    return commit([&](transaction& tx) { return store::examine_journey(tx, terms, which, who, state, now); });
  }
  /// How many of 64 parallel tries of `job`, each in a transaction of its own, are true and do not throw.
  int winners(const std::function<bool(transaction&)>& job) {
    std::atomic<int> won{0};
    std::vector<std::thread> running;
    for (int i = 0; i < 64; ++i)
      running.emplace_back([&] {
        try {
          if (commit(job)) ++won;
        } catch (const fault_error&) {
        }
      });
    for (auto& thread : running) thread.join();
    return won;
  }

  sessions::store::terms terms{.keys = keyring{{secret{std::string(32, 'k')}}}};
  std::map<std::string, account_id> accounts_of;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_identities_tests, fixture)

CAF_TEST(somebody new gets an account without a password and keeps it) {
  auto first = sign_in(arrival("583231", "octocat@example.com"));
  CAF_CHECK(first.is_new && !first.account.has_password && first.account.is_active && first.account.is_email_verified);
  CAF_CHECK_EQUAL(first.account.login, "octocat");
  CAF_CHECK_EQUAL(first.account.display_name.value_or(""), "The Octocat");
  CAF_CHECK_EQUAL(first.account.linked_providers.at(0), "github");
  auto second = sign_in(arrival("583231", "moved@example.com"));
  CAF_CHECK(!second.is_new && second.account.id == first.account.id && second.account.email == "octocat@example.com");
  CAF_CHECK(sign_in(arrival("583232")).account.id != first.account.id);
}

CAF_TEST(an account is joined only if both sides have verified the address) {
  auto joined = sign_in(arrival("1", "ALICE@example.org"));
  CAF_CHECK(!joined.is_new && joined.account.id == accounts_of["alice"]);
  CAF_CHECK_EQUAL(name_of_failure([&] { sign_in(arrival("2", "alice@example.org", false)); }), "EMAIL_EXISTS");
  sign_up("bob", false);
  CAF_CHECK_EQUAL(name_of_failure([&] { sign_in(arrival("3", "bob@example.org")); }), "EMAIL_EXISTS");
  // Alice has another GitHub account already.
  CAF_CHECK_EQUAL(name_of_failure([&] { sign_in(arrival("4", "alice@example.org")); }), "PROVIDER_ALREADY_LINKED");
  CAF_CHECK_EQUAL(count("identities"), 1);
}

CAF_TEST(an address that the provider did not verify is not kept) {
  auto account = sign_in(arrival("1", "someone@example.com", false)).account;
  CAF_CHECK(!account.email && !account.is_email_verified);
  CAF_CHECK(!sign_in(arrival("2", "no address")).account.email);
}

CAF_TEST(nobody new comes in while registration is off) {
  auto stranger = arrival("1");
  stranger.may_register = false;
  CAF_CHECK_EQUAL(name_of_failure([&] { sign_in(stranger); }), "REGISTRATION_DISABLED");
  auto known = arrival("2", "alice@example.org");
  known.may_register = false;
  CAF_CHECK(sign_in(known).account.id == accounts_of["alice"]);
}

CAF_TEST(a locked account stays closed) {
  sign_in(arrival("1", "alice@example.org"));
  commit([&](transaction& tx) { tx.run("UPDATE accounts SET locked_at = now()"); });
  CAF_CHECK(code_of([&] { sign_in(arrival("1")); }) == ec::unauthenticated);
}

CAF_TEST(parallel first sign - ins of one person make one account) {
  std::atomic<int> is_new{0};
  auto who = arrival("1", {}, true, provider::telegram);
  CAF_CHECK_EQUAL(winners([&](transaction& tx) {
                    is_new += store::sign_in(tx, terms, who, moment(1)).is_new;
                    return true;
                  }),
                  64);
  CAF_CHECK_EQUAL(is_new.load(), 1);
  CAF_CHECK_EQUAL(count("accounts"), 2);
}

CAF_TEST(an identity belongs to one account and an account has one of a provider) {
  sign_up("bob", true);
  link("alice", provider::github, "1");
  link("alice", provider::github, "1"); // again is fine
  CAF_CHECK_EQUAL(name_of_failure([&] { link("bob", provider::github, "1"); }), "IDENTITY_TAKEN");
  CAF_CHECK_EQUAL(name_of_failure([&] { link("alice", provider::github, "2"); }), "PROVIDER_ALREADY_LINKED");
  link("bob", provider::google, "1");
  unlink(accounts_of["alice"], provider::github);
  unlink(accounts_of["alice"], provider::github);
  link("bob", provider::github, "1");
  CAF_CHECK_EQUAL(count("audit WHERE action = 'identity.link'"), 3);
  CAF_CHECK_EQUAL(count("audit WHERE action = 'identity.unlink'"), 1);
}

CAF_TEST(the last way in stays) {
  auto id = sign_in(arrival("1")).account.id;
  CAF_CHECK_EQUAL(name_of_failure([&] { unlink(id, provider::github); }), "LAST_WAY_IN");
  unlink(id, provider::google); // was never linked
  commit([&](transaction& tx) { store::link(tx, id, provider::google, {.subject = "1"}, {}, moment(1)); });
  unlink(id, provider::github);
  CAF_CHECK_EQUAL(name_of_failure([&] { unlink(id, provider::google); }), "LAST_WAY_IN");
  commit([&](transaction& tx) { accounts::store::set_password(tx, id, "hash", moment(1)); });
  unlink(id, provider::google);
  CAF_CHECK_EQUAL(count("identities"), 0);
}

CAF_TEST(parallel unlinks leave one way in) {
  auto id = sign_in(arrival("1")).account.id;
  commit([&](transaction& tx) { store::link(tx, id, provider::google, {.subject = "1"}, {}, moment(1)); });
  std::atomic<int> turn{0};
  winners([&](transaction& tx) {
    store::unlink(tx, id, ++turn % 2 ? provider::github : provider::google, {}, moment(2));
    return true;
  });
  CAF_CHECK_EQUAL(count("identities"), 1);
}

CAF_TEST(a journey is found by who began it and as long as it lasts) {
  caller alice{accounts_of["alice"], session_id::random()};
  auto mine = keep_journey(alice), strangers = keep_journey({});
  CAF_CHECK(!examine(mine.state, std::nullopt) && !examine(strangers.state, alice.account));
  CAF_CHECK(!examine(mine.state, alice.account, provider::google));
  auto other = keep_journey(alice);
  CAF_CHECK(!examine(other.state, alice.account, provider::github, moment(600)));
  auto found = examine(other.state, alice.account);
  CAF_REQUIRE(found);
  CAF_CHECK(found->redirect_uri == "app://callback" && found->verifier.reveal() == "the verifier" &&
            found->nonce == "nonce" && found->state == other.state);
  CAF_CHECK(examine(other.state, alice.account) && examine(other.state, alice.account));
  CAF_CHECK(!examine(other.state, alice.account)); // looked at three times
  CAF_CHECK_EQUAL(count("one_time_proofs WHERE content::text LIKE '%the verifier%'"), 0);
}

CAF_TEST(of parallel ends of a journey one wins) {
  auto made = keep_journey({});
  CAF_CHECK_EQUAL(winners([&](transaction& tx) { return store::finish_journey(tx, terms, made.state, moment(1)); }), 1);
}

CAF_TEST(a session finds the newest state that it was given) {
  caller alice{accounts_of["alice"], session_id::random()}, elsewhere{alice.account, session_id::random()};
  keep_journey(alice, provider::github, moment(0));
  auto newest = keep_journey(alice, provider::github, moment(1));
  keep_journey(alice, provider::google, moment(2));
  keep_journey(elsewhere, provider::github, moment(3));
  auto state_at = [&](timestamp now) {
    return commit([&](transaction& tx) { return store::newest_state(tx, terms, provider::github, alice, now); });
  };
  CAF_CHECK(state_at(moment(600)) == newest.state);
  CAF_CHECK(!state_at(moment(601)));
}

CAF_TEST(a widget counts once also in parallel and under a new key) {
  std::string hash(64, 'a');
  CAF_CHECK_EQUAL(winners([&](transaction& tx) { return store::note_widget(tx, terms, hash, moment(100), moment(0)); }),
                  1);
  sessions::store::terms rotated{.keys = keyring{{secret{std::string(32, 'n')}, secret{std::string(32, 'k')}}}};
  CAF_CHECK(!commit([&](transaction& tx) { return store::note_widget(tx, rotated, hash, moment(100), moment(99)); }));
}

CAF_TEST(a login link signs in once and only the account that it was made for) {
  link("alice", provider::telegram, "42");
  auto make = [&](std::int64_t telegram_id, std::optional<caller> maker) {
    auto token = proofs::store::make_secret();
    commit([&](transaction& tx) { store::keep_login_link(tx, terms, token, telegram_id, maker, {}, moment(0)); });
    return token;
  };
  auto redeem = [&](const secret& token, timestamp now) {
    return [&terms = terms, token, now](transaction& tx) {
      store::sign_in_by_link(tx, terms, token, {}, now);
      return true;
    };
  };
  caller admin{accounts_of["alice"], session_id::random(), role::admin};
  CAF_CHECK_EQUAL(winners(redeem(make(42, admin), moment(299))), 1);
  CAF_CHECK_EQUAL(winners(redeem(make(42, std::nullopt), moment(300))), 0);
  auto for_nobody = make(43, admin);
  sign_up("bob", true);
  link("bob", provider::telegram, "43");
  CAF_CHECK_EQUAL(name_of_failure([&] { commit(redeem(for_nobody, moment(1))); }), "USER_NOT_FOUND");
  commit([&](transaction& tx) { accounts::store::set_role(tx, accounts_of["bob"], role::super_admin); });
  CAF_CHECK(code_of([&] { make(43, admin); }) == ec::forbidden);
}

CAF_TEST_FIXTURE_SCOPE_END()
