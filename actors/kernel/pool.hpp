#pragma once

#include "actors/kernel/domain.hpp"
#include "actors/kernel/message.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <vector>

namespace backstay {

/// Somebody who does one `Job` at a time, blocking if need be, on a thread of its own.
template <class Job>
using worker_actor = caf::typed_actor<answers<Job>>;

struct pool_options {
  std::size_t workers = 4;
  std::size_t queue = 1000;                 ///< jobs that may wait
  std::chrono::milliseconds deadline{3000}; ///< for one job once a worker has it, and the most that it waits for one
  ec refusal = ec::overloaded; ///< of a job that finds the queue full, or has waited too long: it was not executed
};

/// Wakes the pool to look for overdue jobs and to hire again.
struct look_around {};

/// A pull pool: a job waits here until a worker is free, and this actor holds the asker's promise, so that a worker
/// that dies loses nothing. A worker past its deadline is abandoned (its asker gets `ec::timeout`: the outcome is
/// unknown) and replaced; a job that waited too long is refused. Even a pool that dies answers
/// all its jobs, so that its askers need no timeout: CAF keeps each until its time, answered or not.
template <class Job>
struct pool_state {
  pool_state() = default;
  ~pool_state() {
    for (auto& each : queue) each.answer.deliver(not_executed(ec::unavailable));
    for (auto& each : working) each.answer.deliver(to_error({.code = ec::timeout}));
  }
  static inline constexpr auto name = "pool";

  static caf::error not_executed(ec why) { return to_error({.code = why, .retry_after = std::chrono::seconds{1}}); }

  using promise = caf::typed_response_promise<typename Job::reply>;
  struct waiting {
    Job job;
    promise answer;
    caf::actor_clock::time_point until;
  };
  struct busy {
    worker_actor<Job> worker;
    promise answer;
    caf::actor_clock::time_point deadline;
  };

  pool_options options;
  vitals_ptr pulse;
  std::function<worker_actor<Job>(caf::scheduled_actor*)> hire;
  std::vector<worker_actor<Job>> idle;
  std::vector<busy> working;
  std::deque<waiting> queue;
  std::size_t missing = 0; ///< workers to hire at the next look around
};

template <class Job>
using pool_actor = caf::typed_actor<answers<Job>, caf::reacts_to<look_around>>;

template <class Job>
class pool {
public:
  using self_pointer = typename pool_actor<Job>::template stateful_pointer<pool_state<Job>>;
  using hire_function = std::function<worker_actor<Job>(caf::scheduled_actor*)>;

  /// The actor's body. `hire` spawns one worker, detached.
  static typename pool_actor<Job>::behavior_type behave(self_pointer self, vitals_ptr pulse, pool_options options,
                                                        hire_function hire) {
    static_assert(!std::is_aggregate_v<pool_state<Job>>);
    self->state.options = options;
    self->state.pulse = pulse;
    pulse->is_pool = true;
    self->state.hire = std::move(hire);
    for (std::size_t i = 0; i < options.workers; ++i) add_worker(self);
    auto on = handlers(self, pulse);
    self->set_down_handler([self](const caf::down_msg& down) { worker_left(self, down.source); });
    self->delayed_send(self, pause, look_around{});
    return {
        on([self](const Job& job) { return accept(self, job); }),
        [self](const look_around&) { look(self); },
    };
  }

private:
  static constexpr std::chrono::milliseconds pause{250};

  static void add_worker(self_pointer self) {
    auto worker = self->state.hire(self);
    self->monitor(worker);
    self->state.idle.push_back(std::move(worker));
  }

  static typename pool_state<Job>::promise accept(self_pointer self, const Job& job) {
    auto& state = self->state;
    auto answer = self->template make_response_promise<typename Job::reply>();
    if (!state.idle.empty()) start(self, job, answer);
    else if (state.queue.size() < state.options.queue)
      state.queue.push_back({job, answer, self->clock().now() + state.options.deadline});
    else answer.deliver(pool_state<Job>::not_executed(state.options.refusal));
    return answer;
  }

  static void start(self_pointer self, Job job, typename pool_state<Job>::promise answer) {
    auto& state = self->state;
    auto worker = state.idle.back();
    state.idle.pop_back();
    state.working.push_back({worker, answer, self->clock().now() + state.options.deadline});
    // No timeout of CAF's here: `look` is the deadline, at a fraction of the price.
    self->request(worker, caf::infinite, std::move(job))
        .then([self, worker](typename Job::reply& reply) { finished(self, worker, std::move(reply)); },
              [self, worker](const caf::error& error) { failed(self, worker, describe(error)); });
  }

  template <class Outcome>
  static void finished(self_pointer self, const worker_actor<Job>& worker, Outcome outcome) {
    if (!deliver(self, worker, std::move(outcome))) return;
    self->state.idle.push_back(worker);
    start_next(self);
  }

  static void failed(self_pointer self, const worker_actor<Job>& worker, fault what) {
    if constexpr (requires { Job::ends_worker(what); }) {
      // Its "down" is still on its way: the next job must not go to somebody who will not read it.
      if (Job::ends_worker(what)) return void(deliver(self, worker, to_error(std::move(what))));
    }
    if (what.code != ec::restarting) return finished(self, worker, to_error(std::move(what)));
    // The worker ended without having looked at the job.
    deliver(self, worker, pool_state<Job>::not_executed(ec::unavailable));
  }

  /// False when the worker was abandoned: its asker has been told already.
  template <class Outcome>
  static bool deliver(self_pointer self, const worker_actor<Job>& worker, Outcome outcome) {
    auto& working = self->state.working;
    auto entry = std::find_if(working.begin(), working.end(), [&](auto& busy) { return busy.worker == worker; });
    if (entry == working.end()) return false;
    entry->answer.deliver(std::move(outcome));
    working.erase(entry);
    return true;
  }

  static void start_next(self_pointer self) {
    auto& state = self->state;
    while (!state.queue.empty() && !state.idle.empty()) {
      auto next = std::move(state.queue.front());
      state.queue.pop_front();
      start(self, std::move(next.job), next.answer);
    }
    show_load(self);
  }

  static void show_load(self_pointer self) {
    self->state.pulse->queued = self->state.queue.size();
    self->state.pulse->busy = self->state.working.size();
  }

  /// The replacement comes with the next look around: a worker that cannot start must not be hired in a tight loop.
  static void worker_left(self_pointer self, const caf::actor_addr& source) {
    std::erase_if(self->state.idle, [&](auto& worker) { return worker == source; });
    ++self->state.missing;
  }

  /// The queue is in the order of its deadlines, since all may wait equally long.
  static void refuse_overdue(self_pointer self, caf::actor_clock::time_point now) {
    auto& queue = self->state.queue;
    for (; !queue.empty() && queue.front().until <= now; queue.pop_front())
      queue.front().answer.deliver(pool_state<Job>::not_executed(self->state.options.refusal));
    show_load(self);
  }

  static void look(self_pointer self) {
    auto& state = self->state;
    auto now = self->clock().now();
    std::erase_if(state.working, [&](auto& busy) {
      if (now < busy.deadline) return false;
      busy.answer.deliver(to_error({.code = ec::timeout}));
      self->send_exit(busy.worker, caf::exit_reason::kill);
      return true;
    });
    for (; state.missing > 0; --state.missing) add_worker(self);
    start_next(self);
    refuse_overdue(self, now);
    self->delayed_send(self, pause, look_around{});
  }
};

} // namespace backstay
