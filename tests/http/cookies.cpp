#define CAF_SUITE http_cookies

#include "http/policy/cookies.hpp"

#include "actors/kernel/crypto.hpp"
#include "http/kernel/endpoint.hpp"
#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::chrono_literals;

namespace backstay::http::cookies_test {

template <class T>
void admitted(const T&);

/// Answers who asks.
struct who_am_i {
  using reply = std::string;
};
std::string respond(const who_am_i&, const exchange& x) { return x.session ? to_string(x.session->session) : "nobody"; }

/// Answers the session of the cookie, as refresh and logout take it.
struct use_cookie {
  using reply = std::string;
  std::optional<std::string> token;
  std::optional<session_id> session;
};
std::string respond(const use_cookie& m, const exchange&) { return m.session ? to_string(*m.session) : "none"; }

constexpr shape told{field("who", [](const std::string& text) { return text; })};

constexpr dialect family{"test"};
constexpr std::tuple endpoints{
    get<who_am_i>("/who", allow::signed_in, bucket::none, "", answers(200, told)),
    post<who_am_i>("/who", allow::signed_in, bucket::none, "", answers(200, told)),
    del<who_am_i>("/who", allow::signed_in, bucket::none, "", answers(200, told)),
    post<who_am_i>("/better", allow::anyone_better_signed_in, bucket::none, "", answers(200, told)),
    post<use_cookie>("/refresh", allow::anyone, bucket::none, "", answers(200, told),
                     from_json("refresh_token", &use_cookie::token),
                     from_cookie(&use_cookie::session, "refresh_token")),
};

using header = std::pair<std::string, std::string>;

struct fixture : test::house {
  fixture() { add_endpoints(routes, family, "Test", answered_here, endpoints); }

  header cookie_of(const sessions::session_view& whose) {
    return {"Cookie", "theme=dark; session_token=" + context().cookies.session_token(whose.session) + "; a=b"};
  }
  header csrf_of(const sessions::session_view& whose) {
    return {"X-CSRF-Token", context().cookies.csrf_token(whose.session)};
  }
  test::received_ptr ask(std::string method, std::string path, std::vector<header> headers, std::string body = {}) {
    return send({.method = std::move(method), .target = std::move(path), .body = std::move(body), .headers = headers});
  }
  /// The session that an answer names; else its status and code.
  std::string told_by(const test::received_ptr& answer) {
    if (answer->status() == 200) return answer->field("who").get<std::string>();
    return std::to_string(answer->status()) + " " + answer->code();
  }
  std::string read(std::vector<header> headers) { return told_by(ask("GET", "/who", std::move(headers))); }
  std::string write(std::vector<header> headers) { return told_by(ask("POST", "/who", std::move(headers))); }
  std::string refresh(std::vector<header> headers, std::string body = {}) {
    return told_by(ask("POST", "/refresh", std::move(headers), std::move(body)));
  }
};

} // namespace backstay::http::cookies_test

using namespace backstay::http::cookies_test;

CAF_TEST_FIXTURE_SCOPE(cookies_tests, fixture)

CAF_TEST(what was given to a browser is read again) {
  auto session = session_id::random();
  known_device device{account_id::random(), uuid::random()};
  auto& cookies = context().cookies;
  CAF_CHECK(cookies.read_session_token(cookies.session_token(session)) == session);
  CAF_CHECK(cookies.read_known_device_token(cookies.known_device_token(device)) == device);
  CAF_CHECK(cookies.is_csrf_token(session, cookies.csrf_token(session)));
  CAF_CHECK(!cookies.is_csrf_token(session_id::random(), cookies.csrf_token(session)));
}

CAF_TEST(what was tampered with is nothing) {
  auto& cookies = context().cookies;
  auto session = session_id::random();
  auto token = cookies.session_token(session);
  CAF_CHECK_EQUAL(token.size(), 64u);
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto bad = token;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    CAF_CHECK(!cookies.read_session_token(bad));
  }
  for (auto bad : {std::string{}, std::string{"x"}, token + "AAAA", token.substr(4), std::string(100'000, 'A')})
    CAF_CHECK(!cookies.read_session_token(bad));
  browser_cookies others{keyring{{secret{std::string(32, 'x')}}}, true};
  CAF_CHECK(!others.read_session_token(token));
  // One kind is not taken for another.
  CAF_CHECK(!cookies.is_csrf_token(session, token));
  CAF_CHECK(!cookies.read_session_token(cookies.csrf_token(session)));
}

CAF_TEST(a key may be replaced) {
  const secret older{std::string(32, 'o')}, newer{std::string(32, 'n')};
  browser_cookies before{keyring{{older}}, true}, after{keyring{{newer, older}}, true};
  auto session = session_id::random();
  CAF_CHECK(after.read_session_token(before.session_token(session)) == session);
  CAF_CHECK(after.is_csrf_token(session, before.csrf_token(session)));
  CAF_CHECK(!before.read_session_token(after.session_token(session)));
}

CAF_TEST(cookies are for this site and over TLS) {
  browser_cookies secure{keyring{{secret{std::string(32, 'k')}}}, true};
  CAF_CHECK_EQUAL(secure.set("a", "b", 60s), "a=b; Path=/; Max-Age=60; SameSite=Lax; HttpOnly; Secure");
  CAF_CHECK_EQUAL(secure.set("a", "b", 60s, true), "a=b; Path=/; Max-Age=60; SameSite=Lax; Secure");
  browser_cookies plain{keyring{{secret{std::string(32, 'k')}}}, false};
  CAF_CHECK_EQUAL(plain.set("a", "", 0s), "a=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly");
}

CAF_TEST(a cookie is found among others) {
  test::sent all{.headers = {{"cookie", "a=1;b=2 ; session_token=x=y; session=z"}}};
  auto in = all.view();
  CAF_CHECK_EQUAL(in.cookie("a"), "1");
  CAF_CHECK_EQUAL(in.cookie("b"), "2");
  CAF_CHECK_EQUAL(in.cookie("session_token"), "x=y");
  CAF_CHECK_EQUAL(in.cookie("session"), "z");
  for (auto none : {"token", "", "A", "1"}) CAF_CHECK_EQUAL(in.cookie(none), "");
  CAF_CHECK_EQUAL(test::sent{}.view().cookie("a"), "");
}

// ---- ruling 7: bearer and cookie ----

CAF_TEST(a cookie speaks where the bearer is nothing) {
  auto bob = make_session();
  CAF_CHECK_EQUAL(read({cookie_of(bob)}), to_string(bob.session));
  for (auto nothing : {"", "Bearer", "Bearer ", "Bearer null", "Bearer garbage", "Bearer a.b.c", "Basic eDp5"})
    CAF_CHECK_EQUAL(read({{"Authorization", nothing}, cookie_of(bob)}), to_string(bob.session));
  CAF_CHECK_EQUAL(read({{"Cookie", "session_token=garbage"}}), "401 UNAUTHENTICATED");
  CAF_CHECK(confirmed_tokens.empty());
}

CAF_TEST(a bearer that is something decides alone) {
  auto ann = make_session(), bob = make_session();
  CAF_CHECK_EQUAL(read({bearer_of(ann), cookie_of(bob)}), to_string(ann.session));
  CAF_CHECK_EQUAL(write({bearer_of(ann), cookie_of(bob)}), to_string(ann.session)); // no CSRF with a bearer
  header expired{"Authorization", "Bearer " + token_of(ann, 0s)};
  CAF_CHECK_EQUAL(read({expired, cookie_of(bob)}), "401 UNAUTHENTICATED");
  CAF_CHECK_EQUAL(read({expired, cookie_of(ann)}), "401 UNAUTHENTICATED");
  known_sessions.erase(ann.session);
  CAF_CHECK_EQUAL(read({bearer_of(ann), cookie_of(bob)}), "401 UNAUTHENTICATED");
}

CAF_TEST(a cookie ends with its session) {
  auto bob = make_session();
  known_sessions[bob.session].expires_at = clock->now() - 1s;
  CAF_CHECK_EQUAL(read({cookie_of(bob)}), "401 UNAUTHENTICATED");
  known_sessions.erase(bob.session);
  CAF_CHECK_EQUAL(read({cookie_of(bob)}), "401 UNAUTHENTICATED");
}

// ---- CSRF ----

CAF_TEST(a write by cookie needs a proof that our page sends it) {
  auto bob = make_session(), ann = make_session();
  CAF_CHECK_EQUAL(write({cookie_of(bob)}), "403 CSRF_FAILED");
  CAF_CHECK_EQUAL(write({cookie_of(bob), csrf_of(bob)}), to_string(bob.session));
  CAF_CHECK_EQUAL(write({cookie_of(bob), csrf_of(ann)}), "403 CSRF_FAILED");
  CAF_CHECK_EQUAL(write({cookie_of(bob), {"X-CSRF-Token", ""}}), "403 CSRF_FAILED");
  CAF_CHECK_EQUAL(write({cookie_of(bob), {"Sec-Fetch-Site", "same-origin"}}), to_string(bob.session));
  for (auto site : {"same-site", "cross-site", "none", "Same-Origin", ""})
    CAF_CHECK_EQUAL(write({cookie_of(bob), {"Sec-Fetch-Site", site}}), "403 CSRF_FAILED");
  CAF_CHECK_EQUAL(told_by(ask("DELETE", "/who", {cookie_of(bob)})), "403 CSRF_FAILED");
}

CAF_TEST(where a session is only welcome a forged write goes on as nobody) {
  auto bob = make_session();
  CAF_CHECK_EQUAL(told_by(ask("POST", "/better", {cookie_of(bob)})), "nobody");
  CAF_CHECK_EQUAL(told_by(ask("POST", "/better", {cookie_of(bob), csrf_of(bob)})), to_string(bob.session));
}

// ---- what acts on the cookie without a bearer ----

CAF_TEST(refresh and logout act on the cookie where the body names no token) {
  auto bob = make_session();
  auto session = to_string(bob.session);
  CAF_CHECK_EQUAL(refresh({cookie_of(bob), csrf_of(bob)}), session);
  CAF_CHECK_EQUAL(refresh({cookie_of(bob), {"Sec-Fetch-Site", "same-origin"}}, R"({"refresh_token": null})"), session);
  CAF_CHECK_EQUAL(refresh({cookie_of(bob), csrf_of(bob)}, R"({"refresh_token": ""})"), session);
  CAF_CHECK_EQUAL(refresh({cookie_of(bob)}), "403 CSRF_FAILED");
  CAF_CHECK_EQUAL(refresh({cookie_of(bob)}, R"({"refresh_token": "x"})"), "none"); // the token speaks, no proof needed
  CAF_CHECK_EQUAL(refresh({}), "none");
  CAF_CHECK_EQUAL(refresh({{"Cookie", "session_token=garbage"}}), "none");
}

CAF_TEST(they do not mix it with the bearer of another session) {
  auto bob = make_session(), ann = make_session();
  header expired_of_ann{"Authorization", "Bearer " + token_of(ann, 0s)},
      expired_of_bob{"Authorization", "Bearer " + token_of(bob, 0s)}, nothing{"Authorization", "Bearer null"};
  CAF_CHECK_EQUAL(refresh({bearer_of(ann), cookie_of(bob), csrf_of(bob)}), "none");
  CAF_CHECK_EQUAL(refresh({expired_of_ann, cookie_of(bob), csrf_of(bob)}), "none");
  for (auto& own : {expired_of_bob, bearer_of(bob), nothing})
    CAF_CHECK_EQUAL(refresh({own, cookie_of(bob), csrf_of(bob)}), to_string(bob.session));
}

// ---- what a sign-in sets ----

CAF_TEST(a sign - in gives a browser its cookies) {
  auto bob = make_session();
  sessions::signed_in done{.account = bob.account, .grant = {.session = bob.session}};
  done.session_expires_at = clock->now() + 3600s;
  auto given = [&](std::vector<header> headers) {
    auto kept = std::make_shared<test::received>();
    auto x = open({.method = "POST", .headers = std::move(headers)}, kept);
    response out;
    set_session_cookies(done, *x, out);
    x->answer({});
    return out.headers;
  };
  auto cookies = given({{"Content-Type", "application/json"}});
  CAF_REQUIRE_EQUAL(cookies.size(), 3u);
  for (auto& [name, value] : cookies) CAF_CHECK_EQUAL(name, "Set-Cookie");
  CAF_CHECK(
      cookies[0].second.starts_with("session_token=" + context().cookies.session_token(bob.session) + "; Path=/"));
  CAF_CHECK(cookies[0].second.find("; HttpOnly") != std::string::npos);
  CAF_CHECK(cookies[1].second.starts_with("csrf_token=" + context().cookies.csrf_token(bob.session)));
  CAF_CHECK(cookies[1].second.find("HttpOnly") == std::string::npos);
  // The same browser stays the same device for its account, and is another for another account.
  auto device = cookies[2].second.substr(0, cookies[2].second.find(';'));
  CAF_CHECK(given({{"Cookie", device}})[2].second.starts_with(device));
  done.account.id = account_id::random();
  CAF_CHECK(!given({{"Cookie", device}})[2].second.starts_with(device));
  CAF_CHECK(given({{"Content-Type", "application/x-www-form-urlencoded"}}).empty());
  done.second_step = secret{"not yet"};
  CAF_CHECK(given({}).empty());
}

CAF_TEST(when somebody was seen is noted now and then) {
  context().sessions.set_deaf(false);
  auto bob = make_session();
  read({cookie_of(bob)});
  CAF_CHECK(seen.empty());
  context().sessions.forget("session:" + to_string(bob.session));
  known_sessions[bob.session].last_seen_at = clock->now() - 6min;
  for (int i = 0; i < 3; ++i) read({cookie_of(bob)});
  CAF_CHECK(seen == std::vector{bob.session});
}

CAF_TEST_FIXTURE_SCOPE_END()
