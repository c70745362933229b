#include "actors/kernel/keyring.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/error.hpp"

#include <algorithm>
#include <stdexcept>

namespace backstay {

namespace {

std::string sign_by(const secret& key, std::string_view purpose, std::string_view data) {
  std::string input{purpose};
  input += '\0';
  input += data;
  return crypto::hmac(key.reveal(), input);
}

/// One key for one use: what signs must not also encrypt.
secret sealing_key(const secret& key, std::string_view purpose) { return secret{sign_by(key, "seal", purpose)}; }

} // namespace

keyring::keyring(std::vector<secret> keys) : keys_(std::move(keys)) {
  if (keys_.empty()) throw std::invalid_argument{"a keyring needs a key"};
}

std::string keyring::sign(std::string_view purpose, std::string_view data) const {
  return sign_by(keys_.front(), purpose, data);
}

std::vector<std::string> keyring::sign_by_each(std::string_view purpose, std::string_view data) const {
  std::vector<std::string> signatures;
  for (auto& key : keys_) signatures.push_back(sign_by(key, purpose, data));
  return signatures;
}

bool keyring::verifies(std::string_view purpose, std::string_view data, std::string_view signature) const {
  auto ours = sign_by_each(purpose, data);
  return std::any_of(ours.begin(), ours.end(), [&](auto& each) { return crypto::equal(each, signature); });
}

std::string keyring::seal(std::string_view purpose, const secret& text) const {
  return crypto::to_base64url(crypto::seal(sealing_key(keys_.front(), purpose), text));
}

secret keyring::open(std::string_view purpose, std::string_view sealed) const {
  auto bytes = crypto::from_base64url(sealed).value_or("");
  for (auto& key : keys_)
    if (auto text = crypto::open(sealing_key(key, purpose), bytes)) return *text;
  fail(ec::internal, "a sealed secret is damaged, or opens with none of the keys");
}

} // namespace backstay
