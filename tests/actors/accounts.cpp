#define CAF_SUITE accounts

#include "actors/accounts/actor.hpp"
#include "actors/accounts/rules.hpp"
#include "tests/actors/scene.hpp"

#include <algorithm>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::accounts;

namespace {

struct scripted_hashing {
  int jobs = 0;
  bool matches = true;
  fault refusal{.code = ec::none};
};

hashing::hashing_actor::behavior_type hasher_of(std::shared_ptr<scripted_hashing> play) {
  return {[play](const hashing::password_job& job) -> caf::result<hashing::verdict> {
    ++play->jobs;
    if (play->refusal.code != ec::none) return to_error(play->refusal);
    return hashing::verdict{.hash = "hash of " + job.password.reveal(), .matches = play->matches};
  }};
}

imaging::imaging_actor::behavior_type engraver() {
  return {[](const imaging::picture_job& job) -> caf::result<imaging::picture> {
    if (job.file == "nonsense") return to_error({.code = ec::refused, .name = "INVALID_IMAGE"});
    return imaging::picture{"png of " + job.file};
  }};
}

struct fixture : scene {
  accounts_actor start(bool registration_enabled = true) {
    auto terms = std::make_shared<const sessions::store::terms>(
        sessions::store::terms{.keys = keyring{{secret{std::string(32, 'k')}}}});
    accounts_dependencies with{.hashing = on_stage(sys.spawn(hasher_of, hashing)),
                               .terms = terms,
                               .registration_enabled = registration_enabled,
                               .invalidate = [this](const std::string& what) { invalidated.push_back(what); },
                               .imaging = on_stage(sys.spawn(engraver))};
    return on_stage(accounts_actor{sys.spawn(accounts::accounts, context, with)});
  }
  void guess_taken() {
    database.returns(outcome<sessions::store::attempt>{
        sessions::store::attempt{"key", accounts::store::credential{bobs, "hash", true}}});
  }
  change_password new_password() {
    return {.caller = {bobs, session_id::random()},
            .current_password = secret{"old"},
            .new_password = secret{"blue7mountain"}};
  }

  account_id bobs = account_id::random();
  std::vector<std::string> invalidated; ///< in this node's cache

  account_id ada = account_id::random();

  std::shared_ptr<scripted_hashing> hashing = std::make_shared<scripted_hashing>();
};

register_account bob() {
  return {.login = "bob", .email = "bob@example.org", .password = secret{"purple-Elephant-42"}};
}

/// The fields that break rules, in order, each once a problem.
std::string broken(const register_account& command) {
  std::string fields;
  for (auto& problem : problems_of(command)) fields += (fields.empty() ? "" : " ") + problem.location.at(1);
  return fields;
}

std::size_t password_flaws(const std::string& password, const std::string& email = "",
                           strength demanded = strength::common) {
  return password_problems(secret{password}, email, demanded).size();
}

} // namespace

CAF_TEST(e - mail addresses) {
  for (auto good : {"bob@example.org", "a.b+c@x-y.example.org", "bob@localhost", "B@1.de", "o'neil@example.org"})
    CAF_CHECK(is_email(good));
  for (auto bad :
       {"", "bob", "@example.org", "bob@", "bob@example", "a@b@example.org", "bob@example..org", ".bob@example.org",
        "bob.@example.org", "bo b@example.org", "bob@exa mple.org", "bob@-x.org", "bob@x-.org", "bob@example.org\n",
        "b\xc3\xb6"
        "b@example.org",
        "\"bob\"@example.org", "bob@example.org>"})
    CAF_CHECK(!is_email(bad));
  CAF_CHECK(is_email(std::string(64, 'a') + "@example.org"));
  CAF_CHECK(!is_email(std::string(65, 'a') + "@example.org"));
  std::string domain;
  while (domain.size() < 240) domain += "abcdefghi.";
  CAF_CHECK(is_email("bobby@" + domain + "organism")); // 254 characters
  CAF_CHECK(!is_email("bobby@" + domain + "organisms"));
}

CAF_TEST(logins) {
  CAF_CHECK(is_login("bob") && is_login("_B0b_") && is_login(std::string(50, 'x')));
  CAF_CHECK(!is_login("bo") && !is_login(std::string(51, 'x')) && !is_login("bo b") && !is_login("bob@"));
}

CAF_TEST(derived logins are valid and differ) {
  for (auto email : {"bob@example.org", "o'neil.x@example.org", "x@example.org"}) {
    auto logins = logins_from(email);
    CAF_CHECK(logins.size() >= 4);
    CAF_CHECK(std::all_of(logins.begin(), logins.end(), is_login));
  }
  auto first = [](std::string_view email) { return logins_from(email).front(); };
  CAF_CHECK_EQUAL(first("bob@example.org"), "bob");
  CAF_CHECK_EQUAL(first("o'neil.x@example.org"), "o_neil_x");
  CAF_CHECK(first("x@example.org").starts_with("x_"));
  auto longest = logins_from(std::string(64, 'a') + "@example.org");
  CAF_CHECK(std::all_of(longest.begin(), longest.end(), is_login));
}

CAF_TEST(passwords have 8 to 128 characters and not bytes) {
  CAF_CHECK_EQUAL(password_flaws("grqvZk7"), 1u);
  CAF_CHECK_EQUAL(password_flaws("grqvZk7w"), 0u);
  std::string letter = "\xc3\xa4", seven, eight, longest;
  for (int i = 0; i < 7; ++i) seven += letter;
  eight = seven + letter;
  for (int i = 0; i < 128; ++i) longest += letter;
  CAF_CHECK_EQUAL(password_flaws(seven), 1u);
  CAF_CHECK_EQUAL(password_flaws(eight), 0u);
  CAF_CHECK_EQUAL(password_flaws(longest), 0u);
  CAF_CHECK_EQUAL(password_flaws(longest + letter), 1u);
}

CAF_TEST(passwords are not the name in the e - mail address) {
  CAF_CHECK_EQUAL(password_flaws("xxBobby99-z", "bobby@example.org"), 1u);
  CAF_CHECK_EQUAL(password_flaws("xxBobby99-z", "ann@example.org"), 0u);
  CAF_CHECK_EQUAL(password_flaws("xxbob99-zzz", "bob@example.org"), 0u); // too short a name to forbid
  CAF_CHECK_EQUAL(password_flaws("xxBobby99-z", ""), 0u);
}

CAF_TEST(common passwords are known in whatever case) {
  for (auto common : {"password", "PassWord1", "12345678", "iloveyou", "qwertyuiop", "letmein123"})
    CAF_CHECK(is_common(common));
  CAF_CHECK(!is_common("") && !is_common("purple-Elephant-42"));
  CAF_CHECK_EQUAL(password_flaws("Password1"), 1u);
}

CAF_TEST(a strong password has 12 characters of four kinds) {
  CAF_CHECK_EQUAL(password_flaws("purple-Elephant-42", "", strength::strong), 0u);
  CAF_CHECK_EQUAL(password_flaws("purple-Ele4", "", strength::strong), 1u);
  CAF_CHECK_EQUAL(password_flaws("purple-elephant-42", "", strength::strong), 1u);
  CAF_CHECK_EQUAL(password_flaws("PURPLE-ELEPHANT-42", "", strength::strong), 1u);
  CAF_CHECK_EQUAL(password_flaws("purple-Elephant-xx", "", strength::strong), 1u);
  CAF_CHECK_EQUAL(password_flaws("purpleXElephantX42", "", strength::strong), 1u);
  CAF_CHECK_EQUAL(password_flaws("aaaaaaaaaaaa", "", strength::strong), 3u);
}

CAF_TEST(every broken field is named at once) {
  CAF_CHECK_EQUAL(broken(bob()), "");
  CAF_CHECK_EQUAL(
      broken({.login = "b!", .email = "bob", .password = secret{"x"}, .locale = "?", .tos_accepted = false}),
      "password login email locale tos_accepted");
  CAF_CHECK_EQUAL(broken({.password = secret{"purple-Elephant-42"}}), "email");
  CAF_CHECK_EQUAL(broken({.login = "bob", .password = secret{"purple-Elephant-42"}}), "");
}

CAF_TEST(who may act on whom) {
  auto name_of_refusal = [](std::optional<role> actor, role subject, permission needed) -> std::string {
    auto refusal = refusal_to_act({.actor = actor, .subject = subject}, needed);
    return !refusal ? "" : refusal->name.empty() ? "forbidden" : refusal->name;
  };
  struct {
    std::optional<role> actor;
    role subject;
    const char* refusal;
  } const table[] = {
      {std::nullopt, role::viewer, "forbidden"},
      {role::viewer, role::viewer, "forbidden"},
      {role::support, role::viewer, "forbidden"},
      {role::operator_, role::viewer, "forbidden"},
      {role::admin, role::viewer, ""},
      {role::admin, role::operator_, ""},
      {role::admin, role::admin, "ROLE_TOO_LOW"},
      {role::admin, role::super_admin, "ROLE_TOO_LOW"},
      {role::super_admin, role::viewer, ""},
      {role::super_admin, role::super_admin, ""},
  };
  for (auto& row : table) CAF_CHECK_EQUAL(name_of_refusal(row.actor, row.subject, permission::manage), row.refusal);
}

CAF_TEST(roles are changed by super_admins only and one of them stays) {
  auto name_of_refusal = [](const standing& who, role wanted) -> std::string {
    auto refusal = refusal_to_change_role(who, wanted);
    return !refusal ? "" : refusal->name.empty() ? "forbidden" : refusal->name;
  };
  standing admin{.actor = role::admin, .subject = role::viewer};
  CAF_CHECK_EQUAL(name_of_refusal(admin, role::support), "forbidden");
  standing himself{.actor = role::admin, .subject = role::admin, .is_own = true};
  CAF_CHECK_EQUAL(name_of_refusal(himself, role::super_admin), "forbidden");
  standing boss{.actor = role::super_admin, .subject = role::viewer};
  CAF_CHECK_EQUAL(name_of_refusal(boss, role::super_admin), "");
  standing last{.actor = role::super_admin, .subject = role::super_admin, .is_own = true, .is_last_super_admin = true};
  CAF_CHECK_EQUAL(name_of_refusal(last, role::admin), "LAST_SUPER_ADMIN");
  CAF_CHECK_EQUAL(name_of_refusal(last, role::super_admin), "");
  last.is_last_super_admin = false;
  CAF_CHECK_EQUAL(name_of_refusal(last, role::viewer), "");
}

CAF_TEST(nobody locks himself) {
  standing own{.actor = role::super_admin, .subject = role::super_admin, .is_own = true};
  auto refusal = refusal_to_lock(own);
  CAF_REQUIRE(refusal);
  CAF_CHECK_EQUAL(refusal->name, "OWN_ACCOUNT");
  CAF_CHECK(!refusal_to_lock({.actor = role::super_admin, .subject = role::super_admin}));
  CAF_CHECK(refusal_to_lock({.actor = role::support, .subject = role::viewer})->code == ec::forbidden);
}

CAF_TEST(a changed password has two kinds of characters besides) {
  auto complaint = [](const std::string& password) -> std::string {
    try {
      check_new_password(secret{password}, "bobby@example.org");
    } catch (const fault_error& error) {
      CAF_CHECK(error.what_failed.code == ec::refused);
      for (auto& each : error.what_failed.problems)
        CAF_CHECK(each.location == (std::vector<std::string>{"body", "new_password"}));
      return error.what_failed.message;
    }
    return "none";
  };
  for (auto good : {"blue7mountain", "correct-horse", "1234-5678-90", "ключ-от-дома"})
    CAF_CHECK_EQUAL(complaint(good), "none");
  for (auto bad : {"bluemountain", "5823904716", "!!!!!!!!!?"})
    CAF_CHECK_EQUAL(complaint(bad), "The new password must have two of letters, digits and special characters");
  CAF_CHECK_EQUAL(complaint("bobby"), "The new password must have at least 8 characters, must not contain the name in "
                                      "the e-mail address, must have two of letters, digits and special characters");
}

CAF_TEST(the strength of a password is told with what would better it) {
  auto strength = [](const std::string& password) { return judge(secret{password}).strength; };
  CAF_CHECK(strength("blue7mountain!") == password_strength::strong);
  CAF_CHECK(strength("blue7mountain") == password_strength::medium);
  CAF_CHECK(strength("bluemountainsandrivers") == password_strength::medium);
  CAF_CHECK(strength("blue7mt!") == password_strength::weak);
  CAF_CHECK_EQUAL(judge(secret{"blue7mountain!"}).warnings.size(), 0u);
  CAF_CHECK_EQUAL(judge(secret{"blue7mt"}).warnings.size(), 2u);
}

CAF_TEST_FIXTURE_SCOPE(accounts_tests, fixture)

CAF_TEST(a registration is admitted and hashed and stored) {
  database.returns(outcome<done>{});
  database.returns(registered{.account = {.login = "bob"}});
  CAF_CHECK_EQUAL(answer_of(start(), bob()).account.login, "bob");
  CAF_CHECK_EQUAL(hashing->jobs, 1);
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(what breaks rules touches neither database nor hashing) {
  auto command = bob();
  command.password = secret{"x"};
  auto refusal = fault_of(start(), command);
  CAF_CHECK(refusal.code == ec::invalid);
  CAF_CHECK(refusal.problems.at(0).location == (std::vector<std::string>{"body", "password"}));
  CAF_CHECK_EQUAL(*database.asked + hashing->jobs, 0);
}

CAF_TEST(registration can be switched off) {
  CAF_CHECK(fault_of(start(false), bob()).code == ec::forbidden);
  CAF_CHECK_EQUAL(*database.asked, 0);
}

CAF_TEST(for a taken name nothing is hashed) {
  database.returns(outcome<done>{fault{.code = ec::conflict, .name = "EMAIL_EXISTS"}});
  auto refusal = fault_of(start(), bob());
  CAF_CHECK(refusal.code == ec::conflict);
  CAF_CHECK_EQUAL(refusal.name, "EMAIL_EXISTS");
  CAF_CHECK_EQUAL(hashing->jobs, 0);
}

CAF_TEST(a name that was taken in between is a conflict) {
  database.returns(outcome<done>{});
  database.fails(ec::conflict);
  CAF_CHECK(fault_of(start(), bob()).code == ec::conflict);
}

CAF_TEST(a full hashing queue refuses the registration) {
  hashing->refusal = {.code = ec::overloaded};
  database.returns(outcome<done>{});
  CAF_CHECK(fault_of(start(), bob()).code == ec::overloaded);
  CAF_CHECK_EQUAL(*database.asked, 1);
}

CAF_TEST(failures of the database are told as they are) {
  auto actor = start();
  for (auto code : {ec::unavailable, ec::overloaded, ec::timeout, ec::in_doubt}) {
    database.fails(code);
    CAF_CHECK(fault_of(actor, bob()).code == code);
    database.returns(outcome<done>{});
    database.fails(code);
    CAF_CHECK(fault_of(actor, bob()).code == code);
    database.fails(code);
    CAF_CHECK(fault_of(actor, get_account{}).code == code);
  }
  database.returns(sessions::account{.login = "bob"});
  CAF_CHECK_EQUAL(answer_of(actor, get_account{}).login, "bob");
}

CAF_TEST(what operators do drops the account from the cache before they are answered) {
  auto actor = start();
  auto id = account_id::random();
  database.returns(outcome<account_record>{account_record{.lock_reason = "spam"}});
  CAF_CHECK_EQUAL(answer_of(actor, lock_account{.account = id}).lock_reason.value_or(""), "spam");
  database.returns(outcome<sessions_ended>{sessions_ended{2}});
  CAF_CHECK_EQUAL(answer_of(actor, end_sessions{.account = id}).count, 2);
  CAF_CHECK_EQUAL(invalidated.size(), 2u);
  CAF_CHECK(invalidated == std::vector<std::string>(2, "account:" + to_string(id)));
}

CAF_TEST(what operators are refused drops nothing) {
  auto actor = start();
  database.returns(outcome<account_record>{fault{.code = ec::forbidden, .name = "ROLE_TOO_LOW"}});
  CAF_CHECK_EQUAL(fault_of(actor, change_role{}).name, "ROLE_TOO_LOW");
  database.fails(ec::in_doubt);
  CAF_CHECK(fault_of(actor, unlock_account{}).code == ec::in_doubt);
  database.fails(ec::not_found);
  CAF_CHECK(fault_of(actor, get_account_details{}).code == ec::not_found);
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, list_accounts{}).code == ec::unavailable);
  CAF_CHECK(invalidated.empty());
}

// ---- passwords and pictures

CAF_TEST(a new password takes a guess and two hashings and drops the account from the cache) {
  guess_taken();
  hashing->matches = true;
  database.returns(password_changed{password_strength::strong, {}});
  CAF_CHECK(answer_of(start(), new_password()).strength == password_strength::strong);
  CAF_CHECK_EQUAL(hashing->jobs, 2);
  CAF_CHECK(invalidated == std::vector<std::string>{"account:" + to_string(bobs)});
}

CAF_TEST(a wrong present password is refused and stays counted) {
  guess_taken();
  hashing->matches = false;
  auto refusal = fault_of(start(), new_password());
  CAF_CHECK(refusal.code == ec::refused); // never 401: phones would sign out
  CAF_CHECK_EQUAL(refusal.name, "WRONG_PASSWORD");
  CAF_CHECK_EQUAL(*database.asked, 1);
  CAF_CHECK(invalidated.empty());
}

CAF_TEST(a guess that nobody checked is given back) {
  guess_taken();
  hashing->refusal = {.code = ec::overloaded};
  database.returns(done{});
  CAF_CHECK(fault_of(start(), new_password()).code == ec::overloaded);
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(too many guesses are locked out before anything is hashed) {
  database.returns(outcome<sessions::store::attempt>{sessions::locked_out(std::chrono::seconds{30})});
  auto refusal = fault_of(start(), new_password());
  CAF_CHECK(refusal.code == ec::locked && refusal.retry_after.count() == 30);
  CAF_CHECK_EQUAL(hashing->jobs, 0);
}

CAF_TEST(a failing database changes no password) {
  for (auto code : {ec::unavailable, ec::timeout, ec::in_doubt}) {
    guess_taken();
    hashing->matches = true;
    database.fails(code);
    CAF_CHECK(fault_of(start(), new_password()).code == code);
  }
  CAF_CHECK(invalidated.empty());
}

CAF_TEST(a profile with a picture waits for its engraving) {
  database.returns(profile{{.login = "bob"}, {}});
  CAF_CHECK_EQUAL(answer_of(start(), update_profile{.caller = {bobs, {}}, .picture = "picture"}).account.login, "bob");
  CAF_CHECK_EQUAL(invalidated.size(), 1u);
  auto refusal = fault_of(start(), update_profile{.caller = {bobs, {}}, .picture = "nonsense"});
  CAF_CHECK_EQUAL(refusal.name, "INVALID_IMAGE");
  CAF_CHECK_EQUAL(*database.asked, 1);
}

CAF_TEST(requests for mail take plain addresses only) {
  auto actor = start();
  for (auto bad : {"", "bob", "bob@\xe2\x84\xaaing.org"}) {
    CAF_CHECK(fault_of(actor, request_password_reset{bad}).code == ec::invalid);
    CAF_CHECK(fault_of(actor, request_magic_link{bad}).code == ec::invalid);
    CAF_CHECK(fault_of(actor, request_verification_link{bad}).code == ec::invalid);
  }
  CAF_CHECK(fault_of(actor, request_magic_link{"bob@example.org", "<b>"}).code == ec::invalid);
  CAF_CHECK_EQUAL(*database.asked, 0);
  for (int i = 0; i < 3; ++i) database.returns(done{});
  answer_of(actor, request_password_reset{"bob@example.org"});
  answer_of(actor, request_magic_link{"bob@example.org"});
  answer_of(actor, request_verification_link{"bob@example.org"});
}

CAF_TEST(a new password is judged and hashed before its code is tried) {
  auto actor = start();
  reset_password command{.token = secret{"token"}, .new_password = secret{"purple-Elephant-42"}};
  CAF_CHECK(fault_of(actor, reset_password{.new_password = command.new_password}).code == ec::invalid);
  CAF_CHECK(fault_of(actor, reset_password{.token = command.token, .new_password = secret{"x"}}).code == ec::invalid);
  CAF_CHECK_EQUAL(*database.asked + hashing->jobs, 0);
  hashing->refusal = {.code = ec::overloaded};
  CAF_CHECK(fault_of(actor, command).code == ec::overloaded);
  CAF_CHECK_EQUAL(*database.asked, 0);
  hashing->refusal = {.code = ec::none};
  database.returns(outcome<account_id>{fault{.code = ec::refused, .name = "INVALID_TOKEN"}});
  CAF_CHECK_EQUAL(fault_of(actor, command).name, "INVALID_TOKEN");
  CAF_CHECK(invalidated.empty());
  database.returns(outcome<account_id>{ada});
  answer_of(actor, command);
  CAF_CHECK_EQUAL(invalidated.at(0), "account:" + to_string(ada));
}

CAF_TEST(an account is deleted with its password only) {
  auto actor = start();
  delete_account command{.caller = {.account = ada}, .asks_for_proof = true};
  hashing->matches = false;
  database.returns(outcome<std::string>{std::string{"hash"}});
  CAF_CHECK_EQUAL(fault_of(actor, command).name, "INVALID_PASSWORD");
  database.returns(outcome<std::string>{fault{.code = ec::locked}});
  CAF_CHECK(fault_of(actor, command).code == ec::locked);
  CAF_CHECK_EQUAL(hashing->jobs, 1);
  database.returns(outcome<std::string>{std::string{}}); // it has none
  database.returns(done{});
  answer_of(actor, command);
  hashing->matches = true;
  database.returns(outcome<std::string>{std::string{"hash"}});
  database.returns(done{});
  answer_of(actor, command);
  command.asks_for_proof = false;
  database.returns(done{});
  answer_of(actor, command);
  CAF_CHECK_EQUAL(invalidated.size(), 3u);
}

CAF_TEST(changes are checked before they are made) {
  auto actor = start();
  auto refusal = fault_of(actor, change_account{.login = "b!", .email = "bob", .locale = "?"});
  CAF_CHECK_EQUAL(refusal.problems.size(), 3u);
  CAF_CHECK_EQUAL(*database.asked, 0);
  database.returns(outcome<sessions::account>{fault{.code = ec::conflict}});
  CAF_CHECK(fault_of(actor, change_account{.login = "bob"}).code == ec::conflict);
  database.returns(outcome<sessions::account>{sessions::account{.id = ada}});
  answer_of(actor, change_account{.login = "bob"});
  CAF_CHECK_EQUAL(invalidated.size(), 1u);
}

CAF_TEST(without its subscription an account is shown all the same) {
  auto actor = start(); // nobody is there to ask for the subscription
  database.returns(overview{.account = {.login = "bob"}});
  auto shown = answer_of(actor, get_overview{ada});
  CAF_CHECK(shown.account.login == "bob" && !shown.subscription);
}

CAF_TEST_FIXTURE_SCOPE_END()
