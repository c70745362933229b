#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace backstay {

/// A moment in UTC; microseconds because that is what PostgreSQL keeps.
using timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// RFC 3339 with `Z`; the fraction is dropped.
std::string to_rfc3339(timestamp moment);
/// Accepts `Z` and numeric offsets, with or without a fraction.
std::optional<timestamp> from_rfc3339(std::string_view text);

/// The time that domain rules go by: the system's, plus an offset that tests and the sandbox move.
/// Thread-safe; shared by everything that decides by time. Timeouts of the machinery do not use it.
class domain_clock {
public:
  timestamp now() const;
  void set_offset(std::chrono::seconds offset) { offset_ = offset.count(); }
  std::chrono::seconds offset() const { return std::chrono::seconds{offset_.load()}; }

private:
  std::atomic<std::int64_t> offset_{0};
};

using clock_handle = std::shared_ptr<domain_clock>;

} // namespace backstay
