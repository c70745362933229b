#pragma once

#include "config/networks.hpp"
#include "http/kernel/message.hpp"

#include <string>
#include <vector>

namespace backstay::http {

/// Finds the client behind proxies that we trust: `X-Forwarded-For` is read from the right, and only from them.
class client_addresses {
public:
  /// `trusted`: addresses and networks in CIDR notation. Throws `std::invalid_argument` for anything else.
  explicit client_addresses(const std::vector<std::string>& trusted) : trusted_(trusted) {}

  std::string find(const request& in) const;

private:
  config::networks trusted_;
};

/// What limits per address count: an IPv6 client owns a /64.
std::string limited_address(const std::string& address);

bool is_loopback(const std::string& address);

} // namespace backstay::http
