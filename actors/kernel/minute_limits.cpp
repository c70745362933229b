#include "actors/kernel/minute_limits.hpp"

#include <algorithm>
#include <utility>

namespace backstay {

using std::chrono::seconds;

namespace {

constexpr std::int64_t span = 61;

} // namespace

/// Also for what was before the clock began.
std::uint32_t& minute_limits::window::at(std::int64_t second) {
  return passed[static_cast<std::size_t>((second % span + span) % span)];
}

/// Forgets the seconds that have left the window.
void minute_limits::window::advance(std::int64_t second) {
  for (auto each = std::max(newest + 1, second - span + 1); each <= second; ++each) total -= std::exchange(at(each), 0);
  newest = second;
}

seconds minute_limits::take(const std::string& who, std::size_t per_minute, clock::time_point now) {
  if (per_minute == 0) return seconds{0};
  auto second = std::chrono::floor<seconds>(now.time_since_epoch()).count();
  if (windows_.size() >= purge_at_) forget_idle(second);
  auto& window = windows_[who];
  window.advance(second);
  if (window.total < per_minute) {
    ++window.at(second);
    ++window.total;
    return seconds{0};
  }
  // The seconds leave one after another, and with the last of them everything.
  auto leaving = second - span + 1;
  for (auto left = window.total; (left -= window.at(leaving)) >= per_minute;) ++leaving;
  return seconds{leaving + span - second};
}

/// Where nothing passed for a minute there is nothing to remember.
void minute_limits::forget_idle(std::int64_t second) {
  std::erase_if(windows_, [&](auto& entry) { return second - entry.second.newest >= span; });
  purge_at_ = std::max<std::size_t>(10'000, windows_.size() * 2);
}

} // namespace backstay
