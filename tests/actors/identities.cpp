#define CAF_SUITE identities

#include "actors/identities/actor.hpp"
#include "actors/identities/rules.hpp"
#include "actors/identities/store.hpp"
#include "actors/identities/telegram.hpp"
#include "tests/actors/scene.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::identities;
using namespace std::chrono_literals;
using telegram::verdict;

namespace {

const secret bot_token{"110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"};
const keyring keys{{secret{std::string(32, 'k')}}};

/// When the vectors were signed. Their hashes were computed by Node's crypto module.
const timestamp signed_at{1'800'000'000s};

widget ada() {
  return {.id = "123456789",
          .first_name = "Ада",
          .last_name = "Lovelace",
          .username = "ada",
          .photo_url = "https://t.me/i/userpic/320/ada.jpg",
          .auth_date = "1800000000",
          .hash = "c5d868b263161cece2116a6e8a041a00da0a65b1597ca5b22a3fbac9f728bbe5"};
}

telegram::fields vladislav() {
  return {{"query_id", "AAHdF6IQAAAAAN0XohDhrOrc"},
          {"user", R"({"id":279058397,"first_name":"Vladislav","last_name":"Kibenko","username":"vdkfrost",)"
                   R"("language_code":"ru","is_premium":true})"},
          {"auth_date", "1800000000"},
          {"signature", "abc_-"},
          {"hash", "0fe56e1f8cea6e0f2cc05728c176d33b137f80f2a71752523fc1303084613847"}};
}

struct scripted_provider {
  outcome<oauth::person> answer = oauth::person{.subject = "583231"};
  std::vector<oauth::round_trip> trips;
};

oauth::oauth_actor::behavior_type provider_of(std::shared_ptr<scripted_provider> play) {
  return {[play](const oauth::get_authorize_url& m) -> caf::result<oauth::address> {
            play->trips.push_back(m.trip);
            return oauth::address{"https://provider/?state=" + m.state.reveal()};
          },
          [play](const oauth::identify& m) -> caf::result<oauth::person> {
            play->trips.push_back(m.trip);
            if (auto* why = std::get_if<fault>(&play->answer)) return to_error(*why);
            return std::get<oauth::person>(play->answer);
          }};
}

struct fixture : scene {
  fixture() { start(bot_token); }

  void start(const secret& token) {
    actor = on_stage(identities_actor{sys.spawn(
        identities::identities, context,
        identities_dependencies{.oauth = on_stage(sys.spawn(provider_of, provider)),
                                .terms = std::make_shared<const store::terms>(store::terms{.keys = keys}),
                                .invalidate = [this](const std::string& what) { invalidated.push_back(what); },
                                .redirect_uris = {"app://callback", "https://web/back"},
                                .bot = {"https://telegram", "the_bot", token, secret{"bot-api-secret"}}})});
  }

  store::journey journey() const {
    return {provider::github, bob, "app://callback", secret{"state"}, secret{"verifier"}, "nonce"};
  }
  sign_in return_of_stranger() { return {provider::github, secret{"code"}, secret{"state"}, "app://callback"}; }
  identities::link return_of_bob() { return {.caller = bob, .provider = provider::github, .code = secret{"code"}}; }
  link_telegram widget_of_bob(const identities::widget& w) {
    return {.caller = bob, .id = w.id, .first_name = w.first_name, .auth_date = w.auth_date, .hash = w.hash};
  }

  caller bob{account_id::random(), session_id::random()};
  std::vector<std::string> invalidated;
  std::shared_ptr<scripted_provider> provider = std::make_shared<scripted_provider>();
  identities_actor actor;
};

} // namespace

CAF_TEST(a login widget is believed within its day) {
  CAF_CHECK(telegram::check_widget(ada(), bot_token, signed_at) == verdict::valid);
  CAF_CHECK(telegram::check_widget(ada(), bot_token, signed_at + 24h) == verdict::valid);
  CAF_CHECK(telegram::check_widget(ada(), bot_token, signed_at + 24h + 1us) == verdict::stale);
  CAF_CHECK(telegram::check_widget(ada(), bot_token, signed_at - 300s) == verdict::valid);
  CAF_CHECK(telegram::check_widget(ada(), bot_token, signed_at - 300s - 1us) == verdict::forged);
  auto who = telegram::person_of(ada());
  CAF_CHECK(who.subject == "123456789" && who.username == "ada" && who.name == "Ада Lovelace" && !who.email);
  CAF_CHECK(telegram::end_of(ada()) == signed_at + 24h);
}

CAF_TEST(what is missing in a widget is not signed) {
  widget small{.id = "123456789",
               .first_name = "Ада",
               .auth_date = "1800000000",
               .hash = "dc87534ef40b5e3b5081bef6f24e969d17b26d4c402f594c677b2fc567c5b32e"};
  CAF_CHECK(telegram::check_widget(small, bot_token, signed_at) == verdict::valid);
  small.last_name = "";
  CAF_CHECK(telegram::check_widget(small, bot_token, signed_at) == verdict::forged);
}

CAF_TEST(a tampered widget is forged) {
  std::vector<widget> tampered(8, ada());
  tampered[0].id = "123456788";
  tampered[1].first_name = "Eve";
  tampered[2].username.reset();
  tampered[3].auth_date = "1800000001";
  tampered[4].hash[0] = 'd';
  tampered[5].hash.clear();
  tampered[6].hash = "C5D868B263161CECE2116A6E8A041A00DA0A65B1597CA5B22A3FBAC9F728BBE5"; // would count once more
  tampered[7] = {};
  for (auto& each : tampered) CAF_CHECK(telegram::check_widget(each, bot_token, signed_at) == verdict::forged);
  CAF_CHECK(telegram::check_widget(ada(), secret{"110201543:other"}, signed_at) == verdict::forged);
  // Signed, but no id that we could keep.
  widget huge{.id = "99999999999999999999",
              .first_name = "A",
              .auth_date = "1800000000",
              .hash = "50d1aed8ca9fc4db29b7db6b9aa94d24c15ec51bc3d62ecb5c9baaba25e38519"};
  CAF_CHECK(telegram::check_widget(huge, bot_token, signed_at) == verdict::forged);
}

CAF_TEST(the data of a Mini App is believed within its day) {
  CAF_CHECK(telegram::check_mini_app(vladislav(), bot_token, signed_at + 24h) == verdict::valid);
  CAF_CHECK(telegram::check_mini_app(vladislav(), bot_token, signed_at + 24h + 1us) == verdict::stale);
  CAF_CHECK(telegram::check_mini_app(vladislav(), bot_token, signed_at - 301s) == verdict::forged);
  CAF_CHECK(telegram::check_mini_app(vladislav(), secret{"1:x"}, signed_at) == verdict::forged);
  for (auto name : {"query_id", "user", "auth_date", "signature", "hash"}) {
    auto tampered = vladislav();
    tampered[name] += "0";
    CAF_CHECK(telegram::check_mini_app(tampered, bot_token, signed_at) == verdict::forged);
    tampered.erase(name);
    CAF_CHECK(telegram::check_mini_app(tampered, bot_token, signed_at) == verdict::forged);
  }
  CAF_CHECK(telegram::check_mini_app({}, bot_token, signed_at) == verdict::forged);
}

CAF_TEST(the page at Telegram is asked with everything encoded) {
  CAF_CHECK_EQUAL(telegram::authorize_url("https://t", bot_token, "app://back?a=1&b=2", secret{"s-_"}),
                  "https://t/auth?bot_id=110201543&origin=app%3A%2F%2Fback%3Fa%3D1%26b%3D2&"
                  "return_to=app%3A%2F%2Fback%3Fa%3D1%26b%3D2&request_access=write&state=s-_");
}

CAF_TEST(only listed pages are gone back to) {
  const std::vector<std::string> allowed{"app://callback", "https://web/back"};
  for (auto uri : {"app://callback", "https://web/back", "app://callback?provider=github"})
    CAF_CHECK(is_allowed(allowed, uri, provider::github));
  for (auto uri : {"", "app://callback/", "https://web/back/../x", "https://web/back?x", "https://web/backdoor",
                   "app://callback?provider=google", "https://web/back#x", "HTTPS://web/back"})
    CAF_CHECK(!is_allowed(allowed, uri, provider::github));
  CAF_CHECK(default_redirect_uri(allowed, provider::telegram) == "app://callback?provider=telegram");
  CAF_CHECK(!default_redirect_uri({}, provider::telegram));
}

CAF_TEST(logins are made from what there is) {
  struct row {
    provider which;
    oauth::person who;
    std::string login;
  };
  const row rows[]{
      {provider::github, {"1", "octocat", "The Octocat", "o@example.com"}, "octocat"},
      {provider::google, {"1", {}, "Ada Lovelace", "ada@example.com"}, "Ada Lovelace"},
      {provider::google, {"1", {}, "Ада", "ada@example.com"}, "ada@example.com"},
      {provider::apple, {"000792.d71059", {}, {}, {}}, "apple_user"},
      {provider::telegram, {"42", {}, "Ада"}, "tg_42"},
  };
  for (auto& [which, who, login] : rows) CAF_CHECK_EQUAL(login_source(which, who), login);
}

CAF_TEST_FIXTURE_SCOPE(identities_tests, fixture)

CAF_TEST(a journey is kept before the browser leaves) {
  database.returns(begun{"https://provider", secret{"state"}});
  CAF_CHECK_EQUAL(answer_of(actor, begin_sign_in{provider::github, "https://web/back"}).authorize_url,
                  "https://provider");
  CAF_REQUIRE_EQUAL(provider->trips.size(), 1u);
  auto& trip = provider->trips[0];
  CAF_CHECK_EQUAL(trip.redirect_uri, "https://web/back");
  CAF_CHECK(trip.verifier.reveal().size() == 43 && trip.nonce.size() == 43 && trip.verifier.reveal() != trip.nonce);
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, begin_sign_in{provider::github, "https://web/back"}).code == ec::unavailable);
}

CAF_TEST(nobody is sent to a page that is not listed or a provider without a login) {
  auto refusal = fault_of(actor, begin_sign_in{provider::github, "https://evil/back"});
  CAF_CHECK(refusal.code == ec::invalid && refusal.problems.at(0).location.at(1) == "redirect_uri");
  CAF_CHECK(fault_of(actor, begin_sign_in{provider::telegram, "https://web/back"}).code == ec::refused);
  CAF_CHECK(fault_of(actor, sign_in{provider::telegram, secret{"c"}, secret{"s"}, "x"}).code == ec::refused);
  CAF_CHECK_EQUAL(*database.asked, 0);
  CAF_CHECK(provider->trips.empty());
}

CAF_TEST(a sign - in by a provider ends in a session and a fresh cache) {
  database.returns(journey());
  database.returns(sessions::signed_in{.account = {.id = bob.account, .login = "bob"}});
  CAF_CHECK_EQUAL(answer_of(actor, return_of_stranger()).account.login, "bob");
  CAF_CHECK_EQUAL(provider->trips.at(0).verifier.reveal(), "verifier");
  CAF_CHECK_EQUAL(invalidated.at(0), "account:" + to_string(bob.account));
}

CAF_TEST(a refusal of the provider is 401 to strangers and 400 to callers) {
  provider->answer = fault{.code = ec::refused};
  database.returns(journey());
  CAF_CHECK(fault_of(actor, return_of_stranger()) == failed_at_provider(false));
  database.returns(journey());
  CAF_CHECK(fault_of(actor, return_of_bob()) == failed_at_provider(true));
  CAF_CHECK(failed_at_provider(false).code == ec::unauthenticated && failed_at_provider(true).code == ec::refused);
  CAF_CHECK_EQUAL(*database.asked, 2); // the journeys were looked at, and not used up
}

CAF_TEST(a failing provider is no failure of ours) {
  for (auto code : {ec::unavailable, ec::timeout, ec::upstream, ec::not_found}) {
    provider->answer = fault{.code = code};
    database.returns(journey());
    CAF_CHECK(fault_of(actor, return_of_stranger()).code == code);
  }
  CAF_CHECK(invalidated.empty());
}

CAF_TEST(without a journey no provider is asked) {
  database.fails(ec::unauthenticated);
  CAF_CHECK(fault_of(actor, return_of_stranger()).code == ec::unauthenticated);
  CAF_CHECK(provider->trips.empty());
}

CAF_TEST(forged and stale Telegram data never reaches the database) {
  clock->set_offset(std::chrono::round<std::chrono::seconds>(signed_at - clock->now()));
  auto forged = ada();
  forged.id = "1";
  CAF_CHECK(fault_of(actor, sign_in_by_widget{.widget = forged}).name == "INVALID_TELEGRAM_AUTH");
  CAF_CHECK(fault_of(actor, sign_in_by_mini_app{.fields = vladislav()}).code == ec::unauthenticated); // no user
  CAF_CHECK(fault_of(actor, widget_of_bob(forged)) == failed_at_provider(true));
  clock->set_offset(std::chrono::round<std::chrono::seconds>(signed_at + 25h - clock->now()) + clock->offset());
  CAF_CHECK(fault_of(actor, sign_in_by_widget{.widget = ada()}).name == "TELEGRAM_AUTH_EXPIRED");
  CAF_CHECK(fault_of(actor, sign_in_by_mini_app{.fields = vladislav(), .user = {.id = 279058397}}).code ==
            ec::unauthenticated);
  CAF_CHECK_EQUAL(*database.asked, 0);
}

CAF_TEST(without a bot there is no Telegram) {
  start({});
  for (auto code :
       {fault_of(actor, sign_in_by_widget{.widget = ada()}).code,
        fault_of(actor, sign_in_by_mini_app{.fields = vladislav()}).code,
        fault_of(actor, begin_link{bob, provider::telegram, {}}).code, fault_of(actor, widget_of_bob(ada())).code,
        fault_of(actor, sign_in_by_login_link{secret{"token"}}).code})
    CAF_CHECK(code == ec::not_found);
}

CAF_TEST(login links are made for administrators and the bot) {
  auto made_by = [&](std::optional<caller> who, const char* bearer) {
    return fault_of(actor, create_login_link{.caller = who, .bearer = secret{bearer}, .telegram_id = 42}).code;
  };
  auto admin = bob;
  admin.role = role::admin;
  CAF_CHECK(made_by({}, "") == ec::unauthenticated);
  CAF_CHECK(made_by({}, "bot-api-secre") == ec::unauthenticated);
  CAF_CHECK(made_by(bob, "jwt") == ec::forbidden);
  CAF_CHECK_EQUAL(*database.asked, 0);
  CAF_CHECK(made_by(admin, "jwt") == ec::unavailable); // the scripted database has nothing to say: it was asked
  CAF_CHECK(made_by({}, "bot-api-secret") == ec::unavailable);
}

CAF_TEST_FIXTURE_SCOPE_END()
