#pragma once

#include "config/settings.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace backstay::config {

/// Where settings come from, weakest first; all of them are stronger than the defaults.
struct sources {
  std::optional<std::filesystem::path> file;      ///< A TOML file.
  std::map<std::string, std::string> environment; ///< See `process_environment()`.
  std::vector<std::string> set;                   ///< `section.key=value`, the last one wins.
};

/// One thing that is wrong with the settings, in words that never show a secret.
struct complaint {
  std::string
      where;       ///< `backstay.toml:12`, `BACKSTAY_HTTP_PORT` or `--set http.port`; empty where nothing was written.
  std::string key; ///< The setting, or what was taken for one; empty where the source itself is bad.
  std::string text;

  /// One line for a terminal, without a line break: `where: key: text`.
  std::string line() const;

  friend bool operator==(const complaint&, const complaint&) = default;
};

/// Reads and checks all settings; the result is either right as a whole or every problem found.
/// `--sandbox` is `sandbox.enabled=true` in `set`. An empty environment variable counts as not set.
/// Reads `file` and `security.keys_file` and writes nothing; `security.keys` then holds the raw keys. In development
/// it may still be empty: see `development_keys()`.
std::variant<settings, std::vector<complaint>> load(const sources& from);

/// This process's environment variables. Not to be called while another thread changes them.
std::map<std::string, std::string> process_environment();

/// The exit code for bad settings: EX_CONFIG of sysexits.h.
inline constexpr int exit_bad_settings = 78;

} // namespace backstay::config
