#include "http/kernel/gateway.hpp"

#include "config/log.hpp"

namespace backstay::http {

static_assert(!std::is_aggregate_v<gateway_state>);

namespace {

constexpr std::chrono::milliseconds pause{100};

void sweep_overdue(gateway_pointer self) {
  auto& open = self->state.open;
  auto now = self->clock().now();
  while (!open.empty() && (open.front().until <= now || open.front().whose.expired())) {
    if (auto x = open.front().whose.lock()) x->fail({.code = ec::timeout});
    open.pop_front();
  }
}

} // namespace

void gateway::keep(gateway_pointer self, const exchange_ptr& x) {
  self->state.open.push_back({self->clock().now() + self->state.deadline, x});
}

caf::behavior behave_as_gateway(gateway_pointer self, std::chrono::milliseconds deadline) {
  self->state.deadline = deadline;
  self->set_exception_handler([](std::exception_ptr& pointer) -> caf::error {
    try {
      std::rethrow_exception(pointer);
    } catch (const std::exception& exception) {
      log::error("http", "a gateway died", {{"cause", exception.what()}});
    }
    return caf::sec::runtime_error;
  });
  self->delayed_send(self, pause, sweep{});
  return {
      [self](const gateway_call& call) { call.run(self); },
      [self](const sweep&) {
        sweep_overdue(self);
        self->delayed_send(self, pause, sweep{});
      },
  };
}

} // namespace backstay::http
