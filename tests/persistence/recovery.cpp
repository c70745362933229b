#define CAF_SUITE persistence_recovery

#include "actors/accounts/recovery.hpp"

#include "actors/accounts/rules.hpp"
#include "actors/codes/store.hpp"
#include "actors/outbox/store.hpp"
#include "actors/sessions/devices.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = accounts::store;
using outbox::template_name;

namespace {

const secret key{std::string(32, 'k')}, password{"purple-Elephant-42"};

template <class Job>
int count_successes(int tries, Job job) {
  std::atomic<int> successes{0};
  std::vector<std::thread> running;
  for (int i = 0; i < tries; ++i) running.emplace_back([&] { successes += job(); });
  for (auto& thread : running) thread.join();
  return successes;
}

struct fixture : commerce_database {
  fixture() {
    outbox::store::seal_with(keyring{{key}});
    terms.links.app = "https://app.example.org";
    terms.links.api = "https://api.example.org";
    terms.mails = {1000, 1000, 30s};
    terms.guesses = {1000, 1000, 30s};
  }

  account_id add(const std::string& login, bool is_active, bool is_verified) {
    store::new_account what{.logins = {login},
                            .email = login + "@example.org",
                            .password_hash = "old",
                            .is_active = is_active,
                            .is_email_verified = is_verified};
    return commit([&](transaction& tx) { return store::create(tx, what, moment(0)).id; });
  }
  void lock(const account_id& id) {
    commit([&](transaction& tx) { tx.run("UPDATE accounts SET locked_at = $2 WHERE id = $1::uuid", id, moment(0)); });
  }

  /// The mails that are waiting to be sent; they count as sent then.
  std::vector<outbox::mail_work> mails() {
    return commit([&](transaction& tx) {
      std::vector<outbox::mail_work> found;
      for (auto& entry : outbox::store::claim(tx, moment(1'000'000), 60s, 100)) {
        found.push_back(std::get<outbox::mail_work>(entry.work));
        outbox::store::complete(tx, entry, moment(1'000'000));
      }
      return found;
    });
  }
  outbox::mail_work only_mail() {
    auto found = mails();
    CAF_REQUIRE_EQUAL(found.size(), 1u);
    return found[0];
  }
  static secret token_of(const outbox::mail_work& mail) {
    auto& link = mail.link.reveal();
    return secret{link.substr(link.find_last_of("=/") + 1)};
  }

  void ask_reset(const std::string& email, timestamp now = moment(0)) {
    commit([&](transaction& tx) { store::request_password_reset(tx, terms, email, now); });
  }
  void ask_link(const std::string& email, bool may_register = true) {
    commit([&](transaction& tx) { store::request_magic_link(tx, terms, {.email = email}, may_register, moment(0)); });
  }
  /// "done", or the name of what it fails with.
  std::string reset(accounts::reset_password command, timestamp now = moment(1)) {
    command.new_password = password;
    try {
      auto result = commit([&](transaction& tx) { return store::reset_password(tx, terms, command, "new", now); });
      value_of(result);
      return "done";
    } catch (const fault_error& error) {
      return error.what_failed.name.empty() ? to_string(error.what_failed.code) : error.what_failed.name;
    }
  }
  std::string use_link(const secret& token, bool may_register = true, timestamp now = moment(1)) {
    try {
      auto session = commit(
          [&](transaction& tx) { return store::use_magic_link(tx, terms, {.token = token}, may_register, now); });
      return session.second_step ? "second step" : session.is_new ? "new" : "known";
    } catch (const fault_error& error) {
      return error.what_failed.name;
    }
  }
  sessions::account read(const account_id& id) {
    return *commit([&](transaction& tx) { return store::find(tx, id); });
  }
  std::string hash_of(const account_id& id) {
    return commit([&](transaction& tx) { return store::password_hash_of(tx, id); });
  }
  session_id sign_in(const account_id& id, const std::string& way = "password") {
    return commit([&](transaction& tx) {
      return sessions::store::open(tx, terms, {.account = *store::find(tx, id), .way = way}, moment(0)).grant.session;
    });
  }
  bool is_open(const session_id& id) {
    return commit([&](transaction& tx) { return sessions::store::view(tx, id, moment(2)).has_value(); });
  }
  std::int64_t count(const std::string& what) {
    return commit(
        [&](transaction& tx) { return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM " + what))[0]); });
  }

  sessions::store::terms terms{.keys = keyring{{key}}};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_recovery_tests, fixture)

CAF_TEST(a reset by code or link ends all that was before) {
  auto ada = add("ada", true, true);
  for (bool by_link : {false, true}) {
    auto session = sign_in(ada);
    ask_link("ada@example.org");
    ask_reset("ADA@example.org");
    auto sent = mails();
    CAF_REQUIRE_EQUAL(sent.size(), 2u);
    CAF_CHECK(sent[1].template_ == template_name::password_reset);
    CAF_CHECK(sent[1].link.reveal().starts_with("https://app.example.org/reset-password?token="));
    accounts::reset_password by_code{.email = "ada@example.org", .code = sent[1].code},
        by_token{.token = token_of(sent[1])};
    CAF_CHECK_EQUAL(reset(by_link ? by_token : by_code), "done");
    CAF_CHECK_EQUAL(hash_of(ada), "new");
    CAF_CHECK(!is_open(session));
    CAF_CHECK_EQUAL(reset(by_token), "INVALID_TOKEN");
    CAF_CHECK_EQUAL(reset(by_code), by_link ? "OTP_INVALID" : "OTP_NOT_FOUND"); // used up, or as if there had been none
    CAF_CHECK_EQUAL(use_link(token_of(sent[0])), "INVALID_TOKEN");
    CAF_CHECK(only_mail().template_ == template_name::password_changed);
  }
  CAF_CHECK_EQUAL(count("audit WHERE action = 'auth.password.reset'"), 2);
}

CAF_TEST(of 64 parallel resets by one link one wins) {
  auto ada = add("ada", true, true);
  ask_reset("ada@example.org");
  auto token = token_of(only_mail());
  CAF_CHECK_EQUAL(count_successes(64, [&] { return reset({.token = token}) == "done"; }), 1);
  CAF_CHECK_EQUAL(hash_of(ada), "new");
}

CAF_TEST(of 64 parallel resets by one code one wins) {
  add("ada", true, true);
  ask_reset("ada@example.org");
  auto code = only_mail().code;
  CAF_CHECK_EQUAL(count_successes(64, [&] { return reset({.email = "ada@example.org", .code = code}) == "done"; }), 1);
}

CAF_TEST(resets by code and link at once and new requests do not block each other) {
  add("ada", true, true);
  ask_reset("ada@example.org");
  auto mail = only_mail();
  auto token = token_of(mail);
  std::atomic<int> number{0};
  auto successes = count_successes(48, [&] {
    switch (number++ % 3) {
    case 0:
      return reset({.token = token}) == "done";
    case 1:
      return reset({.email = "ada@example.org", .code = mail.code}) == "done";
    default:
      ask_reset("ada@example.org");
      return false;
    }
  });
  CAF_CHECK(successes <= 1); // a new request may have ended both before
}

CAF_TEST(a new request ends the code and the link of the one before) {
  add("ada", true, true);
  ask_reset("ada@example.org");
  auto first = only_mail();
  ask_reset("ada@example.org");
  auto second = only_mail();
  CAF_CHECK_EQUAL(reset({.token = token_of(first)}), "INVALID_TOKEN");
  if (!(first.code == second.code))
    CAF_CHECK_EQUAL(reset({.email = "ada@example.org", .code = first.code}), "OTP_INVALID");
  CAF_CHECK_EQUAL(reset({.token = token_of(second)}), "done");
}

CAF_TEST(links and codes expire) {
  add("ada", true, true);
  ask_reset("ada@example.org");
  auto mail = only_mail();
  CAF_CHECK_EQUAL(reset({.token = token_of(mail)}, moment(3600)), "INVALID_TOKEN");
  CAF_CHECK_EQUAL(reset({.email = "ada@example.org", .code = mail.code}, moment(3 * 3600)), "OTP_EXPIRED");
  ask_link("ada@example.org");
  CAF_CHECK_EQUAL(use_link(token_of(only_mail()), true, moment(900)), "INVALID_TOKEN");
}

CAF_TEST(a password that holds the name in the address leaves the link good) {
  add("purple", true, true);
  ask_reset("purple@example.org");
  auto token = token_of(only_mail());
  CAF_CHECK_EQUAL(reset({.token = token}), to_string(ec::invalid));
  CAF_CHECK_EQUAL(count("one_time_proofs"), 1);
}

CAF_TEST(every address leaves the same rows behind and who may not gets no mail) {
  add("ada", true, true);
  add("bob", false, false);
  lock(add("eve", true, true));
  auto asked = [&](const std::string& email, auto ask) {
    auto before = std::tuple{count("verification_codes"), count("one_time_proofs"), count("outbox"), count("budgets")};
    ask(email);
    auto after = std::tuple{count("verification_codes"), count("one_time_proofs"), count("outbox"), count("budgets")};
    return std::apply(
        [&](auto... now) { return std::apply([&](auto... then) { return std::array{(now - then)...}; }, before); },
        after);
  };
  auto reset = [&](auto& email) { ask_reset(email); };
  for (auto name : {"ada", "bob", "eve", "nobody"}) {
    auto email = std::string{name} + "@example.org";
    CAF_CHECK(asked(email, reset) == (std::array<std::int64_t, 4>{1, 1, 1, 1}));
    CAF_CHECK_EQUAL(mails().size(), std::string{name} == "ada" ? 1u : 0u);
    CAF_CHECK(asked(email, [&](auto& to) { ask_link(to); }) == (std::array<std::int64_t, 4>{0, 1, 1, 0}));
    CAF_CHECK_EQUAL(mails().size(), std::string{name} == "eve" ? 0u : 1u);
    CAF_CHECK(asked(email, [&](auto& to) {
                commit([&](transaction& tx) { store::request_verification_link(tx, terms, to, moment(0)); });
              }) == (std::array<std::int64_t, 4>{0, 1, 1, 0}));
    CAF_CHECK_EQUAL(mails().size(), std::string{name} == "bob" ? 1u : 0u);
  }
  CAF_CHECK_EQUAL(count("outbox WHERE payload::text LIKE '%nobody%' AND payload->>'template' <> 'magic_link'"), 0);
}

CAF_TEST(mails to one address are counted together) {
  terms.mails = {5, 20, 60s};
  for (int i = 0; i < 5; ++i) i % 2 ? ask_reset("nobody@example.org") : ask_link("nobody@example.org");
  CAF_CHECK(code_of([&] { ask_reset("NOBODY@example.org"); }) == ec::too_many);
}

CAF_TEST(of 64 parallel uses of a magic link one signs in) {
  add("ada", true, true);
  ask_link("ada@example.org");
  auto token = token_of(only_mail());
  CAF_CHECK_EQUAL(count_successes(64, [&] { return use_link(token) == "known"; }), 1);
  CAF_CHECK_EQUAL(count("sessions"), 1);
}

CAF_TEST(a magic link makes an account where there is none and registration is enabled) {
  ask_link("new.one@example.org");
  auto token = token_of(only_mail());
  CAF_CHECK_EQUAL(use_link(token, false), "REGISTRATION_DISABLED");
  CAF_CHECK_EQUAL(use_link(token), "new");
  auto made = commit([&](transaction& tx) { return store::find_by_email(tx, "new.one@example.org"); });
  CAF_REQUIRE(made);
  CAF_CHECK(made->is_active && made->is_email_verified && !made->has_password);
  CAF_CHECK_EQUAL(made->login, "new_one");
  ask_link("other@example.org", false);
  CAF_CHECK(mails().empty());
}

CAF_TEST(whoever proves an unverified address finds no stranger in the account) {
  auto ada = add("ada", true, false);
  auto strangers = sign_in(ada);
  commit([&](transaction& tx) {
    tx.run("INSERT INTO identities (provider, subject, account, linked_at) VALUES ('github', '1', $1::uuid, $2)", ada,
           moment(0));
  });
  ask_link("ada@example.org");
  CAF_CHECK_EQUAL(use_link(token_of(only_mail())), "known");
  CAF_CHECK(!is_open(strangers));
  auto now = read(ada);
  CAF_CHECK(now.is_email_verified && !now.has_password && now.linked_providers.empty());
  // Verified from now on: the next link takes nothing away.
  commit([&](transaction& tx) { store::set_password(tx, ada, "mine", moment(1)); });
  auto own = sign_in(ada);
  ask_link("ada@example.org");
  CAF_CHECK_EQUAL(use_link(token_of(only_mail())), "known");
  CAF_CHECK(is_open(own));
  CAF_CHECK_EQUAL(hash_of(ada), "mine");
}

CAF_TEST(a magic link asks for the second factor) {
  auto ada = add("ada", true, true);
  commit([&](transaction& tx) {
    tx.run("INSERT INTO authenticators (account, sealed_secret, created_at, confirmed_at) "
           "VALUES ($1::uuid, 'x', $2, $2)",
           ada, moment(0));
  });
  ask_link("ada@example.org");
  CAF_CHECK_EQUAL(use_link(token_of(only_mail())), "second step");
  CAF_CHECK_EQUAL(count("sessions"), 0);
}

CAF_TEST(a link is worth nothing after the account was locked or has another address) {
  auto ada = add("ada", true, true), eve = add("eve", true, true);
  ask_link("eve@example.org");
  auto of_eve = token_of(only_mail());
  lock(eve);
  CAF_CHECK_EQUAL(use_link(of_eve), "INVALID_TOKEN");
  ask_link("ada@example.org");
  ask_reset("ada@example.org");
  auto sent = mails();
  commit([&](transaction& tx) {
    store::set_pending_email(tx, ada, "lovelace@example.org");
    CAF_CHECK(store::confirm_pending_email(tx, ada, "lovelace@example.org", moment(1)));
  });
  for (auto& mail : sent) CAF_CHECK_EQUAL(use_link(token_of(mail)), "INVALID_TOKEN");
  CAF_CHECK_EQUAL(reset({.token = token_of(sent[1])}), "INVALID_TOKEN");
}

CAF_TEST(a verification link may be opened twice) {
  auto ada = add("ada", true, false);
  commit([&](transaction& tx) { store::request_verification_link(tx, terms, "ada@example.org", moment(0)); });
  auto mail = only_mail();
  CAF_CHECK(mail.link.reveal().starts_with("https://api.example.org/v1/auth/verify-email/"));
  auto use = [&](timestamp now) {
    return code_of([&] {
      commit([&](transaction& tx) { store::use_verification_link(tx, terms, {.token = token_of(mail)}, now); });
    });
  };
  CAF_CHECK(use(moment(24 * 3600)) == ec::refused);
  CAF_CHECK_EQUAL(count_successes(64, [&] { return use(moment(1)) == ec::none; }), 64);
  CAF_CHECK(read(ada).is_email_verified);
  CAF_CHECK_EQUAL(hash_of(ada), "old");
}

CAF_TEST(a new address waits for its code and its owner) {
  auto ada = add("ada", true, true), bob = add("bob", true, true);
  auto caller_of = [&](const account_id& id) { return caller{id, sign_in(id)}; };
  commit([&](transaction& tx) {
    sessions::store::issue_code(tx, terms, "lovelace@example.org", "en", moment(0));
    store::set_pending_email(tx, ada, "lovelace@example.org");
  });
  auto code = only_mail().code;
  auto confirm = [&](std::optional<caller> who) {
    return code_of([&] {
      auto result = commit([&](transaction& tx) {
        return sessions::store::verify_code(tx, terms, {.email = "LOVELACE@example.org", .code = code, .caller = who},
                                            moment(1));
      });
      value_of(result);
    });
  };
  CAF_CHECK(read(ada).email == "ada@example.org");
  CAF_CHECK(confirm(std::nullopt) == ec::forbidden);
  CAF_CHECK(confirm(caller_of(bob)) == ec::forbidden);
  CAF_CHECK(confirm(caller_of(ada)) == ec::none);
  CAF_CHECK(read(ada).email == "lovelace@example.org" && !read(ada).pending_email && read(ada).is_email_verified);
  auto told = only_mail();
  CAF_CHECK(told.template_ == template_name::email_changed && told.to == "ada@example.org");
  CAF_CHECK(confirm(caller_of(ada)) == ec::refused); // used up
}

CAF_TEST(an address that somebody took meanwhile is not confirmed) {
  auto ada = add("ada", true, true);
  commit([&](transaction& tx) { store::set_pending_email(tx, ada, "bob@example.org"); });
  add("bob", true, false);
  CAF_CHECK(code_of([&] {
              commit([&](transaction& tx) { store::confirm_pending_email(tx, ada, "bob@example.org", moment(1)); });
            }) == ec::conflict);
  CAF_CHECK(code_of([&] { commit([&](transaction& tx) { store::set_pending_email(tx, ada, "BOB@example.org"); }); }) ==
            ec::conflict);
}

CAF_TEST(changes touch only what is given) {
  auto ada = add("ada", true, true);
  add("bob", true, true);
  auto change = [&](accounts::change_account what) {
    what.caller.account = ada;
    return commit([&](transaction& tx) { return store::change(tx, what, moment(1)); });
  };
  using live::notification_kind;
  auto first = change({.display_name = "Ada L.",
                       .notification_preferences = {{{notification_kind::promotional, {false, false, false}}}}});
  CAF_CHECK(first.login == "ada" && first.display_name == "Ada L." && first.updated_at == moment(1));
  auto second = change(
      {.login = "ADA_2", .notification_preferences = {{{notification_kind::security_alert, {true, false, true}}}}});
  CAF_CHECK(second.login == "ADA_2" && second.display_name == "Ada L.");
  CAF_CHECK_EQUAL(second.notification_preferences.size(), 2u);
  CAF_CHECK(!second.notification_preferences.at(notification_kind::promotional).push);
  CAF_CHECK(code_of([&] { change({.login = "BOB"}); }) == ec::conflict);
}

CAF_TEST(thirty days after its deletion nothing personal is left of an account) {
  auto ada = add("ada", true, true), bob = add("bob", true, true);
  for (auto& id : {ada, bob}) {
    sign_in(id);
    commit([&](transaction& tx) {
      sessions::store::register_device(tx, {id, {}}, {.device_id = "phone", .push_token = to_string(id)}, moment(0));
      tx.run("INSERT INTO identities (provider, subject, account, linked_at) VALUES ('github', $1::uuid::text, "
             "$1::uuid, $2)",
             id, moment(0));
    });
  }
  commit([&](transaction& tx) { store::mark_deleted(tx, ada, moment(100)); });
  CAF_CHECK(!read(ada).is_active);
  CAF_CHECK(code_of([&] { commit([&](transaction& tx) { store::mark_deleted(tx, ada, moment(101)); }); }) ==
            ec::not_found);
  auto purge = [&](timestamp before) {
    return commit([&](transaction& tx) { return store::purge_deleted_before(tx, before, moment(200)); });
  };
  CAF_CHECK_EQUAL(purge(moment(100)), 0);
  CAF_CHECK_EQUAL(count_successes(8, [&] { return purge(moment(101)) == 1; }), 1);
  auto left = read(ada);
  CAF_CHECK(!left.email && !left.has_password && !left.is_active && left.linked_providers.empty());
  CAF_CHECK_EQUAL(left.login, accounts::purged_login(ada));
  CAF_CHECK_EQUAL(count("devices"), 1);
  CAF_CHECK_EQUAL(count("sessions"), 1);
  CAF_CHECK(read(bob).email == "bob@example.org");
  add("ada", true, true); // name and address are free again
}

CAF_TEST_FIXTURE_SCOPE_END()
