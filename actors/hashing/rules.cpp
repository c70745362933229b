#include "actors/hashing/rules.hpp"

#include "actors/kernel/error.hpp"

#include <array>
#include <sodium.h>

namespace backstay::hashing {

namespace {

constexpr unsigned long long passes = 2;
constexpr std::size_t memory = 19 * 1024 * 1024;

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
  // libsodium reads a field of fixed size.
  std::array<char, crypto_pwhash_STRBYTES> encoded{};
  if (hash.size() >= encoded.size()) return {};
  hash.copy(encoded.data(), hash.size());
  if (crypto_pwhash_str_verify(encoded.data(), text.data(), text.size()) != 0) return {};
  bool is_outdated = crypto_pwhash_str_needs_rehash(encoded.data(), passes, memory) != 0;
  return {.hash = is_outdated ? hash_password(password) : "", .matches = true};
}

} // namespace backstay::hashing
