#define CAF_SUITE persistence_sessions

#include "actors/codes/store.hpp"
#include "actors/sessions/store.hpp"

#include "actors/outbox/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
using sessions::signed_in;
namespace store = sessions::store;

namespace {

const secret old_key{std::string(32, 'o')}, new_key{std::string(32, 'n')};

/// What was heard on the channel `sessions`.
struct listener : pqxx::notification_receiver {
  explicit listener(pqxx::connection& connection) : notification_receiver{connection, "sessions"} {}
  void operator()(const std::string& payload, int) override { heard.insert(payload); }
  std::set<std::string> heard;
};

struct fixture : commerce_database {
  fixture() {
    outbox::store::seal_with(keyring{{new_key}});
    what.logins = {"bob"};
    what.email = "Bob@example.org";
    what.password_hash = "hash";
  }

  sessions::account create_account(bool is_active = true) {
    what.is_active = is_active;
    return commit([&](transaction& tx) { return accounts::store::create(tx, what, moment(0)); });
  }
  signed_in open(const store::opening& opening, timestamp when = moment(0)) {
    return commit([&](transaction& tx) { return store::open(tx, terms, opening, when); });
  }
  signed_in open() { return open({.account = create_account()}); }

  outcome<signed_in> try_refresh(const secret& token, timestamp when,
                                 const std::optional<std::string>& device = std::nullopt) {
    auto read = sessions::read_refresh_token(terms.keys, token);
    if (!read) return fault{.code = ec::malformed};
    return commit([&](transaction& tx) { return store::refresh(tx, terms, *read, {.device_id = device}, when); });
  }
  signed_in refresh(const secret& token, timestamp when) {
    auto result = try_refresh(token, when);
    return value_of(result);
  }
  bool is_refused(const secret& token, timestamp when, const std::optional<std::string>& device = std::nullopt) {
    auto result = try_refresh(token, when, device);
    auto* refusal = std::get_if<fault>(&result);
    return refusal && refusal->code == ec::unauthenticated;
  }
  void use(const signed_in& session) {
    commit([&](transaction& tx) { store::confirm_token(tx, session.grant.session, session.grant.token_id); });
  }
  std::optional<sessions::session_view> view(const session_id& id, timestamp when) {
    return commit([&](transaction& tx) { return store::view(tx, id, when); });
  }

  /// Seconds to wait, 0 for a guess that was granted.
  std::int64_t guess(const std::string& identifier, timestamp when) {
    auto result = commit([&](transaction& tx) { return store::reserve_guess(tx, terms, identifier, when); });
    auto* refusal = std::get_if<fault>(&result);
    if (!refusal) return 0;
    CAF_CHECK(refusal->code == ec::locked);
    return refusal->retry_after.count();
  }

  void issue_code(const sessions::account& account, timestamp when) {
    commit([&](transaction& tx) { store::issue_code(tx, terms, *account.email, account.locale, when); });
  }
  /// From the mail that was written last.
  secret mailed_code() {
    auto entries = commit([&](transaction& tx) { return outbox::store::claim(tx, moment(1'000'000), 1s, 100); });
    CAF_REQUIRE(!entries.empty());
    auto newest =
        std::max_element(entries.begin(), entries.end(),
                         [](const outbox::store::entry& a, const outbox::store::entry& b) { return a.id < b.id; });
    return std::get<outbox::mail_work>(newest->work).code;
  }
  std::int64_t mails() {
    return commit([&](transaction& tx) {
      return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM outbox WHERE done_at IS NULL"))[0]);
    });
  }
  outcome<signed_in> verify(const std::string& email, const secret& code, timestamp when) {
    return commit([&](transaction& tx) { return store::verify_code(tx, terms, {.email = email, .code = code}, when); });
  }
  /// What a try is told, such as "OTP_INVALID 4"; "right" if it is right.
  std::string told(const std::string& email, const secret& code, timestamp when) {
    auto result = verify(email, code, when);
    auto* refusal = std::get_if<fault>(&result);
    return refusal ? refusal->name + " " + refusal->details.at(0).second : "right";
  }
  std::string resend(const std::string& email, timestamp when) {
    try {
      auto result = commit([&](transaction& tx) { return store::resend_code(tx, terms, email, when); });
      auto& sent = value_of(result);
      return std::to_string(sent.resends_remaining) + " " + to_rfc3339(*sent.next_resend_available_at);
    } catch (const fault_error& error) {
      CAF_CHECK(error.what_failed.code == ec::too_many);
      return error.what_failed.name + " " + std::to_string(error.what_failed.retry_after.count());
    }
  }

  accounts::store::new_account what;
  store::terms terms{.keys = keyring{{new_key, old_key}}};
};

secret wrong_of(const secret& code) { return secret{code.reveal() == "000000" ? "000001" : "000000"}; }

template <class Job>
void in_parallel(int threads, Job job) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back(job);
  for (auto& thread : running) thread.join();
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(persistence_sessions_tests, fixture)

CAF_TEST(a session is opened and seen) {
  auto account = create_account();
  auto session = open({.account = account, .remember = true, .is_new = true});
  CAF_CHECK(session.account == account && session.is_new);
  CAF_CHECK(session.grant.account == account.id && session.grant.role == role::viewer);
  CAF_CHECK(session.grant.issued_at == moment(0) && session.grant.expires_at == moment(900));
  auto seen = view(session.grant.session, moment(1));
  CAF_REQUIRE(seen);
  CAF_CHECK(seen->account == account);
  CAF_CHECK_EQUAL(seen->token_id, session.grant.token_id);
  CAF_CHECK(!seen->token_used && seen->expires_at == moment(0) + std::chrono::days{30});
  CAF_CHECK(view(session.grant.session, moment(0) + std::chrono::days{30} - 1s));
  CAF_CHECK(!view(session.grant.session, moment(0) + std::chrono::days{30}));
  CAF_CHECK(!view(session_id::random(), moment(1)));
}

CAF_TEST(a session of a deactivated account is forbidden and cannot be refreshed) {
  auto session = open();
  commit([&](transaction& tx) { tx.run("UPDATE accounts SET is_active = false"); });
  CAF_CHECK(code_of([&] { view(session.grant.session, moment(1)); }) == ec::forbidden);
  CAF_CHECK(is_refused(session.refresh_token, moment(1)));
}

CAF_TEST(no refresh token is in the database) {
  auto session = open();
  auto row =
      commit([&](transaction& tx) { return sql::get<std::string>((*tx.first("SELECT s::text FROM sessions s"))[0]); });
  CAF_CHECK(row.find(session.refresh_token.reveal()) == std::string::npos);
}

CAF_TEST(a device is kept and keeps its push token) {
  auto account = create_account();
  sessions::device phone{.device_id = "phone", .platform = sessions::platform::android, .push_token = "push"};
  auto session = open({.account = account, .device = phone});
  CAF_CHECK_EQUAL(session.grant.device_id.value_or(""), "phone");
  phone.app_version = "2";
  phone.push_token.reset();
  open({.account = account, .device = phone}, moment(60));
  commit([&](transaction& tx) {
    auto rows = tx.run("SELECT * FROM devices");
    CAF_REQUIRE_EQUAL(rows.size(), 1u);
    CAF_CHECK_EQUAL(sql::get<std::string>(rows[0]["app_version"]), "2");
    CAF_CHECK_EQUAL(sql::get<std::string>(rows[0]["push_token"]), "push");
    CAF_CHECK(sql::get<timestamp>(rows[0]["registered_at"]) == moment(0));
    CAF_CHECK(sql::get<timestamp>(rows[0]["last_active_at"]) == moment(60));
  });
  CAF_CHECK(is_refused(session.refresh_token, moment(70), "another phone"));
  auto refreshed = try_refresh(session.refresh_token, moment(70), "phone");
  CAF_CHECK_EQUAL(value_of(refreshed).grant.device_id.value_or(""), "phone");
}

CAF_TEST(refreshing rotates and lengthens the session) {
  auto first = open();
  auto second = refresh(first.refresh_token, moment(600));
  CAF_CHECK(!(second.refresh_token == first.refresh_token));
  CAF_CHECK(second.grant.token_id != first.grant.token_id && second.grant.session == first.grant.session);
  auto seen = view(first.grant.session, moment(600));
  CAF_CHECK_EQUAL(seen->token_id, second.grant.token_id);
  CAF_CHECK(seen->expires_at == moment(600) + std::chrono::days{7});
  CAF_CHECK(is_refused(second.refresh_token, moment(600) + std::chrono::days{7}));
}

CAF_TEST(a lost answer is repeated) {
  auto first = open();
  auto second = refresh(first.refresh_token, moment(600));
  auto again = refresh(first.refresh_token, moment(4200)); // long after, but nobody has used the child
  CAF_CHECK(again.refresh_token == second.refresh_token);
  CAF_CHECK_EQUAL(again.grant.token_id, second.grant.token_id);
  CAF_CHECK(again.grant.expires_at == moment(4200 + 900));
  use(second);
  CAF_CHECK(view(first.grant.session, moment(4200))->token_used);
  CAF_CHECK(is_refused(first.refresh_token, moment(4300)));
}

CAF_TEST(a slow double is forgiven for 30 seconds although the child is in use) {
  auto first = open();
  auto second = refresh(first.refresh_token, moment(600));
  use(second);
  CAF_CHECK(refresh(first.refresh_token, moment(630)).refresh_token == second.refresh_token);
  CAF_CHECK(is_refused(first.refresh_token, moment(631)));
  CAF_CHECK(!view(first.grant.session, moment(632)));
}

CAF_TEST(a replay ends the session) {
  auto first = open();
  auto second = refresh(first.refresh_token, moment(1));
  auto third = refresh(second.refresh_token, moment(2));
  CAF_CHECK(is_refused(first.refresh_token, moment(3)));
  CAF_CHECK(!view(first.grant.session, moment(3)));
  CAF_CHECK(is_refused(third.refresh_token, moment(3)));
}

CAF_TEST(parallel doubles get the same pair) {
  auto first = open();
  std::mutex mutex;
  std::set<std::string> tokens, ids;
  in_parallel(8, [&] {
    auto got = refresh(first.refresh_token, moment(600));
    std::lock_guard guard{mutex};
    tokens.insert(got.refresh_token.reveal());
    ids.insert(got.grant.token_id);
  });
  CAF_CHECK_EQUAL(tokens.size(), 1u);
  CAF_CHECK_EQUAL(ids.size(), 1u);
}

CAF_TEST(tokens live through a change of keys) {
  terms.keys = keyring{{old_key}};
  auto first = open();
  auto second = refresh(first.refresh_token, moment(1));
  terms.keys = keyring{{new_key, old_key}};
  CAF_CHECK(refresh(first.refresh_token, moment(2)).refresh_token == second.refresh_token);
  auto third = refresh(second.refresh_token, moment(3));
  terms.keys = keyring{{new_key}};
  CAF_CHECK(refresh(third.refresh_token, moment(4)).grant.session == first.grant.session);
  auto read = try_refresh(second.refresh_token, moment(4));
  CAF_CHECK(std::get<fault>(read).code == ec::malformed);
}

CAF_TEST(a revoked session is over and every node hears of it) {
  pqxx::connection connection{scratch.url()};
  listener ears{connection};
  auto session = open();
  commit([&](transaction& tx) { store::revoke(tx, session.grant.session, moment(1)); });
  CAF_CHECK(!view(session.grant.session, moment(2)));
  CAF_CHECK(is_refused(session.refresh_token, moment(2)));
  commit([&](transaction& tx) { accounts::store::set_role(tx, session.account.id, role::admin); });
  for (int tries = 0; tries < 50 && ears.heard.size() < 2; ++tries) connection.await_notification(0, 100'000);
  CAF_CHECK_EQUAL(ears.heard.count("session:" + to_string(session.grant.session)), 1u);
  CAF_CHECK_EQUAL(ears.heard.count("account:" + to_string(session.account.id)), 1u);
}

CAF_TEST(five guesses rest 30 seconds and ten the hour) {
  create_account();
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(guess("bob", moment(i)), 0);
  CAF_CHECK_EQUAL(guess("bob@example.org", moment(5)), 29); // one account, one budget
  CAF_CHECK_EQUAL(guess("bob", moment(33)), 1);
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(guess("BOB", moment(34 + i)), 0);
  CAF_CHECK_EQUAL(guess("bob", moment(40)), 3560);
  CAF_CHECK_EQUAL(guess("bob", moment(3599)), 1);
  CAF_CHECK_EQUAL(guess("bob", moment(3600)), 0);
}

CAF_TEST(unknown identifiers are locked like accounts and apart from each other) {
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(guess("nobody", moment(i)), 0);
  CAF_CHECK_EQUAL(guess("NOBODY", moment(5)), 29);
  CAF_CHECK_EQUAL(guess("somebody", moment(5)), 0);
  auto keys = commit([&](transaction& tx) {
    return sql::get<std::string>((*tx.first("SELECT string_agg(key, ' ') FROM budgets"))[0]);
  });
  CAF_CHECK(keys.find("nobody") == std::string::npos);
}

CAF_TEST(slow guesses are limited by the hour alone) {
  for (int i = 0; i < 10; ++i) CAF_CHECK_EQUAL(guess("nobody", moment(i * 70)), 0);
  CAF_CHECK_EQUAL(guess("nobody", moment(700)), 2900);
}

CAF_TEST(a guess given back does not count) {
  for (int i = 0; i < 30; ++i) {
    auto taken = commit([&](transaction& tx) { return store::reserve_guess(tx, terms, "nobody", moment(i)); });
    commit([&](transaction& tx) { budgets::store::give_back(tx, value_of(taken).key); });
  }
  CAF_CHECK_EQUAL(guess("nobody", moment(30)), 0);
}

CAF_TEST(parallel guesses cannot overdraw the budget) {
  std::atomic<int> granted{0};
  in_parallel(32, [&] { granted += guess("nobody", moment(0)) == 0; });
  CAF_CHECK_EQUAL(granted.load(), 5);
}

CAF_TEST(a sign - in gives its guess back and fails if the password has changed meanwhile) {
  auto account = create_account();
  auto sign_in = [&](const std::string& hash) {
    auto taken = commit([&](transaction& tx) { return store::reserve_guess(tx, terms, "bob", moment(0)); });
    auto attempt = value_of(taken);
    attempt.credential->password_hash = hash;
    return commit([&](transaction& tx) {
      return store::sign_in(tx, terms, attempt, "", {.identifier = "bob", .remember = true}, moment(1));
    });
  };
  for (int i = 0; i < 20; ++i) CAF_CHECK(sign_in("hash").account.id == account.id);
  CAF_CHECK(code_of([&] { sign_in("an older hash"); }) == ec::unauthenticated);
}

CAF_TEST(the mails of an address are limited) {
  auto reserve = [&](const std::string& address, timestamp when) {
    return commit([&](transaction& tx) { return store::reserve_mail(tx, terms, address, when); }).count();
  };
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(reserve("bob@example.org", moment(0)), 0);
  CAF_CHECK_EQUAL(reserve("Bob@example.org", moment(1)), 59);
  CAF_CHECK_EQUAL(reserve("ann@example.org", moment(1)), 0);
  CAF_CHECK_EQUAL(reserve("bob@example.org", moment(60)), 0);
}

CAF_TEST(the mailed code verifies the address and signs in) {
  auto account = create_account(false);
  issue_code(account, moment(0));
  auto code = mailed_code();
  CAF_CHECK_EQUAL(code.reveal().size(), 6u);
  auto result = verify("bob@EXAMPLE.org", code, moment(60));
  auto& session = value_of(result);
  CAF_CHECK(session.account.is_active && session.account.is_email_verified);
  CAF_CHECK(view(session.grant.session, moment(61)));
  CAF_CHECK_EQUAL(told("bob@example.org", code, moment(62)), "ALREADY_VERIFIED 5");
}

CAF_TEST(no code is in the database) {
  issue_code(create_account(false), moment(0));
  auto code = mailed_code();
  auto rows = commit([&](transaction& tx) {
    return sql::get<std::string>((*tx.first("SELECT code_hash FROM verification_codes"))[0]);
  });
  CAF_CHECK_EQUAL(rows, codes::hash_of(terms.keys, codes::purpose::verification, "bob@example.org", code));
  CAF_CHECK(rows != codes::hash_of(keyring{{old_key}}, codes::purpose::verification, "bob@example.org", code));
}

CAF_TEST(wrong codes are counted and the fifth kills the code) {
  terms.guesses = {100, 100, 30s};
  issue_code(create_account(false), moment(0));
  auto code = mailed_code(), wrong = wrong_of(code);
  for (int left = 4; left > 0; --left)
    CAF_CHECK_EQUAL(told("bob@example.org", wrong, moment(1)), "OTP_INVALID " + std::to_string(left));
  CAF_CHECK_EQUAL(told("bob@example.org", wrong, moment(1)), "OTP_EXHAUSTED 0");
  CAF_CHECK_EQUAL(told("bob@example.org", code, moment(1)), "OTP_NOT_FOUND 0");
  CAF_CHECK_EQUAL(told("bob@example.org", wrong, moment(1)), "OTP_NOT_FOUND 0");
}

CAF_TEST(codes share the guess budget) {
  auto account = create_account(false);
  issue_code(account, moment(0));
  auto code = mailed_code();
  for (int i = 0; i < 5; ++i) guess("bob", moment(1));
  auto result = verify("bob@example.org", code, moment(2));
  auto& refusal = std::get<fault>(result);
  CAF_CHECK(refusal.code == ec::too_many);
  CAF_CHECK_EQUAL(refusal.retry_after.count(), 29);
  CAF_CHECK_EQUAL(told("bob@example.org", code, moment(31)), "right");
}

CAF_TEST(a late code is expired and stays dead) {
  issue_code(create_account(false), moment(0));
  auto code = mailed_code();
  CAF_CHECK_EQUAL(told("bob@example.org", code, moment(3 * 3600)), "OTP_EXPIRED 0");
  CAF_CHECK_EQUAL(told("bob@example.org", wrong_of(code), moment(3 * 3600)), "OTP_INVALID 4");
  CAF_CHECK_EQUAL(told("bob@example.org", code, moment(3 * 3600)), "OTP_INVALID 3");
}

CAF_TEST(addresses without an account are told the same) {
  terms.guesses = {100, 100, 30s};
  issue_code(create_account(false), moment(-1000)); // asked about for the first time, and long after its registration
  auto wrong = wrong_of(mailed_code());
  for (int i = 0; i < 7; ++i)
    CAF_CHECK_EQUAL(told("bob@example.org", wrong, moment(i)), told("nobody@example.org", wrong, moment(i)));
  for (auto when : {moment(10), moment(20), moment(41), moment(80), moment(120), moment(4000)})
    CAF_CHECK_EQUAL(resend("bob@example.org", when), resend("nobody@example.org", when));
  wrong = wrong_of(mailed_code());
  CAF_CHECK_EQUAL(told("bob@example.org", wrong, moment(4001)), told("nobody@example.org", wrong, moment(4001)));
}

CAF_TEST(codes are sent again three times an hour) {
  issue_code(create_account(false), moment(0));
  auto first = mailed_code();
  CAF_CHECK_EQUAL(resend("bob@example.org", moment(1)), "2 " + to_rfc3339(moment(31)));
  CAF_CHECK_EQUAL(resend("bob@example.org", moment(11)), "RATE_LIMITED 20");
  CAF_CHECK_EQUAL(resend("bob@example.org", moment(31)), "1 " + to_rfc3339(moment(61)));
  CAF_CHECK_EQUAL(resend("bob@example.org", moment(61)), "0 " + to_rfc3339(moment(3601)));
  CAF_CHECK_EQUAL(resend("bob@example.org", moment(3600)), "RATE_LIMITED 1");
  CAF_CHECK_EQUAL(mails(), 4);
  auto last = mailed_code();
  if (!(last == first)) CAF_CHECK_EQUAL(told("bob@example.org", first, moment(100)), "OTP_INVALID 4");
  CAF_CHECK_EQUAL(told("bob@example.org", last, moment(100)), "right");
  resend("bob@example.org", moment(3601));
  CAF_CHECK_EQUAL(mails(), 4); // verified: the answer is the same, but no mail
}

CAF_TEST(of 64 parallel tries with the right code one wins) {
  terms.guesses = {100, 100, 30s};
  issue_code(create_account(false), moment(0));
  auto code = mailed_code();
  std::atomic<int> right{0}, told_consumed{0};
  in_parallel(64, [&] {
    auto answer = told("bob@example.org", code, moment(1));
    right += answer == "right";
    told_consumed += answer == "ALREADY_VERIFIED 5";
  });
  CAF_CHECK_EQUAL(right.load(), 1);
  CAF_CHECK_EQUAL(told_consumed.load(), 63);
}

CAF_TEST(an account with a second factor gets no session by the first step) {
  auto who = create_account();
  who.has_second_factor = true;
  sessions::device phone{.device_id = "d", .platform = sessions::platform::android, .push_token = "push"};
  auto asked = open({.account = who, .device = phone, .remember = true, .is_rotating = false, .way = "password"});
  CAF_REQUIRE(asked.second_step);
  CAF_CHECK(asked.refresh_token.empty());
  auto examine = [&](timestamp when) {
    return commit([&](transaction& tx) { return store::examine_second_step(tx, terms, *asked.second_step, when); });
  };
  auto finish = [&](timestamp when) {
    return commit([&](transaction& tx) {
      return store::finish_second_step(tx, terms, *asked.second_step, {.account = who, .way = "password"}, when);
    });
  };
  auto pending = examine(moment(1));
  CAF_REQUIRE(pending);
  CAF_CHECK(pending->account.id == who.id && pending->device == phone && pending->remember && !pending->is_rotating);
  for (int i = 1; i < store::second_step_tries; ++i) CAF_CHECK(examine(moment(2)));
  CAF_CHECK(!examine(moment(3)));
  std::atomic<int> sessions{0};
  in_parallel(16, [&] {
    if (auto result = finish(moment(4))) sessions += !result->refresh_token.empty();
  });
  CAF_CHECK_EQUAL(sessions.load(), 1);
}

CAF_TEST(all sessions but one are revoked) {
  auto who = create_account();
  auto mine = open({.account = who}), other = open({.account = who}), third = open({.account = who});
  auto revoke_all = [&](std::optional<session_id> except) {
    return commit([&](transaction& tx) { return store::revoke_all(tx, who.id, except, moment(1)); });
  };
  CAF_CHECK_EQUAL(revoke_all(mine.grant.session), 2);
  CAF_CHECK(view(mine.grant.session, moment(2)) && !view(other.grant.session, moment(2)));
  CAF_CHECK_EQUAL(revoke_all(std::nullopt), 1);
  CAF_CHECK(!view(mine.grant.session, moment(2)) && is_refused(third.refresh_token, moment(2)));
}

CAF_TEST(a ticket is redeemed once) {
  auto session = open();
  sessions::ticket made{.value = secret{"0123456789abcdef0123456789abcdef"}};
  auto keep = [&](timestamp now) {
    commit([&](transaction& tx) { store::keep_ticket(tx, terms, session.grant.session, made, now); });
  };
  auto redeem = [&](timestamp now) {
    return commit([&](transaction& tx) { return store::redeem_ticket(tx, terms, made.value, now); });
  };
  CAF_CHECK(!redeem(moment(0)));
  keep(moment(0));
  std::atomic<int> redeemed{0};
  in_parallel(64, [&] { redeemed += redeem(moment(29)).has_value(); });
  CAF_CHECK_EQUAL(redeemed.load(), 1);
  keep(moment(0));
  CAF_CHECK(!redeem(moment(30)));
  keep(moment(0));
  commit([&](transaction& tx) { store::revoke(tx, session.grant.session, moment(1)); });
  CAF_CHECK(!redeem(moment(2)));
  CAF_CHECK(code_of([&] { keep(moment(3)); }) == ec::unauthenticated);
}

CAF_TEST(what is stale is removed and nothing else) {
  auto session = open();
  issue_code(session.account, moment(0));
  guess("bob", moment(0));
  commit([&](transaction& tx) {
    store::keep_ticket(tx, terms, session.grant.session, {.value = secret{"ticket"}}, moment(0));
  });
  auto rows_after = [&](timestamp when) {
    return commit([&](transaction& tx) {
      store::forget_stale(tx, when);
      return sql::get<std::string>((*tx.first("SELECT concat_ws(' ', (SELECT count(*) FROM one_time_proofs), "
                                              "(SELECT count(*) FROM budgets), (SELECT count(*) FROM "
                                              "verification_codes), (SELECT count(*) FROM sessions))"))[0]);
    });
  };
  CAF_CHECK_EQUAL(rows_after(moment(30)), "1 1 1 1");
  CAF_CHECK_EQUAL(rows_after(moment(31)), "0 1 1 1");
  CAF_CHECK_EQUAL(rows_after(moment(3601)), "0 0 1 1");
  CAF_CHECK_EQUAL(rows_after(moment(86'401)), "0 0 0 1");
  CAF_CHECK_EQUAL(rows_after(moment(37 * 86'400 + 1)), "0 0 0 0");
}

CAF_TEST_FIXTURE_SCOPE_END()
