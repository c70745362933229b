#pragma once

#include "integrations/call.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace backstay::integrations {

namespace detail {

/// Requests of which each waits for one before it.
template <class Self, class Promise, class Then>
struct call_queue {
  Self* self;
  const char* what;
  std::vector<http_request> requests;
  Promise promise;
  Then then;
  std::vector<http_response> answers = std::vector<http_response>(requests.size());
  std::size_t begun = 0, answered = 0;
  bool has_failed = false;
};

template <class Queue>
struct first_failure {
  std::shared_ptr<Queue> of;
  void deliver(caf::error error) {
    if (!std::exchange(of->has_failed, true)) of->promise.deliver(std::move(error));
  }
};

template <class Queue>
void begin_next(const std::shared_ptr<Queue>& all) {
  if (all->has_failed || all->begun == all->requests.size()) return;
  const auto index = all->begun++;
  call(all->self, all->what, std::move(all->requests[index]), first_failure<Queue>{all},
       [all, index](http_response& answer) {
         all->answers[index] = std::move(answer);
         if (++all->answered == all->answers.size()) all->then(all->answers);
         else begin_next(all);
       });
}

} // namespace detail

/// As `call`, for systems that tell of one thing a request: sends all `requests`, which are not none, at most
/// `at_once` of them at the same time, and goes on with `then(std::vector<http_response>&)`, the answers in their
/// order. The first that gets no answer ends it all in `promise`.
template <class Self, class Promise, class Then>
void call_each(Self* self, const char* what, std::vector<http_request> requests, Promise promise, Then then,
               std::size_t at_once = 8) {
  using queue = detail::call_queue<Self, Promise, Then>;
  const auto all = std::make_shared<queue>(queue{self, what, std::move(requests), std::move(promise), std::move(then)});
  for (std::size_t i = 0; i < at_once; ++i) detail::begin_next(all);
}

} // namespace backstay::integrations
