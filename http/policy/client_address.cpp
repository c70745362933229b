#include "http/policy/client_address.hpp"

namespace backstay::http {

namespace {

using config::parse_address;

/// All that proxies noted, each behind a comma. A header that came more than once is one list (RFC 9110 section 5.3):
/// many a proxy adds a line of its own below the one that the client made up.
std::string forwarded_for(const request& in) {
  std::string all;
  for (auto& [name, value] : in.headers)
    if (equal_ignoring_case(name, "X-Forwarded-For")) (all += ',') += value;
  return all;
}

} // namespace

std::string client_addresses::find(const request& in) const {
  auto client = in.peer;
  auto forwarded = forwarded_for(in);
  for (auto comma = forwarded.rfind(','); comma != forwarded.npos && trusted_.contain(client);
       comma = forwarded.rfind(',')) {
    std::string hop{trim(std::string_view{forwarded}.substr(comma + 1))};
    if (parse_address(hop) == asio::ip::address{}) break;
    client = hop;
    forwarded.erase(comma);
  }
  return client;
}

std::string limited_address(const std::string& text) {
  auto address = parse_address(text);
  if (!address.is_v6()) return address.to_string();
  return asio::ip::network_v6{address.to_v6(), 64}.canonical().to_string();
}

bool is_loopback(const std::string& address) { return parse_address(address).is_loopback(); }

} // namespace backstay::http
