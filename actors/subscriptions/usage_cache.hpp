#pragma once

#include "actors/kernel/clock.hpp"
#include "integrations/panel/messages.hpp"

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace backstay::subscriptions {

/// What the panel said last of its users, by their names. Bounded: the one that nobody has asked for the longest makes
/// room. For one thread.
class usage_cache {
public:
  struct usage {
    std::optional<panel::user> user; ///< none: the panel knows nobody of that name, or was never reached
    timestamp good_until;            ///< then it should be asked again
  };

  explicit usage_cache(std::size_t capacity) : capacity_(capacity) {}

  /// Valid until the next call; null if nothing is known.
  const usage* find(const std::string& username) {
    auto entry = places_.find(username);
    if (entry == places_.end()) return nullptr;
    order_.splice(order_.begin(), order_, entry->second);
    return &entry->second->second;
  }

  void put(const std::string& username, usage known) {
    forget(username);
    order_.emplace_front(username, std::move(known));
    places_[username] = order_.begin();
    if (order_.size() > capacity_) forget(std::string{order_.back().first});
  }

  /// To be asked again at the next occasion; until the panel answers, what was known stands.
  void outdate(const std::string& username) {
    auto entry = places_.find(username);
    if (entry != places_.end()) entry->second->second.good_until = {};
  }

  std::size_t size() const { return order_.size(); }

private:
  using list = std::list<std::pair<std::string, usage>>;

  void forget(const std::string& username) {
    auto entry = places_.find(username);
    if (entry == places_.end()) return;
    order_.erase(entry->second);
    places_.erase(entry);
  }

  std::size_t capacity_;
  list order_; ///< asked for most recently first
  std::unordered_map<std::string, list::iterator> places_;
};

} // namespace backstay::subscriptions
