#pragma once

#include "actors/kernel/clock.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace backstay::payments {

/// A circuit breaker: after some failures in a row nobody is let through for a while, and then one, as a probe; its
/// success lets everybody through again. Knows no clock, and no actors: each call is told what time it is.
class breaker {
public:
  static constexpr int failures_to_open = 5;
  static constexpr std::chrono::seconds rest{30};

  /// Whether a call may begin. While a probe is on its way, no other may.
  bool admits(timestamp now) const { return !open_until_ || (!is_probing_ && wait(now) == rest.zero()); }

  /// A call begins; false if it must not. Each that began ends by `succeed` or `fail`.
  bool begin(timestamp now) {
    if (!admits(now)) return false;
    is_probing_ = open_until_.has_value();
    return true;
  }

  void succeed() { *this = {}; }

  void fail(timestamp now) {
    bool opens = is_probing_ || ++failures_ >= failures_to_open;
    is_probing_ = false;
    if (opens) open_until_ = now + rest;
  }

  /// Also while a probe is awaited or under way.
  bool is_open() const { return open_until_.has_value(); }

  /// How long until a probe is let through, rounded up. A clock that was put back does not make it longer than `rest`.
  std::chrono::seconds wait(timestamp now) const {
    if (!open_until_ || now < *open_until_ - rest) return rest.zero();
    return std::max(rest.zero(), std::chrono::ceil<std::chrono::seconds>(*open_until_ - now));
  }

private:
  int failures_ = 0; ///< in a row
  std::optional<timestamp> open_until_;
  bool is_probing_ = false;
};

} // namespace backstay::payments
