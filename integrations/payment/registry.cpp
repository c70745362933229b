#include "integrations/payment/registry.hpp"

#include "integrations/cryptobot/client.hpp"
#include "integrations/lemonsqueezy/client.hpp"
#include "integrations/stripe/client.hpp"

namespace backstay::payment_provider {

const std::vector<registration>& registered() {
  static const std::vector<registration> all{
      {"cryptobot", cryptobot::methods, cryptobot::spawn},
      {"stripe", stripe::methods, stripe::spawn},
      {"lemonsqueezy", lemonsqueezy::methods, lemonsqueezy::spawn},
  };
  return all;
}

} // namespace backstay::payment_provider
