#include "actors/kernel/guardian.hpp"

#include "actors/kernel/domain.hpp"
#include "config/log.hpp"

namespace backstay {

namespace {

using guardian_pointer = caf::stateful_actor<guardian_state>*;
using std::chrono::milliseconds;

void start_child(guardian_pointer self) {
  auto& state = self->state;
  state.child = state.make(self, state.pulse);
  self->monitor(state.child);
  state.pulse->handled = state.pulse->received.load();
  state.pulse->up = true;
  state.pulse->degraded = false;
}

std::string cause_of(guardian_pointer self, const caf::error& reason) {
  // What was thrown or ordered has been noted; any other exit reason speaks for itself.
  if (reason == caf::sec::runtime_error || reason == ec::internal) return self->state.pulse->last_cause();
  return self->system().render(reason);
}

void forget_old_deaths(guardian_state& state, caf::actor_clock::time_point now) {
  std::erase_if(state.deaths, [&](auto moment) { return now - moment > state.policy.window; });
}

milliseconds next_delay(std::size_t deaths) {
  if (deaths <= 1) return milliseconds{0};
  return deaths == 2 ? milliseconds{250} : milliseconds{1000};
}

/// Anonymous: the answer to a message of its own would come back to the guardian, and its child's refusal of that stray
/// message would end it.
void remind_to_begin(guardian_pointer self, milliseconds delay) { self->delayed_anon_send(self, delay, begin{}); }

void schedule_restart(guardian_pointer self) {
  auto& state = self->state;
  if (state.deaths.size() <= state.policy.deaths) {
    auto delay = next_delay(state.deaths.size());
    if (delay.count() == 0) return start_child(self);
    return remind_to_begin(self, delay);
  }
  state.pulse->degraded = true;
  if (state.pulse->critical) return state.give_up(*state.pulse);
  log::error(state.pulse->name, "is degraded after repeated deaths");
  remind_to_begin(self, state.policy.retry_degraded);
}

void child_died(guardian_pointer self, const caf::error& reason) {
  auto& state = self->state;
  auto now = self->clock().now();
  state.child = nullptr;
  state.pulse->up = false;
  state.pulse->restarts.fetch_add(1);
  state.pulse->note_cause(cause_of(self, reason));
  forget_old_deaths(state, now);
  state.deaths.push_back(now);
  log::error(state.pulse->name, "died and is restarted",
             {{"cause", state.pulse->last_cause()}, {"deaths", std::to_string(state.deaths.size())}});
  schedule_restart(self);
}

caf::result<caf::message> forward(guardian_pointer self, caf::message_view& view) {
  auto& state = self->state;
  if (!state.child) return to_error({.code = ec::restarting, .retry_after = std::chrono::seconds{1}});
  state.pulse->received.fetch_add(1, std::memory_order_relaxed);
  auto promise = self->make_response_promise();
  promise.delegate(state.child, view.move_content_to_message());
  return caf::delegated<caf::message>{};
}

done carry_out(guardian_pointer self, const crash& order) {
  auto& state = self->state;
  if (order.how != drill::exit) state.pulse->ordered = order.how;
  else if (state.child) {
    state.pulse->note_cause("drill: told to exit");
    self->send_exit(state.child, caf::make_error(ec::internal));
  }
  return {};
}

} // namespace

caf::behavior guardian(guardian_pointer self, child_maker make, vitals_ptr pulse, restart_policy policy,
                       std::function<void(const vitals&)> give_up) {
  self->state.make = std::move(make);
  self->state.pulse = std::move(pulse);
  self->state.policy = policy;
  self->state.give_up = std::move(give_up);
  install_guard_rails(self, self->state.pulse);
  self->set_default_handler([self](caf::scheduled_actor*, caf::message_view& view) { return forward(self, view); });
  self->set_down_handler([self](const caf::down_msg& down) {
    if (down.source != self->state.child) return;
    self->state.stopping ? self->quit(self->state.stopping) : child_died(self, down.reason);
  });
  self->set_exit_handler([self](const caf::exit_msg& exit) {
    if (!self->state.child) return self->quit(exit.reason);
    self->state.stopping = exit.reason;
    self->send_exit(self->state.child, exit.reason);
  });
  return {
      [self](const crash& order) { return carry_out(self, order); },
      [self](const begin&) {
        if (!self->state.child && !self->state.stopping) start_child(self);
        return done{};
      },
  };
}

} // namespace backstay
