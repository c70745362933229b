#include "persistence/transaction.hpp"

namespace backstay {

namespace sql {

std::string to_parameter(timestamp value) {
  auto fraction = (value - std::chrono::floor<std::chrono::seconds>(value)).count();
  auto text = to_rfc3339(value);
  text.pop_back();
  auto digits = std::to_string(fraction);
  return text + "." + std::string(6 - digits.size(), '0') + digits + "Z";
}

timestamp reader<timestamp>::read(const pqxx::field& field) {
  // Connections run with TimeZone UTC: "2026-11-23 00:30:00.5+00".
  std::string text{field.c_str(), field.size()};
  if (text.ends_with("+00")) text += ":00";
  if (auto moment = from_rfc3339(text)) return *moment;
  fail(ec::internal, "the database holds an unreadable time");
}

uuid reader<uuid>::read(const pqxx::field& field) {
  if (auto value = uuid::parse({field.c_str(), field.size()})) return *value;
  fail(ec::internal, "the database holds an unreadable id");
}

std::vector<std::string> reader<std::vector<std::string>>::read(const pqxx::field& field) {
  using juncture = pqxx::array_parser::juncture;
  std::vector<std::string> values;
  auto parser = field.as_array();
  for (auto next = parser.get_next(); next.first != juncture::done; next = parser.get_next())
    if (next.first == juncture::string_value) values.push_back(std::move(next.second));
  return values;
}

} // namespace sql

const std::string& transaction::name_of_prepared(const std::string& statement) {
  auto [entry, is_new] = connection_.prepared.try_emplace(statement);
  if (is_new) {
    entry->second = "s" + std::to_string(connection_.prepared.size());
    connection_.link.prepare(entry->second, statement);
  }
  return entry->second;
}

void transaction::notify(std::string_view channel, std::string_view payload) {
  run("SELECT pg_notify($1, $2)", channel, payload);
}

} // namespace backstay
