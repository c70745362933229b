#include "actors/hashing/rules.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/error.hpp"

#include <array>
#include <crypt.h>
#include <sodium.h>

namespace backstay::hashing {

namespace {

constexpr unsigned long long passes = 2;
constexpr std::size_t memory = 19 * 1024 * 1024;

bool is_bcrypt(const std::string& hash) {
  return hash.size() == 60 && (hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$"));
}

/// crypt(3) reads up to the first NUL, so that a password with one would match by its beginning.
bool matches_bcrypt(const std::string& password, const std::string& hash) {
  if (password.find('\0') != std::string::npos) return false;
  crypt_data scratch{};
  const char* again = crypt_r(password.c_str(), hash.c_str(), &scratch);
  bool matches = again && crypto::equal(again, hash);
  sodium_memzero(&scratch, sizeof scratch); // has traces of the password
  return matches;
}

} // namespace

std::string hash_password(const secret& password) {
  std::array<char, crypto_pwhash_STRBYTES> encoded{};
  auto& text = password.reveal();
  if (crypto_pwhash_str_alg(encoded.data(), text.data(), text.size(), passes, memory, crypto_pwhash_ALG_ARGON2ID13) !=
      0)
    fail({.code = ec::overloaded, .retry_after = std::chrono::seconds{1}});
  return encoded.data();
}

verdict check_password(const secret& password, const std::string& hash) {
  auto& text = password.reveal();
  if (is_bcrypt(hash)) return matches_bcrypt(text, hash) ? verdict{hash_password(password), true} : verdict{};
  // libsodium reads a field of fixed size.
  std::array<char, crypto_pwhash_STRBYTES> encoded{};
  if (hash.size() >= encoded.size()) return {};
  hash.copy(encoded.data(), hash.size());
  if (crypto_pwhash_str_verify(encoded.data(), text.data(), text.size()) != 0) return {};
  bool is_outdated = crypto_pwhash_str_needs_rehash(encoded.data(), passes, memory) != 0;
  return {.hash = is_outdated ? hash_password(password) : "", .matches = true};
}

} // namespace backstay::hashing
