#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace backstay {

/// Token buckets in memory, by key: each holds `per_minute` tokens and refills evenly. Counts on this node only, and is
/// forgotten with its owner. Not thread-safe.
class token_buckets {
public:
  using clock = std::chrono::steady_clock;

  /// Takes one token of `who`; zero when there was one, else how long until there is. A limit of 0 means no limit.
  std::chrono::seconds take(const std::string& who, std::size_t per_minute, clock::time_point now = clock::now());

private:
  struct bucket {
    double tokens;
    clock::time_point seen;
  };
  void forget_full(clock::time_point now);

  std::unordered_map<std::string, bucket> buckets_;
  std::size_t purge_at_ = 10'000;
};

} // namespace backstay
