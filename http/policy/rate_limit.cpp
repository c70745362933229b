#include "http/policy/rate_limit.hpp"

namespace backstay::http {

std::size_t rate_limiter::per_minute(bucket which) const {
  switch (which) {
  case bucket::none:
    return 0;
  case bucket::general:
    return limits_.general;
  case bucket::dashboard:
    return limits_.dashboard;
  case bucket::login:
    return limits_.login_per_address;
  case bucket::mail:
    return limits_.mail_per_address;
  case bucket::payments:
    return limits_.payments;
  }
  return 0;
}

std::chrono::seconds rate_limiter::charge(bucket from, const std::string& who, clock::time_point now) {
  return passed_.take(std::to_string(static_cast<int>(from)) + who, per_minute(from), now);
}

} // namespace backstay::http
