#include "config/networks.hpp"

#include <algorithm>
#include <stdexcept>

namespace backstay::config {

namespace {

template <class Network, class Address>
bool contains(const Network& network, const Address& address) {
  return Network{address, network.prefix_length()}.canonical() == network.canonical();
}

} // namespace

networks::networks(const std::vector<std::string>& texts) {
  for (auto text : texts) {
    const bool v6 = text.find(':') != std::string::npos;
    if (text.find('/') == std::string::npos) text += v6 ? "/128" : "/32";
    try {
      v6 ? void(v6_.push_back(asio::ip::make_network_v6(text))) : void(v4_.push_back(asio::ip::make_network_v4(text)));
    } catch (const std::exception&) {
      throw std::invalid_argument{"not an address or network: " + text};
    }
  }
}

bool networks::contain(const std::string& text) const {
  const auto address = parse_address(text);
  if (address.is_unspecified()) return false;
  const auto holds = [&](const auto& network) {
    if constexpr (std::is_same_v<std::decay_t<decltype(network)>, asio::ip::network_v4>)
      return address.is_v4() && contains(network, address.to_v4());
    else return address.is_v6() && contains(network, address.to_v6());
  };
  return std::any_of(v4_.begin(), v4_.end(), holds) || std::any_of(v6_.begin(), v6_.end(), holds);
}

asio::ip::address parse_address(const std::string& text) {
  asio::error_code error;
  const auto address = asio::ip::make_address(text, error);
  if (error) return {};
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address;
}

} // namespace backstay::config
