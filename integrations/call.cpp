#include "integrations/call.hpp"

#include "config/log.hpp"

#include <algorithm>
#include <charconv>

namespace backstay::integrations {

namespace {

using std::chrono::seconds;

constexpr seconds longest_advice{3600};

/// RFC 9110 also allows a date there, which nobody we call sends.
seconds advice(const http_response& answer) {
  const auto text = find_header(answer.headers, "retry-after");
  std::int64_t count = 1;
  if (std::from_chars(text.data(), text.data() + text.size(), count).ec == std::errc::result_out_of_range)
    return longest_advice;
  return std::clamp(seconds{count}, seconds{1}, longest_advice);
}

} // namespace

void exchanges::begin(caf::weak_actor_ptr owner, http_client& client, http_request request, continuation then) {
  const auto number = ++last_;
  open_.emplace(number, std::move(then));
  request.headers.emplace_back("User-Agent", "backstay/" BACKSTAY_VERSION);
  client.send(std::move(request), [owner = std::move(owner), number](http_result result) {
    if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(owner))
      caf::anon_send(caf::actor_cast<caf::actor>(alive), exchange_ended{number, std::move(result)});
  });
}

void exchanges::finish(exchange_ended& ended) {
  if (auto found = open_.extract(ended.number)) found.mapped()(ended.result);
}

void fail_outside(ec code, std::string cause, seconds retry_after) {
  throw outside_fault{{.code = code, .retry_after = retry_after}, std::move(cause)};
}

void require_answer(const http_result& result) {
  switch (result.failure) {
  case transport_failure::none:
    return;
  case transport_failure::unreachable:
    fail_outside(ec::unavailable, result.reason, seconds{1});
  case transport_failure::timeout:
  case transport_failure::broken:
    fail_outside(ec::timeout, result.reason);
  case transport_failure::too_large:
    fail_outside(ec::upstream, result.reason);
  }
}

bool is_success(const http_response& answer) { return answer.status / 100 == 2; }

void fail_status(const http_response& answer, std::string_view name) {
  auto cause = "status " + std::to_string(answer.status);
  if (!name.empty()) cause.append(" ").append(name.substr(0, 64));
  const bool busy = answer.status == 429 || answer.status == 503;
  fault what{.code = ec::upstream, .retry_after = busy ? advice(answer) : seconds{0}};
  if (answer.status >= 500) what.name = "UPSTREAM_DOWN";
  throw outside_fault{std::move(what), std::move(cause)};
}

std::string_view find_header(const http_headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

void report(const std::string& system, const char* what, const std::string& cause) {
  log::warning(system, "a call to the outside failed", {{"call", what}, {"cause", cause}});
}

} // namespace backstay::integrations
