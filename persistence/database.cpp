#include "persistence/database.hpp"

#include "config/log.hpp"
#include "persistence/transaction.hpp"

#include <poll.h>

namespace backstay::persistence {

namespace {

using worker = worker_actor<database_job>;

struct worker_state {
  worker_state() = default;
  static inline constexpr auto name = "database worker";
  database_options options;
  std::unique_ptr<database_connection> connection;
};
static_assert(!std::is_aggregate_v<worker_state>);
using worker_pointer = worker::stateful_pointer<worker_state>;

fault not_executed(std::string why) {
  return {.code = ec::unavailable, .name = std::move(why), .retry_after = std::chrono::seconds{1}};
}

std::unique_ptr<database_connection> connect(const database_options& options) {
  auto connection = std::make_unique<database_connection>(options.url);
#if PQXX_VERSION_MAJOR < 7
  connection->link.inhibit_reactivation(true); // 6.4 would reconnect silently and forget our session settings
#endif
  pqxx::nontransaction setup{connection->link};
  setup.exec("SET TIME ZONE 'UTC'");
  setup.exec("SET statement_timeout = " + std::to_string(options.statement_timeout.count()));
  setup.exec("SET idle_in_transaction_session_timeout = 10000");
  return connection;
}

/// Over an idle connection nothing comes but the server's farewell and the end. Found before a job is begun, it costs
/// nobody an answer; the workers at the bottom of the pool would otherwise keep theirs for the next rush of requests.
bool has_ended(const database_connection& connection) {
  pollfd look{connection.link.sock(), POLLIN, 0};
  return poll(&look, 1, 0) != 0;
}

// Killed between the commit and the wake: whoever looks next finds the work.
std::any execute(database_connection& connection, const database_job& job, const database_options& options) {
  if (job.reads_only) {
    pqxx::nontransaction work{connection.link};
    transaction tx{connection, work};
    return job.run(tx);
  }
  pqxx::work work{connection.link};
  transaction tx{connection, work};
  auto value = job.run(tx);
  work.commit();
  if (tx.wakes_outbox()) options.wake_outbox();
  return value;
}

/// Runs the job and says in our words how it ended. What is not caught here ends the worker.
caf::result<database_outcome> run(worker_pointer self, const database_job& job) {
  auto end_worker = [self](fault what) -> caf::result<database_outcome> {
    log::warning("database", "lost a connection", {{"outcome", to_string(what.code)}});
    self->quit(caf::make_error(ec::unavailable));
    return to_error(std::move(what));
  };
  auto& connection = self->state.connection;
  try {
    if (has_ended(*connection)) connection = connect(self->state.options);
    return database_outcome{execute(*connection, job, self->state.options)};
  } catch (const fault_error& error) {
    return to_error(error.what_failed);
  } catch (const pqxx::in_doubt_error&) {
    return end_worker({.code = ec::in_doubt});
  } catch (const pqxx::broken_connection&) {
    return end_worker(not_executed(database_job::connection_lost));
  } catch (const pqxx::sql_error& error) {
    log::error("database", "a statement failed", {{"state", error.sqlstate()}, {"cause", error.what()}});
    // Class 57: cancelled by the statement timeout or by an operator. 40: lost a race that a repeat may win.
    bool repeatable = error.sqlstate().starts_with("57") || error.sqlstate().starts_with("40");
    if (!connection->link.is_open()) return end_worker(not_executed(database_job::connection_lost));
    return to_error(repeatable ? not_executed("DATABASE_BUSY") : fault{.code = ec::internal});
  } catch (const std::exception& error) {
    log::error("database", "a job failed", {{"cause", error.what()}});
    if (!connection->link.is_open()) return end_worker(not_executed(database_job::connection_lost));
    return to_error({.code = ec::internal});
  }
}

worker::behavior_type behave(worker_pointer self, database_options options) {
  self->state.options = std::move(options);
  try {
    self->state.connection = connect(self->state.options);
  } catch (const std::exception&) {
    // Not logged by each worker: /health and the log line of the job that finds nobody say it once.
    self->quit(caf::make_error(ec::unavailable));
  }
  return {[self](const database_job& job) { return run(self, job); }};
}

} // namespace

caf::actor spawn_database(caf::scheduled_actor* parent, vitals_ptr pulse, database_options options) {
  auto hire = [options](caf::scheduled_actor* pool) { return pool->spawn<caf::detached>(behave, options); };
  return caf::actor_cast<caf::actor>(
      parent->spawn(pool<database_job>::behave, pulse, options.pool, pool<database_job>::hire_function{hire}));
}

} // namespace backstay::persistence
