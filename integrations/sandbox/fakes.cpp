#include "integrations/sandbox/fake.hpp"

namespace backstay::sandbox {

using maker = std::unique_ptr<fake>(world&);

// A fake's line: its maker, defined in the file of that name, or in oauth.cpp.
maker make_panel;
maker make_cryptobot;
maker make_yookassa;
maker make_heleket;
maker make_mulenpay;
maker make_stars;
maker make_tribute;
maker make_mail;
maker make_github;
maker make_google;
maker make_discord;
maker make_apple;
maker make_microsoft;
maker make_twitter;
maker make_telegram;
maker make_stripe;
maker make_lemonsqueezy;

std::vector<std::unique_ptr<fake>> make_fakes(world& w) {
  std::vector<std::unique_ptr<fake>> all;
  for (auto* make : {make_panel, make_cryptobot, make_yookassa, make_heleket, make_mulenpay, make_stars, make_tribute,
                     make_stripe, make_lemonsqueezy, make_mail, make_github, make_google, make_discord, make_apple,
                     make_microsoft, make_twitter, make_telegram})
    all.push_back(make(w));
  return all;
}

} // namespace backstay::sandbox
