#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace backstay {

/// How often something may happen within any minute, in memory, by key. Not one more passes in any 60 s: a bucket that
/// refills lets twice as many through in its first minute. Counts on this node only, and is forgotten with its owner.
/// Not thread-safe.
class minute_limits {
public:
  using clock = std::chrono::steady_clock;

  /// Counts one of `who`; zero when it may pass, else how long until the next may. What is refused is not counted. A
  /// limit of 0 means no limit.
  std::chrono::seconds take(const std::string& who, std::size_t per_minute, clock::time_point now = clock::now());

private:
  /// What passed, by seconds: 60 s touch at most 61 of them.
  struct window {
    std::array<std::uint32_t, 61> passed{};
    std::size_t total = 0;
    std::int64_t newest = 0; ///< the second of the latest look
    void advance(std::int64_t second);
    std::uint32_t& at(std::int64_t second);
  };
  void forget_idle(std::int64_t second);

  std::unordered_map<std::string, window> windows_;
  std::size_t purge_at_ = 10'000;
};

} // namespace backstay
