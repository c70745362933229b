#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/names.hpp"

#include <pqxx/pqxx>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace backstay {

namespace sql {

/// What a C++ value is to PostgreSQL: text that a cast in the statement (`$1::uuid`) or the column's type reads.
inline std::string to_parameter(const uuid& value) { return to_string(value); }
std::string to_parameter(timestamp value);
inline std::string to_parameter(const std::string& value) { return value; }
inline std::string to_parameter(std::string_view value) { return std::string{value}; }
inline std::string to_parameter(const char* value) { return value; }
inline std::string to_parameter(bool value) { return value ? "t" : "f"; }
template <class T>
requires std::is_integral_v<T> std::string to_parameter(T value) { return std::to_string(value); }
template <named_enum E>
std::string to_parameter(E value) {
  return std::string{name_of(value)};
}
template <class T>
std::optional<std::string> to_parameter(const std::optional<T>& value) {
  return value ? std::optional<std::string>{to_parameter(*value)} : std::nullopt;
}
/// An array literal: `= ANY($1::uuid[])`.
template <class T>
std::string to_parameter(const std::vector<T>& values) {
  std::string text = "{";
  for (auto& value : values) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (char c : std::string{to_parameter(value)}) (c == '"' || c == '\\') ? (text += '\\') += c : text += c;
    text += '"';
  }
  return text + "}";
}

/// Reads one column into a member; the type decides how. NULL is only for `std::optional`.
template <class T>
struct reader {
  static T read(const pqxx::field& field) { return field.as<T>(); }
};
template <>
struct reader<std::string> {
  static std::string read(const pqxx::field& field) { return {field.c_str(), field.size()}; }
};
template <>
struct reader<timestamp> {
  static timestamp read(const pqxx::field& field);
};
template <>
struct reader<uuid> {
  static uuid read(const pqxx::field& field);
};
template <class Tag>
struct reader<id<Tag>> {
  static id<Tag> read(const pqxx::field& field) { return {reader<uuid>::read(field)}; }
};
template <named_enum E>
struct reader<E> {
  static E read(const pqxx::field& field) {
    if (auto value = from_name<E>(field.c_str())) return *value;
    fail(ec::internal, "the database holds an unknown name");
  }
};
template <class T>
struct reader<std::optional<T>> {
  static std::optional<T> read(const pqxx::field& field) {
    return field.is_null() ? std::nullopt : std::optional<T>{reader<T>::read(field)};
  }
};

template <>
struct reader<std::vector<std::string>> {
  static std::vector<std::string> read(const pqxx::field& field);
};

/// `get<timestamp>(row["created_at"])`.
template <class T>
T get(const pqxx::field& field) {
  return reader<T>::read(field);
}

} // namespace sql

/// A connection of one worker, with the statements that it has prepared already.
struct database_connection {
  explicit database_connection(const std::string& url) : link(url) {}
  pqxx::connection link;
  std::unordered_map<std::string, std::string> prepared; ///< SQL text → statement name
};

/// What `actors/kernel/database.hpp` leaves open: runs SQL inside the current transaction, or statement by statement
/// in a read-only job. Used on the worker's thread only.
class transaction {
public:
  transaction(database_connection& connection, pqxx::transaction_base& work) : connection_(connection), work_(work) {}

  /// Runs `statement` with `$1`, `$2`, … bound to the arguments; prepared at its first use on a connection.
  template <class... Args>
  pqxx::result run(const std::string& statement, const Args&... args) {
    return work_.exec_prepared(name_of_prepared(statement), sql::to_parameter(args)...);
  }

  /// The first row, if there is one.
  template <class... Args>
  std::optional<pqxx::row> first(const std::string& statement, const Args&... args) {
    auto rows = run(statement, args...);
    return rows.empty() ? std::nullopt : std::optional<pqxx::row>{rows[0]};
  }

  /// Tells every process that listens on `channel`, if and when this transaction commits. PostgreSQL lets such
  /// transactions commit one at a time, each waiting for the disk: for what others must know at once.
  void notify(std::string_view channel, std::string_view payload);

  /// Has this process look into the outbox once this transaction has committed; others find its rows by themselves.
  void wake_outbox() { wakes_outbox_ = true; }
  bool wakes_outbox() const { return wakes_outbox_; }

private:
  const std::string& name_of_prepared(const std::string& statement);

  database_connection& connection_;
  pqxx::transaction_base& work_;
  bool wakes_outbox_ = false;
};

} // namespace backstay
