#include "actors/kernel/token_buckets.hpp"

#include <algorithm>
#include <cmath>

namespace backstay {

using std::chrono::duration;
using std::chrono::minutes;
using std::chrono::seconds;

seconds token_buckets::take(const std::string& who, std::size_t per_minute, clock::time_point now) {
  if (per_minute == 0) return seconds{0};
  auto limit = static_cast<double>(per_minute);
  if (buckets_.size() >= purge_at_) forget_full(now);
  auto [entry, is_new] = buckets_.try_emplace(who, bucket{limit, now});
  auto& [tokens, seen] = entry->second;
  tokens = std::min(limit, tokens + duration<double>(now - seen).count() * limit / 60);
  seen = now;
  if (tokens >= 1) {
    tokens -= 1;
    return seconds{0};
  }
  return seconds{static_cast<std::int64_t>(std::ceil((1 - tokens) * 60 / limit))};
}

/// A bucket that nobody touched for a minute is full again: no need to remember it.
void token_buckets::forget_full(clock::time_point now) {
  std::erase_if(buckets_, [&](auto& entry) { return now - entry.second.seen > minutes{1}; });
  purge_at_ = std::max<std::size_t>(10'000, buckets_.size() * 2);
}

} // namespace backstay
