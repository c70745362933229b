#include "actors/idempotency/rules.hpp"

#include "actors/kernel/error.hpp"

#include <algorithm>

namespace backstay::idempotency {

namespace {

[[noreturn]] void fail_key(std::string message, std::string type, std::string name) {
  fault what{.code = ec::invalid, .message = message, .name = std::move(name)};
  what.problems.push_back({{"header", "Idempotency-Key"}, std::move(message), std::move(type)});
  fail(std::move(what));
}

} // namespace

void check_key(const std::string& key) {
  bool visible = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (key.empty() || key.size() > 255 || !visible)
    fail_key("The key must be 1 to 255 visible ASCII characters", "value_error", "IDEMPOTENCY_KEY_INVALID");
}

claimed judge(const store::record& key, timestamp now) {
  if (!key.same_body)
    fail_key("The key was used with another request body", "idempotency_key_reused", "IDEMPOTENCY_KEY_REUSED");
  if (key.answer || key.is_ours) return {key.claim, key.answer};
  auto left = std::chrono::ceil<std::chrono::seconds>(key.lease_until - now);
  fail(fault{.code = ec::conflict,
             .message = "A request with this Idempotency-Key is still running",
             .name = "IDEMPOTENCY_KEY_IN_USE",
             .retry_after = std::max(left, std::chrono::seconds{1})});
}

} // namespace backstay::idempotency
