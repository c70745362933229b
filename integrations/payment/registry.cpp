#include "integrations/payment/registry.hpp"

#include "integrations/cryptobot/client.hpp"
#include "integrations/heleket/client.hpp"
#include "integrations/lemonsqueezy/client.hpp"
#include "integrations/mulenpay/client.hpp"
#include "integrations/stars/client.hpp"
#include "integrations/stripe/client.hpp"
#include "integrations/tribute/client.hpp"
#include "integrations/yookassa/client.hpp"

namespace backstay::payment_provider {

const std::vector<registration>& registered() {
  static const std::vector<registration> all{
      {"cryptobot", cryptobot::methods, cryptobot::spawn},
      {"yookassa", yookassa::methods, yookassa::spawn},
      {"stars", stars::methods, stars::spawn},
      {"heleket", heleket::methods, heleket::spawn},
      {"mulenpay", mulenpay::methods, mulenpay::spawn},
      {"stripe", stripe::methods, stripe::spawn},
      {"lemonsqueezy", lemonsqueezy::methods, lemonsqueezy::spawn},
      {"tribute", tribute::methods, tribute::spawn},
  };
  return all;
}

} // namespace backstay::payment_provider
