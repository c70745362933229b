#include "integrations/payment/registry.hpp"

#include "integrations/cryptobot/client.hpp"
#include "integrations/stars/client.hpp"
#include "integrations/tribute/client.hpp"

namespace backstay::payment_provider {

const std::vector<registration>& registered() {
  static const std::vector<registration> all{
      {"cryptobot", cryptobot::methods, cryptobot::spawn},
      {"stars", stars::methods, stars::spawn},
      {"tribute", tribute::methods, tribute::spawn},
  };
  return all;
}

} // namespace backstay::payment_provider
