#define CAF_SUITE http_client_address

#include "http/policy/client_address.hpp"

#include <stdexcept>

#include "tests/http/fixture.hpp"

using namespace backstay::http;

namespace {

using lines = std::vector<std::string>;

/// The client of a request from `peer` with these X-Forwarded-For lines.
std::string client(const lines& trusted, std::string peer, const lines& forwarded) {
  test::sent what{.peer = std::move(peer)};
  for (auto& line : forwarded) what.headers.emplace_back("x-forwarded-for", line);
  return client_addresses{trusted}.find(what.view());
}

bool is_accepted(const std::string& trusted) {
  try {
    client_addresses{{trusted}};
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

const lines proxies{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"};

} // namespace

CAF_TEST(strangers are not believed) {
  CAF_CHECK_EQUAL(client({}, "10.0.0.1", {"1.1.1.1"}), "10.0.0.1");
  CAF_CHECK_EQUAL(client(proxies, "198.51.100.9", {"1.1.1.1"}), "198.51.100.9");
  CAF_CHECK_EQUAL(client(proxies, "192.0.2.8", {"1.1.1.1"}), "192.0.2.8");
}

CAF_TEST(the list is read from the right and only as far as proxies wrote it) {
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {}), "10.0.0.1");
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"1.1.1.1"}), "1.1.1.1");
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"6.6.6.6, 1.1.1.1"}), "1.1.1.1");
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"6.6.6.6,1.1.1.1 , 192.0.2.7"}), "1.1.1.1");
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"10.9.9.9,10.8.8.8"}), "10.9.9.9");
}

CAF_TEST(several lines are one list) {
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"6.6.6.6", "1.1.1.1"}), "1.1.1.1");
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"6.6.6.6", "1.1.1.1, 10.0.0.2"}), "1.1.1.1");
}

CAF_TEST(what is no address ends the search) {
  for (auto bad : {"unknown", "1.1.1.1:443", "", "1.1.1", "<script>"})
    CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {std::string{"6.6.6.6, "} + bad}), "10.0.0.1");
}

CAF_TEST(proxies and clients may speak IPv6) {
  CAF_CHECK_EQUAL(client(proxies, "2001:db8::1", {"2400::5"}), "2400::5");
  CAF_CHECK_EQUAL(client(proxies, "2001:db9::1", {"2400::5"}), "2001:db9::1");
  CAF_CHECK_EQUAL(client(proxies, "::ffff:10.0.0.1", {"1.1.1.1"}), "1.1.1.1");
  CAF_CHECK_EQUAL(client(proxies, "10.0.0.1", {"1.1.1.1, ::ffff:192.0.2.7"}), "1.1.1.1");
}

CAF_TEST(trusted proxies are addresses or networks) {
  for (auto good : {"10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", "2001:db8::1/128"})
    CAF_CHECK(is_accepted(good));
  for (auto bad : {"", "proxy", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.1/x"}) CAF_CHECK(!is_accepted(bad));
}

CAF_TEST(limits count an IPv6 client by its network) {
  CAF_CHECK_EQUAL(limited_address("198.51.100.9"), "198.51.100.9");
  CAF_CHECK_EQUAL(limited_address("2001:db8:1:2:3:4:5:6"), limited_address("2001:db8:1:2:ffff::1"));
  CAF_CHECK(limited_address("2001:db8:1:2::1") != limited_address("2001:db8:1:3::1"));
  CAF_CHECK_EQUAL(limited_address("::ffff:198.51.100.9"), "198.51.100.9");
}

CAF_TEST(loopback is known in every spelling) {
  for (auto loopback : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) CAF_CHECK(is_loopback(loopback));
  for (auto other : {"128.0.0.1", "::2", "localhost", ""}) CAF_CHECK(!is_loopback(other));
}
