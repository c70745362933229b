#pragma once

#include <string>

namespace backstay::persistence {

/// An empty database for one test, dropped afterwards. All of them live in one private cluster below the build tree,
/// started by the first test that wants it and stopped at the end of the program; the environment variable
/// BACKSTAY_TEST_CLUSTER names another data directory for it.
class scratch_database {
public:
  scratch_database();
  ~scratch_database();
  scratch_database(const scratch_database&) = delete;
  scratch_database& operator=(const scratch_database&) = delete;

  /// What libpq connects to.
  const std::string& url() const { return url_; }

private:
  std::string name_;
  std::string url_;
};

} // namespace backstay::persistence
