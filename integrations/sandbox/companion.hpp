#pragma once

#include "config/settings.hpp"
#include "integrations/sandbox/sandbox.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace backstay::sandbox {

/// How the sandbox and a server of these settings meet. The keys only open fakes on loopback: they are no secrets.
options options_for(const config::settings& settings);

/// Points every client at the sandbox's fakes.
void point_clients_at(config::settings& settings);

/// The sandbox process beside a server: used if one listens, else started. It keeps its state when the server crashes.
/// The last server to leave cleanly ends it, unless it was started by hand.
class companion {
public:
  /// `program`: our own executable. Returns when the sandbox answers. Throws `std::runtime_error` with one clear line.
  companion(const config::settings& settings, const std::filesystem::path& program);
  ~companion();
  companion(const companion&) = delete;
  companion& operator=(const companion&) = delete;

  /// How far its clock is moved, for ours to begin with.
  std::chrono::seconds clock_offset() const;

private:
  void start(const std::filesystem::path& program, const config::settings& settings) const;
  bool is_last_user() const;

  std::string url_;
  std::filesystem::path pid_file_; ///< exists while a sandbox runs that a server started
  int users_ = -1;                 ///< a file that every server using the sandbox holds a shared lock on
};

} // namespace backstay::sandbox
