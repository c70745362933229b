#include "persistence/migrations.hpp"

#include "actors/kernel/crypto.hpp"
#include "config/log.hpp"
#include "embedded/migrations.hpp"

#include <pqxx/pqxx>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace backstay::persistence {

namespace {

constexpr auto lock = "SELECT pg_advisory_lock(7227812)"; // any number that nobody else uses; ends with the connection

std::map<std::string, std::string> applied(pqxx::connection& connection) {
  pqxx::nontransaction work{connection};
  work.exec("CREATE TABLE IF NOT EXISTS migrations ("
            "name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
  std::map<std::string, std::string> known;
  for (auto row : work.exec("SELECT name, checksum FROM migrations")) known.emplace(row[0].c_str(), row[1].c_str());
  return known;
}

void apply(pqxx::connection& connection, const std::string& name, const std::string& sql, const std::string& checksum) {
  pqxx::work work{connection};
  work.exec(sql);
  work.exec("INSERT INTO migrations (name, checksum) VALUES (" + work.quote(name) + ", " + work.quote(checksum) + ")");
  work.commit();
  log::info("database", "applied a migration", {{"name", name}});
}

} // namespace

int migrate(const std::string& url) {
  pqxx::connection connection{url};
  pqxx::nontransaction{connection}.exec(lock);
  auto known = applied(connection);
  int count = 0;
  for (auto& file : embedded::migrations()) {
    std::string name{file.path}, sql{file.content};
    auto checksum = crypto::to_hex(crypto::sha256(sql));
    auto entry = known.extract(name);
    if (!entry) apply(connection, name, sql, checksum), ++count;
    else if (entry.mapped() != checksum)
      throw std::runtime_error{"migration " + name + " was changed after it had been applied"};
  }
  if (!known.empty())
    throw std::runtime_error{"the database is newer than this binary: it has migration " + known.rbegin()->first};
  return count;
}

} // namespace backstay::persistence
