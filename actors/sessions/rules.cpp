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

constexpr std::string_view refresh_purpose = "refresh token";

std::string in_seconds(std::chrono::seconds wait) { return std::to_string(wait.count()) + " seconds."; }

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

fault invalid_credentials() {
  return {.code = ec::unauthenticated, .message = "Invalid credentials.", .name = "INVALID_CREDENTIALS"};
}

fault invalid_refresh_token() {
  return {.code = ec::unauthenticated, .message = "Invalid or expired refresh token", .name = "INVALID_TOKEN"};
}

fault unknown_device() {
  return {.code = ec::unauthenticated,
          .message = "Unknown, expired or revoked device token",
          .name = "INVALID_DEVICE_TOKEN"};
}

fault locked_out(std::chrono::seconds wait) {
  return {.code = ec::locked,
          .message = "Too many failed login attempts. Try again in " + in_seconds(wait),
          .retry_after = wait};
}

fault mails_rest(std::chrono::seconds wait) {
  return {.code = ec::too_many,
          .message = "Too many requests. Try again in " + in_seconds(wait),
          .name = "RATE_LIMITED",
          .retry_after = wait};
}

} // namespace backstay::sessions
