#include "http/admin/family.hpp"

namespace backstay::http::admin {

void add_all(router& to, const domains& who) {
  add_accounts(to, who);
  add_promo_codes(to, who);
  add_audit(to, who);
  add_wallet(to, who);
  add_payments(to, who);
  add_plans(to, who);
}

} // namespace backstay::http::admin
