#pragma once

#include <asio/ip/address.hpp>
#include <asio/ip/network_v4.hpp>
#include <asio/ip/network_v6.hpp>

#include <string>
#include <vector>

namespace backstay::config {

/// A list of addresses and networks, as settings name them (CIDR, RFC 4632).
class networks {
public:
  networks() = default;
  /// Throws `std::invalid_argument` for what is neither.
  explicit networks(const std::vector<std::string>& texts);

  /// Whether one of them holds `address`. An IPv4 address that is written as IPv6 (RFC 4291, 2.5.5.2) counts as IPv4;
  /// what is no address is in none.
  bool contain(const std::string& address) const;

private:
  std::vector<asio::ip::network_v4> v4_;
  std::vector<asio::ip::network_v6> v6_;
};

/// The unspecified IPv4 address where `text` is none.
asio::ip::address parse_address(const std::string& text);

} // namespace backstay::config
