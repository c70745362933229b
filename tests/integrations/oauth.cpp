#define CAF_SUITE integrations.oauth

#include "actors/kernel/crypto.hpp"
#include "integrations/oauth/client.hpp"
#include "integrations/oauth/dialect.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::oauth;
using namespace backstay::testing;
using integrations::http_response;

namespace {

const timestamp now{std::chrono::seconds{1'800'000'000}};
const client ours{"https://site", "https://api", "our id", secret{"our secret"}};

round_trip trip_to(provider which) { return {which, "app://back?a=1", secret{"the-verifier"}, "the-nonce"}; }

std::string jwt(const json& claims) {
  return crypto::to_base64url(R"({"alg":"RS256"})") + "." + crypto::to_base64url(claims.dump()) + ".c2ln";
}

/// What `read_person` makes of an identity token whose claims are those of a good one, changed.
person read_claims(provider which, const json& changes, const client& as = ours) {
  json claims{
      {"iss", "https://site"}, {"aud", "our id"}, {"sub", "1100"}, {"exp", 1'800'003'600}, {"nonce", "the-nonce"}};
  claims.merge_patch(changes);
  return read_person(as, trip_to(which), {{"id_token", jwt(claims)}}, {}, now);
}

person read_pages(provider which, std::vector<json> pages) {
  return read_person(ours, trip_to(which), {{"access_token", "t"}}, pages, now);
}

template <class Job>
ec code_of(Job job) {
  try {
    job();
  } catch (const fault_error& error) {
    return error.what_failed.code;
  }
  return ec::none;
}

} // namespace

CAF_TEST(the page of each provider is asked with everything encoded) {
  const std::string challenge = "code_challenge=sP6XQ2T7IHwj7eBkdcI9xyC8WxEik0RMQk0tVGDKZPI&code_challenge_method=S256";
  const std::string common = "client_id=our%20id&redirect_uri=app%3A%2F%2Fback%3Fa%3D1&response_type=code&scope=";
  const std::string openid = common + "openid%20email%20profile&state=s&" + challenge + "&nonce=the-nonce";
  const std::pair<provider, std::string> rows[]{
      {provider::github, "/login/oauth/authorize?" + common + "read%3Auser%20user%3Aemail&state=s&" + challenge},
      {provider::google, "/o/oauth2/v2/auth?" + openid},
      {provider::discord, "/oauth2/authorize?" + common + "identify%20email&state=s"},
      {provider::apple,
       "/auth/authorize?" + common + "name%20email&state=s&" + challenge + "&nonce=the-nonce&response_mode=form_post"},
      {provider::microsoft, "/oauth2/v2.0/authorize?" + openid},
      {provider::twitter,
       "/i/oauth2/authorize?" + common + "tweet.read%20users.read%20users.email&state=s&" + challenge},
  };
  for (auto& [which, expected] : rows)
    CAF_CHECK_EQUAL(authorize_url(ours, trip_to(which), secret{"s"}), "https://site" + expected);
}

CAF_TEST(the code is traded with the verifier and our secret) {
  const std::string common = "grant_type=authorization_code&code=the%20code&redirect_uri=app%3A%2F%2Fback%3Fa%3D1";
  const std::string in_form = "&client_id=our%20id&client_secret=our%20secret";
  struct row {
    provider which;
    std::string url, form;
  };
  const row rows[]{
      {provider::github, "https://site/login/oauth/access_token", common + "&code_verifier=the-verifier" + in_form},
      {provider::google, "https://api/token", common + "&code_verifier=the-verifier" + in_form},
      {provider::discord, "https://api/oauth2/token", common + in_form},
      {provider::apple, "https://site/auth/token", common + "&code_verifier=the-verifier" + in_form},
      {provider::microsoft, "https://site/oauth2/v2.0/token", common + "&code_verifier=the-verifier" + in_form},
      {provider::twitter, "https://api/2/oauth2/token", common + "&code_verifier=the-verifier&client_id=our%20id"},
  };
  for (auto& [which, url, form] : rows) {
    auto request = token_request(ours, trip_to(which), secret{"the code"});
    CAF_CHECK_EQUAL(request.method + " " + request.url, "POST " + url);
    CAF_CHECK_EQUAL(request.body, form);
    auto authorization = std::find_if(request.headers.begin(), request.headers.end(),
                                      [](auto& header) { return header.first == "Authorization"; });
    CAF_CHECK_EQUAL(authorization != request.headers.end(), which == provider::twitter);
    if (authorization != request.headers.end())
      CAF_CHECK_EQUAL(authorization->second, "Basic b3VyJTIwaWQ6b3VyJTIwc2VjcmV0");
  }
}

CAF_TEST(a wrong code is told from a wrong client) {
  struct row {
    int status;
    std::string body;
    ec code;
  };
  const row rows[]{
      {200, R"({"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."})",
       ec::refused},
      {200, R"({"error":"incorrect_client_credentials"})", ec::upstream},
      {200, R"({"error":"redirect_uri_mismatch"})", ec::upstream},
      {400, R"({"error":"invalid_grant","error_description":"Invalid \"code\" in request."})", ec::refused},
      {400, R"({"error":"invalid_grant","error_codes":[70008]})", ec::refused},
      {400, R"({"error":"invalid_request","error_description":"Value passed for the authorization code was invalid."})",
       ec::refused},
      {401, R"({"error":"invalid_client"})", ec::upstream},
      {400, R"({"error":"invalid_client"})", ec::upstream},
      {500, R"({"error":"invalid_grant"})", ec::upstream},
      {429, "slow down", ec::upstream},
      {200, "access_token=gho_16C7&scope=user", ec::upstream},
      {200, "[]", ec::upstream},
      {200, R"({"error":{"code":1}})", ec::none},
      {200, R"({"access_token":"gho_16C7","scope":"read:user,user:email","token_type":"bearer"})", ec::none},
  };
  for (auto& [status, body, code] : rows)
    CAF_CHECK(code_of([&] { read_tokens(http_response{status, {}, body}); }) == code);
}

CAF_TEST(GitHub tells the verified address in a list of its own) {
  const auto user = json::parse(R"({"login":"octocat","id":583231,"name":"The Octocat","email":"public@github.com"})");
  const auto emails =
      json::parse(R"([{"email":"public@github.com","primary":false,"verified":true,"visibility":"public"},
    {"email":"octocat@github.com","primary":true,"verified":true,"visibility":null}])");
  CAF_CHECK(read_pages(provider::github, {user, emails}) ==
            (person{"583231", "octocat", "The Octocat", "octocat@github.com", true}));
  CAF_CHECK(!read_pages(provider::github, {user, nullptr}).email);
  CAF_CHECK(read_page(provider::github, 1, {403, {}, "{}"}).is_null());
  CAF_CHECK(code_of([] { read_page(provider::github, 0, {403, {}, "{}"}); }) == ec::upstream);
  CAF_CHECK_EQUAL(count_pages(provider::github), 2u);
  auto unverified = emails;
  unverified[1]["verified"] = false;
  CAF_CHECK(!read_pages(provider::github, {user, unverified}).is_email_verified);
}

CAF_TEST(Discord says itself whether an address is verified) {
  const auto user = json::parse(R"({"id":"80351110224678912","username":"nelly","discriminator":"0",
    "global_name":"Nelly","verified":true,"email":"nelly@discord.com","mfa_enabled":true})");
  CAF_CHECK(read_pages(provider::discord, {user}) ==
            (person{"80351110224678912", "nelly", "Nelly", "nelly@discord.com", true}));
  auto bare = json::parse(R"({"id":"80351110224678912","username":"nelly","global_name":null,"email":null})");
  CAF_CHECK(read_pages(provider::discord, {bare}) == (person{"80351110224678912", "nelly"}));
}

CAF_TEST(X shows only a confirmed address) {
  const auto user = json::parse(
      R"({"data":{"id":"2244994945","name":"X Developers","username":"XDevelopers","confirmed_email":"dev@x.com"}})");
  CAF_CHECK(read_pages(provider::twitter, {user}) ==
            (person{"2244994945", "XDevelopers", "X Developers", "dev@x.com", true}));
  auto bare = user;
  bare["data"].erase("confirmed_email");
  CAF_CHECK(!read_pages(provider::twitter, {bare}).is_email_verified);
}

CAF_TEST(identity tokens of Google and Apple name the person) {
  CAF_CHECK(read_claims(provider::google,
                        {{"email", "a@gmail.com"}, {"email_verified", true}, {"name", "Ada"}, {"azp", "our id"}}) ==
            (person{"1100", {}, "Ada", "a@gmail.com", true}));
  CAF_CHECK(read_claims(provider::apple, {{"email", "x@privaterelay.appleid.com"}, {"email_verified", "true"}}) ==
            (person{"1100", {}, {}, "x@privaterelay.appleid.com", true}));
  CAF_CHECK(!read_claims(provider::apple, {{"email", "a@b.c"}, {"email_verified", "false"}}).is_email_verified);
  CAF_CHECK(!read_claims(provider::google, {{"email", "a@b.c"}}).is_email_verified);
}

CAF_TEST(an address from Microsoft counts only where the tenant owns the domain) {
  const client microsoft{"https://login/common", "", "our id", secret{"s"}};
  const json claims{{"iss", "https://login/72f988bf/v2.0"}, {"tid", "72f988bf"}, {"email", "ceo@victim.com"}};
  auto with = [&](const json& more) {
    auto all = claims;
    all.merge_patch(more);
    return read_claims(provider::microsoft, all, microsoft);
  };
  CAF_CHECK(!with(json::object()).is_email_verified);
  CAF_CHECK(!with({{"email_verified", true}}).is_email_verified);
  CAF_CHECK(!with({{"xms_edov", false}}).is_email_verified);
  for (const json& yes : {json(true), json("1"), json(1), json("true")})
    CAF_CHECK(with({{"xms_edov", yes}}).is_email_verified);
  CAF_CHECK(code_of([&] { with({{"tid", "another"}}); }) == ec::upstream);
}

CAF_TEST(the claims of an identity token are checked) {
  const std::pair<json, ec> rows[]{
      {{{"aud", json::array({"our id"})}}, ec::none},
      {{{"aud", json::array({"our id", "other"})}, {"azp", "our id"}}, ec::none},
      {{{"aud", json::array({"our id", "other"})}}, ec::upstream},
      {{{"aud", "other"}}, ec::upstream},
      {{{"aud", nullptr}}, ec::upstream},
      {{{"aud", json::array()}}, ec::upstream},
      {{{"iss", "https://site.evil"}}, ec::upstream},
      {{{"iss", nullptr}}, ec::upstream},
      {{{"exp", 1'799'999'941}}, ec::none}, // a minute is forgiven
      {{{"exp", 1'799'999'940}}, ec::upstream},
      {{{"exp", INT64_MAX}}, ec::none},
      {{{"exp", "soon"}}, ec::upstream},
      {{{"nonce", "another"}}, ec::refused},
      {{{"nonce", nullptr}}, ec::refused},
      {{{"sub", nullptr}}, ec::upstream},
      {{{"sub", ""}}, ec::upstream},
      {{{"sub", std::string(256, 'x')}}, ec::upstream},
  };
  for (auto& [changes, code] : rows) CAF_CHECK(code_of([&] { read_claims(provider::google, changes); }) == code);
  for (auto token : {"", "a", "a.b", "a.!.c", "a.bnVsbA.c", "a.e30.c"})
    CAF_CHECK(code_of([&] {
                read_person(ours, trip_to(provider::google), {{"id_token", token}}, {}, now);
              }) == ec::upstream);
}

namespace {

constexpr std::array all{provider::github, provider::google,    provider::discord,
                         provider::apple,  provider::microsoft, provider::twitter};

struct fixture {
  scripted_system remote{[](const incoming&) { return silence; }};

  clients clients_at(const std::string& url) {
    clients made;
    for (auto* each : {&made.github, &made.google, &made.discord, &made.apple, &made.microsoft, &made.twitter})
      *each = {url, url, "our id", secret{"our secret"}};
    return made;
  }
  harness client_at(const std::string& url) {
    return harness{"oauth",
                   [=, this](auto* parent, auto context) { return spawn_oauth(parent, context, clients_at(url)); }};
  }
  identify order(provider which) { return {trip_to(which), secret{"code"}}; }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(oauth_tests, fixture)

CAF_TEST(a provider that is not there is told from one that says no) {
  auto away = client_at(refused_url());
  CAF_CHECK(away.failure(order(provider::github)) == ec::unavailable);
  auto client = client_at(remote.url());
  CAF_CHECK(client.failure(order(provider::google)) == ec::timeout);
  remote.play([](const incoming&) { return hang_up; });
  CAF_CHECK(client.failure(order(provider::google)) == ec::timeout);
  remote.play([](const incoming&) { return answer(400, R"({"error":"invalid_grant"})"); });
  CAF_CHECK(client.failure(order(provider::google)) == ec::refused);
}

CAF_TEST(nonsense is answered and nobody dies) {
  auto client = client_at(remote.url());
  for (auto& text : nonsense()) {
    remote.play([&](const incoming&) { return text; });
    for (auto which : all) CAF_CHECK(client.failure(order(which)) == ec::upstream);
    remote.play([&](const incoming& request) {
      return request.method == "POST" ? answer(200, R"({"access_token":"t","id_token":"a.e30.c"})") : text;
    });
    for (auto which : all) CAF_CHECK(client.failure(order(which)) == ec::upstream);
  }
  CAF_CHECK_EQUAL(client.pulse->restarts.load(), 0u);
}

CAF_TEST(without an id or a secret we are no client) {
  harness client{"oauth", [](auto* parent, auto context) { return spawn_oauth(parent, context, clients{}); }};
  for (auto which : all) {
    CAF_CHECK(client.failure(order(which)) == ec::not_found);
    CAF_CHECK(client.failure(get_authorize_url{trip_to(which), secret{"s"}}) == ec::not_found);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
