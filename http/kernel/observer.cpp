#include "http/kernel/observer.hpp"

#include "config/log.hpp"
#include "http/kernel/exchange.hpp"

#include <algorithm>

namespace backstay::http {

namespace {

const prometheus::Histogram::BucketBoundaries seconds_of_latency{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                                 0.1,   0.25,   0.5,   1,    2.5,   5};

} // namespace

observer::observer(std::string log_requests)
    : log_requests_(std::move(log_requests)), latency_(prometheus::BuildHistogram()
                                                           .Name("backstay_http_request_seconds")
                                                           .Help("Time from reading a request to its answer, by route")
                                                           .Register(registry_)),
      unmatched_(latency_.Add({{"method", "other"}, {"route", "unmatched"}}, seconds_of_latency)) {
  auto& answers = prometheus::BuildCounter()
                      .Name("backstay_http_answers_total")
                      .Help("Answers by status class")
                      .Register(registry_);
  for (std::size_t i = 1; i < by_class_.size(); ++i) by_class_[i] = &answers.Add({{"class", std::to_string(i) + "xx"}});
}

void observer::watch(router& routes) {
  for (auto& route : routes.routes())
    route->latency = &latency_.Add({{"method", route->method}, {"route", route->paths.front()}}, seconds_of_latency);
}

void observer::answered(const exchange& x, int status) {
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - x.started).count();
  (x.route ? x.route->latency : &unmatched_)->Observe(seconds);
  by_class_[static_cast<std::size_t>(std::clamp(status / 100, 1, 5))]->Increment();
  if (log_requests_ == "all" || (log_requests_ == "errors" && (status >= 500 || seconds > 1))) log(x, status, seconds);
}

void observer::log(const exchange& x, int status, double seconds) const {
  // The path without its query: queries may hold tickets.
  log::info("http", "answered a request",
            {{"request_id", x.request_id},
             {"method", std::string{x.in().method}},
             {"path", std::string{x.in().path}},
             {"status", std::to_string(status)},
             {"milliseconds", std::to_string(static_cast<int>(seconds * 1000))},
             {"address", x.address},
             {"account", x.session ? to_string(x.session->account.id) : ""}});
}

} // namespace backstay::http
