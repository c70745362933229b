#pragma once

#include "integrations/sandbox/fake.hpp"

#include <chrono>
#include <filesystem>
#include <functional>

namespace backstay::sandbox {

/// The state on disk. It holds mails and keys of fake accounts, so only its owner may read it.
class state_file {
public:
  /// @param directory made if it is missing; empty keeps nothing.
  /// @param snapshot gives the state when it is written.
  /// @param later runs a function after a while.
  state_file(const std::filesystem::path& directory, std::function<json()> snapshot,
             std::function<void(std::chrono::milliseconds, std::function<void()>)> later);

  /// The state that was written last; null when there is none.
  /// @throws json::parse_error when it is damaged.
  json load() const;

  /// Renames a state that is of no use to `sandbox.json.broken`, and says so.
  void set_aside() const;

  /// The state has changed: it is written within 200 ms, or less often when it is so large that writing takes long.
  void touch();

  /// Writes what was touched: a new file takes the place of the old one in one step.
  void flush();

private:
  void write();

  std::filesystem::path path_;
  std::function<json()> snapshot_;
  std::function<void(std::chrono::milliseconds, std::function<void()>)> later_;
  std::chrono::milliseconds pause_{200};
  bool touched_ = false;
};

} // namespace backstay::sandbox
