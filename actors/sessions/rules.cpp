#include "actors/sessions/rules.hpp"

#include "actors/kernel/crypto.hpp"

#include <algorithm>

namespace backstay::sessions {

namespace {

constexpr std::size_t id_size = 16, generation_size = 4, mac_size = 32;

std::string body_of(const session_id& session, std::uint32_t generation) {
  std::string body{reinterpret_cast<const char*>(session.bytes.data()), id_size};
  for (int shift = 24; shift >= 0; shift -= 8) body += static_cast<char>(generation >> shift & 0xff);
  return body;
}

constexpr std::string_view refresh_purpose = "refresh token", code_purpose = "code";

std::string code_input(std::string_view address, const secret& code) {
  return std::string{address} + '\0' + code.reveal();
}

std::string in_seconds(std::chrono::seconds wait) { return std::to_string(wait.count()) + " seconds."; }

std::string quoted(timestamp moment) { return '"' + to_rfc3339(moment) + '"'; }

} // namespace

secret make_refresh_token(const keyring& keys, const session_id& session, std::uint32_t generation) {
  auto body = body_of(session, generation);
  return secret{crypto::to_base64url(body + keys.sign(refresh_purpose, body))};
}

std::string hash_of(const secret& token) { return crypto::to_hex(crypto::sha256(token.reveal())); }

std::optional<refresh_token> read_refresh_token(const keyring& keys, const secret& token) {
  auto bytes = crypto::from_base64url(token.reveal());
  if (!bytes || bytes->size() != id_size + generation_size + mac_size) return std::nullopt;
  auto body = bytes->substr(0, id_size + generation_size), mac = bytes->substr(body.size());
  auto macs = keys.sign_by_each(refresh_purpose, body);
  if (std::none_of(macs.begin(), macs.end(), [&](auto& ours) { return crypto::equal(ours, mac); })) return std::nullopt;
  refresh_token result{.hash = hash_of(token)};
  std::copy_n(body.begin(), id_size, result.session.bytes.begin());
  return result;
}

std::optional<secret> repeat_refresh_token(const keyring& keys, const session_id& session, std::uint32_t generation,
                                           std::string_view hash) {
  auto body = body_of(session, generation);
  for (auto& mac : keys.sign_by_each(refresh_purpose, body)) {
    secret token{crypto::to_base64url(body + mac)};
    if (hash_of(token) == hash) return token;
  }
  return std::nullopt;
}

refresh_verdict judge(const rotation& state, std::string_view presented_hash, timestamp now) {
  if (presented_hash == state.hash) return refresh_verdict::rotate;
  bool answer_may_be_lost = !state.token_used || now - state.rotated_at <= std::chrono::seconds{30};
  return presented_hash == state.parent_hash && answer_may_be_lost ? refresh_verdict::repeat : refresh_verdict::replay;
}

std::string code_hash(const keyring& keys, std::string_view address, const secret& code) {
  return crypto::to_hex(keys.sign(code_purpose, code_input(address, code)));
}

bool code_matches(const keyring& keys, std::string_view address, const secret& code,
                  const std::optional<std::string>& hash) {
  if (!hash) return false;
  auto hashes = keys.sign_by_each(code_purpose, code_input(address, code));
  return std::any_of(hashes.begin(), hashes.end(),
                     [&](auto& ours) { return crypto::equal(crypto::to_hex(ours), *hash); });
}

code_verdict judge(code_record& record, bool matches, timestamp now) {
  if (now - record.started_at >= code_lifetime) {
    if (matches) return record.is_consumed ? code_verdict::consumed : code_verdict::expired;
    record = {.started_at = now}; // tries count anew, and the code is gone for good
  }
  // Before the comparison: a dead code must not tell that it would have been right.
  if (record.failures >= code_tries) return code_verdict::dead;
  if (matches) return record.is_consumed ? code_verdict::consumed : code_verdict::right;
  return ++record.failures == code_tries ? code_verdict::exhausted : code_verdict::wrong;
}

fault code_fault(code_verdict verdict, const code_record& record) {
  auto refusal = [&](ec code, std::string message, std::string name, int remaining) {
    return fault{.code = code,
                 .message = std::move(message),
                 .name = std::move(name),
                 .details = {{"attempts_remaining", std::to_string(remaining)}}};
  };
  switch (verdict) {
  case code_verdict::wrong:
    return refusal(ec::refused, "Invalid verification code", "OTP_INVALID", code_tries - record.failures);
  case code_verdict::exhausted:
    return refusal(ec::too_many, "Too many attempts. Request a new code.", "OTP_EXHAUSTED", 0);
  case code_verdict::dead:
    return refusal(ec::refused, "No code is waiting. Request a new one.", "OTP_NOT_FOUND", 0);
  case code_verdict::expired:
    return refusal(ec::refused, "The code has expired. Request a new one.", "OTP_EXPIRED", 0);
  case code_verdict::consumed:
    return refusal(ec::refused, "Email already verified. Please login.", "ALREADY_VERIFIED",
                   code_tries - record.failures);
  case code_verdict::right:
    break;
  }
  return {.code = ec::internal};
}

code_sent count_resend(resend_record& record, timestamp now) {
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
  return {.resends_remaining = resends_per_window - record.count, .next_resend_available_at = next()};
}

fault invalid_credentials() {
  return {.code = ec::unauthenticated, .message = "Invalid credentials.", .name = "INVALID_CREDENTIALS"};
}

fault invalid_refresh_token() {
  return {.code = ec::unauthenticated, .message = "Invalid or expired refresh token", .name = "INVALID_TOKEN"};
}

fault locked_out(std::chrono::seconds wait) {
  return {.code = ec::locked,
          .message = "Too many failed login attempts. Try again in " + in_seconds(wait),
          .retry_after = wait};
}

fault codes_rest(std::chrono::seconds wait) {
  return {.code = ec::too_many,
          .message = "Too many attempts. Try again in " + in_seconds(wait),
          .name = "OTP_EXHAUSTED",
          .retry_after = wait,
          .details = {{"attempts_remaining", "0"}}};
}

fault mails_rest(std::chrono::seconds wait) {
  return {.code = ec::too_many,
          .message = "Too many requests. Try again in " + in_seconds(wait),
          .name = "RATE_LIMITED",
          .retry_after = wait};
}

} // namespace backstay::sessions
