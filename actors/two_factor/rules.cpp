#include "actors/two_factor/rules.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"

#include <liboath/oath.h>

#include <cstdlib>
#include <memory>

namespace backstay::two_factor {

namespace {

constexpr unsigned digits = 6;
constexpr std::size_t secret_size = 20;

struct freed {
  void operator()(char* memory) const { std::free(memory); }
};

/// What liboath allocates, taken over as a secret.
secret take_over(char* memory, std::size_t size) {
  std::unique_ptr<char, freed> owned{memory};
  return secret{std::string(memory, size)};
}

secret to_base32(const std::string& bytes) {
  char* text = nullptr;
  std::size_t size = 0;
  if (oath_base32_encode(bytes.data(), bytes.size(), &text, &size) != OATH_OK) fail(ec::overloaded); // no memory
  return take_over(text, size);
}

secret from_base32(const secret& text) {
  char* bytes = nullptr;
  std::size_t size = 0;
  if (oath_base32_decode(text.reveal().data(), text.reveal().size(), &bytes, &size) != OATH_OK)
    fail(ec::internal, "a shared secret is damaged");
  return take_over(bytes, size);
}

/// RFC 3986, 2.1: all but the unreserved characters.
std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (char c : text) {
    bool is_unreserved = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                         c == '.' || c == '_' || c == '~';
    if (is_unreserved) encoded += c;
    else (encoded += '%') += to_upper(crypto::to_hex({&c, 1}));
  }
  return encoded;
}

} // namespace

secret make_shared_secret() { return to_base32(crypto::random_bytes(secret_size)); }

secret code_at(const secret& shared, std::int64_t step) {
  char code[digits + 1];
  auto key = from_base32(shared);
  // TOTP is HOTP whose counter is the time step (RFC 6238, 4.2).
  int failed = oath_hotp_generate(key.reveal().data(), key.reveal().size(), static_cast<std::uint64_t>(step), digits,
                                  false, OATH_HOTP_DYNAMIC_TRUNCATION, code);
  if (failed != OATH_OK) fail(ec::internal, "a one-time code could not be computed");
  return secret{code};
}

std::optional<std::int64_t> step_of(const secret& shared, const secret& code, timestamp now) {
  auto present = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) / time_step;
  for (auto each : {present + 1, present, present - 1})
    if (code_at(shared, each) == code) return each;
  return std::nullopt;
}

secret key_uri(const secret& shared, std::string_view issuer, std::string_view holder) {
  auto by = percent_encoded(issuer);
  return secret{"otpauth://totp/" + by + ":" + percent_encoded(holder) + "?secret=" + shared.reveal() +
                "&issuer=" + by + "&algorithm=SHA1&digits=6&period=30"};
}

secret make_recovery_code() { return secret{to_upper(crypto::to_hex(crypto::random_bytes(4)))}; }

std::optional<secret> read_recovery_code(const secret& typed) {
  auto code = to_upper(typed.reveal());
  bool fits = code.size() == 8 && code.find_first_not_of("0123456789ABCDEF") == std::string::npos;
  return fits ? std::optional{secret{std::move(code)}} : std::nullopt;
}

fault already_enabled() {
  return {.code = ec::refused,
          .message = "2FA is already enabled. Disable it first to set up a new secret.",
          .name = "TWO_FACTOR_ENABLED"};
}

fault not_enabled() {
  return {.code = ec::refused, .message = "2FA is not enabled.", .name = "TWO_FACTOR_NOT_ENABLED"};
}

fault no_password() {
  return {
      .code = ec::refused, .message = "Password authentication not available for this account.", .name = "NO_PASSWORD"};
}

fault wrong_password() { return {.code = ec::refused, .message = "Invalid password.", .name = "INVALID_PASSWORD"}; }

fault wrong_code() { return {.code = ec::refused, .message = "Invalid TOTP code.", .name = "INVALID_CODE"}; }

fault wrong_first_code() {
  return {.code = ec::refused, .message = "Invalid verification code or no pending 2FA setup.", .name = "INVALID_CODE"};
}

fault reauthentication_required() {
  return {.code = ec::forbidden,
          .message = "Password re-authentication required. Call POST /2fa/reauth first.",
          .name = "REAUTHENTICATION_REQUIRED"};
}

fault no_second_step() {
  return {.code = ec::unauthenticated, .message = "Invalid or expired token", .name = "INVALID_TOKEN"};
}

fault codes_rest(std::chrono::seconds wait) {
  return {.code = ec::too_many,
          .message = "Too many verification attempts. Try again in " + std::to_string(wait.count()) + " seconds.",
          .retry_after = wait};
}

} // namespace backstay::two_factor
