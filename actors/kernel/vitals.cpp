#include "actors/kernel/vitals.hpp"

#include <algorithm>

namespace backstay {

std::uint64_t vitals::mailbox() const {
  auto done = handled.load(), all = received.load();
  return all > done ? all - done : 0;
}

std::string vitals::last_cause() const {
  std::lock_guard guard{mutex_};
  return cause_;
}

void vitals::note_cause(std::string cause) {
  std::lock_guard guard{mutex_};
  cause_ = std::move(cause);
}

vitals_ptr vitals_board::add(std::string name, bool critical) {
  std::lock_guard guard{mutex_};
  return entries_.emplace_back(std::make_shared<vitals>(std::move(name), critical));
}

std::vector<vitals_ptr> vitals_board::all() const {
  std::lock_guard guard{mutex_};
  return entries_;
}

vitals_ptr vitals_board::find(const std::string& name) const {
  std::lock_guard guard{mutex_};
  return *std::find_if(entries_.begin(), entries_.end(), [&](auto& each) { return each->name == name; });
}

} // namespace backstay
