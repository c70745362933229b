#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/domain.hpp"
#include "actors/kernel/message.hpp"
#include "integrations/http_client.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

/// How a client actor calls an outside system without blocking: it sends a request, keeps the asker's promise, and goes
/// on in its own context when the answer comes back to it as a message.
namespace backstay::integrations {

template <class T>
void admitted(const T&);

/// What every client actor is given at each start.
struct client_context {
  vitals_ptr pulse;
  clock_handle clock;
  http_client* http = nullptr; ///< outlives the actor
};

/// An exchange ended. The HTTP client's thread tells the actor that began it.
struct exchange_ended {
  std::uint64_t number = 0;
  http_result result;
};

/// The exchanges that one actor has under way; belongs into its state. When the actor dies they end unheard.
class exchanges {
public:
  using continuation = std::function<void(http_result&)>;

  /// Sends `request` with our `User-Agent`, without which Resend refuses to answer; its end comes to `owner` as
  /// `exchange_ended`, unless that has died by then.
  void begin(caf::weak_actor_ptr owner, http_client& client, http_request request, continuation then);
  /// Runs what was to follow.
  void finish(exchange_ended& ended);

private:
  std::unordered_map<std::uint64_t, continuation> open_;
  std::uint64_t last_ = 0;
};

/// What the state of every client actor begins with.
struct client_state {
  client_state() = default;

  client_context context;
  exchanges open;
};

/// What `fail_outside` throws.
struct outside_fault : fault_error {
  outside_fault(fault f, std::string why) : fault_error(std::move(f)), cause(std::move(why)) {}
  std::string cause;
};

/// Ends the operation by a fault of the outside system. `cause` is for the log: no secrets, nothing of the body.
[[noreturn]] void fail_outside(ec code, std::string cause, std::chrono::seconds retry_after = {});

/// Ends the operation unless there is an answer: `unreachable` is `ec::unavailable`, `timeout` and `broken` are
/// `ec::timeout`, `too_large` is `ec::upstream`.
void require_answer(const http_result& result);

bool is_success(const http_response& answer);

/// Ends the operation by `ec::upstream`, named UPSTREAM_DOWN for a 5xx; `name` is what the system calls the error. A
/// 429 or 503 brings along when to come back (`Retry-After` in seconds, RFC 9110 section 10.2.3; at most an hour).
[[noreturn]] void fail_status(const http_response& answer, std::string_view name = {});

/// The first field of that (lower-case) name, or nothing.
std::string_view find_header(const http_headers& headers, std::string_view name);

/// Tells the log that a call named `what` failed; `system` is the actor's name.
void report(const std::string& system, const char* what, const std::string& cause);

namespace detail {

template <class Promise, class Then>
void go_on(const std::string& system, const char* what, http_result& result, Promise& promise, Then& then) {
  try {
    require_answer(result);
    then(result.response);
  } catch (const outside_fault& failure) {
    report(system, what, failure.cause);
    promise.deliver(to_error(failure.what_failed));
  } catch (const fault_error& failure) {
    promise.deliver(to_error(failure.what_failed));
  }
}

} // namespace detail

/// Sends `request` and goes on with `then(http_response&)` in the context of `self`, whatever the answer's status.
/// A failure, also one thrown by `then`, ends in `promise`. `what` names the call in the log.
template <class Self, class Promise, class Then>
void call(Self* self, const char* what, http_request request, Promise promise, Then then) {
  auto& [context, open] = static_cast<client_state&>(self->state);
  open.begin(caf::weak_actor_ptr{self->ctrl()}, *context.http, std::move(request),
             [system = context.pulse->name, what, promise, then = std::move(then)](http_result& result) mutable {
               detail::go_on(system, what, result, promise, then);
             });
}

} // namespace backstay::integrations
