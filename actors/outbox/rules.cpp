#include "actors/outbox/rules.hpp"

#include <algorithm>
#include <array>

namespace backstay::outbox::rules {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::chrono_literals;

seconds doubled(seconds first, int times, seconds most) {
  return times > 20 ? most : std::min(most, first * (1 << std::max(times, 0)));
}

seconds pause_of(kind which, int failures) {
  constexpr std::array<seconds, 4> mail_pauses{30s, 2min, 10min, 1h};
  switch (which) {
  case kind::mail:
    return mail_pauses[static_cast<std::size_t>(std::clamp(failures, 0, 3))];
  case kind::panel:
    return doubled(5s, failures, 1h);
  case kind::settle:
    return doubled(2s, failures, 10min);
  }
  return 1h;
}

seconds longest_age(kind which) {
  switch (which) {
  case kind::mail:
    return 24h;
  case kind::panel:
    return 7 * 24h;
  case kind::settle:
    return 3 * 24h;
  }
  return 24h;
}

bool is_for_ever(ec code) { return code == ec::refused || code == ec::invalid || code == ec::malformed; }

bool was_not_asked(ec code) { return code == ec::restarting || code == ec::overloaded; }

} // namespace

std::optional<retry> after_failure(kind which, const fault& failure, int failures, seconds age, double chance) {
  if (is_for_ever(failure.code) || age >= longest_age(which)) return std::nullopt;
  bool counts = !was_not_asked(failure.code);
  milliseconds pause = counts ? pause_of(which, failures) : 1s;
  pause = std::max<milliseconds>(pause, failure.retry_after);
  return retry{std::chrono::duration_cast<milliseconds>(pause * (0.8 + 0.4 * chance)), counts};
}

} // namespace backstay::outbox::rules
