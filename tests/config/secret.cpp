#define CAF_SUITE secret

#include "config/secret.hpp"

#include <fmt/format.h>
#include <sstream>
#include <type_traits>

#include "caf/test/dsl.hpp"

using backstay::secret;

CAF_TEST(no way of printing shows the text) {
  const secret hidden{"hunter2"};
  std::ostringstream out;
  out << hidden;
  CAF_CHECK_EQUAL(out.str(), "***");
  CAF_CHECK_EQUAL(fmt::format("{}", hidden), "***");
  CAF_CHECK_EQUAL(caf::deep_to_string(hidden), "***");
  CAF_CHECK_EQUAL(caf::deep_to_string(std::vector<secret>{hidden, hidden}), "[***, ***]");
  static_assert(!std::is_convertible_v<secret, std::string>);
  static_assert(!std::is_convertible_v<std::string, secret>);
}

CAF_TEST(secrets copy move and compare like their text) {
  secret first{"hunter2"};
  secret copy = first;
  CAF_CHECK(copy == first);
  secret moved = std::move(first);
  CAF_CHECK(moved == copy);
  CAF_CHECK(first.empty());
  first = std::move(moved);
  CAF_CHECK_EQUAL(first.reveal(), "hunter2");
  CAF_CHECK(!(first == secret{"hunter3"}));
  CAF_CHECK(!(first == secret{"hunter"}));
  CAF_CHECK(secret{} == secret{""});
}

CAF_TEST(a moved secret leaves no copy behind) {
  alignas(secret) unsigned char memory[sizeof(secret)];
  auto* hidden = new (memory) secret{"hunter2"};
  const secret elsewhere{std::move(*hidden)};
  const std::string_view bytes{reinterpret_cast<const char*>(memory), sizeof memory};
  CAF_CHECK_EQUAL(bytes.find("unter2"), bytes.npos);
  hidden->~secret();
}
