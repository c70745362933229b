#include "persistence/postmaster.hpp"

#include "actors/kernel/domain.hpp"
#include "config/log.hpp"

namespace backstay::persistence {

namespace {

struct look {};
template <class T>
void admitted(const T&);

constexpr std::chrono::milliseconds pause{250};

struct postmaster_state {
  postmaster_state() = default;
  static inline constexpr auto name = "postmaster";
};
static_assert(!std::is_aggregate_v<postmaster_state>);

void look_after(cluster& whom) {
  if (whom.alive()) return;
  log::error("postgres", "the private cluster died and is started again");
  whom.revive();
  log::info("postgres", "the private cluster is back");
}

caf::behavior behave(caf::stateful_actor<postmaster_state>* self, vitals_ptr pulse, std::shared_ptr<cluster> whom) {
  install_guard_rails(self, pulse);
  self->delayed_send(self, pause, look{});
  return {[self, whom](const look&) {
    // A revival that fails ends this actor: its guardian tries again, with its patience.
    look_after(*whom);
    self->delayed_send(self, pause, look{});
  }};
}

} // namespace

caf::actor spawn_postmaster(caf::scheduled_actor* parent, vitals_ptr pulse, std::shared_ptr<cluster> whom) {
  return parent->spawn<caf::detached>(behave, pulse, std::move(whom));
}

} // namespace backstay::persistence
