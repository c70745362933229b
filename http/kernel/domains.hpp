#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/audit/messages.hpp"
#include "actors/identities/messages.hpp"
#include "actors/monitoring/messages.hpp"
#include "actors/payments/messages.hpp"
#include "actors/promotions/messages.hpp"
#include "actors/provisioning/messages.hpp"
#include "actors/referrals/messages.hpp"
#include "actors/sessions/messages.hpp"
#include "actors/subscriptions/messages.hpp"
#include "actors/two_factor/messages.hpp"
#include "actors/wallet/messages.hpp"

namespace backstay::http {

/// The stable addresses (guardians) of the domains that endpoints speak to.
struct domains {
  accounts::accounts_actor accounts;
  sessions::sessions_actor sessions;
  identities::identities_actor identities;
  subscriptions::subscriptions_actor subscriptions;
  payments::payments_actor payments;
  monitoring::monitoring_actor monitoring;
  provisioning::provisioning_actor provisioning;
  audit::audit_actor audit;
  two_factor::two_factor_actor two_factor;
  wallet::wallet_actor wallet;
  referrals::referrals_actor referrals;
  promotions::promotions_actor promotions;
};

} // namespace backstay::http
