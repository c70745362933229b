#define CAF_SUITE http_body

#include "http/kernel/body.hpp"

#include "tests/http/fixture.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::string_literals;
using test::fault_of;
using test::sent;

namespace {

body_content read(std::string body, std::string type = "application/json") {
  sent what{.body = std::move(body), .headers = {{"content-type", std::move(type)}}};
  return read_body(what.view());
}

/// Why the body is refused; empty when it is not.
std::string complaint(std::string body, std::string type = "application/json") {
  auto what = fault_of([&] { read(std::move(body), std::move(type)); });
  CAF_CHECK(what.code == ec::malformed || what.code == ec::none);
  return what.message;
}

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

constexpr auto form = "application/x-www-form-urlencoded", multipart = "multipart/form-data; boundary=\"cut here\"";

std::string part(std::string head, std::string content) {
  return "--cut here\r\n" + head + "\r\n\r\n" + content + "\r\n";
}
const std::string end = "--cut here--\r\n";

} // namespace

// ---- JSON ----

CAF_TEST(json is read by its type or without one) {
  for (auto type :
       {"application/json", "Application/JSON; charset=utf-8", "application/problem+json", "text/plain", ""})
    CAF_CHECK_EQUAL(read(R"({"a":[1,-2,2.5,"x",true,null,{}]})", type).object.dump(),
                    R"({"a":[1,-2,2.5,"x",true,null,{}]})");
}

CAF_TEST(no body is an empty object) {
  CAF_CHECK_EQUAL(read("").object, json::object());
  CAF_CHECK_EQUAL(read("", "image/png").object, json::object());
  CAF_CHECK(!read("").form);
}

CAF_TEST(another type is refused) {
  for (auto type : {"image/png", "application/xml", "json", "multipart/mixed"})
    CAF_CHECK_EQUAL(complaint("{}", type), "The Content-Type is not understood; send application/json.");
}

CAF_TEST(broken json is refused without repeating it) {
  for (auto bad : {"{", "[1,", R"({"a")", R"({"a":})", "{\"a\":1}x", "nul", "'a'", "{a:1}", "[1,]", "01", "1.",
                   "\"\x01\"", " ", R"("\ud800")", R"("\x")"}) {
    auto text = complaint(bad);
    CAF_CHECK(text.starts_with("The body is not valid JSON near byte "));
  }
  CAF_CHECK(complaint(R"({"password":"hunter2)").find("hunter2") == std::string::npos);
}

CAF_TEST(a name twice in one object is refused) {
  CAF_CHECK_EQUAL(complaint(R"({"a":1,"a":2})"), "The JSON object has the name \"a\" twice.");
  CAF_CHECK_EQUAL(complaint(R"({"x":[{"b":1,"\u0062":1}]})"), "The JSON object has the name \"b\" twice.");
  CAF_CHECK_EQUAL(complaint(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})"), "");
}

CAF_TEST(thirty two levels are read and thirty three are not ) {
  CAF_CHECK_EQUAL(complaint(nested(32)), "");
  CAF_CHECK_EQUAL(complaint(nested(33)), "The JSON is nested too deeply.");
  CAF_CHECK_EQUAL(complaint(std::string(500'000, '[')), "The JSON is nested too deeply.");
  std::string objects = "1";
  for (int i = 0; i < 33; ++i) objects = R"({"a":)" + objects + "}";
  CAF_CHECK_EQUAL(complaint(objects), "The JSON is nested too deeply.");
  // Depth, not number: siblings are free.
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  CAF_CHECK_EQUAL(complaint(wide + "[]]"), "");
}

CAF_TEST(a number out of range is refused) {
  CAF_CHECK(complaint("[1e400]").starts_with("A number is out of range near byte "));
  CAF_CHECK(complaint("[-1e400]").starts_with("A number is out of range"));
  CAF_CHECK_EQUAL(complaint("[1e308, 18446744073709551615, -9223372036854775808]"), "");
}

CAF_TEST(invalid UTF 8 in json is refused) {
  for (auto bad : {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"ends \xd0\"", "{\"\xff\":1}"})
    CAF_CHECK(complaint(bad).starts_with("The body is not valid JSON"));
}

// ---- forms ----

CAF_TEST(forms are read and the first of a name counts) {
  auto fields = read("a=1&b=x+y%26z&a=2&flag&=nameless&&c=", form).form;
  CAF_REQUIRE(fields.has_value());
  CAF_CHECK_EQUAL(fields->at("a"), "1");
  CAF_CHECK_EQUAL(fields->at("b"), "x y&z");
  CAF_CHECK_EQUAL(fields->at("flag"), "");
  CAF_CHECK_EQUAL(fields->at("c"), "");
  CAF_CHECK_EQUAL(fields->at(""), "nameless");
}

CAF_TEST(broken forms are refused) {
  for (auto bad : {"a=%", "a=%4", "%zz=1", "a=%ff", "a=\xff", "\xc0\xaf=1"}) CAF_CHECK(!complaint(bad, form).empty());
}

// ---- multipart ----

CAF_TEST(fields and files of a multipart body are told apart) {
  auto content = read(
      "preamble\r\n" + part("Content-Disposition: form-data; name=\"title\"", "A title") +
          part("content-disposition: form-data; name=\"photo\"; filename=\"me; you.png\"\r\nContent-Type: image/png",
               "\x89PNG\r\n\r\n\0bytes"s) +
          part("Content-Disposition: form-data; name=empty", "") + end + "epilogue",
      multipart);
  CAF_REQUIRE(content.form.has_value());
  CAF_CHECK_EQUAL(*content.form, (text_fields{{"title", "A title"}, {"empty", ""}}));
  CAF_REQUIRE_EQUAL(content.files.size(), 1u);
  auto& photo = content.files.at("photo");
  CAF_CHECK_EQUAL(photo.filename, "me; you.png");
  CAF_CHECK_EQUAL(photo.content_type, "image/png");
  CAF_CHECK_EQUAL(photo.bytes, "\x89PNG\r\n\r\n\0bytes"s);
}

CAF_TEST(a field stays a field though it names its type) {
  auto content = read(
      part("Content-Disposition: form-data; name=\"city\"\r\nContent-Type: text/plain; charset=utf-8", "\xd0\x96") +
          end,
      multipart);
  CAF_CHECK_EQUAL(content.form->at("city"), "\xd0\x96");
  CAF_CHECK(content.files.empty());
}

CAF_TEST(what stands in quotes is not looked into) {
  auto content = read(part("Content-Disposition: form-data; name=\"a; filename=b\"", "text") + end, multipart);
  CAF_CHECK_EQUAL(content.form->count("a; filename=b"), 1u);
  CAF_CHECK(content.files.empty());
}

CAF_TEST(an empty multipart body has no fields) {
  auto content = read(end, multipart);
  CAF_REQUIRE(content.form.has_value());
  CAF_CHECK(content.form->empty());
}

CAF_TEST(broken multipart bodies are refused) {
  auto good = part("Content-Disposition: form-data; name=\"a\"", "1");
  for (auto type : {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\""})
    CAF_CHECK_EQUAL(complaint(good + end, type), "The multipart body has no valid boundary.");
  CAF_CHECK_EQUAL(complaint(good + end, "multipart/form-data; boundary=" + std::string(71, 'x')),
                  "The multipart body has no valid boundary.");
  for (auto& cut :
       {good, "no boundary at all"s, "--cut here"s, "--cut here\r\n"s, "--cut hereafter\r\n\r\n"s, good + "--cut here"})
    CAF_CHECK_EQUAL(complaint(cut, multipart), "The multipart body is cut off.");
  CAF_CHECK_EQUAL(complaint("--cut here\r\nContent-Disposition: form-data; name=\"a\"\r\n" + end, multipart),
                  "A part of the multipart body has no end of its headers.");
  for (auto nameless : {"Content-Disposition: form-data", "Content-Type: text/plain",
                        "Content-Disposition: form-data; name=\"\"", "Content-Disposition: form-data; filename=\"x\""})
    CAF_CHECK_EQUAL(complaint(part(nameless, "1") + end, multipart), "A part of the multipart body has no name.");
  CAF_CHECK_EQUAL(complaint(part("Content-Disposition: form-data; name=\"a\"", "\xff") + end, multipart),
                  "The body is not valid UTF-8.");
}
