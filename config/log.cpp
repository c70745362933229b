#include "config/log.hpp"

#include "config/redaction.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

namespace backstay::log {

namespace {

constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warning", "error"};
constexpr int off = static_cast<int>(level_names.size());

/// Hands finished lines to the output; spdlog gives it the queue and the thread.
class line_sink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
  explicit line_sink(output write) : write_(std::move(write)) {}

private:
  void sink_it_(const spdlog::details::log_msg& line) override { write_({line.payload.data(), line.payload.size()}); }
  void flush_() override {}

  output write_;
};

/// The log while it runs. The pool goes first, which ends its thread; then nobody else uses the logger.
struct running_log {
  bool json;
  std::shared_ptr<spdlog::async_logger> logger;
  std::shared_ptr<spdlog::details::thread_pool> pool;
};

// The level lets most calls return without the lock; writers of lines share it, start, stop and hide own it.
std::atomic<int> threshold = off;
std::shared_mutex access;
std::unique_ptr<running_log> current;
std::vector<secret> hidden;

void write_to_stdout(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

/// RFC 3339 in UTC with milliseconds.
std::string timestamp() {
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const auto today = floor<days>(now);
  const year_month_day date{today};
  const hh_mm_ss time{now - today};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

/// The length of the well-formed UTF-8 sequence that the text begins with (Unicode, table 3-7); 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto is_tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xBF; };
  const auto first = byte(0);
  const auto second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return is_tail(1) && is_tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && second < 0x90;
    const bool too_large = first == 0xF4 && second > 0x8F;
    return is_tail(1) && is_tail(2) && is_tail(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

/// Appends the content of a JSON string (RFC 8259, 7). Text lines use it too: nobody can forge a second line.
void append_escaped(std::string& line, std::string_view text) {
  while (!text.empty()) {
    const auto length = sequence_length(text);
    const char c = text.front();
    if (length == 0) line += "\xEF\xBF\xBD";
    else if (c == '"' || c == '\\') (line += '\\') += c;
    else if (c == '\n') line += "\\n";
    else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", static_cast<unsigned>(c));
    else line += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

void append_member(std::string& line, std::string_view name, std::string_view value) {
  line += line.empty() ? "{\"" : ",\"";
  append_escaped(line, name);
  line += "\":\"";
  append_escaped(line, value);
  line += '"';
}

std::string clean(const field& each) {
  return is_sensitive(each.first) ? to_string(secret{}) : redacted(each.second, hidden);
}

std::string json_line(level importance, std::string_view component, std::string_view message,
                      std::span<const field> fields) {
  std::string line;
  append_member(line, "time", timestamp());
  append_member(line, "level", level_names[static_cast<std::size_t>(importance)]);
  append_member(line, "logger", component);
  append_member(line, "message", redacted(message, hidden));
  for (const auto& each : fields) append_member(line, each.first, clean(each));
  return line + '}';
}

std::string text_line(level importance, std::string_view component, std::string_view message,
                      std::span<const field> fields) {
  auto line = fmt::format("{} {:7} {:12} ", timestamp(), level_names[static_cast<std::size_t>(importance)], component);
  append_escaped(line, redacted(message, hidden));
  for (const auto& each : fields) {
    const auto value = clean(each);
    const bool quoted = value.empty() || value.find_first_of(" \"=") != value.npos;
    fmt::format_to(std::back_inserter(line), " {}={}", each.first, quoted ? "\"" : "");
    append_escaped(line, value);
    if (quoted) line += '"';
  }
  return line;
}

} // namespace

void start(const config::settings::log_section& settings, output write) {
  stop();
  auto next = std::make_unique<running_log>();
  next->pool = std::make_shared<spdlog::details::thread_pool>(settings.queue, 1);
  auto sink = std::make_shared<line_sink>(write ? std::move(write) : write_to_stdout);
  next->logger = std::make_shared<spdlog::async_logger>("backstay", std::move(sink), next->pool,
                                                        spdlog::async_overflow_policy::overrun_oldest);
  next->json = settings.format == "json";
  const std::unique_lock lock(access);
  current = std::move(next);
  threshold = static_cast<int>(std::find(level_names.begin(), level_names.end(), settings.level) - level_names.begin());
}

void stop() {
  std::unique_ptr<running_log> last;
  {
    const std::unique_lock lock(access);
    threshold = off;
    last = std::move(current);
  }
  // Without the lock: destroying the pool waits until its thread has written everything.
}

void hide(const secret& value) {
  if (value.empty()) return;
  const std::unique_lock lock(access);
  hidden.push_back(value);
}

std::uint64_t dropped() {
  const std::shared_lock lock(access);
  return current ? current->pool->overrun_counter() : 0;
}

bool is_on(level importance) { return static_cast<int>(importance) >= threshold; }

void write(level importance, std::string_view component, std::string_view message, std::span<const field> fields) {
  if (!is_on(importance)) return;
  const std::shared_lock lock(access);
  if (!current) return;
  current->logger->info(current->json ? json_line(importance, component, message, fields)
                                      : text_line(importance, component, message, fields));
}

} // namespace backstay::log
