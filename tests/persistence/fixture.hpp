#pragma once

#include <string>

namespace backstay::persistence {

/// A database for one test, dropped afterwards. All of them live in one private cluster below the build tree,
/// started by the first test that wants it and stopped at the end of the program; the environment variable
/// BACKSTAY_TEST_CLUSTER names another data directory for it.
class scratch_database {
public:
  /// An empty one, or a copy of the database of that name, to which nobody may be connected.
  explicit scratch_database(const std::string& model = "template1");
  ~scratch_database();
  scratch_database(const scratch_database&) = delete;
  scratch_database& operator=(const scratch_database&) = delete;

  /// What libpq connects to.
  const std::string& url() const { return url_; }
  const std::string& name() const { return name_; }

private:
  std::string name_;
  std::string url_;
};

} // namespace backstay::persistence
