#include "http/mobile/family.hpp"

#include "http/mobile/sockets.hpp"

namespace backstay::http::mobile {

void add_all(router& to, const domains& who) {
  add_sign_in(to, who);
  add_oauth(to, who);
  add_telegram(to, who);
  add_profile(to);
  add_account(to, who);
  add_two_factor(to, who);
  add_biometric(to, who);
  add_plans_and_subscriptions(to, who);
  add_trial(to, who);
  add_payments(to, who);
  add_billing(to, who);
  add_referrals(to, who);
  add_servers(to, who);
  add_templates(to, who);
  add_usage(to, who);
}

std::vector<std::string> socket_paths() {
  std::vector<std::string> paths;
  for (auto& socket : sockets()) paths.insert(paths.end(), socket.paths.begin(), socket.paths.end());
  return paths;
}

} // namespace backstay::http::mobile
