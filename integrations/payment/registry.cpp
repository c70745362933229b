#include "integrations/payment/registry.hpp"

#include "integrations/cryptobot/client.hpp"
#include "integrations/heleket/client.hpp"
#include "integrations/mulenpay/client.hpp"
#include "integrations/yookassa/client.hpp"

namespace backstay::payment_provider {

const std::vector<registration>& registered() {
  static const std::vector<registration> all{
      {"cryptobot", cryptobot::methods, cryptobot::spawn},
      {"yookassa", yookassa::methods, yookassa::spawn},
      {"heleket", heleket::methods, heleket::spawn},
      {"mulenpay", mulenpay::methods, mulenpay::spawn},
  };
  return all;
}

} // namespace backstay::payment_provider
