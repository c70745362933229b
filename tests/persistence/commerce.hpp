#pragma once

#include "actors/accounts/store.hpp"
#include "persistence/migrations.hpp"
#include "persistence/transaction.hpp"
#include "tests/persistence/fixture.hpp"

#include <memory>

namespace backstay::persistence {

/// A whole second, so that every way through text gives it back.
inline timestamp moment(std::int64_t seconds) { return timestamp{std::chrono::seconds{1'800'000'000 + seconds}}; }

/// Migrated once, for every test to get a copy of.
inline const scratch_database& migrated_database() {
  static const scratch_database model;
  static const bool is_migrated = (migrate(model.url()), true);
  static_cast<void>(is_migrated);
  return model;
}

/// A migrated scratch database.
struct commerce_database {
  /// A transaction on a connection of its own; rolls back unless committed.
  struct session {
    explicit session(const std::string& url) : connection(url), work(prepare(connection)), tx(connection, work) {}
    static pqxx::connection& prepare(database_connection& connection) {
      pqxx::nontransaction{connection.link}.exec("SET TIME ZONE 'UTC'");
      return connection.link;
    }
    database_connection connection;
    pqxx::work work;
    transaction tx;
    void commit() { work.commit(); }
  };

  std::unique_ptr<session> begin() const { return std::make_unique<session>(scratch.url()); }

  /// Runs `job` in a transaction of its own and commits it.
  template <class Job>
  auto commit(Job job) const {
    auto opened = begin();
    if constexpr (std::is_void_v<std::invoke_result_t<Job, transaction&>>) {
      job(opened->tx);
      opened->commit();
    } else {
      auto value = job(opened->tx);
      opened->commit();
      return value;
    }
  }

  account_id add_account(const std::string& login) const {
    accounts::store::new_account what{
        .logins = {login}, .email = login + "@example.org", .password_hash = "none", .is_active = true};
    return commit([&](transaction& tx) { return accounts::store::create(tx, what, moment(0)).id; });
  }

  scratch_database scratch{migrated_database().name()};
};

/// What `job` fails with.
template <class Job>
ec code_of(Job job) {
  try {
    job();
  } catch (const fault_error& error) {
    return error.what_failed.code;
  }
  return ec::none;
}

} // namespace backstay::persistence
