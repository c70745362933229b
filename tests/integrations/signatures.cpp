#define CAF_SUITE integrations.signatures

#include "integrations/payment/signatures.hpp"
#include "actors/kernel/error.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payment_provider;

namespace {

bool is_malformed(std::string_view text) {
  try {
    split_members(text);
  } catch (const fault_error& failure) {
    return failure.what_failed.code == ec::malformed;
  }
  return false;
}

} // namespace

CAF_TEST(members are told apart as they stand) {
  const std::string text =
      " { \"a\" : 1.50 ,\"b\\\"\\u0416\":\"},\\\"{\" , \"c\":[ {\"a\": [1, \"]\"]}, 2 ]\n, \"d\":null } ";
  const auto members = split_members(text);
  CAF_REQUIRE_EQUAL(members.size(), 4u);
  CAF_CHECK_EQUAL(members[0].text, "\"a\" : 1.50");
  CAF_CHECK_EQUAL(members[0].value, "1.50");
  CAF_CHECK_EQUAL(members[1].name, "b\"\u0416");
  CAF_CHECK_EQUAL(members[1].value, "\"},\\\"{\"");
  CAF_CHECK_EQUAL(members[2].value, "[ {\"a\": [1, \"]\"]}, 2 ]");
  CAF_CHECK_EQUAL(members[3].text, "\"d\":null");
  CAF_CHECK_EQUAL(find_member(members, "d")->value, "null");
  CAF_CHECK(find_member(members, "e") == nullptr);
  CAF_CHECK(split_members("{}").empty());
}

CAF_TEST(what is no object or says a thing twice is malformed) {
  for (const auto* odd : {"", " ", "[]", "7", "\"{}\"", "{", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x", "\xef\xbb\xbf{}",
                          "{\"a\":\"\xff\"}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":2}"})
    CAF_CHECK(is_malformed(odd));
  CAF_CHECK(is_malformed(std::string(100'000, '{')));
  const std::string deep(100'000, '[');
  CAF_CHECK_EQUAL(split_members("{\"a\":" + deep + std::string(100'000, ']') + "}")[0].value.size(), 200'000u);
}

CAF_TEST(digests are those of the standards) { // RFC 1321 A.5, RFC 3174 7.3
  CAF_CHECK_EQUAL(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  CAF_CHECK_EQUAL(md5_hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  CAF_CHECK_EQUAL(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}
