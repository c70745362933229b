#pragma once

#include "http/kernel/domains.hpp"
#include "http/kernel/router.hpp"

#include <string>
#include <vector>

/// The VPN phone app and its web client: `/api/v1/*`, `/ws/*` (tests/contract/mobile.json).
namespace backstay::http::mobile {

inline constexpr dialect family{"mobile"};

void add_sign_in(router& to, const domains& who);
void add_oauth(router& to, const domains& who);
void add_telegram(router& to, const domains& who);
void add_profile(router& to);
void add_account(router& to, const domains& who);
void add_two_factor(router& to, const domains& who);
void add_biometric(router& to, const domains& who);
void add_plans_and_subscriptions(router& to, const domains& who);
void add_trial(router& to, const domains& who);
void add_payments(router& to, const domains& who);
void add_billing(router& to, const domains& who);
void add_referrals(router& to, const domains& who);
void add_servers(router& to, const domains& who);
void add_templates(router& to, const domains& who);
void add_usage(router& to, const domains& who);

/// Every endpoint of the family.
void add_all(router& to, const domains& who);

/// The paths of the family's WebSockets, for the document.
std::vector<std::string> socket_paths();

} // namespace backstay::http::mobile
