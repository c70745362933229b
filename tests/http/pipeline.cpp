#define CAF_SUITE http_pipeline

#include "http/kernel/pipeline.hpp"

#include "http/kernel/gateway.hpp"
#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::chrono_literals;

namespace backstay::http::pipeline_test {

template <class T>
void admitted(const T&);

struct greet {
  using reply = std::string;
};
using greeter = caf::typed_actor<answers<greet>>;

struct fixture : test::house {
  fixture() {
    domain = sys.spawn([this]() -> greeter::behavior_type { return {[this](const greet&) { return on_greet(); }}; });
    auto ask = [this](const exchange_ptr& x) {
      context().entry.ask(x, domain, greet{}, [](exchange& answered, const std::string& text) {
        answered.answer({.body = text + (answered.session ? " " + answered.session->account.login : "")});
      });
    };
    static constexpr dialect family{"test"};
    auto add = [&](const char* path, access needs, bucket charged = bucket::general) {
      auto* of = charged == bucket::none ? nullptr : &family; // as health and metrics
      routes.add({.method = "GET", .paths = {path}, .needs = needs, .bucket = charged, .family = of, .handle = ask});
    };
    add("/public", allow::anyone);
    add("/better", allow::anyone_better_signed_in);
    add("/private", allow::signed_in);
    add("/manage", permission::manage);
    add("/login", allow::anyone, bucket::login);
    add("/free", allow::anyone, bucket::none);
    routes.add({.method = "POST", .paths = {"/public"}, .body_limit = 10, .handle = ask});
    routes.add({.method = "GET", .paths = {"/fault"}, .handle = [](const exchange_ptr&) { fail(ec::gone); }});
    routes.add({.method = "GET", .paths = {"/throw"}, .handle = [](const exchange_ptr&) {
                  throw std::runtime_error{"internals that nobody should see"};
                }});
  }

  test::received_ptr get(std::string target, std::vector<std::pair<std::string, std::string>> headers = {}) {
    return send({.target = std::move(target), .headers = std::move(headers)});
  }
  test::received_ptr get_as(const sessions::session_view& who, std::string target) {
    return get(std::move(target), {bearer_of(who)});
  }

  std::function<caf::result<std::string>()> on_greet = [] { return std::string{"hello"}; };
  greeter domain;
};

} // namespace backstay::http::pipeline_test

using namespace backstay::http::pipeline_test;

CAF_TEST_FIXTURE_SCOPE(pipeline_tests, fixture)

CAF_TEST(a request goes through to its domain and back) {
  auto answer = get("/public/?x=1");
  CAF_CHECK_EQUAL(answer->status(), 200);
  CAF_CHECK_EQUAL(answer->text(), "hello");
  CAF_CHECK_EQUAL(answer->times, 1);
  CAF_CHECK_EQUAL(context().open_exchanges.load(), 0u);
}

// ---- what is not there ----

CAF_TEST(an unknown route is 404 and a known one with another method 405) {
  auto unknown = get("/nowhere");
  CAF_CHECK_EQUAL(unknown->status(), 404);
  CAF_CHECK_EQUAL(unknown->code(), "ROUTE_NOT_FOUND");
  auto wrong = send({.method = "DELETE", .target = "/public"});
  CAF_CHECK_EQUAL(wrong->status(), 405);
  CAF_CHECK_EQUAL(wrong->header("Allow"), "GET, HEAD, POST");
  CAF_CHECK_EQUAL(wrong->code(), "METHOD_NOT_ALLOWED");
}

CAF_TEST(a preflight is answered where the path exists) {
  settings.http.cors_origins = {"https://app.example.org"};
  std::vector<std::pair<std::string, std::string>> headers{{"Origin", "https://app.example.org"},
                                                           {"Access-Control-Request-Method", "POST"}};
  auto answer = send({.method = "OPTIONS", .target = "/public", .headers = headers});
  CAF_CHECK_EQUAL(answer->status(), 204);
  CAF_CHECK_EQUAL(answer->header("Access-Control-Allow-Methods"), "GET, HEAD, POST");
  CAF_CHECK_EQUAL(send({.method = "OPTIONS", .target = "/nowhere", .headers = headers})->status(), 404);
  CAF_CHECK_EQUAL(send({.method = "OPTIONS", .target = "/public"})->status(), 405);
}

// ---- limits ----

CAF_TEST(a URL above 8 kB is 414) {
  CAF_CHECK_EQUAL(get("/public?" + std::string(8192 - 8, 'x'))->status(), 200);
  auto answer = get("/public?" + std::string(8192 - 7, 'x'));
  CAF_CHECK_EQUAL(answer->status(), 414);
  CAF_CHECK_EQUAL(answer->code(), "URL_TOO_LONG");
}

CAF_TEST(above a hundred headers is 431) {
  std::vector<std::pair<std::string, std::string>> headers(100, {"X-A", "b"});
  CAF_CHECK_EQUAL(get("/public", headers)->status(), 200);
  headers.emplace_back("X-A", "b");
  CAF_CHECK_EQUAL(get("/public", headers)->status(), 431);
}

CAF_TEST(a body above the limit of the route is 413) {
  CAF_CHECK_EQUAL(send({.method = "POST", .target = "/public", .body = std::string(10, ' ')})->status(), 200);
  auto answer = send({.method = "POST", .target = "/public", .body = std::string(11, ' ')});
  CAF_CHECK_EQUAL(answer->status(), 413);
  CAF_CHECK_EQUAL(answer->code(), "TOO_LARGE");
}

// ---- request ids ----

CAF_TEST(a sane request id is echoed) {
  for (auto id : {"a", "7f3c-aB_9.x"}) {
    auto answer = get("/nowhere", {{"x-request-id", id}});
    CAF_CHECK_EQUAL(answer->header("X-Request-ID"), id);
    CAF_CHECK_EQUAL(answer->field("request_id"), id);
  }
  CAF_CHECK_EQUAL(get("/public", {{"X-Request-ID", std::string(128, 'a')}})->header("X-Request-ID").size(), 128u);
}

CAF_TEST(another is replaced by one of ours and each is new) {
  std::set<std::string> made{get("/public")->header("X-Request-ID")};
  for (auto& bad : std::vector<std::string>{"", "a b", "<script>", "a\"b", "\xd0\xb6", std::string(129, 'a')}) {
    auto id = get("/public", {{"X-Request-ID", bad}})->header("X-Request-ID");
    CAF_CHECK(!id.empty() && id != bad);
    made.insert(id);
  }
  CAF_CHECK_EQUAL(made.size(), 7u);
}

// ---- who asks ----

CAF_TEST(a private route wants a session) {
  auto without = get("/private");
  CAF_CHECK_EQUAL(without->status(), 401);
  CAF_CHECK_EQUAL(without->header("WWW-Authenticate"), "Bearer");
  CAF_CHECK_EQUAL(without->field("detail"), "Not authenticated");
  for (auto bad : {"Bearer x", "Bearer a.b.c", "Bearer null"})
    CAF_CHECK_EQUAL(get("/private", {{"Authorization", bad}})->field("detail"), "Invalid or expired token");
  for (auto none : {"Bearer ", "Bearer", "Basic eDp5", ""})
    CAF_CHECK_EQUAL(get("/private", {{"Authorization", none}})->field("detail"), "Not authenticated");
  CAF_CHECK_EQUAL(session_loads, 0);
}

CAF_TEST(a session is loaded once and then cached) {
  context().sessions.set_deaf(false);
  auto who = make_session();
  for (int i = 0; i < 3; ++i) CAF_CHECK_EQUAL(get_as(who, "/private")->text(), "hello ann");
  CAF_CHECK_EQUAL(session_loads, 1);
  context().sessions.forget("session:" + to_string(who.session));
  known_sessions.clear();
  auto revoked = get_as(who, "/private");
  CAF_CHECK_EQUAL(revoked->status(), 401);
  CAF_CHECK_EQUAL(revoked->field("detail"), "Invalid or revoked token");
}

CAF_TEST(a node that cannot hear reads through) {
  auto who = make_session();
  for (int i = 0; i < 3; ++i) CAF_CHECK_EQUAL(get_as(who, "/private")->status(), 200);
  CAF_CHECK_EQUAL(session_loads, 3);
}

CAF_TEST(a session that changes while it is loaded is not cached) {
  context().sessions.set_deaf(false);
  auto who = make_session();
  auto into = std::make_shared<test::received>();
  context().observe.watch(routes);
  {
    auto x = open({.target = "/private", .headers = {bearer_of(who)}}, into);
    identify(x);
    handle_request(routes, x);
  }
  context().sessions.forget("account:" + to_string(who.account.id)); // while the question is under way
  drive();
  CAF_CHECK_EQUAL(into->status(), 200);
  CAF_CHECK_EQUAL(context().sessions.size(), 0u);
}

CAF_TEST(an expired token or session is no session) {
  auto who = make_session();
  CAF_CHECK_EQUAL(get("/private", {{"authorization", "bearer " + token_of(who, 0s)}})->status(), 401);
  known_sessions[who.session].expires_at = clock->now() - 1s;
  CAF_CHECK_EQUAL(get_as(who, "/private")->field("detail"), "Invalid or revoked token");
}

CAF_TEST(a token of another account than its session is refused) {
  auto who = make_session(), other = make_session();
  who.session = other.session;
  CAF_CHECK_EQUAL(get_as(who, "/private")->status(), 401);
}

CAF_TEST(when sessions cannot be read it is 503 and not 401) {
  auto who = make_session();
  sessions_fail_with = ec::unavailable;
  CAF_CHECK_EQUAL(get_as(who, "/private")->status(), 503);
  CAF_CHECK_EQUAL(get_as(who, "/better")->text(), "hello"); // where it is only welcome it goes on without
}

CAF_TEST(where a session is only welcome a bad one does not matter) {
  CAF_CHECK_EQUAL(get("/better", {{"Authorization", "Bearer x"}})->text(), "hello");
  CAF_CHECK_EQUAL(get_as(make_session(), "/better")->text(), "hello ann");
  CAF_CHECK_EQUAL(get_as(make_session(), "/public")->text(), "hello");
}

CAF_TEST(the role is that of the session and not of the token) {
  auto viewer = make_session(role::viewer);
  auto refused = get_as(viewer, "/manage");
  CAF_CHECK_EQUAL(refused->status(), 403);
  CAF_CHECK_EQUAL(refused->code(), "FORBIDDEN");
  auto admin = viewer;
  admin.account.role = role::super_admin; // only the token says so
  CAF_CHECK_EQUAL(get_as(admin, "/manage")->status(), 403);
  CAF_CHECK_EQUAL(get_as(make_session(role::admin), "/manage")->status(), 200);
  CAF_CHECK_EQUAL(get("/manage")->status(), 401);
}

CAF_TEST(the first use of a token is told once) {
  context().sessions.set_deaf(false);
  auto who = make_session();
  for (int i = 0; i < 3; ++i) get_as(who, "/private");
  CAF_CHECK_EQUAL(confirmed_tokens, std::vector<std::string>{"token-1"});
  auto older = who;
  older.token_id = "token-0"; // of the generation before
  get_as(older, "/private");
  CAF_CHECK_EQUAL(confirmed_tokens.size(), 1u);
}

// ---- how much ----

CAF_TEST(beyond the budget is 429 with a time to wait) {
  settings.limits.general = 3;
  for (int i = 0; i < 3; ++i) CAF_CHECK_EQUAL(get("/public")->status(), 200);
  auto refused = get("/public");
  CAF_CHECK_EQUAL(refused->status(), 429);
  auto wait = std::stoi(std::string{refused->header("Retry-After")});
  CAF_CHECK(wait >= 55 && wait <= 61);
  CAF_CHECK_EQUAL(send({.target = "/public", .peer = "198.51.100.2"})->status(), 200);
  CAF_CHECK_EQUAL(get("/free")->status(), 200);
}

CAF_TEST(who has a session is counted by account and not by address) {
  settings.limits.general = 1;
  auto one = make_session(), two = make_session();
  CAF_CHECK_EQUAL(get_as(one, "/private")->status(), 200);
  CAF_CHECK_EQUAL(get_as(two, "/private")->status(), 200);
  CAF_CHECK_EQUAL(get_as(one, "/private")->status(), 429);
}

CAF_TEST(sign in is counted by address and an IPv6 client by its network) {
  settings.limits.login_per_address = 1;
  CAF_CHECK_EQUAL(send({.target = "/login", .peer = "2001:db8::1"})->status(), 200);
  CAF_CHECK_EQUAL(send({.target = "/login", .peer = "2001:db8::2"})->status(), 429);
  CAF_CHECK_EQUAL(send({.target = "/login", .peer = "2001:db8:0:1::2"})->status(), 200);
}

CAF_TEST(behind a trusted proxy the client is counted) {
  settings.http.trusted_proxies = {"10.0.0.0/8"};
  settings.limits.general = 1;
  auto by_way_of_proxy = [&](std::string client) {
    return send({.target = "/public", .headers = {{"X-Forwarded-For", std::move(client)}}, .peer = "10.0.0.1"})
        ->status();
  };
  CAF_CHECK_EQUAL(by_way_of_proxy("198.51.100.1"), 200);
  CAF_CHECK_EQUAL(by_way_of_proxy("198.51.100.1"), 429);
  CAF_CHECK_EQUAL(by_way_of_proxy("198.51.100.2"), 200);
}

CAF_TEST(in development loopback has no address limits) {
  settings.limits.general = 1;
  settings.environment = "development";
  for (int i = 0; i < 5; ++i) CAF_CHECK_EQUAL(send({.target = "/public", .peer = "127.0.0.1"})->status(), 200);
  settings.environment = "production";
  send({.target = "/public", .peer = "127.0.0.1"});
  CAF_CHECK_EQUAL(send({.target = "/public", .peer = "127.0.0.1"})->status(), 429);
}

CAF_TEST(above the gate nothing is begun) {
  settings.gate.open_exchanges = 2;
  std::vector<caf::typed_response_promise<std::string>> held;
  context().open_exchanges = 2;
  auto refused = get("/public");
  CAF_CHECK_EQUAL(refused->status(), 503);
  CAF_CHECK_EQUAL(refused->code(), "OVERLOADED");
  CAF_CHECK_EQUAL(refused->header("Retry-After"), "1");
  CAF_CHECK_EQUAL(get("/free")->status(), 200); // health and metrics go through
  context().open_exchanges = 1;
  CAF_CHECK_EQUAL(get("/public")->status(), 200);
}

CAF_TEST(a server that stops begins nothing new) {
  context().is_stopping = true;
  auto refused = get("/public");
  CAF_CHECK_EQUAL(refused->status(), 503);
  CAF_CHECK_EQUAL(refused->code(), "STOPPING");
  CAF_CHECK_EQUAL(get("/free")->status(), 200);
}

// ---- what goes wrong ----

CAF_TEST(what an endpoint throws is answered) {
  CAF_CHECK_EQUAL(get("/fault")->status(), 410);
  auto broken = get("/throw");
  CAF_CHECK_EQUAL(broken->status(), 500);
  CAF_CHECK(broken->text().find("internals") == std::string::npos);
}

CAF_TEST(each way in which a domain fails has its status) {
  for (auto [code, status] : std::vector<std::pair<ec, int>>{{ec::restarting, 503},
                                                             {ec::unavailable, 503},
                                                             {ec::in_doubt, 504},
                                                             {ec::internal, 500},
                                                             {ec::not_found, 404}}) {
    on_greet = [code = code] { return caf::result<std::string>{to_error({.code = code})}; };
    CAF_CHECK_EQUAL(get("/public")->status(), status);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
