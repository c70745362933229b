#define CAF_SUITE http_text

#include "http/kernel/text.hpp"

#include <nlohmann/json.hpp>

#include "caf/test/dsl.hpp"

using namespace backstay::http;
using namespace std::string_literals;

namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

} // namespace

CAF_TEST(json strings are escaped as RFC 8259 wants) {
  CAF_CHECK_EQUAL(as_json(""), R"("")");
  CAF_CHECK_EQUAL(as_json("a\"b\\c/d"), R"("a\"b\\c/d")");
  CAF_CHECK_EQUAL(as_json("\n\r\t"), R"("\n\r\t")");
  CAF_CHECK_EQUAL(as_json("\0\x01\x1f\x7f"s), "\"\\u0000\\u0001\\u001f\x7f\"");
  CAF_CHECK_EQUAL(as_json("\xd0\xb6"), "\"\xd0\xb6\"");
  std::string every;
  for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
  CAF_CHECK_EQUAL(nlohmann::json::parse(as_json(every)).get<std::string>(), every);
}

CAF_TEST(percent escapes are decoded) {
  CAF_CHECK(percent_decode("a%20b%2f%2F", false) == "a b//");
  CAF_CHECK(percent_decode("a+b", false) == "a+b");
  CAF_CHECK(percent_decode("a+b%2B", true) == "a b+");
  CAF_CHECK(percent_decode("%00", false) == "\0"s);
  CAF_CHECK(percent_decode("%41", false) == "A");
  for (auto broken : {"%", "%4", "a%4", "%g0", "%0g", "%%20", "% 20"}) CAF_CHECK(!percent_decode(broken, false));
}

CAF_TEST(UTF 8 is checked as RFC 3629 wants) {
  for (auto good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
                    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    CAF_CHECK(is_utf8(good));
  for (auto bad : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2 ", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe1\x80",
                   "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80",
                   "\xf5\x80\x80\x80", "\xff", "ok\xfe"})
    CAF_CHECK(!is_utf8(bad));
}

CAF_TEST(code points are counted) {
  CAF_CHECK_EQUAL(count_code_points(""), 0u);
  CAF_CHECK_EQUAL(count_code_points("a\xd0\xb6\xe2\x82\xac\xf0\x9f\x98\x80"), 4u);
}

CAF_TEST(header names are compared without regard to case) {
  CAF_CHECK(equal_ignoring_case("X-Request-ID", "x-request-id"));
  CAF_CHECK(!equal_ignoring_case("X-Request-ID", "X-Request-I"));
  CAF_CHECK(!equal_ignoring_case("[", "{"));
}

CAF_TEST(blanks are trimmed at both ends) {
  CAF_CHECK_EQUAL(std::string{trim(" \ta b\t ")}, "a b");
  CAF_CHECK(trim(" \t").empty());
  CAF_CHECK(trim("").empty());
}
