#include "actors/kernel/clock.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace backstay {

namespace {

using namespace std::chrono;

/// Reads exactly `width` digits and steps over them.
bool take_number(std::string_view& text, std::size_t width, int& value) {
  if (text.size() < width) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + width, value);
  if (error != std::errc{} || end != text.data() + width || text[0] == '-') return false;
  text.remove_prefix(width);
  return true;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// A fraction of a second in microseconds, at least one digit; those beyond microseconds are cut off.
std::optional<microseconds> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return microseconds{0};
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  std::int64_t value = 0, scale = 1'000'000;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    if (scale > 1) value = value * 10 + (text[0] - '0'), scale /= 10;
    text.remove_prefix(1);
  }
  return microseconds{value * scale};
}

std::optional<seconds> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return seconds{0};
  int sign = text.starts_with('-') ? -1 : 1, h = 0, m = 0;
  bool read = take(text, "+-") && take_number(text, 2, h) && take(text, ":") && take_number(text, 2, m);
  if (!read || h > 23 || m > 59) return std::nullopt;
  return sign * (hours{h} + minutes{m});
}

} // namespace

std::string to_rfc3339(timestamp moment) {
  auto day = floor<days>(moment);
  year_month_day date{day};
  hh_mm_ss time{floor<seconds>(moment - day)};
  std::array<char, 32> text{};
  int size = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                           static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                           static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                           static_cast<int>(time.seconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<timestamp> from_rfc3339(std::string_view text) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  bool read = take_number(text, 4, y) && take(text, "-") && take_number(text, 2, mo) && take(text, "-") &&
              take_number(text, 2, d) && take(text, "Tt ") && take_number(text, 2, h) && take(text, ":") &&
              take_number(text, 2, mi) && take(text, ":") && take_number(text, 2, s);
  if (!read || h > 23 || mi > 59 || s > 60) return std::nullopt;
  year_month_day date{year{y}, month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  auto fraction = take_fraction(text);
  auto offset = take_offset(text);
  if (!fraction || !offset || !text.empty()) return std::nullopt;
  return timestamp{sys_days{date}.time_since_epoch()} + hours{h} + minutes{mi} + seconds{s} + *fraction - *offset;
}

timestamp domain_clock::now() const { return time_point_cast<microseconds>(system_clock::now()) + offset(); }

} // namespace backstay
