#include "actors/wallet/rules.hpp"

#include "actors/kernel/error.hpp"

namespace backstay::wallet {

namespace store {

book wallet_of(const account_id& account) { return {book_kind::wallet, to_string(account)}; }
book provider(const std::string& name) { return {book_kind::provider, name}; }
book revenue() { return {book_kind::revenue, {}}; }

} // namespace store

void check(const store::transfer& what) {
  if (what.amount.minor <= 0) fail(ec::internal, "a transfer moves a positive amount");
  if (what.from == what.to) fail(ec::internal, "a transfer has two sides");
  if (what.cause_kind.empty() || what.cause_id.empty()) fail(ec::internal, "a transfer has a cause");
}

} // namespace backstay::wallet
