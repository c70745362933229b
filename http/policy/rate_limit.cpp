#include "http/policy/rate_limit.hpp"

#include <algorithm>
#include <cmath>

namespace backstay::http {

using std::chrono::duration;
using std::chrono::minutes;
using std::chrono::seconds;

std::size_t rate_limiter::per_minute(bucket which) const {
  switch (which) {
    case bucket::none: return 0;
    case bucket::general: return limits_.general;
    case bucket::dashboard: return limits_.dashboard;
    case bucket::login: return limits_.login_per_address;
    case bucket::mail: return limits_.mail_per_address;
    case bucket::refresh: return limits_.refresh_per_session;
    case bucket::payments: return limits_.payments;
  }
  return 0;
}

seconds rate_limiter::charge(bucket from, const std::string& who, clock::time_point now) {
  auto limit = static_cast<double>(per_minute(from));
  if (limit == 0) return seconds{0};
  if (budgets_.size() >= purge_at_) forget_full(now);
  auto [entry, is_new] = budgets_.try_emplace(std::to_string(static_cast<int>(from)) + who, budget{limit, now});
  auto& [tokens, seen] = entry->second;
  tokens = std::min(limit, tokens + duration<double>(now - seen).count() * limit / 60);
  seen = now;
  if (tokens >= 1) {
    tokens -= 1;
    return seconds{0};
  }
  return seconds{static_cast<std::int64_t>(std::ceil((1 - tokens) * 60 / limit))};
}

/// A budget that nobody touched for a minute is full again: no need to remember it.
void rate_limiter::forget_full(clock::time_point now) {
  std::erase_if(budgets_, [&](auto& entry) { return now - entry.second.seen > minutes{1}; });
  purge_at_ = std::max<std::size_t>(10'000, budgets_.size() * 2);
}

} // namespace backstay::http
