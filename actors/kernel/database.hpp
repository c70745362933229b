#pragma once

#include "actors/kernel/domain.hpp"
#include "actors/kernel/message.hpp"
#include "config/log.hpp"

#include <caf/all.hpp>

#include <any>
#include <functional>

namespace backstay {

/// A running transaction. Opaque here: stores take it, `persistence/` defines it and them.
class transaction;

struct database_outcome {
  std::any value;
};

/// Work for a database worker. `run` is called on a worker's thread, exactly once; what it throws rolls back.
struct database_job {
  using reply = database_outcome;
  std::function<std::any(transaction&)> run;
  bool reads_only = false; ///< single statements without BEGIN and COMMIT: one round trip each

  /// What a worker answers with when its connection broke, which ends it.
  static constexpr auto connection_lost = "DATABASE_LOST";
  static bool ends_worker(const fault& what) { return what.code == ec::in_doubt || what.name == connection_lost; }
};

/// Runs jobs, and answers each whatever happens: ask without a timeout (see pool.hpp). Errors: what a job's `fault`
/// says; `unavailable` and `overloaded` (nothing was executed); `timeout` and `in_doubt` (unknown whether it was
/// committed).
using database_actor = caf::typed_actor<answers<database_job>>;

namespace detail {

template <class Job>
database_job make_database_job(Job job, bool reads_only) {
  return {[job = std::move(job)](transaction& tx) -> std::any { return job(tx); }, reads_only};
}

template <class Value, class Self, class Job, class Promise, class Then>
void run_job(Self* self, const database_actor& database, Job job, bool reads_only, Promise promise, Then then) {
  ask(self, database, caf::infinite, make_database_job(std::move(job), reads_only), promise,
      [then = std::move(then)](database_outcome& outcome) mutable { then(std::any_cast<Value&>(outcome.value)); });
}

template <class Self, class Job>
auto answer_with_job(Self* self, const database_actor& database, Job job, bool reads_only) {
  using value = std::invoke_result_t<Job, transaction&>;
  auto promise = self->template make_response_promise<value>();
  run_job<value>(self, database, std::move(job), reads_only, promise,
                 [promise](value& result) mutable { promise.deliver(std::move(result)); });
  return promise;
}

} // namespace detail

/// Runs `job` in one transaction and answers the current message with what it returns.
template <class Self, class Job>
auto transact(Self* self, const database_actor& database, Job job) {
  return detail::answer_with_job(self, database, std::move(job), false);
}

/// The same without a transaction, for single reads.
template <class Self, class Job>
auto query(Self* self, const database_actor& database, Job job) {
  return detail::answer_with_job(self, database, std::move(job), true);
}

/// Runs `job` in one transaction and, once it is committed, `then` with its result in the context of `self`.
/// Failures end in `promise`.
template <class Self, class Job, class Promise, class Then>
void transact(Self* self, const database_actor& database, Job job, Promise promise, Then then) {
  using value = std::invoke_result_t<Job, transaction&>;
  detail::run_job<value>(self, database, std::move(job), false, promise, std::move(then));
}

template <class Self, class Job, class Promise, class Then>
void query(Self* self, const database_actor& database, Job job, Promise promise, Then then) {
  using value = std::invoke_result_t<Job, transaction&>;
  detail::run_job<value>(self, database, std::move(job), true, promise, std::move(then));
}

/// Runs `job` in one transaction that nobody waits for; a failure is logged, and the next occasion makes up for it.
template <class Self>
void run_aside(Self* self, const database_actor& database, std::string what, std::function<void(transaction&)> job) {
  auto wrapped = detail::make_database_job(
      [job = std::move(job)](transaction& tx) {
        job(tx);
        return done{};
      },
      false);
  self->request(database, caf::infinite, std::move(wrapped))
      .then([](const database_outcome&) {},
            [self, what](const caf::error& error) {
              log::warning(self->name(), "something on the side failed",
                           {{"what", what}, {"cause", to_string(describe(error).code)}});
            });
}

} // namespace backstay
