#define CAF_SUITE actors_kernel_money

#include "actors/kernel/money.hpp"

#include <limits>

#include "caf/test/dsl.hpp"

using namespace backstay;

namespace {

constexpr auto most = std::numeric_limits<std::int64_t>::max(), least = std::numeric_limits<std::int64_t>::min();

std::optional<std::int64_t> minor(std::string_view text, std::string_view currency = "USD") {
  auto amount = from_decimal(text, currency);
  return amount ? std::optional{amount->minor} : std::nullopt;
}

} // namespace

CAF_TEST(amounts are written with the digits of their currency) {
  CAF_CHECK_EQUAL(to_decimal({999, "USD"}), "9.99");
  CAF_CHECK_EQUAL(to_decimal({1000, "RUB"}), "10.00");
  CAF_CHECK_EQUAL(to_decimal({5, "USD"}), "0.05");
  CAF_CHECK_EQUAL(to_decimal({0, "USD"}), "0.00");
  CAF_CHECK_EQUAL(to_decimal({-5, "USD"}), "-0.05");
  CAF_CHECK_EQUAL(to_decimal({-12345, "USD"}), "-123.45");
  CAF_CHECK_EQUAL(to_decimal({500, "JPY"}), "500");
  CAF_CHECK_EQUAL(to_decimal({0, "JPY"}), "0");
  CAF_CHECK_EQUAL(to_decimal({1500, "KWD"}), "1.500");
  CAF_CHECK_EQUAL(to_decimal({most, "USD"}), "92233720368547758.07");
  CAF_CHECK_EQUAL(to_decimal({least, "USD"}), "-92233720368547758.08");
}

CAF_TEST(decimal text is read exactly) {
  CAF_CHECK(from_decimal("9.99", "USD") == (money{999, "USD"}));
  CAF_CHECK(minor("10") == 1000);
  CAF_CHECK(minor("10.5") == 1050);
  CAF_CHECK(minor("0.07") == 7);
  CAF_CHECK(minor("-0.07") == -7);
  CAF_CHECK(minor("007.00") == 700);
  CAF_CHECK(minor("500", "JPY") == 500);
  CAF_CHECK(minor("1.5", "KWD") == 1500);
  CAF_CHECK(minor("92233720368547758.07") == most);
  CAF_CHECK(minor("-92233720368547758.08") == least);
}

CAF_TEST(further digits must be zeros) {
  CAF_CHECK(minor("9.9900000000000000000000") == 999);
  CAF_CHECK(minor("500.00", "JPY") == 500);
  CAF_CHECK(!minor("9.991"));
  CAF_CHECK(!minor("500.5", "JPY"));
  CAF_CHECK(!minor("500.50", "JPY"));
}

CAF_TEST(what is no plain number or does not fit is refused) {
  for (auto bad : {"",
                   "-",
                   ".",
                   ".5",
                   "-.5",
                   "+1",
                   "1,5",
                   "1e3",
                   "0x10",
                   " 1",
                   "1 ",
                   "--1",
                   "1.-5",
                   "1.5.0",
                   "1..0",
                   "1.",
                   "nan",
                   "inf",
                   "92233720368547758.08",
                   "-92233720368547758.09",
                   "1000000000000000000000"})
    CAF_CHECK(!minor(bad));
}
