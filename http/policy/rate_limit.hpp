#pragma once

#include "config/settings.hpp"
#include "http/policy/buckets.hpp"

#include <chrono>
#include <string>
#include <unordered_map>

namespace backstay::http {

/// Token buckets in memory, per node. On the HTTP thread only.
class rate_limiter {
public:
  using clock = std::chrono::steady_clock;

  explicit rate_limiter(const config::settings::limits_section& limits) : limits_(limits) {}

  /// Takes one token of `who` from `from`; zero when there was one, else how long until there is.
  std::chrono::seconds charge(bucket from, const std::string& who, clock::time_point now = clock::now());

private:
  struct budget {
    double tokens;
    clock::time_point seen;
  };
  std::size_t per_minute(bucket which) const;
  void forget_full(clock::time_point now);

  const config::settings::limits_section& limits_;
  std::unordered_map<std::string, budget> budgets_;
  std::size_t purge_at_ = 10'000;
};

} // namespace backstay::http
