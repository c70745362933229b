#define CAF_SUITE actors_kernel_id

#include "actors/kernel/id.hpp"

#include <set>
#include <type_traits>

#include "caf/test/dsl.hpp"

using namespace backstay;

namespace {

constexpr auto text = "550e8400-e29b-41d4-a716-446655440000";

// An id of one kind must not be taken for another's.
static_assert(!std::is_convertible_v<account_id, session_id>);

} // namespace

CAF_TEST(a uuid is read and written in lower case) {
  auto parsed = uuid::parse(text);
  CAF_REQUIRE(parsed.has_value());
  CAF_CHECK_EQUAL(parsed->bytes[0], 0x55);
  CAF_CHECK_EQUAL(parsed->bytes[15], 0x00);
  CAF_CHECK_EQUAL(to_string(*parsed), text);
  CAF_CHECK(uuid::parse("550E8400-E29B-41D4-A716-446655440000") == parsed);
}

CAF_TEST(texts that are no uuid are refused) {
  for (auto bad : {"", "550e8400", "550e8400e29b41d4a716446655440000", "550e8400-e29b-41d4-a716-44665544000",
                   "550e8400-e29b-41d4-a716-4466554400000", "550e8400-e29b-41d4-a716-44665544000g",
                   "550e8400-e29b-41d4-a716_446655440000", "550e840-0e29b-41d4-a716-446655440000",
                   "{550e8400-e29b-41d4-a716-4466554400}", " 550e8400-e29b-41d4-a716-44665544000"})
    CAF_CHECK(!uuid::parse(bad));
}

CAF_TEST(a random uuid has version and variant) {
  std::set<uuid> seen;
  for (int i = 0; i < 100; ++i) {
    auto made = uuid::random();
    CAF_CHECK_EQUAL(made.bytes[6] >> 4, 4);
    CAF_CHECK_EQUAL(made.bytes[8] >> 6, 2);
    seen.insert(made);
  }
  CAF_CHECK_EQUAL(seen.size(), 100u);
}

CAF_TEST(the nil uuid means none yet) {
  CAF_CHECK(account_id{}.is_nil());
  CAF_CHECK(!account_id::random().is_nil());
  CAF_CHECK(account_id::parse(text).has_value());
  CAF_CHECK(!account_id::parse("nil"));
}
