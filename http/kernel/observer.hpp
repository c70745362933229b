#pragma once

#include "http/kernel/router.hpp"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <memory>
#include <string>

namespace backstay::http {

class exchange;

/// Sees every answer: counts it, times it by route, and logs it as `log.requests` says. Thread-safe.
class observer {
public:
  /// `log_requests`: "none", "errors" (5xx and answers slower than a second) or "all".
  explicit observer(std::string log_requests);

  /// Gives every route its histogram. Before the first request.
  void watch(router& routes);

  void answered(const exchange& x, int status);

  prometheus::Registry& registry() { return registry_; }

private:
  void log(const exchange& x, int status, double seconds) const;

  std::string log_requests_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Histogram>& latency_;
  std::array<prometheus::Counter*, 6> by_class_{}; ///< 1xx … 5xx
  prometheus::Histogram& unmatched_;
};

} // namespace backstay::http
