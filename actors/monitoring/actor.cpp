#include "actors/monitoring/actor.hpp"

#include "config/log.hpp"

#include <algorithm>
#include <utility>

namespace backstay::monitoring {

namespace {

using self_pointer = monitoring_loop::stateful_pointer<monitoring_state>;
using namespace std::chrono_literals;

constexpr auto patience = 4s;
constexpr auto patience_for_hub = 1s;
constexpr auto gather_hints = 200ms; ///< many hints in a row are one look

void tell(self_pointer self, const std::vector<live::server_status_changed>& news) {
  for (auto& event : news)
    self->request(self->state.others.hub, patience_for_hub, live::publish{live::topic::servers, event})
        .then(
            [](done&) {},
            [](const caf::error& error) {
              log::warning("monitoring", "the hub did not take an event", {{"cause", to_string(describe(error).code)}});
            });
}

/// The first look has an outcome: whoever asked before it is answered.
void answer_waiting(monitoring_state& state) {
  for (auto& answer : std::exchange(state.waiting, {})) answer();
}

void panel_answered(self_pointer self, std::vector<panel::node>& nodes) {
  auto& state = self->state;
  if (state.is_away) log::info("monitoring", "the panel answers again");
  state.is_looking = state.is_away = false;
  state.was_reached = true;
  state.servers.clear();
  for (auto& node : nodes) state.servers.push_back({node, rules::status_of(node), state.context.now()});
  tell(self, rules::changes(state.told, state.servers));
  answer_waiting(state);
}

void panel_is_away(self_pointer self, const fault& failure) {
  auto& state = self->state;
  if (!state.is_away) log::warning("monitoring", "the panel is away", {{"cause", to_string(failure.code)}});
  state.is_looking = false;
  state.is_away = true;
  answer_waiting(state);
}

void look(self_pointer self) {
  if (self->state.is_looking) return;
  self->state.is_looking = true;
  self->request(self->state.others.panel, patience, panel::list_nodes{})
      .then([self](panel::node_list& nodes) { panel_answered(self, nodes.items); },
            [self](const caf::error& error) { panel_is_away(self, describe(error)); });
}

/// Something has changed: a look in a moment; after the one on its way, which may have missed it.
void hurry(self_pointer self) {
  if (self->state.is_hurried) return;
  self->state.is_hurried = true;
  self->delayed_send(self, gather_hints, look_now{});
}

void look_in_a_hurry(self_pointer self) {
  self->state.is_hurried = false;
  if (self->state.is_looking) hurry(self);
  else look(self);
}

void check_reached(const monitoring_state& state) {
  if (!state.was_reached) fail({.code = ec::unavailable, .retry_after = 5s});
}

server_list page(const monitoring_state& state, const list_servers& m) {
  check_reached(state);
  auto total = static_cast<std::int64_t>(state.servers.size());
  auto first = std::clamp<std::int64_t>(m.offset, 0, total);
  auto count = std::clamp<std::int64_t>(m.limit, 0, total - first);
  auto begin = state.servers.begin() + first;
  return {{begin, begin + count}, total, m.offset, m.limit};
}

server find(const monitoring_state& state, const node_id& id) {
  check_reached(state);
  auto found = std::ranges::find(state.servers, id, [](auto& server) { return server.node.id; });
  if (found == state.servers.end()) fail(ec::not_found, "Server with UUID " + to_string(id) + " not found");
  return *found;
}

/// Answers with what `read` makes of the state. Right after a start nothing is known, and the first look is on its way:
/// then the asker waits for its outcome rather than being refused.
template <class Reply, class Read>
auto answer_when_known(self_pointer self, Read read) {
  auto promise = self->make_response_promise<Reply>();
  auto answer = [self, promise, read]() mutable {
    try {
      promise.deliver(read(self->state));
    } catch (const fault_error& error) {
      promise.deliver(to_error(error.what_failed));
    }
  };
  bool is_known = self->state.was_reached || self->state.is_away;
  if (is_known) answer();
  else self->state.waiting.push_back(answer);
  return promise;
}

} // namespace

monitoring_loop::behavior_type monitoring_behavior(self_pointer self, domain_context context,
                                                   monitoring_dependencies others, monitoring_options options) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.others = std::move(others);
  self->state.options = options;
  self->send(self, poll{});
  return {
      on([self](const list_servers& m) {
        return answer_when_known<server_list>(self, [m](auto& state) { return page(state, m); });
      }),
      on([self](const get_server& m) {
        return answer_when_known<server>(self, [m](auto& state) { return find(state, m.id); });
      }),
      on([self](const look_again&) {
        hurry(self);
        return done{};
      }),
      [self](const poll& again) {
        self->delayed_send(self, self->state.options.poll, again);
        look(self);
      },
      [self](const look_now&) { look_in_a_hurry(self); },
  };
}

caf::actor spawn_monitoring(caf::scheduled_actor* parent, domain_context context, monitoring_dependencies others,
                            monitoring_options options) {
  return caf::actor_cast<caf::actor>(
      parent->spawn(monitoring_behavior, std::move(context), std::move(others), options));
}

} // namespace backstay::monitoring
