#pragma once

#include "http/kernel/message.hpp"

#include <asio/ip/network_v4.hpp>
#include <asio/ip/network_v6.hpp>

#include <string>
#include <vector>

namespace backstay::http {

/// Finds the client behind proxies that we trust: `X-Forwarded-For` is read from the right, and only from them.
class client_addresses {
public:
  /// `trusted`: addresses and networks in CIDR notation. Throws `std::invalid_argument` for anything else.
  explicit client_addresses(const std::vector<std::string>& trusted);

  std::string find(const request& in) const;

private:
  bool is_trusted(const std::string& address) const;

  std::vector<asio::ip::network_v4> v4_;
  std::vector<asio::ip::network_v6> v6_;
};

/// What limits per address count: an IPv6 client owns a /64.
std::string limited_address(const std::string& address);

bool is_loopback(const std::string& address);

} // namespace backstay::http
