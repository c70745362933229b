#define CAF_SUITE persistence_identity

#include "actors/accounts/actor.hpp"
#include "actors/hashing/actor.hpp"
#include "actors/outbox/store.hpp"
#include "actors/sessions/actor.hpp"
#include "persistence/database.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <future>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;

namespace {

/// The three domains with real threads, hashes and database, as a server runs them but for their guardians.
struct server : commerce_database {
  server() {
    outbox::store::seal_with(keyring{{key}});
    domain_context context{pulse, std::make_shared<domain_clock>(), {}};
    context.database = start<database_actor>(
        [&](auto* parent) { return spawn_database(parent, pulse, {.url = scratch.url(), .pool = {.workers = 4}}); });
    auto hashing =
        start<hashing::hashing_actor>([&](auto* parent) { return hashing::spawn_hashing(parent, pulse, 2, 100); });
    auto terms = std::make_shared<const sessions::store::terms>(sessions::store::terms{.keys = keyring{{key}}});
    accounts = start<accounts::accounts_actor>([&](auto* parent) {
      return accounts::spawn_accounts(parent, context, {hashing, terms, true});
    });
    sessions = start<sessions::sessions_actor>([&](auto* parent) {
      return sessions::spawn_sessions(parent, context, {hashing, terms, [](const std::string&) {}});
    });
  }
  ~server() {
    for (auto& actor : running) caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }

  /// Spawns from within an actor that stands for the guardian.
  template <class Actor, class Spawn>
  Actor start(Spawn spawn) {
    std::promise<caf::actor> child;
    system.spawn([&](caf::event_based_actor* parent) { child.set_value(spawn(parent)); });
    running.push_back(child.get_future().get());
    return caf::actor_cast<Actor>(running.back());
  }

  template <class Actor, class Message>
  outcome<typename Message::reply> ask(const Actor& actor, Message message) {
    outcome<typename Message::reply> result;
    caf::scoped_actor self{system};
    self->request(actor, 20s, std::move(message))
        .receive([&](typename Message::reply& reply) { result = std::move(reply); },
                 [&](const caf::error& error) { result = describe(error); });
    return result;
  }
  template <class Actor, class Message>
  typename Message::reply answer_of(const Actor& actor, Message message) {
    auto result = ask(actor, std::move(message));
    return value_of(result);
  }
  template <class Actor, class Message>
  ec code_of(const Actor& actor, Message message) {
    auto result = ask(actor, std::move(message));
    auto* what_failed = std::get_if<fault>(&result);
    return what_failed ? what_failed->code : ec::none;
  }

  secret mailed_code() {
    auto entries = commit([&](transaction& tx) { return outbox::store::claim(tx, now() + 1s, 1s, 10); });
    CAF_REQUIRE_EQUAL(entries.size(), 1u);
    return std::get<outbox::mail_work>(entries[0].work).code;
  }
  timestamp now() const { return domain_clock{}.now(); }
  std::int64_t count(const std::string& table) {
    return commit(
        [&](transaction& tx) { return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM " + table))[0]); });
  }

  secret key{std::string(32, 'k')};
  caf::actor_system_config config;
  caf::actor_system system{config};
  vitals_ptr pulse = std::make_shared<vitals>("tested", true);
  std::vector<caf::actor> running;
  accounts::accounts_actor accounts;
  sessions::sessions_actor sessions;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_identity_tests, server)

CAF_TEST(somebody registers and verifies and signs in and refreshes and leaves) {
  secret password{"purple-Elephant-42"};
  accounts::register_account bob{.login = "bob", .email = "bob@example.org", .password = password};
  auto registered = answer_of(accounts, bob);
  CAF_CHECK(!registered.session && !registered.account.is_active);
  CAF_CHECK(code_of(accounts, bob) == ec::conflict);
  sessions::sign_in sign_in{.identifier = "BOB@example.org", .password = password};
  CAF_CHECK(code_of(sessions, sign_in) == ec::unauthenticated); // not verified yet
  auto verified = answer_of(sessions, sessions::verify_code{.email = "bob@example.org", .code = mailed_code()});
  CAF_CHECK(verified.account.is_active && verified.account.id == registered.account.id);
  auto session = answer_of(sessions, sign_in);
  auto refreshed = answer_of(sessions, sessions::refresh{.token = session.refresh_token});
  CAF_CHECK(refreshed.grant.session == session.grant.session);
  answer_of(sessions, sessions::confirm_token{session.grant.session, refreshed.grant.token_id});
  CAF_CHECK(answer_of(sessions, sessions::get_session{session.grant.session}).token_used);
  auto ticket = answer_of(sessions, sessions::create_ticket{{session.account.id, session.grant.session}});
  CAF_CHECK_EQUAL(ticket.value.reveal().size(), 32u);
  CAF_CHECK(answer_of(sessions, sessions::redeem_ticket{ticket.value}).account.id == session.account.id);
  CAF_CHECK(code_of(sessions, sessions::redeem_ticket{ticket.value}) == ec::forbidden);
  answer_of(sessions, sessions::sign_out{refreshed.refresh_token});
  CAF_CHECK(code_of(sessions, sessions::get_session{session.grant.session}) == ec::unauthenticated);
  CAF_CHECK(code_of(sessions, sessions::refresh{.token = refreshed.refresh_token}) == ec::unauthenticated);
  CAF_CHECK(code_of(sessions, sessions::get_session{verified.grant.session}) == ec::none);
}

CAF_TEST(a phone is signed in at once) {
  accounts::register_account phone{.email = "o.neil@example.org",
                                   .password = secret{"purple-Elephant-42"},
                                   .device = sessions::device{.device_id = "phone"},
                                   .welcome = accounts::welcome::sign_in_at_once};
  auto registered = answer_of(accounts, phone);
  CAF_REQUIRE(registered.session);
  CAF_CHECK(registered.session->is_new && registered.account.is_active && !registered.account.is_email_verified);
  CAF_CHECK_EQUAL(registered.account.login, "o_neil");
  CAF_CHECK_EQUAL(registered.session->grant.device_id.value_or(""), "phone");
  CAF_CHECK_EQUAL(count("outbox"), 1);
  CAF_CHECK(code_of(accounts, accounts::get_account{registered.account.id}) == ec::none);
}

CAF_TEST(without an e - mail address an account is active at once) {
  auto registered = answer_of(accounts, accounts::register_account{.login = "bob", .password = secret{"purple-El-42"}});
  CAF_CHECK(registered.account.is_active && !registered.session);
  CAF_CHECK_EQUAL(count("outbox"), 0);
  CAF_CHECK(code_of(sessions, sessions::sign_in{.identifier = "bob", .password = secret{"purple-El-42"}}) == ec::none);
}

CAF_TEST(of parallel registrations one stands) {
  std::atomic<int> stood{0}, collided{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) // more would be over the address's limit
    threads.emplace_back([&] {
      auto code = code_of(
          accounts, accounts::register_account{.email = "bob@example.org", .password = secret{"purple-Elephant-42"}});
      stood += code == ec::none;
      collided += code == ec::conflict;
    });
  for (auto& thread : threads) thread.join();
  CAF_CHECK_EQUAL(stood.load(), 1);
  CAF_CHECK_EQUAL(collided.load(), 4);
  CAF_CHECK_EQUAL(count("accounts") + count("outbox"), 2);
  CAF_CHECK(code_of(accounts, accounts::register_account{.email = "bob@example.org",
                                                         .password = secret{"purple-Elephant-42"}}) == ec::too_many);
}

CAF_TEST(guessers are locked out whether or not there is an account) {
  answer_of(accounts, accounts::register_account{.login = "bob", .password = secret{"purple-Elephant-42"}});
  for (auto identifier : {"bob", "nobody"}) {
    sessions::sign_in guess{.identifier = identifier, .password = secret{"wrong"}};
    for (int i = 0; i < 5; ++i) CAF_CHECK(code_of(sessions, guess) == ec::unauthenticated);
    CAF_CHECK(code_of(sessions, guess) == ec::locked);
  }
  // Locked means locked, also for who knows the password.
  CAF_CHECK(code_of(sessions, sessions::sign_in{.identifier = "bob", .password = secret{"purple-Elephant-42"}}) ==
            ec::locked);
}

CAF_TEST_FIXTURE_SCOPE_END()
