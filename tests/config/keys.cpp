#define CAF_SUITE keys

#include "config/keys.hpp"
#include "tests/config/scratch.hpp"

#include <barrier>
#include <system_error>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::config;
namespace fs = std::filesystem;

namespace {

template <class Error>
bool fails_with(const fs::path& data_directory) try {
  development_keys(data_directory);
  return false;
} catch (const Error&) {
  return true;
}

} // namespace

CAF_TEST(keys survive both ways of writing them) {
  const secret key{std::string(33, '\xfb')};
  CAF_CHECK(decode_key(encode_key(key)) == key);
  CAF_CHECK(decode_key(encode_key_as_hex(key)) == key);
  CAF_CHECK(!decode_key(""));
  CAF_CHECK(!decode_key(std::string(62, 'a')));
  CAF_CHECK(!decode_key(std::string(64, '+')));
}

CAF_TEST(the development key is made once and is private) {
  test::scratch folder;
  const auto data = folder.path() / "deep" / "var";
  const auto first = development_keys(data);
  CAF_REQUIRE_EQUAL(first.size(), 1u);
  CAF_CHECK_EQUAL(first[0].reveal().size(), shortest_key);
  CAF_CHECK(fs::status(data / "keys").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CAF_CHECK(development_keys(data) == first);
  CAF_CHECK(development_keys(folder.path() / "other") != first);
  CAF_CHECK_EQUAL(std::distance(fs::directory_iterator{data}, fs::directory_iterator{}), 1);
}

CAF_TEST(many that start together share one key) {
  test::scratch folder;
  constexpr std::size_t count = 16;
  std::barrier start{count};
  std::vector<std::vector<secret>> found(count);
  {
    std::vector<std::jthread> threads;
    for (auto& each : found)
      threads.emplace_back([&] {
        start.arrive_and_wait();
        each = development_keys(folder.path());
      });
  }
  CAF_CHECK_EQUAL(found.front().size(), 1u);
  for (const auto& each : found) CAF_CHECK(each == found.front());
  CAF_CHECK_EQUAL(std::distance(fs::directory_iterator{folder.path()}, fs::directory_iterator{}), 1);
}

CAF_TEST(a spoiled file is refused and left alone) {
  test::scratch folder;
  const auto file = folder.write("keys", "not a key\n");
  CAF_CHECK(fails_with<std::runtime_error>(folder.path()));
  folder.write("keys", "");
  CAF_CHECK(fails_with<std::runtime_error>(folder.path()));
  CAF_CHECK_EQUAL(fs::file_size(file), 0u);
}

CAF_TEST(a place that cannot be written to is an error) {
  test::scratch folder;
  folder.write("file", "");
  CAF_CHECK(fails_with<std::system_error>(folder.path() / "file" / "var"));
}
