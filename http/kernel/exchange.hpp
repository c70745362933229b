#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/error.hpp"
#include "actors/sessions/messages.hpp"
#include "http/kernel/errors.hpp"
#include "http/kernel/message.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace backstay::http {

struct route;
struct services;

/// One request and its one answer.
///
/// Whoever answers first, answers; the rest is ignored. An exchange that loses its last owner without an answer gives
/// one itself: 503 when nothing has been asked of a domain yet, 504 otherwise. `answer` and `fail` are thread-safe,
/// the rest belongs to the HTTP thread until `handed_over` is set.
class exchange {
public:
  using sink = std::function<void(response)>;

  exchange(services& context, request in, sink send) : services_(context), in_(std::move(in)), send_(std::move(send)) {}
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange();

  const request& in() const { return in_; }
  services& context() const { return services_; }

  void answer(response out);
  void fail(const fault& what);
  /// The connection was taken over (a WebSocket): there will be no answer.
  void release();
  bool is_answered() const { return answered_.load(std::memory_order_acquire); }

  /// From now on a lost exchange may have had an effect.
  void set_handed_over() { handed_over_.store(true, std::memory_order_release); }

  const http::route* route = nullptr;                    ///< null until one matched
  std::vector<std::string> placeholders;                 ///< values of the path's {names}, in order
  std::shared_ptr<const sessions::session_view> session; ///< null without a valid one
  std::string request_id;
  std::string address;           ///< of the client, behind trusted proxies
  std::optional<claim_id> claim; ///< what the Idempotency-Key became
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

private:
  services& services_;
  request in_;
  sink send_;
  std::atomic<bool> answered_{false};
  std::atomic<bool> handed_over_{false};
};

using exchange_ptr = std::shared_ptr<exchange>;

/// Who asks, as an exchange with a session knows.
caller caller_of(const exchange& x);
origin origin_of(const exchange& x);

} // namespace backstay::http
