#pragma once

#include "actors/kernel/context.hpp"

#include <deque>
#include <functional>
#include <memory>

namespace backstay {

/// Stands for the database in deterministic tests: answers each job with the next of its prepared outcomes, and with
/// `unavailable` when there is none. The jobs themselves are not run; they are tested with a real PostgreSQL.
struct scripted_database {
  using answer = std::function<caf::result<database_outcome>()>;

  template <class Value>
  void returns(Value value) {
    answers->push_back([value] { return caf::result<database_outcome>{database_outcome{value}}; });
  }
  void fails(ec code) {
    answers->push_back([code] { return caf::result<database_outcome>{to_error({.code = code})}; });
  }

  database_actor spawn(caf::actor_system& system) {
    return system.spawn([answers = answers, asked = asked]() -> database_actor::behavior_type {
      return {[answers, asked](const database_job&) -> caf::result<database_outcome> {
        ++*asked;
        if (answers->empty()) return to_error({.code = ec::unavailable});
        auto next = std::move(answers->front());
        answers->pop_front();
        return next();
      }};
    });
  }

  std::shared_ptr<std::deque<answer>> answers = std::make_shared<std::deque<answer>>();
  std::shared_ptr<int> asked = std::make_shared<int>(0); ///< jobs so far
};

} // namespace backstay
