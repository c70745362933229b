#define CAF_SUITE persistence_browser_sessions

#include "actors/accounts/store.hpp"
#include "actors/budgets/store.hpp"
#include "actors/live/store.hpp"
#include "actors/proofs/store.hpp"
#include "actors/sessions/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
using sessions::signed_in;
namespace store = sessions::store;

namespace {

struct fixture : commerce_database {
  sessions::account account_of(const account_id& id) {
    return commit([&](transaction& tx) { return *accounts::store::find(tx, id); });
  }
  signed_in open(store::opening how, timestamp when = moment(0)) {
    return commit([&](transaction& tx) { return store::open(tx, terms, how, when); });
  }
  signed_in open(const std::string& address = "198.51.100.1", const std::string& program = "Firefox",
                 timestamp when = moment(0)) {
    return open({.account = account_of(bob), .origin = {address, program, "r"}}, when);
  }
  sessions::session_list list(const session_id& current, timestamp when, std::int64_t page = 1,
                              std::int64_t page_size = 20) {
    return commit([&](transaction& tx) {
      return store::list(tx, {.caller = {bob, current}, .page = page, .page_size = page_size}, when);
    });
  }
  bool is_open(const signed_in& session, timestamp when) {
    return commit([&](transaction& tx) { return store::view(tx, session.grant.session, when).has_value(); });
  }
  std::vector<live::force_disconnect> goodbyes() {
    std::vector<live::force_disconnect> found;
    for (auto& event : commit([](transaction& tx) { return live::store::read_after(tx, 0, 100); }))
      found.push_back(std::get<live::force_disconnect>(event.what));
    return found;
  }
  /// The budget that a guess of Bob's password is taken from.
  std::string budget_of(const store::familiarity& who) {
    return commit([&](transaction& tx) { return store::budget_of(tx, bob, who); });
  }

  account_id bob = add_account("bob");
  store::terms terms{.keys = keyring{{secret{std::string(32, 'k')}}}};
};

sessions::device phone(std::string id) {
  return {.device_id = std::move(id), .platform = sessions::platform::ios, .device_model = "iPhone 15"};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_browser_sessions_tests, fixture)

// ---- the list

CAF_TEST(open sessions are listed the last seen first) {
  auto first = open("198.51.100.1", "Firefox", moment(0));
  auto second =
      open({.account = account_of(bob), .device = phone("d-1"), .origin = {"198.51.100.1", "App", "r"}}, moment(10));
  auto ended = open("198.51.100.1", "Firefox", moment(20));
  commit([&](transaction& tx) {
    store::revoke(tx, ended.grant.session, moment(21));
    store::note_seen(tx, first.grant.session, moment(30));
  });
  auto seen = list(second.grant.session, moment(40));
  CAF_CHECK_EQUAL(seen.total, 2);
  CAF_REQUIRE_EQUAL(seen.items.size(), 2u);
  CAF_CHECK(seen.items[0].id == first.grant.session && !seen.items[0].is_current && !seen.items[0].platform);
  CAF_CHECK(seen.items[0].last_seen_at == moment(30) && seen.items[0].created_at == moment(0));
  CAF_CHECK(seen.items[1].id == second.grant.session && seen.items[1].is_current);
  CAF_CHECK_EQUAL(seen.items[1].device_name.value_or(""), "iPhone 15");
  auto paged = list(second.grant.session, moment(40), 2, 1);
  CAF_CHECK(paged.total == 2 && paged.items.size() == 1 && paged.items[0].id == second.grant.session);
  CAF_CHECK_EQUAL(list(second.grant.session, moment(40), 3, 1).total, 2);
  CAF_CHECK_EQUAL(list(second.grant.session, moment(100'000'000)).total, 0);
}

CAF_TEST(a session is suspicious if nothing of it was there before) {
  open("198.51.100.1", "Firefox", moment(0));
  auto neighbour = open("198.51.100.1", "Chrome", moment(1)), traveller = open("203.0.113.5", "Firefox", moment(2)),
       stranger = open("192.0.2.9", "curl", moment(3));
  for (auto& each : list(stranger.grant.session, moment(4)).items)
    CAF_CHECK_EQUAL(each.is_suspicious, each.id == stranger.grant.session);
}

CAF_TEST(the last activity never goes back) {
  auto session = open();
  commit([&](transaction& tx) {
    store::note_seen(tx, session.grant.session, moment(50));
    store::note_seen(tx, session.grant.session, moment(40));
  });
  CAF_CHECK(list(session.grant.session, moment(60)).items.at(0).last_seen_at == moment(50));
}

// ---- ending them

CAF_TEST(only the owner ends a session and only once) {
  auto session = open();
  auto eve = add_account("eve");
  auto revoke = [&](const account_id& who, const session_id& what) {
    return commit([&](transaction& tx) { return store::revoke_own(tx, who, what, moment(5)); });
  };
  CAF_CHECK(!revoke(eve, session.grant.session));
  CAF_CHECK(!revoke(bob, session_id::random()));
  CAF_CHECK(is_open(session, moment(5)));
  CAF_CHECK(revoke(bob, session.grant.session));
  CAF_CHECK(!is_open(session, moment(5)));
  CAF_CHECK(!revoke(bob, session.grant.session));
  CAF_CHECK_EQUAL(goodbyes().size(), 1u);
  CAF_CHECK(goodbyes().at(0).only == session.grant.session);
}

CAF_TEST(whoever ends all but one tells all sockets but those of one) {
  auto kept = open(), other = open();
  commit([&](transaction& tx) { store::revoke_all(tx, bob, kept.grant.session, moment(1)); });
  CAF_CHECK(is_open(kept, moment(1)) && !is_open(other, moment(1)));
  CAF_REQUIRE_EQUAL(goodbyes().size(), 1u);
  CAF_CHECK(!goodbyes()[0].only && goodbyes()[0].except == kept.grant.session);
}

// ---- refreshing by cookie

CAF_TEST(a prolonged session gives its newest token again) {
  auto session = open();
  auto later = moment(6 * 86'400);
  auto prolonged = commit([&](transaction& tx) { return store::prolong(tx, terms, session.grant.session, later); });
  auto& renewed = value_of(prolonged);
  CAF_CHECK(renewed.refresh_token == session.refresh_token);
  CAF_CHECK(renewed.session_expires_at == later + std::chrono::days{7});
  CAF_CHECK(is_open(session, moment(12 * 86'400)));
  commit([&](transaction& tx) { store::revoke(tx, session.grant.session, later); });
  auto refused = commit([&](transaction& tx) { return store::prolong(tx, terms, session.grant.session, later); });
  CAF_CHECK(std::get<fault>(refused).code == ec::unauthenticated);
}

CAF_TEST(a session that does not rotate is refused where tokens rotate) {
  auto session = open({.account = account_of(bob), .is_rotating = false});
  commit([&](transaction& tx) {
    auto token = sessions::read_refresh_token(terms.keys, session.refresh_token).value();
    auto refreshed = store::refresh(tx, terms, token, {}, moment(1));
    CAF_CHECK(std::get<fault>(refreshed).code == ec::unauthenticated);
    auto prolonged = store::prolong(tx, terms, session.grant.session, moment(1));
    CAF_CHECK(std::get<fault>(prolonged).code == ec::unauthenticated);
  });
  CAF_CHECK(is_open(session, moment(2)));
}

// ---- session tokens

CAF_TEST(of sixty four that show a session token one is signed in) {
  auto maker = open();
  sessions::session_token made{proofs::store::make_secret(), moment(90)};
  commit([&](transaction& tx) { store::keep_session_token(tx, terms, maker.grant.session, made, moment(0)); });
  std::atomic<int> winners{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 64; ++i)
    all.emplace_back([&] {
      auto opened = begin();
      if (!store::exchange_session_token(opened->tx, terms, made.value, {}, moment(1))) return;
      opened->commit();
      ++winners;
    });
  for (auto& each : all) each.join();
  CAF_CHECK_EQUAL(winners.load(), 1);
  CAF_CHECK_EQUAL(list(maker.grant.session, moment(2)).total, 2);
}

CAF_TEST(a session token ends with its time and with its maker) {
  auto exchange = [&](bool revoke_first, timestamp when) {
    auto maker = open();
    sessions::session_token made{proofs::store::make_secret(), moment(90)};
    return commit([&](transaction& tx) {
      store::keep_session_token(tx, terms, maker.grant.session, made, moment(0));
      if (revoke_first) store::revoke(tx, maker.grant.session, moment(1));
      return store::exchange_session_token(tx, terms, made.value, {}, when).has_value();
    });
  };
  CAF_CHECK(exchange(false, moment(89)));
  CAF_CHECK(!exchange(false, moment(90)));
  CAF_CHECK(!exchange(true, moment(2)));
}

// ---- known devices

CAF_TEST(guesses of known devices are counted apart) {
  auto strangers = budgets::guesses_of(bob);
  known_device browser{bob, uuid::random()}, other_browser{bob, uuid::random()},
      of_another{account_id::random(), uuid::random()};
  CAF_CHECK_EQUAL(budget_of({}), strangers);
  CAF_CHECK_EQUAL(budget_of({.browser = of_another}), strangers);
  CAF_CHECK(budget_of({.browser = browser}) != strangers);
  CAF_CHECK(budget_of({.browser = browser}) != budget_of({.browser = other_browser}));
  CAF_CHECK_EQUAL(budget_of({.device_id = "d-1"}), strangers); // it has never signed in
  open({.account = account_of(bob), .device = phone("d-1")});
  CAF_CHECK(budget_of({.device_id = "d-1"}) != strangers);
  CAF_CHECK_EQUAL(budget_of({.device_id = "d-2"}), strangers);
}

CAF_TEST(strangers lock out strangers and not a known device) {
  auto guess = [&](const store::familiarity& who, const std::string& identifier) {
    auto taken = commit([&](transaction& tx) { return store::reserve_guess(tx, terms, identifier, moment(0), who); });
    return std::holds_alternative<store::attempt>(taken);
  };
  store::familiarity owner{.browser = known_device{bob, uuid::random()}};
  for (int i = 0; i < 5; ++i) CAF_CHECK(guess({}, "bob"));
  CAF_CHECK(!guess({}, "bob"));
  for (int i = 0; i < 5; ++i) CAF_CHECK(guess(owner, "BOB@example.org"));
  CAF_CHECK(!guess(owner, "bob"));
  for (int i = 0; i < 5; ++i) CAF_CHECK(guess(owner, "nobody")); // an unknown one is counted by its name
  CAF_CHECK(!guess({}, "nobody"));
}

// ---- profiles

CAF_TEST(profiles change by what is said) {
  auto update = [&](accounts::update_profile what, const std::optional<std::string>& picture = std::nullopt) {
    what.caller.account = bob;
    return commit([&](transaction& tx) { return accounts::store::update_profile(tx, what, picture, moment(9)); });
  };
  auto first = update({.display_name = "Bob", .bio = "Hi", .preferences = json_object{R"({"a": 1, "b": {"c": 2}})"}});
  CAF_CHECK_EQUAL(first.account.display_name.value_or(""), "Bob");
  auto second = update({.bio = std::optional<std::string>{}, .preferences = json_object{R"({"b": 3})"}});
  CAF_CHECK_EQUAL(second.account.display_name.value_or(""), "Bob");
  CAF_CHECK(!second.account.bio);
  CAF_CHECK_EQUAL(second.preferences.text, R"({"a": 1, "b": 3})");
  CAF_CHECK(second.account.updated_at == moment(9));
  CAF_CHECK(update({.email = "BOB@example.org"}).account == second.account);
  CAF_CHECK(code_of([&] { update({.email = "eve@example.org"}); }) == ec::refused);
  CAF_CHECK(code_of([&] { update({.preferences = json_object{R"({"x": ")" + std::string(16'384, 'x') + "\"}"}}); }) ==
            ec::invalid);
}

CAF_TEST(a picture replaces the one before) {
  auto give = [&](const std::string& png) {
    return commit([&](transaction& tx) {
      accounts::update_profile what{.caller = {bob, {}}};
      return *accounts::store::update_profile(tx, what, png, moment(0)).account.avatar_url;
    });
  };
  auto find = [&](const std::string& url) {
    return commit([&](transaction& tx) {
      auto found = accounts::store::find_avatar(tx, url.substr(std::string{"/avatars/"}.size()));
      return found ? found->png : std::string{"none"};
    });
  };
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * 7); // every byte there is
  auto first = give(bytes);
  CAF_CHECK(first.starts_with("/avatars/") && first.ends_with(".png"));
  CAF_CHECK(find(first) == bytes);
  auto second = give("\x89PNG");
  CAF_CHECK(second != first);
  CAF_CHECK_EQUAL(find(first), "none");
  CAF_CHECK_EQUAL(find(second), "\x89PNG");
  commit([&](transaction& tx) {
    accounts::update_profile what{.caller = {bob, {}}, .avatar_url = "https://example.org/a.png"};
    accounts::store::update_profile(tx, what, std::nullopt, moment(0));
  });
  CAF_CHECK_EQUAL(find(second), "none");
}

CAF_TEST(a password is replaced only where nobody was faster) {
  auto replace = [&](const std::string& expected) {
    return commit(
        [&](transaction& tx) { return accounts::store::replace_password(tx, bob, expected, "new", moment(0)); });
  };
  CAF_CHECK(!replace("other"));
  CAF_CHECK(replace("none"));
  CAF_CHECK(!replace("none"));
}

CAF_TEST_FIXTURE_SCOPE_END()
