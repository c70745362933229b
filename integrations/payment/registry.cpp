#include "integrations/payment/registry.hpp"

#include "integrations/cryptobot/client.hpp"

namespace backstay::payment_provider {

const std::vector<registration>& registered() {
  static const std::vector<registration> all{
      {"cryptobot", cryptobot::methods, cryptobot::spawn},
  };
  return all;
}

} // namespace backstay::payment_provider
