#pragma once

#include "http/kernel/domains.hpp"
#include "http/kernel/router.hpp"

/// Our own API for operators: `/api/v1/admin/*`, beyond what the contract's families have there.
namespace backstay::http::admin {

inline constexpr dialect family{"admin"};

void add_accounts(router& to, const domains& who);
void add_promo_codes(router& to, const domains& who);
void add_audit(router& to, const domains& who);
void add_wallet(router& to, const domains& who);
void add_payments(router& to, const domains& who);
void add_plans(router& to, const domains& who);

/// Every endpoint of the family.
void add_all(router& to, const domains& who);

} // namespace backstay::http::admin
