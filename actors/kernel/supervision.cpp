#include "actors/kernel/supervision.hpp"

#include "config/log.hpp"

#include <stdexcept>

namespace backstay {

supervision::supervision(caf::actor_system& system, std::function<void(const vitals&)> give_up)
    : system_(system), give_up_(std::move(give_up)) {}

caf::actor supervision::add(const std::string& name, bool critical, child_maker make) {
  auto pulse = board_.add(name, critical);
  auto address = system_.spawn(guardian, std::move(make), pulse, restart_policy{}, give_up_);
  guardians_.emplace_back(name, address);
  return address;
}

void supervision::start() {
  caf::scoped_actor self{system_};
  for (auto& [name, address] : guardians_)
    self->request(address, std::chrono::seconds{5}, begin{})
        .receive([](done) {},
                 [&name = name](const caf::error&) { throw std::runtime_error{name + " does not start"}; });
}

void supervision::stop(std::chrono::milliseconds grace) {
  caf::scoped_actor self{system_};
  for (auto entry = guardians_.rbegin(); entry != guardians_.rend(); ++entry) {
    self->monitor(entry->second);
    self->send_exit(entry->second, caf::exit_reason::user_shutdown);
    self->receive([](const caf::down_msg&) {},
                  caf::after(grace) >>
                      [&] {
                        log::warning("root", "did not end in time", {{"actor", entry->first}});
                      });
  }
  guardians_.clear();
}

std::map<std::string, caf::actor, std::less<>> supervision::by_name() const {
  return {guardians_.begin(), guardians_.end()};
}

} // namespace backstay
