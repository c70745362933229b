#define CAF_SUITE http_router

#include "http/kernel/router.hpp"

#include <stdexcept>

#include "caf/test/dsl.hpp"

using namespace backstay::http;

namespace {

struct fixture {
  void add(std::string method, std::vector<std::string> paths) {
    auto label = method + " " + paths.front();
    routes.add({.method = std::move(method), .paths = std::move(paths), .summary = label});
  }
  /// What answers, as "METHOD path value value"; or "405 methods"; or "404".
  std::string find(std::string_view method, std::string_view path) {
    auto found = routes.find(method, path);
    if (!found.route) return found.allowed.empty() ? "404" : "405 " + found.allowed;
    auto text = found.route->summary;
    for (auto& value : found.placeholders) text += " " + value;
    return text;
  }
  router routes;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(router_tests, fixture)

CAF_TEST(paths are found whole) {
  add("GET", {"/"});
  add("GET", {"/plans"});
  add("POST", {"/plans/order"});
  CAF_CHECK_EQUAL(find("GET", "/"), "GET /");
  CAF_CHECK_EQUAL(find("GET", "/plans"), "GET /plans");
  CAF_CHECK_EQUAL(find("POST", "/plans/order"), "POST /plans/order");
  for (auto path : {"/plan", "/planss", "/Plans", "/plans/", "/plans/order/more", "/plans/orde"})
    CAF_CHECK_EQUAL(find("GET", path) == "404", path != std::string{"/plans/"});
}

CAF_TEST(trailing and doubled slashes make no difference) {
  add("GET", {"/a/{id}/b"});
  for (auto path : {"/a/7/b", "/a/7/b/", "//a///7/b//", "a/7/b"}) CAF_CHECK_EQUAL(find("GET", path), "GET /a/{id}/b 7");
}

CAF_TEST(literal segments win over placeholders) {
  add("GET", {"/servers/{id}"});
  add("GET", {"/servers/best"});
  CAF_CHECK_EQUAL(find("GET", "/servers/best"), "GET /servers/best");
  CAF_CHECK_EQUAL(find("GET", "/servers/bes"), "GET /servers/{id} bes");
}

CAF_TEST(a literal that leads nowhere is gone back on) {
  add("GET", {"/a/b/c"});
  add("GET", {"/a/{x}/d"});
  add("GET", {"/{y}/b/{z}/e"});
  CAF_CHECK_EQUAL(find("GET", "/a/b/c"), "GET /a/b/c");
  CAF_CHECK_EQUAL(find("GET", "/a/b/d"), "GET /a/{x}/d b");
  CAF_CHECK_EQUAL(find("GET", "/a/b/q/e"), "GET /{y}/b/{z}/e a q");
  CAF_CHECK_EQUAL(find("GET", "/a/b/q/f"), "404");
}

CAF_TEST(placeholders are decoded after the path was cut) {
  add("GET", {"/files/{name}"});
  CAF_CHECK_EQUAL(find("GET", "/files/a%2Fb%20c"), "GET /files/{name} a/b c");
  CAF_CHECK_EQUAL(find("GET", "/files/%d0%b6"), "GET /files/{name} \xd0\xb6");
  CAF_CHECK_EQUAL(find("GET", "/files/a+b"), "GET /files/{name} a+b");
  for (auto broken : {"/files/%", "/files/%4", "/files/%zz", "/files/%ff", "/files/%c0%af"})
    CAF_CHECK_EQUAL(find("GET", broken), "404");
}

CAF_TEST(the wrong method is told what is allowed) {
  add("POST", {"/things"});
  add("GET", {"/things"});
  add("DELETE", {"/things/{id}"});
  CAF_CHECK_EQUAL(find("PUT", "/things"), "405 GET, HEAD, POST");
  CAF_CHECK_EQUAL(find("GET", "/things/1"), "405 DELETE");
  CAF_CHECK_EQUAL(find("get", "/things"), "405 GET, HEAD, POST");
}

CAF_TEST(HEAD is answered where GET is) {
  add("GET", {"/plans"});
  add("POST", {"/orders"});
  CAF_CHECK_EQUAL(find("HEAD", "/plans"), "GET /plans");
  CAF_CHECK_EQUAL(find("HEAD", "/orders"), "405 POST");
}

CAF_TEST(aliases lead to the same endpoint) {
  add("GET", {"/new/{id}", "/old/{id}"});
  CAF_CHECK_EQUAL(find("GET", "/old/5"), "GET /new/{id} 5");
  CAF_CHECK_EQUAL(routes.routes().size(), 1u);
}

CAF_TEST(the same method and path twice is refused) {
  add("GET", {"/a/{x}", "/b"});
  for (auto taken : {"/a/{y}", "/a/{x}/", "/b"}) {
    bool refused = false;
    try {
      add("GET", {taken});
    } catch (const std::logic_error&) {
      refused = true;
    }
    CAF_CHECK(refused);
  }
  add("POST", {"/b"});
}

CAF_TEST(hundreds of routes are each found) {
  auto path = [](int i) {
    return "/family" + std::to_string(i % 5) + "/v1/domain" + std::to_string(i % 25) + "/thing" + std::to_string(i);
  };
  for (int i = 0; i < 250; ++i) add("GET", {path(i) + (i % 2 ? "/{id}" : "")});
  int found = 0;
  for (int i = 0; i < 250; ++i)
    found += find("GET", path(i) + (i % 2 ? "/x" : "")) == "GET " + path(i) + (i % 2 ? "/{id} x" : "");
  CAF_CHECK_EQUAL(found, 250);
  CAF_CHECK_EQUAL(find("GET", "/family0/v1/domain1/thing0"), "404");
}

CAF_TEST(a path of a thousand segments costs nothing special) {
  add("GET", {"/{a}/{b}/{c}"});
  std::string path;
  for (int i = 0; i < 35'000; ++i) path += "/x";
  CAF_CHECK_EQUAL(find("GET", path), "404");
}

CAF_TEST_FIXTURE_SCOPE_END()
