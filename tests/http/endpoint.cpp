#define CAF_SUITE http_endpoint

#include "http/kernel/endpoint.hpp"

#include "http/kernel/openapi.hpp"
#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;

namespace backstay::http::endpoint_test {

template <class T>
void admitted(const T&);

struct item {
  std::string name;
  int count = 1;
};

struct place_order {
  using reply = done;
  std::string shop;
  std::optional<int> page;
  int limit = 50;
  std::optional<std::string> language;
  std::string title;
  std::string color = "black";
  std::vector<item> items;
  std::string channel;
  backstay::caller caller;
  account_id account;
  session_id session;
  backstay::origin origin;
  std::optional<claim_id> claim;
  bool refined = false;
};

struct receive_hook {
  using reply = done;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct change_avatar {
  using reply = done;
  std::string caption;
  upload image;
};

struct get_greeting {
  using reply = std::string;
  std::string name = "you";
};

using shop_actor =
    caf::typed_actor<backstay::answers<place_order>, backstay::answers<receive_hook>, backstay::answers<change_avatar>>;

std::string respond(const get_greeting& m, const exchange&) { return "hello " + m.name; }

constexpr shape item_shape{field("name", &item::name, length(1, 9)), field("count", &item::count, between(1, 5))};
constexpr shape ok{field("ok", [](const done&) { return true; })};
constexpr shape greeting{field("text", [](const std::string& text) { return text; })};

constexpr std::tuple shop_endpoints{
    post<place_order>(
        "/shops/{shop}/orders", allow::signed_in, bucket::payments, "Order something", also("/stores/{shop}/orders"),
        answers(201, ok, "Ordered"), fails(404, "No such shop"), from_path("shop", &place_order::shop, length(1, 5)),
        from_query("page", &place_order::page, between(1, 9), "Which page"),
        from_query("limit", &place_order::limit, between(1, 100)),
        from_header("Accept-Language", &place_order::language, length(2, 5)),
        from_json("title|name", &place_order::title, length(1, 10), "What for"),
        from_json_or_default("color", &place_order::color, length(1, 10)),
        from_json("items", &place_order::items, item_shape), set(&place_order::channel, "web"),
        from_session(&place_order::caller), from_session(&place_order::account), from_session(&place_order::session),
        from_origin(&place_order::origin), from_idempotency_key(&place_order::claim), refined_by(+[](place_order& m) {
          m.refined = true;
          if (m.title == "refuse me") fail_field("title", "Not this one");
        })),
    post<receive_hook>("/hook", allow::anyone, bucket::none, "A webhook", answers_nothing(204), body_up_to(1000),
                       from_raw_body(&receive_hook::body), from_headers(&receive_hook::headers)),
    put<change_avatar>("/avatar", allow::anyone, bucket::general, "Change a picture", answers(200, ok),
                       from_json("caption", &change_avatar::caption, length(0, 20)),
                       from_file("image", &change_avatar::image, 8, "At most 8 bytes")),
};
constexpr std::tuple greeting_endpoints{
    get<get_greeting>("/greeting", allow::anyone, bucket::general, "Say hello", answers(200, greeting),
                      from_query("name", &get_greeting::name)),
};

// What must not compile. `Make` is evaluated as a template argument: there a failure is an answer, not an error.
template <auto Make>
concept compiles = requires {
  typename std::bool_constant<(Make(), true)>;
};

constexpr auto reads_its_placeholder = []() consteval {
  return get<place_order>("/{shop}", allow::anyone, bucket::none, "", answers_nothing(204),
                          from_path("shop", &place_order::shop));
};
constexpr auto reads_no_placeholder = []() consteval {
  return get<place_order>("/{shop}", allow::anyone, bucket::none, "", answers_nothing(204));
};
constexpr auto reads_another_placeholder = []() consteval {
  return get<place_order>("/{shop}", allow::anyone, bucket::none, "", answers_nothing(204),
                          from_path("sho", &place_order::shop));
};
constexpr auto knows_its_session = []() consteval {
  return get<place_order>("/", permission::manage, bucket::none, "", answers_nothing(204),
                          from_session(&place_order::caller));
};
constexpr auto wants_a_session_of_anyone = []() consteval {
  return get<place_order>("/", allow::anyone, bucket::none, "", answers_nothing(204),
                          from_session(&place_order::caller));
};
constexpr auto claims_for_anyone = []() consteval {
  return get<place_order>("/", allow::anyone_better_signed_in, bucket::none, "", answers_nothing(204),
                          from_idempotency_key(&place_order::claim));
};
static_assert(compiles<reads_its_placeholder>);
static_assert(!compiles<reads_no_placeholder>);
static_assert(!compiles<reads_another_placeholder>);
static_assert(compiles<knows_its_session>);
static_assert(!compiles<wants_a_session_of_anyone>);
static_assert(!compiles<claims_for_anyone>);

constexpr dialect family{"test"};

struct fixture : test::house {
  fixture() {
    auto shop = sys.spawn([this]() -> shop_actor::behavior_type {
      return {[this](const place_order& m) { return order = m, done{}; },
              [this](const receive_hook& m) { return hook = m, done{}; },
              [this](const change_avatar& m) { return avatar = m, done{}; }};
    });
    add_endpoints(routes, family, "Shop", shop, shop_endpoints);
    add_endpoints(routes, family, "Greeting", answered_here, greeting_endpoints);
  }

  /// Orders with a session; the body is JSON unless a header says otherwise.
  test::received_ptr place(std::string body, std::string target = "/shops/s1/orders",
                           std::vector<std::pair<std::string, std::string>> headers = {}) {
    headers.push_back(bearer_of(who));
    return send(
        {.method = "POST", .target = std::move(target), .body = std::move(body), .headers = std::move(headers)});
  }
  /// The broken fields of a 422.
  std::vector<std::string> problems(const test::received_ptr& of) {
    CAF_CHECK_EQUAL(of->status(), 422);
    std::vector<problem> all;
    auto errors = of->field("errors");
    for (auto& each : errors) all.push_back({each["loc"], each["msg"], each["type"]});
    return test::list_problems(all);
  }

  sessions::session_view who = make_session(role::support);
  std::optional<place_order> order;
  std::optional<receive_hook> hook;
  std::optional<change_avatar> avatar;
};

using list = std::vector<std::string>;
constexpr auto good = R"({"title":"t","items":[{"name":"a","count":2}]})";

} // namespace backstay::http::endpoint_test

using namespace backstay::http::endpoint_test;

CAF_TEST_FIXTURE_SCOPE(endpoint_tests, fixture)

CAF_TEST(every member comes from where the declaration says) {
  on_claim = [](const idempotency::claim_key&) {
    return idempotency::claimed{*claim_id::parse("550e8400-e29b-41d4-a716-446655440000"), {}};
  };
  auto answer =
      place(R"({"title":"t","color":"red","items":[{"name":"a","count":2},{"name":"b","count":1}]})",
            "/shops/s%311/orders?page=3&limit=7",
            {{"accept-language", "de"}, {"User-Agent", "app/1"}, {"Idempotency-Key", "k"}, {"X-Request-ID", "id-1"}});
  CAF_CHECK_EQUAL(answer->status(), 201);
  CAF_CHECK_EQUAL(answer->text(), R"({"ok":true})");
  CAF_REQUIRE(order.has_value());
  CAF_CHECK_EQUAL(order->shop, "s11");
  CAF_CHECK(order->page == 3);
  CAF_CHECK_EQUAL(order->limit, 7);
  CAF_CHECK(order->language == "de");
  CAF_CHECK_EQUAL(order->title, "t");
  CAF_CHECK_EQUAL(order->color, "red");
  CAF_REQUIRE_EQUAL(order->items.size(), 2u);
  CAF_CHECK_EQUAL(order->items[0].count, 2);
  CAF_CHECK_EQUAL(order->channel, "web");
  CAF_CHECK(order->caller == (caller{who.account.id, who.session, role::support}));
  CAF_CHECK(order->account == who.account.id);
  CAF_CHECK(order->session == who.session);
  CAF_CHECK(order->origin == (origin{"198.51.100.1", "app/1", "id-1"}));
  CAF_CHECK(order->claim == claim_id::parse("550e8400-e29b-41d4-a716-446655440000"));
  CAF_CHECK(order->refined);
}

CAF_TEST(what may be missing leaves the default) {
  CAF_CHECK_EQUAL(place(R"({"title":"t","items":[],"color":null})")->status(), 201);
  CAF_REQUIRE(order.has_value());
  CAF_CHECK(!order->page);
  CAF_CHECK_EQUAL(order->limit, 50);
  CAF_CHECK(!order->language);
  CAF_CHECK_EQUAL(order->color, "black");
  CAF_CHECK(!order->claim);
}

CAF_TEST(the first of the alternatives that is there counts) {
  place(R"({"name":"n","items":[]})");
  CAF_CHECK_EQUAL(order->title, "n");
  place(R"({"name":"n","title":"t","items":[]})");
  CAF_CHECK_EQUAL(order->title, "t");
  place(R"({"name":"n","title":null,"items":[]})");
  CAF_CHECK_EQUAL(order->title, "n");
  CAF_CHECK_EQUAL(problems(place(R"({"items":[]})")), list{"body.title: missing"});
  CAF_CHECK_EQUAL(problems(place(R"({"name":"","items":[]})")), list{"body.name: string_too_short"});
}

CAF_TEST(an alias is the same endpoint) {
  CAF_CHECK_EQUAL(place(good, "/stores/s2/orders")->status(), 201);
  CAF_CHECK_EQUAL(order->shop, "s2");
}

CAF_TEST(all broken fields are named at once) {
  auto answer = place(R"({"color":5,"items":[{"name":""},{"name":"a","count":6}]})",
                      "/shops/toolong/orders?page=0&limit=x", {{"Accept-Language", "x"}});
  CAF_CHECK_EQUAL(problems(answer),
                  (list{"path.shop: string_too_long", "query.page: greater_than_equal", "query.limit: int_parsing",
                        "header.Accept-Language: string_too_short", "body.title: missing", "body.color: string_type",
                        "body.items.0.name: string_too_short", "body.items.0.count: missing",
                        "body.items.1.count: less_than_equal"}));
  CAF_CHECK(!order);
}

CAF_TEST(last touches may refuse) {
  CAF_CHECK_EQUAL(problems(place(R"({"title":"refuse me","items":[]})")), list{"body.title: value_error"});
  CAF_CHECK(!order);
}

CAF_TEST(a body that is no object is one problem) {
  for (auto body : {"[]", "5", "null", R"("text")"}) CAF_CHECK_EQUAL(problems(place(body)), list{"body: dict_type"});
  CAF_CHECK_EQUAL(problems(place("")), (list{"body.title: missing", "body.items: missing"}));
}

CAF_TEST(what cannot be read at all is malformed) {
  CAF_CHECK_EQUAL(place("{")->status(), 400);
  CAF_CHECK_EQUAL(place("{}", "/shops/s1/orders?page=%zz")->status(), 400);
  CAF_CHECK_EQUAL(place("{}", "/shops/s1/orders", {{"Content-Type", "image/png"}})->code(), "MALFORMED_REQUEST");
}

CAF_TEST(a form may stand for JSON) {
  std::pair<std::string, std::string> form{"Content-Type", "application/x-www-form-urlencoded"};
  // Nested values have no place in a form.
  CAF_CHECK_EQUAL(problems(place("name=n&color=red", "/shops/s1/orders", {form})), list{"body.items: missing"});
  CAF_CHECK_EQUAL(problems(place("color=", "/shops/s1/orders", {form})),
                  (list{"body.title: missing", "body.color: string_too_short", "body.items: missing"}));
}

CAF_TEST(a raw body is not parsed) {
  auto answer = send({.method = "POST",
                      .target = "/hook",
                      .body = "{\xff",
                      .headers = {{"X-Signature", "abc"}, {"Content-Type", "image/png"}}});
  CAF_CHECK_EQUAL(answer->status(), 204);
  CAF_CHECK_EQUAL(answer->text(), "");
  CAF_CHECK(answer->got.content_type.empty());
  CAF_REQUIRE(hook.has_value());
  CAF_CHECK_EQUAL(hook->body, "{\xff");
  CAF_CHECK_EQUAL(hook->headers[0].first, "x-signature");
  CAF_CHECK_EQUAL(hook->headers[0].second, "abc");
}

CAF_TEST(a file comes with the fields of its form) {
  auto put = [&](const std::string& bytes, bool with_file = true) {
    auto body = "--b\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\nMe\r\n" +
                (with_file ? "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n" +
                                 bytes + "\r\n"
                           : "") +
                "--b--";
    return send({.method = "PUT",
                 .target = "/avatar",
                 .body = body,
                 .headers = {{"Content-Type", "multipart/form-data; boundary=b"}}});
  };
  CAF_CHECK_EQUAL(put("8 bytes!")->status(), 200);
  CAF_CHECK_EQUAL(avatar->caption, "Me");
  CAF_CHECK_EQUAL(avatar->image.bytes, "8 bytes!");
  CAF_CHECK_EQUAL(avatar->image.filename, "a.png");
  CAF_CHECK_EQUAL(problems(put("9 bytes!!")), list{"body.image: too_long"});
  CAF_CHECK_EQUAL(problems(put("", false)), list{"body.image: missing"});
}

CAF_TEST(an endpoint may answer by itself) {
  CAF_CHECK_EQUAL(send({.target = "/greeting"})->text(), R"({"text":"hello you"})");
  CAF_CHECK_EQUAL(send({.target = "/greeting?name=a%22b"})->text(), R"({"text":"hello a\"b"})");
}

CAF_TEST(the document says all of it) {
  auto document = json::parse(make_openapi(routes, {"/ws"}, "http://localhost"));
  CAF_CHECK_EQUAL(document["openapi"], "3.1.0");
  CAF_CHECK_EQUAL(document["x-websockets"], json::array({"/ws"}));
  auto& order = document["paths"]["/shops/{shop}/orders"]["post"];
  CAF_CHECK_EQUAL(order["operationId"], "post_shops_shop_orders");
  CAF_CHECK_EQUAL(order["summary"], "Order something");
  CAF_CHECK_EQUAL(order["tags"], json::array({"Shop"}));
  CAF_CHECK_EQUAL(order["security"], json::parse(R"([{"bearer":[]},{"cookie":[]}])"));
  CAF_CHECK_EQUAL(order["parameters"], json::parse(R"([
    {"name":"shop","in":"path","required":true,"schema":{"type":"string","minLength":1,"maxLength":5}},
    {"name":"page","in":"query","description":"Which page","schema":{"type":["integer","null"],"minimum":1,"maximum":9}},
    {"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":100}},
    {"name":"Accept-Language","in":"header","schema":{"type":["string","null"],"minLength":2,"maxLength":5}},
    {"name":"Idempotency-Key","in":"header","schema":{"type":"string","maxLength":255},
     "description":"Makes a repeat of the same request give the same answer for 24 hours"}])"));
  auto& body = order["requestBody"];
  CAF_CHECK_EQUAL(body["required"], true);
  auto& schema = body["content"]["application/json"]["schema"];
  CAF_CHECK_EQUAL(schema["required"], json::array({"items"})); // one of two names cannot be
  CAF_CHECK_EQUAL(schema["properties"]["title"], schema["properties"]["name"]);
  CAF_CHECK_EQUAL(schema["properties"]["title"]["description"], "What for");
  CAF_CHECK_EQUAL(schema["properties"]["items"]["items"]["properties"]["count"]["maximum"], 5);
  std::vector<std::string> statuses;
  for (auto& [status, reply] : order["responses"].items()) statuses.push_back(status);
  CAF_CHECK_EQUAL(statuses, (list{"201", "401", "404", "422", "429", "503"}));
  CAF_CHECK_EQUAL(order["responses"]["201"]["content"]["application/json"]["schema"]["properties"]["ok"]["type"],
                  "boolean");
}

CAF_TEST(aliases and public endpoints are documented as such) {
  auto document = json::parse(make_openapi(routes, {}, "http://localhost"));
  std::set<std::string> ids;
  std::size_t operations = 0;
  for (auto& [path, methods] : document["paths"].items())
    for (auto& [method, operation] : methods.items())
      ids.insert(operation["operationId"].get<std::string>()), ++operations;
  CAF_CHECK_EQUAL(operations, 5u);
  CAF_CHECK_EQUAL(ids.size(), operations);
  auto& hook = document["paths"]["/hook"]["post"];
  CAF_CHECK_EQUAL(hook["security"], json::array());
  CAF_CHECK(!hook["responses"].contains("401"));
  CAF_CHECK(!hook["responses"].contains("429"));
  CAF_CHECK(!hook["responses"]["204"].contains("content"));
}

CAF_TEST(a file is documented as part of a form) {
  auto document = json::parse(make_openapi(routes, {}, "http://localhost"));
  auto& content = document["paths"]["/avatar"]["put"]["requestBody"]["content"];
  CAF_CHECK(!content.contains("application/json"));
  CAF_CHECK_EQUAL(content["multipart/form-data"]["schema"], json::parse(R"({
    "type": "object", "required": ["caption", "image"],
    "properties": {
      "caption": {"type": "string", "minLength": 0, "maxLength": 20},
      "image": {"type": "string", "contentMediaType": "application/octet-stream", "description": "At most 8 bytes"}}})"));
}

CAF_TEST_FIXTURE_SCOPE_END()
