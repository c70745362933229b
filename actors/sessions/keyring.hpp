#pragma once

#include "config/secret.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace backstay::sessions {

/// The server's keys (`security.keys`), newest first. The newest makes everything; what an older one made is still
/// recognized, so that a key can be replaced while servers run. Thread-safe: it never changes.
class keyring {
public:
  /// At least one key of at least 32 bytes.
  explicit keyring(std::vector<secret> keys);

  /// HMAC-SHA256 of `data` by the newest key, 32 bytes. `purpose` keeps what was made for one use from being taken
  /// for another.
  std::string sign(std::string_view purpose, std::string_view data) const;

  /// The same by each key, newest first.
  std::vector<std::string> sign_by_each(std::string_view purpose, std::string_view data) const;

private:
  std::vector<secret> keys_;
};

} // namespace backstay::sessions
