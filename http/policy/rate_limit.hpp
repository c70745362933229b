#pragma once

#include "actors/kernel/token_buckets.hpp"
#include "config/settings.hpp"
#include "http/policy/buckets.hpp"

#include <chrono>
#include <string>

namespace backstay::http {

/// What of an endpoint's bucket is left for whom. On the HTTP thread only.
class rate_limiter {
public:
  using clock = token_buckets::clock;

  explicit rate_limiter(const config::settings::limits_section& limits) : limits_(limits) {}

  /// Takes one token of `who` from `from`; zero when there was one, else how long until there is.
  std::chrono::seconds charge(bucket from, const std::string& who, clock::time_point now = clock::now());

private:
  std::size_t per_minute(bucket which) const;

  const config::settings::limits_section& limits_;
  token_buckets tokens_;
};

} // namespace backstay::http
