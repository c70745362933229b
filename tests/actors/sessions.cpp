#define CAF_SUITE sessions

#include "actors/codes/rules.hpp"
#include "actors/sessions/actor.hpp"
#include "actors/sessions/rules.hpp"
#include "tests/actors/scene.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::sessions;
using namespace std::chrono_literals;

namespace {

const keyring keys{{secret{std::string(32, 'n')}, secret{std::string(32, 'o')}}};
const keyring old_keys{{secret{std::string(32, 'o')}}};
const keyring other_keys{{secret{std::string(32, 'x')}}};

timestamp moment(std::int64_t seconds) { return timestamp{std::chrono::seconds{1'800'000'000 + seconds}}; }

struct scripted_hashing {
  std::vector<std::string> against;
  outcome<hashing::verdict> answer = hashing::verdict{.matches = true};
};

hashing::hashing_actor::behavior_type hasher_of(std::shared_ptr<scripted_hashing> play) {
  return {[play](const hashing::password_job& job) -> caf::result<hashing::verdict> {
    play->against.push_back(job.against);
    if (auto* refusal = std::get_if<fault>(&play->answer)) return to_error(*refusal);
    return std::get<hashing::verdict>(play->answer);
  }};
}

struct fixture : scene {
  void account_found(bool is_active = true) {
    database.returns(outcome<store::attempt>{
        store::attempt{.key = "key", .credential = accounts::store::credential{account, "hash", is_active}}});
  }
  sign_in attempt() { return {.identifier = "bob", .password = secret{"guess"}}; }
  signed_in session_of_bob() { return {.account = {.id = account, .login = "bob"}}; }

  account_id account = account_id::random();
  session_id session = session_id::random();
  secret token = make_refresh_token(keys, session, 1);
  std::vector<std::string> invalidated;
  std::shared_ptr<scripted_hashing> hashing = std::make_shared<scripted_hashing>();
  sessions_actor actor = on_stage(sessions_actor{
      sys.spawn(sessions::sessions, context,
                sessions_dependencies{on_stage(sys.spawn(hasher_of, hashing)),
                                      std::make_shared<const store::terms>(store::terms{.keys = keys}),
                                      [this](const std::string& what) { invalidated.push_back(what); }})});
};

const fault no_credentials = invalid_credentials();

} // namespace

CAF_TEST(refresh tokens are read back) {
  auto session = session_id::random();
  auto token = make_refresh_token(keys, session, 7);
  CAF_CHECK_EQUAL(token.reveal().size(), 70u);
  auto read = read_refresh_token(keys, token);
  CAF_REQUIRE(read);
  CAF_CHECK(read->session == session);
  CAF_CHECK_EQUAL(read->hash, hash_of(token));
  CAF_CHECK(make_refresh_token(keys, session, 7) == token);
  CAF_CHECK(!(make_refresh_token(keys, session, 8) == token));
}

CAF_TEST(tokens that are not ours are not read) {
  auto token = make_refresh_token(keys, session_id::random(), 7);
  CAF_CHECK(!read_refresh_token(other_keys, token));
  CAF_CHECK(!read_refresh_token(keys, secret{}));
  CAF_CHECK(!read_refresh_token(keys, secret{"!!"}));
  CAF_CHECK(!read_refresh_token(keys, secret{token.reveal() + "AAAA"}));
  for (std::size_t i = 0; i < token.reveal().size(); ++i) {
    auto tampered = token.reveal();
    tampered[i] = tampered[i] == 'A' ? 'B' : 'A';
    CAF_CHECK(!read_refresh_token(keys, secret{tampered}));
  }
}

CAF_TEST(a token of an older key is read and repeated) {
  auto session = session_id::random();
  auto token = make_refresh_token(old_keys, session, 1);
  CAF_CHECK(read_refresh_token(keys, token));
  CAF_CHECK(!(make_refresh_token(keys, session, 1) == token));
  CAF_CHECK(repeat_refresh_token(keys, session, 1, hash_of(token)) == token);
  CAF_CHECK(!repeat_refresh_token(other_keys, session, 1, hash_of(token)));
}

CAF_TEST(refreshing follows the parent rule) {
  rotation state{.generation = 2, .hash = "child", .parent_hash = "parent", .rotated_at = moment(0)};
  CAF_CHECK(judge(state, "child", moment(10)) == refresh_verdict::rotate);
  CAF_CHECK(judge(state, "parent", moment(100'000)) == refresh_verdict::repeat);
  CAF_CHECK(judge(state, "grandparent", moment(1)) == refresh_verdict::replay);
  state.token_used = true;
  CAF_CHECK(judge(state, "child", moment(10)) == refresh_verdict::rotate);
  CAF_CHECK(judge(state, "parent", moment(30)) == refresh_verdict::repeat);
  CAF_CHECK(judge(state, "parent", moment(30) + 1us) == refresh_verdict::replay);
}

CAF_TEST_FIXTURE_SCOPE(sessions_tests, fixture)

CAF_TEST(the right password signs in) {
  account_found();
  database.returns(session_of_bob());
  CAF_CHECK_EQUAL(answer_of(actor, attempt()).account.login, "bob");
  CAF_CHECK_EQUAL(hashing->against.at(0), "hash");
}

CAF_TEST(a wrong password is refused and stays counted) {
  account_found();
  hashing->answer = hashing::verdict{};
  CAF_CHECK(fault_of(actor, attempt()) == no_credentials);
  CAF_CHECK_EQUAL(*database.asked, 2); // the guess, and its entry in the trail
}

CAF_TEST(an unknown identifier costs a hash and gets the same answer) {
  database.returns(outcome<store::attempt>{store::attempt{.key = "key"}});
  CAF_CHECK(fault_of(actor, attempt()) == no_credentials);
  CAF_CHECK_EQUAL(hashing->against.size(), 1u);
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(an inactive account gets the same answer) {
  account_found(false);
  CAF_CHECK(fault_of(actor, attempt()) == no_credentials);
  CAF_CHECK_EQUAL(hashing->against.size(), 1u);
}

CAF_TEST(without a guess left nothing is hashed) {
  database.returns(outcome<store::attempt>{locked_out(17s)});
  auto refusal = fault_of(actor, attempt());
  CAF_CHECK(refusal.code == ec::locked && refusal.retry_after == 17s);
  CAF_CHECK_EQUAL(refusal.message, "Too many failed login attempts. Try again in 17 seconds.");
  CAF_CHECK(hashing->against.empty());
}

CAF_TEST(a guess that could not be checked is given back) {
  account_found();
  database.returns(done{});
  hashing->answer = fault{.code = ec::overloaded, .retry_after = 1s};
  CAF_CHECK(fault_of(actor, attempt()).code == ec::overloaded);
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(a refresh drops the session from the cache before it answers) {
  database.returns(outcome<signed_in>{session_of_bob()});
  CAF_CHECK_EQUAL(answer_of(actor, refresh{.token = token}).account.login, "bob");
  CAF_CHECK_EQUAL(invalidated.at(0), "session:" + to_string(session));
}

CAF_TEST(a replay drops the session from the cache too) {
  database.returns(outcome<signed_in>{invalid_refresh_token()});
  CAF_CHECK(fault_of(actor, refresh{.token = token}).code == ec::unauthenticated);
  CAF_CHECK_EQUAL(invalidated.size(), 1u);
}

CAF_TEST(a token that is not ours never reaches the database) {
  auto foreign = make_refresh_token(other_keys, session, 1);
  CAF_CHECK(fault_of(actor, refresh{.token = foreign}).code == ec::unauthenticated);
  answer_of(actor, sign_out{.token = foreign});
  answer_of(actor, sign_out{});
  CAF_CHECK_EQUAL(*database.asked, 0);
  CAF_CHECK(invalidated.empty());
}

CAF_TEST(signing out drops the session from the cache) {
  database.returns(done{});
  answer_of(actor, sign_out{.token = token});
  CAF_CHECK_EQUAL(invalidated.at(0), "session:" + to_string(session));
}

CAF_TEST(without a token the session of the cookie is meant) {
  database.returns(outcome<signed_in>{session_of_bob()});
  CAF_CHECK_EQUAL(answer_of(actor, refresh{.session = session}).account.login, "bob");
  database.returns(done{});
  answer_of(actor, sign_out{.token = secret{}, .session = session});
  CAF_CHECK(invalidated == std::vector<std::string>(2, "session:" + to_string(session)));
}

CAF_TEST(a token that is not ours is not made good by a cookie) {
  secret foreign = make_refresh_token(other_keys, session, 1);
  CAF_CHECK(fault_of(actor, refresh{.token = foreign, .session = session}).code == ec::unauthenticated);
  CAF_CHECK(fault_of(actor, refresh{}).code == ec::unauthenticated);
  answer_of(actor, sign_out{.token = foreign, .session = session});
  CAF_CHECK_EQUAL(*database.asked, 0);
}

CAF_TEST(a revoked session is dropped from the cache) {
  database.returns(done{});
  answer_of(actor, revoke_session{.caller = {account, session_id::random()}, .session = session});
  CAF_CHECK(invalidated == std::vector<std::string>{"session:" + to_string(session)});
}

CAF_TEST(a session token is asked for) {
  CAF_CHECK_EQUAL(fault_of(actor, exchange_session_token{}).name, "TOKEN_MISSING");
  CAF_CHECK_EQUAL(fault_of(actor, exchange_session_token{.token = secret{}}).name, "TOKEN_MISSING");
  CAF_CHECK_EQUAL(*database.asked, 0);
}

CAF_TEST(a verified code drops the account from the cache) {
  database.returns(outcome<signed_in>{session_of_bob()});
  answer_of(actor, verify_code{.email = "bob@example.org", .code = secret{"123456"}});
  CAF_CHECK_EQUAL(invalidated.at(0), "account:" + to_string(account));
}

CAF_TEST(a wrong code tells how many tries are left) {
  database.returns(outcome<signed_in>{
      codes::fault_of(codes::verdict::wrong, codes::purpose::verification, codes::record{.failures = 2})});
  auto refusal = fault_of(actor, verify_code{.email = "bob@example.org", .code = secret{"123456"}});
  CAF_CHECK(refusal.code == ec::refused);
  CAF_CHECK_EQUAL(refusal.name, "OTP_INVALID");
  CAF_CHECK(refusal.details.at(0) == (std::pair<std::string, std::string>{"attempts_remaining", "3"}));
  CAF_CHECK(invalidated.empty());
}

CAF_TEST(what a device shows is judged by the database) {
  database.returns(outcome<signed_in>{unknown_device()});
  CAF_CHECK(fault_of(actor, sign_in_by_device{}) == unknown_device());
  database.returns(outcome<signed_in>{session_of_bob()});
  CAF_CHECK_EQUAL(answer_of(actor, sign_in_by_device{}).account.login, "bob");
}

CAF_TEST(failures of the database are told as they are) {
  for (auto code : {ec::unavailable, ec::overloaded, ec::timeout, ec::in_doubt}) {
    auto fails = [&](auto message) {
      database.fails(code);
      return fault_of(actor, message).code == code;
    };
    CAF_CHECK(fails(attempt()));
    CAF_CHECK(fails(verify_code{}));
    CAF_CHECK(fails(resend_code{}));
    CAF_CHECK(fails(refresh{.token = token}));
    CAF_CHECK(fails(sign_out{.token = token}));
    CAF_CHECK(fails(get_session{}));
    CAF_CHECK(fails(confirm_token{}));
    CAF_CHECK(fails(refresh{.session = session}));
    CAF_CHECK(fails(sign_out{.session = session}));
    CAF_CHECK(fails(note_seen{}));
    CAF_CHECK(fails(list_sessions{}));
    CAF_CHECK(fails(revoke_session{}));
    CAF_CHECK(fails(create_session_token{}));
    CAF_CHECK(fails(exchange_session_token{.token = secret{"x"}}));
    CAF_CHECK(fails(create_ticket{}));
    CAF_CHECK(fails(redeem_ticket{}));
    CAF_CHECK(fails(enroll_device{}));
    CAF_CHECK(fails(challenge_device{}));
    CAF_CHECK(fails(sign_in_by_device{}));
    account_found();
    CAF_CHECK(fails(attempt()));
  }
  CAF_CHECK(invalidated.empty());
}

CAF_TEST(the sweep goes on after a failure) {
  for (int round = 1; round <= 3; ++round) {
    database.fails(ec::unavailable);
    sched.advance_time(5min);
    consume_messages();
    CAF_CHECK_EQUAL(*database.asked, round);
  }
  database.returns(session_view{.session = session});
  CAF_CHECK(answer_of(actor, get_session{session}).session == session);
}

CAF_TEST_FIXTURE_SCOPE_END()
