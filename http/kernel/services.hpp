#pragma once

#include "actors/idempotency/messages.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/sessions/messages.hpp"
#include "config/settings.hpp"
#include "http/kernel/gateway.hpp"
#include "http/kernel/observer.hpp"
#include "http/policy/access_token.hpp"
#include "http/policy/client_address.hpp"
#include "http/policy/cookies.hpp"
#include "http/policy/cors.hpp"
#include "http/policy/rate_limit.hpp"
#include "http/policy/session_cache.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <atomic>
#include <utility>

namespace backstay::http {

inline std::string public_url_of(const config::settings& settings) {
  auto& h = settings.http;
  auto url = h.public_url.empty() ? "http://" + h.address + ":" + std::to_string(h.port) : h.public_url;
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// All that the handling of a request may use. Lives as long as the HTTP server; what is not marked otherwise belongs
/// to the HTTP thread, the one that runs `io`.
struct services {
  const config::settings& settings;
  asio::io_context& io;
  clock_handle clock;
  gateway entry; ///< thread-safe
  sessions::sessions_actor sessions_domain;
  idempotency::idempotency_actor idempotency_domain;

  /// What others call this server, without a slash at the end.
  std::string public_url = public_url_of(settings);
  access_tokens tokens{settings.security.keys, clock};
  browser_cookies cookies{keyring{settings.security.keys}, !settings.in_development()};
  session_cache sessions{};
  rate_limiter limits{settings.limits};
  cors_policy cors{settings.http.cors_origins};
  client_addresses addresses{settings.http.trusted_proxies};
  observer observe{settings.log.requests}; ///< thread-safe
  std::atomic<std::size_t> open_exchanges{0};
  std::atomic<bool> is_stopping{false};

  /// Thread-safe; runs in the order of the calls.
  template <class F>
  void run_on_http_thread(F f) {
    asio::post(io, std::move(f));
  }
};

} // namespace backstay::http
