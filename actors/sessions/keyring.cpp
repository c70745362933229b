#include "actors/sessions/keyring.hpp"

#include "actors/kernel/crypto.hpp"

#include <stdexcept>

namespace backstay::sessions {

namespace {

std::string sign_by(const secret& key, std::string_view purpose, std::string_view data) {
  std::string input{purpose};
  input += '\0';
  input += data;
  return crypto::hmac(key.reveal(), input);
}

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

} // namespace backstay::sessions
