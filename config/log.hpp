#pragma once

#include "config/secret.hpp"
#include "config/settings.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

/// The server's log: one line an event, JSON or text. Every function may be called from every thread and never blocks
/// on the output: a thread of the log writes, and when it cannot keep up the oldest lines are dropped.
namespace backstay::log {

/// From the least to the most important.
enum class level { debug, info, warning, error };

/// A name and a value of one line. The id of a request goes into the field `request_id`.
using field = std::pair<std::string_view, std::string>;

/// Writes one line, without its line break. Called by the log's own thread only.
using output = std::function<void(std::string_view line)>;

/// Begins to log as the settings say. Lines of before are not kept. A log that runs is stopped first.
/// The default output is stdout, flushed line by line.
void start(const config::settings::log_section& settings, output write = {});

/// Writes all that waits, then ends the log's thread. Later lines go nowhere. Does nothing if the log does not run.
void stop();

/// Never prints this value again (if it has more than six characters).
void hide(const secret& value);

/// How many lines have been dropped since the start.
std::uint64_t dropped();

/// True if lines of this level are written: asked first where making a line is expensive.
bool is_on(level importance);

/// Logs one line. `component` names the part of the server, such as "http" or "payments"; `message` is the same for
/// every event of its kind, what differs goes into the fields. Credentials in any of them are replaced by `***`,
/// invalid UTF-8 by U+FFFD.
void write(level importance, std::string_view component, std::string_view message, std::span<const field> fields);

inline void debug(std::string_view component, std::string_view message, std::initializer_list<field> fields = {}) {
  write(level::debug, component, message, {fields.begin(), fields.size()});
}
inline void info(std::string_view component, std::string_view message, std::initializer_list<field> fields = {}) {
  write(level::info, component, message, {fields.begin(), fields.size()});
}
inline void warning(std::string_view component, std::string_view message, std::initializer_list<field> fields = {}) {
  write(level::warning, component, message, {fields.begin(), fields.size()});
}
inline void error(std::string_view component, std::string_view message, std::initializer_list<field> fields = {}) {
  write(level::error, component, message, {fields.begin(), fields.size()});
}

} // namespace backstay::log
