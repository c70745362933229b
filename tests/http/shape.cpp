#define CAF_SUITE http_shape

#include "http/kernel/shape.hpp"

#include "http/policy/access_token.hpp"
#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using test::list_problems;

namespace shape_test {

enum class color { red, green };

struct tag {
  std::string word;
  std::optional<int> weight;
};

struct thing {
  std::string text;
  backstay::secret hidden;
  bool flag = false;
  int number = 0;
  std::uint8_t small = 0;
  double ratio = 0;
  money price;
  timestamp moment;
  account_id owner;
  shape_test::color color = shape_test::color::red;
  std::optional<std::string> note;
  std::vector<std::string> words;
  std::vector<tag> tags;
  std::optional<tag> best;
  std::map<shape_test::color, tag> by_color;
};

} // namespace shape_test

template <>
inline constexpr std::array backstay::names_of<shape_test::color>{"red", "green"};

namespace {

using shape_test::tag;
using shape_test::thing;
using list = std::vector<std::string>;

const access_tokens tokens{{secret{"a key of thirty-two bytes, or so"}}, std::make_shared<domain_clock>()};
const rendering with{tokens};

constexpr shape tag_shape{
    field("word", &tag::word, length(1, 5)),
    optional_field("weight", &tag::weight, between(1, 9)),
};

template <class... Fields>
std::string written(const thing& what, Fields... fields) {
  return to_json_text(what, shape{fields...}, with);
}

/// What is wrong with `text` read as a thing of these fields.
template <class... Fields>
list problems_of(std::string_view text, thing& into, Fields... fields) {
  complaints bad{{"body"}};
  read_object(json::parse(text), into, shape{fields...}, bad);
  return list_problems(bad.all());
}
template <class... Fields>
list problems_of(std::string_view text, Fields... fields) {
  thing into;
  return problems_of(text, into, fields...);
}

template <class T>
list text_problems(std::string_view text, T& into, const rule& limits = anything) {
  complaints bad{{"query", "x"}};
  read_text(text, into, limits, bad);
  return list_problems(bad.all());
}
template <class T>
list text_problems(std::string_view text, const rule& limits = anything) {
  T into{};
  return text_problems(text, into, limits);
}

} // namespace

// ---- writing ----

CAF_TEST(every type is written as its JSON) {
  thing what{.text = "a\"b", .hidden = secret{"shown"}, .flag = true, .number = -7, .small = 255, .ratio = 80.5};
  what.price = {999, "USD"};
  what.owner = *account_id::parse("550e8400-e29b-41d4-a716-446655440000");
  what.color = shape_test::color::green;
  CAF_CHECK_EQUAL(written(what, field("t", &thing::text), field("h", &thing::hidden), field("f", &thing::flag)),
                  R"({"t":"a\"b","h":"shown","f":true})");
  CAF_CHECK_EQUAL(written(what, field("n", &thing::number), field("s", &thing::small), field("r", &thing::ratio)),
                  R"({"n":-7,"s":255,"r":80.5})");
  CAF_CHECK_EQUAL(written(what, field("p", &thing::price), field("m", &thing::moment), field("c", &thing::color)),
                  R"({"p":9.99,"m":"1970-01-01T00:00:00Z","c":"green"})");
  CAF_CHECK_EQUAL(written(what, field("o", &thing::owner)), R"({"o":"550e8400-e29b-41d4-a716-446655440000"})");
  CAF_CHECK_EQUAL(written(what), "{}");
}

CAF_TEST(a function may make a value and its name is escaped) {
  thing what{.number = 3};
  CAF_CHECK_EQUAL(written(what, field("d\n", [](const thing& t) { return t.number * 2; })), R"({"d\n":6})");
  CAF_CHECK_EQUAL(written(what, field("null", [](const thing&) { return std::nullopt; })), R"({"null":null})");
  auto signed_token = field("token", [](const thing&, const rendering& r) { return r.tokens.sign({}); });
  CAF_CHECK(json::parse(written(what, signed_token))["token"].get<std::string>().starts_with("eyJ"));
}

CAF_TEST(an empty optional is null or left out) {
  thing what;
  auto shown = field("note", &thing::note);
  auto left_out = optional_field("note", &thing::note);
  CAF_CHECK_EQUAL(written(what, shown), R"({"note":null})");
  CAF_CHECK_EQUAL(written(what, left_out, field("n", &thing::number)), R"({"n":0})");
  what.note = "x";
  CAF_CHECK_EQUAL(written(what, shown), R"({"note":"x"})");
  CAF_CHECK_EQUAL(written(what, left_out), R"({"note":"x"})");
}

CAF_TEST(lists and nested structs are written in order) {
  thing what{.words = {"a", "b"}, .tags = {{"x", 1}, {"y", {}}}};
  CAF_CHECK_EQUAL(written(what, field("words", &thing::words)), R"({"words":["a","b"]})");
  CAF_CHECK_EQUAL(written(what, field("tags", &thing::tags, tag_shape)),
                  R"({"tags":[{"word":"x","weight":1},{"word":"y"}]})");
  CAF_CHECK_EQUAL(written(what, field("best", &thing::best, tag_shape)), R"({"best":null})");
  what.best = tag{"z", {}};
  CAF_CHECK_EQUAL(written(what, field("best", &thing::best, tag_shape)), R"({"best":{"word":"z"}})");
  CAF_CHECK_EQUAL(written({}, field("words", &thing::words)), R"({"words":[]})");
}

CAF_TEST(a bare list is an array) {
  thing what{.tags = {{"x", 1}}};
  CAF_CHECK_EQUAL(to_json_text(what, list_of(&thing::tags, tag_shape), with), R"([{"word":"x","weight":1}])");
  CAF_CHECK_EQUAL(to_json_text(thing{}, list_of(&thing::tags, tag_shape), with), "[]");
}

CAF_TEST(extend appends fields) {
  constexpr auto more = extend(tag_shape, field("again", &tag::word));
  CAF_CHECK_EQUAL(to_json_text(tag{"x", {}}, more, with), R"({"word":"x","again":"x"})");
}

CAF_TEST(the fields of a part are there with it) {
  constexpr auto form = fields_of(&thing::best, tag_shape);
  thing what;
  CAF_CHECK_EQUAL(to_json_text(what, form, with), "{}");
  what.best = tag{"x", {}};
  CAF_CHECK_EQUAL(to_json_text(what, form, with), R"({"word":"x"})");
  what.best->weight = 2;
  CAF_CHECK_EQUAL(to_json_text(what, form, with), R"({"word":"x","weight":2})");
  CAF_CHECK(!schema_of<thing>(form).contains("required"));
}

// ---- reading JSON ----

CAF_TEST(every type is read from its JSON) {
  thing what;
  auto problems = problems_of(
      R"({"t":"ж","h":"s","f":true,"n":-7,"s":255,"m":"1970-01-01T00:00:01Z","o":"550E8400-e29b-41d4-a716-446655440000",
          "c":"green","note":"n","words":["a","b"],"tags":[{"word":"x","weight":1}],"best":{"word":"y"},"unknown":[1]})",
      what, field("t", &thing::text), field("h", &thing::hidden), field("f", &thing::flag), field("n", &thing::number),
      field("s", &thing::small), field("m", &thing::moment), field("o", &thing::owner), field("c", &thing::color),
      field("note", &thing::note), field("words", &thing::words), field("tags", &thing::tags, tag_shape),
      field("best", &thing::best, tag_shape));
  CAF_CHECK_EQUAL(problems, list{});
  CAF_CHECK_EQUAL(what.text, "\xd0\xb6");
  CAF_CHECK_EQUAL(what.hidden.reveal(), "s");
  CAF_CHECK(what.flag);
  CAF_CHECK_EQUAL(what.number, -7);
  CAF_CHECK_EQUAL(int{what.small}, 255);
  CAF_CHECK_EQUAL(to_rfc3339(what.moment), "1970-01-01T00:00:01Z");
  CAF_CHECK_EQUAL(to_string(what.owner), "550e8400-e29b-41d4-a716-446655440000");
  CAF_CHECK(what.color == shape_test::color::green);
  CAF_CHECK(what.note == "n");
  CAF_CHECK_EQUAL(what.words, (list{"a", "b"}));
  CAF_REQUIRE_EQUAL(what.tags.size(), 1u);
  CAF_CHECK(what.tags[0].word == "x" && what.tags[0].weight == 1);
  CAF_REQUIRE(what.best.has_value());
  CAF_CHECK(what.best->word == "y" && !what.best->weight);
}

CAF_TEST(a wrong JSON type has a complaint of its own) {
  for (auto wrong : {"1", "true", "[]", "{}"})
    CAF_CHECK_EQUAL(problems_of(R"({"x":)" + std::string{wrong} + "}", field("x", &thing::text)),
                    list{"body.x: string_type"});
  for (auto wrong : {"1", R"("true")", "0"})
    CAF_CHECK_EQUAL(problems_of(R"({"x":)" + std::string{wrong} + "}", field("x", &thing::flag)),
                    list{"body.x: bool_type"});
  for (auto wrong : {R"("1")", "1.0", "1e2", "true", "99999999999999999999"})
    CAF_CHECK_EQUAL(problems_of(R"({"x":)" + std::string{wrong} + "}", field("x", &thing::number)),
                    list{"body.x: int_type"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"a"})", field("x", &thing::words)), list{"body.x: list_type"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":[]})", field("x", &thing::best, tag_shape)), list{"body.x: dict_type"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"no"})", field("x", &thing::owner)), list{"body.x: uuid_parsing"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"no"})", field("x", &thing::moment)), list{"body.x: datetime_parsing"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"blue"})", field("x", &thing::color)), list{"body.x: enum"});
  CAF_CHECK_EQUAL(problems_of("[]", field("x", &thing::text)), list{"body: dict_type"});
}

CAF_TEST(missing and null are the same) {
  for (auto text : {"{}", R"({"x":null})"}) {
    CAF_CHECK_EQUAL(problems_of(text, field("x", &thing::text)), list{"body.x: missing"});
    CAF_CHECK_EQUAL(problems_of(text, field("x", &thing::note)), list{});
    CAF_CHECK_EQUAL(problems_of(text, field("x", &thing::best, tag_shape)), list{});
  }
}

CAF_TEST(numbers are held to their rule and their type) {
  auto limited = field("x", &thing::number, between(-1, 5));
  for (auto good : {"-1", "0", "5"})
    CAF_CHECK_EQUAL(problems_of(R"({"x":)" + std::string{good} + "}", limited), list{});
  CAF_CHECK_EQUAL(problems_of(R"({"x":-2})", limited), list{"body.x: greater_than_equal"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":6})", limited), list{"body.x: less_than_equal"});
  for (auto wide :
       {"256", "-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615"})
    CAF_CHECK_EQUAL(problems_of(R"({"x":)" + std::string{wide} + "}", field("x", &thing::small)),
                    list{"body.x: less_than_equal"});
}

CAF_TEST(text is measured in code points) {
  auto limited = field("x", &thing::text, length(2, 3));
  CAF_CHECK_EQUAL(problems_of(R"({"x":"жж"})", limited), list{});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"жжж"})", limited), list{});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"ж"})", limited), list{"body.x: string_too_short"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"жжжж"})", limited), list{"body.x: string_too_long"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":"a\u0000b"})", limited), list{"body.x: value_error"});
}

CAF_TEST(a rule may look at the text itself) {
  constexpr rule upper{.accepts = [](std::string_view t) { return t == "A"; }, .expectation = "the letter A"};
  complaints bad{{"body"}};
  std::string into = "before";
  read_text("a", into, upper, bad);
  CAF_REQUIRE_EQUAL(bad.all().size(), 1u);
  CAF_CHECK_EQUAL(bad.all()[0].message, "Input should be the letter A");
  CAF_CHECK_EQUAL(bad.all()[0].type, "string_pattern_mismatch");
  CAF_CHECK_EQUAL(into, "before");
}

CAF_TEST(the rule of a list counts its items) {
  auto limited = field("x", &thing::words, length(1, 2));
  CAF_CHECK_EQUAL(problems_of(R"({"x":["a long word"]})", limited), list{});
  CAF_CHECK_EQUAL(problems_of(R"({"x":[]})", limited), list{"body.x: too_short"});
  CAF_CHECK_EQUAL(problems_of(R"({"x":["a","b","c"]})", limited), list{"body.x: too_long"});
}

CAF_TEST(several problems are named at once and where they are) {
  auto problems =
      problems_of(R"({"text":5,"words":["a",1,null],"tags":[{"word":""},{"weight":10},7],"best":{"word":"too long"}})",
                  field("text", &thing::text), field("flag", &thing::flag), field("words", &thing::words),
                  field("tags", &thing::tags, tag_shape), field("best", &thing::best, tag_shape));
  CAF_CHECK_EQUAL(problems, (list{"body.text: string_type", "body.flag: missing", "body.words.1: string_type",
                                  "body.words.2: string_type", "body.tags.0.word: string_too_short",
                                  "body.tags.1.word: missing", "body.tags.1.weight: less_than_equal",
                                  "body.tags.2: dict_type", "body.best.word: string_too_long"}));
}

// ---- reading text ----

CAF_TEST(every type is read from text) {
  int number = 0;
  CAF_CHECK_EQUAL(text_problems("-12", number), list{});
  CAF_CHECK_EQUAL(number, -12);
  bool flag = false;
  CAF_CHECK_EQUAL(text_problems("true", flag), list{});
  CAF_CHECK(flag);
  CAF_CHECK_EQUAL(text_problems("0", flag), list{});
  CAF_CHECK(!flag);
  std::optional<std::string> text;
  CAF_CHECK_EQUAL(text_problems("", text), list{});
  CAF_CHECK(text == "");
  auto color = shape_test::color::red;
  CAF_CHECK_EQUAL(text_problems("green", color), list{});
  CAF_CHECK(color == shape_test::color::green);
  timestamp moment;
  CAF_CHECK_EQUAL(text_problems("1970-01-01T00:00:01Z", moment), list{});
  CAF_CHECK_EQUAL(to_rfc3339(moment), "1970-01-01T00:00:01Z");
}

CAF_TEST(text that is no such value has a complaint of its own) {
  for (auto wrong : {"", "1 ", "+1", "1.0", "x", "99999999999"})
    CAF_CHECK_EQUAL(text_problems<int>(wrong), list{"query.x: int_parsing"});
  CAF_CHECK_EQUAL(text_problems<int>("11", between(0, 10)), list{"query.x: less_than_equal"});
  for (auto wrong : {"", "TRUE", "yes", "2"})
    CAF_CHECK_EQUAL(text_problems<bool>(wrong), list{"query.x: bool_parsing"});
  CAF_CHECK_EQUAL(text_problems<uuid>("x"), list{"query.x: uuid_parsing"});
  CAF_CHECK_EQUAL(text_problems<timestamp>("x"), list{"query.x: datetime_parsing"});
  CAF_CHECK_EQUAL(text_problems<shape_test::color>("1"), list{"query.x: enum"});
  CAF_CHECK_EQUAL(text_problems<std::string>("\xff"), list{"query.x: string_unicode"});
}

// ---- describing ----

CAF_TEST(a schema says what is read and written) {
  auto described = schema_of<thing>(shape{
      field("text", &thing::text, length(1, 9), "For people"), field("number", &thing::number, between(0, 5)),
      field("note", &thing::note, example(R"("n")")), field("owner", &thing::owner), field("moment", &thing::moment),
      field("price", &thing::price), field("best", &thing::best, tag_shape), optional_field("left_out", &thing::note)});
  CAF_CHECK_EQUAL(described["type"], "object");
  CAF_CHECK_EQUAL(described["required"], json::parse(R"(["text","number","owner","moment","price"])"));
  auto& of = described["properties"];
  CAF_CHECK_EQUAL(of["text"],
                  json::parse(R"({"type":"string","minLength":1,"maxLength":9,"description":"For people"})"));
  CAF_CHECK_EQUAL(of["number"], json::parse(R"({"type":"integer","minimum":0,"maximum":5})"));
  CAF_CHECK_EQUAL(of["note"], json::parse(R"({"type":["string","null"],"examples":["n"]})"));
  CAF_CHECK_EQUAL(of["owner"], json::parse(R"({"type":"string","format":"uuid"})"));
  CAF_CHECK_EQUAL(of["moment"], json::parse(R"({"type":"string","format":"date-time"})"));
  CAF_CHECK_EQUAL(of["price"], json::parse(R"({"type":"number"})"));
  CAF_CHECK_EQUAL(of["best"]["type"], json::parse(R"(["object","null"])"));
  CAF_CHECK_EQUAL(of["best"]["required"], json::parse(R"(["word"])"));
}

CAF_TEST(the schema of a list limits the list) {
  auto described = schema_of_value<std::vector<std::string>>(length(1, 20));
  CAF_CHECK_EQUAL(described, json::parse(R"({"type":"array","items":{"type":"string"},"minItems":1,"maxItems":20})"));
  auto bare = schema_of<thing>(list_of(&thing::tags, tag_shape));
  CAF_CHECK_EQUAL(bare["items"]["type"], "object");
}

CAF_TEST(the schema of an optional name allows null) {
  CAF_CHECK_EQUAL(schema_of_value<shape_test::color>(anything),
                  json::parse(R"({"type":"string","enum":["red","green"]})"));
  CAF_CHECK_EQUAL(schema_of_value<std::optional<shape_test::color>>(anything),
                  json::parse(R"({"type":["string","null"],"enum":["red","green",null]})"));
}

CAF_TEST(a map is an object whose keys are names) {
  thing what;
  what.by_color = {{shape_test::color::green, {"g", 1}}, {shape_test::color::red, {"r", {}}}};
  CAF_CHECK_EQUAL(written(what, field("by", &thing::by_color, tag_shape)),
                  R"({"by":{"red":{"word":"r"},"green":{"word":"g","weight":1}}})");
  constexpr shape form{field("by", &thing::by_color, tag_shape)};
  thing read;
  complaints none{{"body"}};
  read_object(json::parse(R"({"by":{"green":{"word":"g"}}})"), read, form, none);
  CAF_CHECK(none.all().empty());
  CAF_CHECK_EQUAL(read.by_color.size(), 1u);
  CAF_CHECK_EQUAL(read.by_color[shape_test::color::green].word, "g");
  complaints bad{{"body"}};
  read_object(json::parse(R"({"by":{"blue":{"word":"b"},"red":{}}})"), read, form, bad);
  CAF_CHECK_EQUAL(bad.all().size(), 2u);
  CAF_CHECK_EQUAL(bad.all()[0].location.back(), "blue");
  complaints no_object{{"body"}};
  read_object(json::parse(R"({"by":[]})"), read, form, no_object);
  CAF_CHECK_EQUAL(no_object.all().size(), 1u);
  auto schema = schema_of<thing>(form)["properties"]["by"];
  CAF_CHECK_EQUAL(schema["propertyNames"]["enum"].size(), 2u);
  CAF_CHECK_EQUAL(schema["additionalProperties"]["type"], "object");
}
