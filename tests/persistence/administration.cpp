#define CAF_SUITE persistence_administration

#include "actors/accounts/administration.hpp"
#include "actors/audit/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/live/store.hpp"
#include "actors/sessions/store.hpp"
#include "persistence/bootstrap.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::accounts;
using namespace backstay::persistence;

namespace {

struct fixture : commerce_database {
  account_id add(const std::string& login, role what = role::viewer, std::int64_t at = 0) {
    store::new_account wanted{
        .logins = {login}, .email = login + "@example.org", .password_hash = "none", .role = what, .is_active = true};
    return commit([&](transaction& tx) { return store::create(tx, wanted, moment(at)).id; });
  }

  /// The logins that are found, in their order; behind a slash how many there are in all.
  std::string found(const list_accounts& wanted) {
    auto page = commit([&](transaction& tx) { return store::list(tx, wanted); });
    std::string logins;
    for (auto& each : page.items) logins += each.account.login + " ";
    return logins + "/" + std::to_string(page.total);
  }

  template <class Command>
  auto perform(const Command& command) {
    return commit([&](transaction& tx) { return accounts::perform(tx, command, moment(100)); });
  }
  /// The name of what it is refused with.
  template <class Command>
  std::string refusal_of(const Command& command) {
    auto result = perform(command);
    auto* refusal = std::get_if<fault>(&result);
    return !refusal ? "" : refusal->name.empty() ? to_string(refusal->code) : refusal->name;
  }

  role role_of(const account_id& id) {
    return commit([&](transaction& tx) { return store::find(tx, id).value().role; });
  }

  sessions::signed_in sign_in(const account_id& id) {
    return commit([&](transaction& tx) {
      return sessions::store::open(tx, terms, {.account = store::find(tx, id).value(), .way = "password"}, moment(50));
    });
  }

  audit::trail_page trail(const audit::list_entries& wanted = {}) {
    return commit([&](transaction& tx) { return audit::store::list(tx, wanted); });
  }
  /// "action result" of each entry, newest first.
  std::string story(const audit::list_entries& wanted = {}) {
    std::string text;
    for (auto& each : trail(wanted).items)
      text += each.entry.action + " " + std::string{name_of(each.entry.result)} + "; ";
    return text;
  }

  sessions::store::terms terms{.keys = keyring{{secret{std::string(32, 'k')}}}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_administration_tests, fixture)

CAF_TEST(accounts are searched by whatever one has of them) {
  auto bob = add("bob", role::viewer, 1);
  add("Bobby", role::support, 2);
  add("ann_x", role::viewer, 3);
  commit(
      [&](transaction& tx) { tx.run("UPDATE accounts SET display_name = 'Robert Zimmer' WHERE id = $1::uuid", bob); });
  auto number = commit([&](transaction& tx) { return store::find(tx, bob)->number; });
  CAF_CHECK_EQUAL(found({}), "ann_x Bobby bob /3");
  CAF_CHECK_EQUAL(found({.text = "BOB"}), "Bobby bob /2");
  CAF_CHECK_EQUAL(found({.text = "bobby@example"}), "Bobby /1");
  CAF_CHECK_EQUAL(found({.text = "zimMER"}), "bob /1");
  CAF_CHECK_EQUAL(found({.text = to_string(bob)}), "bob /1");
  CAF_CHECK_EQUAL(found({.text = std::to_string(number)}), "bob /1");
  CAF_CHECK_EQUAL(found({.text = "%"}), "/0");
  CAF_CHECK_EQUAL(found({.text = "n_x"}), "ann_x /1");
  CAF_CHECK_EQUAL(found({.text = "b", .role = role::support}), "Bobby /1");
}

CAF_TEST(accounts are filtered by their state) {
  auto bob = add("bob"), ann = add("ann"), eve = add("eve");
  commit([&](transaction& tx) {
    store::lock(tx, bob, "spam", moment(5));
    store::verify_email(tx, "ann@example.org", moment(5));
    tx.run(
        "INSERT INTO authenticators (account, sealed_secret, created_at, confirmed_at) VALUES ($1::uuid, '', $2, $2)",
        ann, moment(5));
    tx.run("INSERT INTO authenticators (account, sealed_secret, created_at) VALUES ($1::uuid, '', $2)", bob, moment(5));
    tx.run("UPDATE accounts SET deleted_at = $2 WHERE id = $1::uuid", eve, moment(5));
  });
  auto by = account_order::login;
  CAF_CHECK_EQUAL(found({.locked = true, .order = by}), "bob /1");
  CAF_CHECK_EQUAL(found({.locked = false, .order = by}), "ann eve /2");
  CAF_CHECK_EQUAL(found({.verified = true, .order = by}), "ann /1");
  CAF_CHECK_EQUAL(found({.deleted = true, .order = by}), "eve /1");
  CAF_CHECK_EQUAL(found({.deleted = false, .order = by}), "ann bob /2");
  CAF_CHECK_EQUAL(found({.second_factor = true, .order = by}), "ann /1");
  CAF_CHECK_EQUAL(found({.second_factor = false, .order = by}), "bob eve /2");
  CAF_CHECK_EQUAL(found({.locked = false, .verified = true, .deleted = false, .order = by}), "ann /1");
}

CAF_TEST(accounts are sorted and paged without repeating any) {
  for (int i = 0; i < 7; ++i) add("user_" + std::to_string(i), role::viewer, i / 2);
  commit([&](transaction& tx) {
    tx.run("UPDATE accounts SET last_login_at = created_at WHERE login IN ('user_2', 'user_5')");
  });
  CAF_CHECK_EQUAL(found({.order = account_order::login_descending, .limit = 3}), "user_6 user_5 user_4 /7");
  CAF_CHECK_EQUAL(found({.order = account_order::email, .offset = 5}), "user_5 user_6 /7");
  CAF_CHECK_EQUAL(found({.order = account_order::seen_last, .limit = 2}), "user_5 user_2 /7");
  CAF_CHECK_EQUAL(found({.order = account_order::seen_first, .limit = 2}), "user_2 user_5 /7");
  for (auto order : {account_order::newest, account_order::oldest, account_order::email_descending}) {
    std::vector<account_id> seen;
    for (std::int64_t offset = 0; offset < 8; offset += 2)
      for (auto& each : commit([&](transaction& tx) {
                          return store::list(tx, {.order = order, .offset = offset, .limit = 2});
                        }).items)
        seen.push_back(each.account.id);
    std::sort(seen.begin(), seen.end());
    CAF_CHECK_EQUAL(seen.size(), 7u);
    CAF_CHECK(std::unique(seen.begin(), seen.end()) == seen.end());
  }
}

CAF_TEST(all that is known of how somebody gets in) {
  auto bob = add("bob");
  sign_in(bob);
  auto ended = sign_in(bob);
  commit([&](transaction& tx) {
    sessions::store::revoke(tx, ended.grant.session, moment(60));
    tx.run("INSERT INTO devices VALUES ($1::uuid, 'phone', 'ios', 'p', '17', '1.0', 'iPhone', NULL, $2, $2)", bob,
           moment(3));
    tx.run("INSERT INTO identities (provider, subject, account, username, linked_at) "
           "VALUES ('github', '42', $1::uuid, 'bobhub', $2)",
           bob, moment(4));
    tx.run(
        "INSERT INTO authenticators (account, sealed_secret, created_at, confirmed_at) VALUES ($1::uuid, '', $2, $2)",
        bob, moment(5));
    tx.run("INSERT INTO recovery_codes VALUES ($1::uuid, 'a'), ($1::uuid, 'b')", bob);
  });
  auto details = commit([&](transaction& tx) { return store::find_details(tx, bob, moment(70)); });
  CAF_REQUIRE(details);
  CAF_CHECK_EQUAL(details->record.account.login, "bob");
  CAF_CHECK_EQUAL(details->sessions.size(), 1u);
  CAF_CHECK(details->sessions.at(0).created_at == moment(50));
  CAF_CHECK_EQUAL(details->devices.at(0).device_model, "iPhone");
  CAF_CHECK_EQUAL(details->identities.at(0).username.value_or(""), "bobhub");
  CAF_CHECK(details->second_factor_since == moment(5));
  CAF_CHECK_EQUAL(details->recovery_codes_left, 2);
  CAF_CHECK(!commit([&](transaction& tx) { return store::find_details(tx, account_id::random(), moment(70)); }));
}

CAF_TEST(a locked account is out at once and a reason is kept) {
  auto boss = add("boss", role::super_admin), bob = add("bob");
  auto session = sign_in(bob);
  lock_account command{.caller = {.account = boss}, .account = bob, .reason = "spam", .origin = {.address = "::1"}};
  auto result = perform(command);
  auto record = value_of(result);
  CAF_CHECK(record.locked_at == moment(100) && record.lock_reason == "spam" && !record.account.is_active);
  commit([&](transaction& tx) {
    CAF_CHECK(!sessions::store::view(tx, session.grant.session, moment(101)));
    auto events = live::store::read_after(tx, 0, 10);
    CAF_CHECK(!events.empty() && std::get<live::force_disconnect>(events.at(0).what).reason == "Account suspended");
  });
  CAF_CHECK(code_of([&] { sign_in(bob); }) == ec::unauthenticated);
  command.reason = "more spam";
  auto again = perform(command);
  CAF_CHECK(value_of(again).locked_at == moment(100) && value_of(again).lock_reason == "more spam");
  auto unlocked = perform(unlock_account{.caller = {.account = boss}, .account = bob});
  CAF_CHECK(!value_of(unlocked).locked_at && !value_of(unlocked).lock_reason && value_of(unlocked).account.is_active);
  CAF_CHECK_EQUAL(story({.actor = boss}), "user.activate success; user.deactivate success; user.deactivate success; ");
  CAF_CHECK(trail({.action = "user.deactivate"}).items.at(1).entry.details.at("reason") == "spam");
  CAF_CHECK(trail({.action = "user.deactivate"}).items.at(1).entry.origin.address == "::1");
}

CAF_TEST(unlocking fills the budgets of guesses) {
  auto boss = add("boss", role::super_admin), bob = add("bob"), ann = add("ann");
  auto key = budgets::guesses_of(bob), phone = key + ":device:phone", other = budgets::guesses_of(ann);
  auto wait = [&](const std::string& of) {
    return commit([&](transaction& tx) { return budgets::store::look(tx, of, budgets::guess_budget, moment(100)); });
  };
  commit([&](transaction& tx) {
    for (auto& each : {key, phone, other})
      for (int i = 0; i < 7; ++i) budgets::store::take(tx, each, budgets::guess_budget, moment(95));
  });
  CAF_CHECK_EQUAL(wait(key).within_hour, 5);
  CAF_CHECK_EQUAL(wait(key).rest.count(), 25);
  perform(unlock_account{.caller = {.account = boss}, .account = bob});
  CAF_CHECK(wait(key).within_hour == 0 && wait(key).rest.count() == 0);
  CAF_CHECK_EQUAL(wait(phone).within_hour, 0);
  CAF_CHECK_EQUAL(wait(other).within_hour, 5);
}

CAF_TEST(who is refused is recorded too) {
  auto admin = add("admin", role::admin), peer = add("peer", role::admin), bob = add("bob");
  auto by = [&](const account_id& who) {
    return caller{.account = who, .role = role::super_admin};
  }; // as an old cache says
  CAF_CHECK_EQUAL(refusal_of(change_role{.caller = by(admin), .account = admin, .role = role::super_admin}),
                  "forbidden");
  CAF_CHECK_EQUAL(refusal_of(lock_account{.caller = by(admin), .account = peer}), "ROLE_TOO_LOW");
  CAF_CHECK_EQUAL(refusal_of(lock_account{.caller = by(admin), .account = admin}), "OWN_ACCOUNT");
  CAF_CHECK_EQUAL(refusal_of(unlock_account{.caller = by(bob), .account = peer}), "forbidden");
  CAF_CHECK_EQUAL(refusal_of(end_sessions{.caller = by(admin), .account = peer}), "ROLE_TOO_LOW");
  CAF_CHECK(role_of(admin) == role::admin);
  CAF_CHECK_EQUAL(trail({.result = audit::result::denied}).items.size(), 5u);
  CAF_CHECK(code_of([&] { perform(end_sessions{.caller = by(admin), .account = account_id::random()}); }) ==
            ec::not_found);
}

CAF_TEST(an operator who was locked meanwhile does nothing any more) {
  auto boss = add("boss", role::super_admin), other = add("other", role::super_admin), bob = add("bob");
  perform(lock_account{.caller = {.account = boss}, .account = other, .reason = "gone"});
  CAF_CHECK_EQUAL(refusal_of(lock_account{.caller = {.account = other}, .account = bob}), "forbidden");
  // and does not count as a super_admin who is left
  CAF_CHECK_EQUAL(refusal_of(change_role{.caller = {.account = boss}, .account = boss, .role = role::viewer}),
                  "LAST_SUPER_ADMIN");
}

CAF_TEST(of two super_admins who demote each other one stays) {
  for (int round = 0; round < 5; ++round) {
    auto name = "boss_" + std::to_string(round);
    auto one = add(name + "a", role::super_admin), two = add(name + "b", role::super_admin);
    std::thread first{[&] { perform(change_role{.caller = {.account = one}, .account = two, .role = role::viewer}); }};
    std::thread second{[&] { perform(change_role{.caller = {.account = two}, .account = one, .role = role::viewer}); }};
    first.join(), second.join();
    CAF_CHECK((role_of(one) == role::super_admin) != (role_of(two) == role::super_admin));
    commit([&](transaction& tx) { tx.run("UPDATE accounts SET role = 'viewer'"); });
  }
}

CAF_TEST(of many demotions in parallel the last is refused) {
  constexpr int count = 16;
  std::vector<account_id> all;
  for (int i = 0; i < count; ++i) all.push_back(add("boss" + std::to_string(i), role::super_admin));
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (auto& each : all)
    threads.emplace_back([&, each] {
      refused += refusal_of(change_role{.caller = {.account = each}, .account = each, .role = role::viewer}) ==
                 "LAST_SUPER_ADMIN";
    });
  for (auto& thread : threads) thread.join();
  CAF_CHECK_EQUAL(refused.load(), 1);
  CAF_CHECK_EQUAL(found({.role = role::super_admin}).substr(found({.role = role::super_admin}).find('/')), "/1");
}

CAF_TEST(the trail is filtered and paged) {
  auto bob = add("bob"), ann = add("ann");
  commit([&](transaction& tx) {
    audit::store::record(tx, {.action = "auth.login.failed", .subject = bob, .result = audit::result::failure},
                         moment(1));
    audit::store::record(tx, {.action = "auth.login.success", .actor = bob, .subject = bob}, moment(2));
    audit::store::record(tx, {.action = "auth.logout", .actor = ann, .subject = ann}, moment(2));
    audit::store::record(tx, {.action = "authority.x", .actor = ann, .details = {{"a", "\"b\""}}}, moment(3));
  });
  CAF_CHECK_EQUAL(story({.action = "auth"}),
                  "auth.logout success; auth.login.success success; auth.login.failed failure; ");
  CAF_CHECK_EQUAL(story({.action = "auth.logout"}), "auth.logout success; ");
  CAF_CHECK_EQUAL(story({.actor = ann, .subject = ann}), "auth.logout success; ");
  CAF_CHECK_EQUAL(story({.subject = bob, .result = audit::result::failure}), "auth.login.failed failure; ");
  CAF_CHECK_EQUAL(story({.since = moment(2), .until = moment(3)}), "auth.logout success; auth.login.success success; ");
  auto first = trail({.limit = 3});
  CAF_CHECK_EQUAL(first.items.size(), 3u);
  CAF_CHECK_EQUAL(first.items.at(0).entry.details.at("a"), "\"b\"");
  CAF_CHECK_EQUAL(first.items.at(0).actor_login.value_or(""), "ann");
  CAF_REQUIRE(first.next);
  auto rest = trail({.before = first.next, .limit = 3});
  CAF_CHECK_EQUAL(rest.items.size(), 1u);
  CAF_CHECK(!rest.next && rest.items.at(0).at == moment(1) && rest.items.at(0).subject_login == "bob");
  commit([&](transaction& tx) { audit::store::forget_before(tx, moment(2)); });
  CAF_CHECK_EQUAL(trail().items.size(), 3u);
}

CAF_TEST(the doctor names accounts without a way in) {
  auto lines = [&] { return audit_accounts(scratch.url()); };
  CAF_CHECK_EQUAL(lines().size(), 1u); // no super_admin
  auto boss = add("boss", role::super_admin);
  CAF_CHECK(lines().empty());
  commit([&](transaction& tx) { tx.run("UPDATE accounts SET email = NULL, password_hash = ''"); });
  CAF_CHECK_EQUAL(lines().size(), 1u);
  commit([&](transaction& tx) {
    tx.run("INSERT INTO identities (provider, subject, account, linked_at) VALUES ('github', '42', $1::uuid, $2)", boss,
           moment(4));
  });
  CAF_CHECK(lines().empty());
}

CAF_TEST(an administrator from the command line is in the trail) {
  create_admin(scratch.url(), "root@example.org", secret{"Correct-Horse-7-Battery"}, moment(1));
  auto entry = trail().items.at(0);
  CAF_CHECK_EQUAL(entry.entry.action, "user.create");
  CAF_CHECK_EQUAL(entry.entry.details.at("way"), "create-admin");
  CAF_CHECK(!entry.entry.actor && entry.entry.subject);
}

CAF_TEST_FIXTURE_SCOPE_END()
