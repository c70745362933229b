#include "http/kernel/exchange.hpp"

#include "http/kernel/observer.hpp"
#include "http/kernel/services.hpp"
#include "http/policy/idempotency.hpp"

namespace backstay::http {

namespace {

constexpr dialect standard{"standard"};

} // namespace

exchange::~exchange() {
  if (is_answered()) return;
  fail({.code = handed_over_.load(std::memory_order_acquire) ? ec::timeout : ec::restarting});
}

void exchange::answer(response out) {
  if (answered_.exchange(true, std::memory_order_acq_rel)) return;
  services_.observe.answered(*this, out.status);
  services_.open_exchanges.fetch_sub(1, std::memory_order_relaxed);
  if (!request_id.empty()) out.headers.emplace_back("X-Request-ID", request_id);
  // The kept answer must stand before the client can repeat the request.
  if (claim) keep_answer(services_, *claim, std::move(out), std::move(send_));
  else send_(std::move(out));
  send_ = nullptr; // lets go of the connection, even if somebody keeps this exchange
}

void exchange::release() {
  if (answered_.exchange(true, std::memory_order_acq_rel)) return;
  services_.observe.answered(*this, 101);
  services_.open_exchanges.fetch_sub(1, std::memory_order_relaxed);
  send_ = nullptr;
}

void exchange::fail(const fault& what) {
  answer(render_error(what, request_id, route && route->family ? *route->family : standard));
}

caller caller_of(const exchange& x) { return {x.session->account.id, x.session->session, x.session->account.role}; }

origin origin_of(const exchange& x) {
  return {x.address, std::string{x.in().header("User-Agent")}, x.request_id, known_device_of(x)};
}

} // namespace backstay::http
