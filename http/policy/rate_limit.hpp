#pragma once

#include "actors/kernel/minute_limits.hpp"
#include "config/settings.hpp"
#include "http/policy/buckets.hpp"

#include <chrono>
#include <string>

namespace backstay::http {

/// What of an endpoint's bucket is left for whom. On the HTTP thread only.
class rate_limiter {
public:
  using clock = minute_limits::clock;

  explicit rate_limiter(const config::settings::limits_section& limits) : limits_(limits) {}

  /// Charges one request of `who` to `from`; zero when it may pass, else how long until one may.
  std::chrono::seconds charge(bucket from, const std::string& who, clock::time_point now = clock::now());

private:
  std::size_t per_minute(bucket which) const;

  const config::settings::limits_section& limits_;
  minute_limits passed_;
};

} // namespace backstay::http
