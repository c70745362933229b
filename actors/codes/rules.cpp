#include "actors/codes/rules.hpp"

#include "actors/kernel/crypto.hpp"

#include <algorithm>

namespace backstay::codes {

namespace {

/// A code fits its address alone.
std::string signed_text(std::string_view address, const secret& code) {
  return std::string{address} + '\0' + code.reveal();
}

std::string signing_purpose(purpose what_for) { return "code for " + std::string{name_of(what_for)}; }

std::string quoted(timestamp moment) { return '"' + to_rfc3339(moment) + '"'; }

} // namespace

std::string hash_of(const keyring& keys, purpose what_for, std::string_view address, const secret& code) {
  return crypto::to_hex(keys.sign(signing_purpose(what_for), signed_text(address, code)));
}

bool matches(const keyring& keys, purpose what_for, std::string_view address, const secret& code,
             const std::optional<std::string>& hash) {
  if (!hash) return false;
  auto hashes = keys.sign_by_each(signing_purpose(what_for), signed_text(address, code));
  return std::any_of(hashes.begin(), hashes.end(),
                     [&](auto& ours) { return crypto::equal(crypto::to_hex(ours), *hash); });
}

verdict judge(record& kept, bool is_right, timestamp now) {
  if (now - kept.started_at >= lifetime) {
    if (is_right) return kept.is_consumed ? verdict::consumed : verdict::expired;
    kept = {.started_at = now}; // tries count anew, and the code is gone for good
  }
  // Before the comparison: a dead code must not tell that it would have been right.
  if (kept.failures >= tries) return verdict::dead;
  if (is_right) return kept.is_consumed ? verdict::consumed : verdict::right;
  return ++kept.failures == tries ? verdict::exhausted : verdict::wrong;
}

fault fault_of(verdict what, purpose what_for, const record& kept) {
  auto refusal = [&](ec code, std::string message, std::string name, int remaining) {
    return fault{.code = code,
                 .message = std::move(message),
                 .name = std::move(name),
                 .details = {{"attempts_remaining", std::to_string(remaining)}}};
  };
  bool is_over = what == verdict::consumed && what_for != purpose::verification; // to be asked for anew
  switch (is_over ? verdict::dead : what) {
  case verdict::wrong:
    return refusal(ec::refused, "Invalid verification code", "OTP_INVALID", tries - kept.failures);
  case verdict::exhausted:
    return refusal(ec::too_many, "Too many attempts. Request a new code.", "OTP_EXHAUSTED", 0);
  case verdict::dead:
    return refusal(ec::refused, "No code is waiting. Request a new one.", "OTP_NOT_FOUND", 0);
  case verdict::expired:
    return refusal(ec::refused, "The code has expired. Request a new one.", "OTP_EXPIRED", 0);
  case verdict::consumed:
    return refusal(ec::refused, "Email already verified. Please login.", "ALREADY_VERIFIED", tries - kept.failures);
  case verdict::right:
    break;
  }
  return {.code = ec::internal};
}

resends_left count_resend(resend_record& record, timestamp now) {
  if (record.count == 0 || now - record.window_started_at >= resend_window) record = {.window_started_at = now};
  auto next = [&] {
    return record.count < resends_per_window ? record.last_at + resend_pause : record.window_started_at + resend_window;
  };
  if (record.count > 0 && now < next()) {
    auto wait = std::chrono::ceil<std::chrono::seconds>(next() - now);
    fail({.code = ec::too_many,
          .message = "Please wait before you request another code.",
          .name = "RATE_LIMITED",
          .retry_after = wait,
          .details = {{"next_resend_available_at", quoted(next())}}});
  }
  ++record.count;
  record.last_at = now;
  return {.count = resends_per_window - record.count, .next_at = next()};
}

fault fault_of_rest(std::chrono::seconds wait) {
  return {.code = ec::too_many,
          .message = "Too many attempts. Try again in " + std::to_string(wait.count()) + " seconds.",
          .name = "OTP_EXHAUSTED",
          .retry_after = wait,
          .details = {{"attempts_remaining", "0"}}};
}

} // namespace backstay::codes
