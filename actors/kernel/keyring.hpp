#pragma once

#include "config/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace backstay {

/// The server's keys (`security.keys`), newest first. The newest makes everything; what an older one made is still
/// recognized, so that a key can be replaced while servers run. `purpose` keeps what was made for one use from being
/// taken for another. Thread-safe: it never changes.
class keyring {
public:
  /// At least one key of at least 32 bytes.
  explicit keyring(std::vector<secret> keys);

  /// HMAC-SHA256 of `data` by the newest key, 32 bytes.
  std::string sign(std::string_view purpose, std::string_view data) const;

  /// The same by each key, newest first.
  std::vector<std::string> sign_by_each(std::string_view purpose, std::string_view data) const;

  /// Whether `signature` is of `data`, by whichever key. Takes the same time wherever the two differ.
  bool verifies(std::string_view purpose, std::string_view data, std::string_view signature) const;

  /// `text` encrypted and authenticated by the newest key (libsodium's secretbox), as base64url.
  std::string seal(std::string_view purpose, const secret& text) const;

  /// What `seal` was given. Throws `internal` when it is damaged or none of the keys fits.
  secret open(std::string_view purpose, std::string_view sealed) const;

private:
  std::vector<secret> keys_;
};

} // namespace backstay
