#include "actors/monitoring/rules.hpp"

#include <algorithm>
#include <cstdlib>

namespace backstay::monitoring::rules {

namespace {

bool is_worth_telling(const live::server_status_changed& before, const live::server_status_changed& now) {
  if (before.status != now.status) return true;
  auto difference = std::abs(now.current_users - before.current_users);
  return difference >= std::max(1, before.current_users / 10);
}

std::vector<live::server_status_changed> forget_gone(told& last, const std::vector<server>& servers) {
  std::vector<live::server_status_changed> gone;
  std::erase_if(last, [&](auto& entry) {
    bool is_there = std::ranges::any_of(servers, [&](auto& server) { return server.node.id == entry.first; });
    if (!is_there) gone.push_back({entry.first, live::server_status::offline, 0});
    return !is_there;
  });
  return gone;
}

} // namespace

live::server_status status_of(const panel::node& node) {
  if (node.is_disabled) return live::server_status::maintenance;
  if (node.is_connecting) return live::server_status::warning;
  return node.is_connected ? live::server_status::online : live::server_status::offline;
}

std::vector<live::server_status_changed> changes(told& last, const std::vector<server>& servers) {
  auto news = forget_gone(last, servers);
  for (auto& server : servers) {
    live::server_status_changed now{server.node.id, server.status, server.node.users_online};
    auto [entry, is_new] = last.try_emplace(now.server, now);
    if (!is_new && !is_worth_telling(entry->second, now)) continue;
    entry->second = now;
    news.push_back(now);
  }
  return news;
}

} // namespace backstay::monitoring::rules
