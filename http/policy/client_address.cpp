#include "http/policy/client_address.hpp"

#include <asio/ip/address.hpp>

#include <stdexcept>

namespace backstay::http {

namespace {

asio::ip::address parse(std::string text) {
  asio::error_code error;
  auto address = asio::ip::make_address(text, error);
  if (error) return {};
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address;
}

/// All that proxies noted, each behind a comma. A header that came more than once is one list (RFC 9110 section 5.3):
/// many a proxy adds a line of its own below the one that the client made up.
std::string forwarded_for(const request& in) {
  std::string all;
  for (auto& [name, value] : in.headers)
    if (equal_ignoring_case(name, "X-Forwarded-For")) (all += ',') += value;
  return all;
}

template <class Network, class Address>
bool contains(const Network& network, const Address& address) {
  return Network{address, network.prefix_length()}.canonical() == network.canonical();
}

} // namespace

client_addresses::client_addresses(const std::vector<std::string>& trusted) {
  for (auto text : trusted) {
    bool v6 = text.find(':') != std::string::npos;
    if (text.find('/') == std::string::npos) text += v6 ? "/128" : "/32";
    try {
      v6 ? void(v6_.push_back(asio::ip::make_network_v6(text))) : void(v4_.push_back(asio::ip::make_network_v4(text)));
    } catch (const std::exception&) {
      throw std::invalid_argument{"not an address or network: " + text};
    }
  }
}

bool client_addresses::is_trusted(const std::string& text) const {
  auto address = parse(text);
  auto holds = [&](auto& network) {
    if constexpr (std::is_same_v<std::decay_t<decltype(network)>, asio::ip::network_v4>)
      return address.is_v4() && contains(network, address.to_v4());
    else return address.is_v6() && contains(network, address.to_v6());
  };
  return std::any_of(v4_.begin(), v4_.end(), holds) || std::any_of(v6_.begin(), v6_.end(), holds);
}

std::string client_addresses::find(const request& in) const {
  auto client = in.peer;
  auto forwarded = forwarded_for(in);
  for (auto comma = forwarded.rfind(','); comma != forwarded.npos && is_trusted(client); comma = forwarded.rfind(',')) {
    std::string hop{trim(std::string_view{forwarded}.substr(comma + 1))};
    if (parse(hop) == asio::ip::address{}) break;
    client = hop;
    forwarded.erase(comma);
  }
  return client;
}

std::string limited_address(const std::string& text) {
  auto address = parse(text);
  if (!address.is_v6()) return address.to_string();
  return asio::ip::network_v6{address.to_v6(), 64}.canonical().to_string();
}

bool is_loopback(const std::string& address) { return parse(address).is_loopback(); }

} // namespace backstay::http
