#include "http/policy/session_cache.hpp"

namespace backstay::http {

namespace {

constexpr std::size_t most_entries = 100'000;

} // namespace

session_cache::entry session_cache::find(const session_id& session) const {
  auto found = entries_.find(session);
  return found == entries_.end() ? nullptr : found->second;
}

void session_cache::store(entry loaded, std::uint64_t generation) {
  if (deaf_ || generation != generation_) return;
  if (entries_.size() >= most_entries) clear();
  by_account_[loaded->account.id].insert(loaded->session);
  entries_[loaded->session] = std::move(loaded);
}

/// In a copy: answers under way may still read the old one.
template <class Change>
void session_cache::change(const session_id& session, Change how) {
  auto found = entries_.find(session);
  if (found == entries_.end()) return;
  auto changed = std::make_shared<sessions::session_view>(*found->second);
  how(*changed);
  found->second = std::move(changed);
}

void session_cache::mark_token_used(const session_id& session) {
  change(session, [](sessions::session_view& view) { view.token_used = true; });
}

void session_cache::mark_seen(const session_id& session, timestamp now) {
  change(session, [&](sessions::session_view& view) { view.last_seen_at = now; });
}

void session_cache::forget(std::string_view what) {
  ++generation_;
  auto text = what.substr(what.find(':') + 1);
  if (what.starts_with("session:")) {
    if (auto session = session_id::parse(text)) drop(*session);
  } else if (auto account = account_id::parse(text)) {
    if (auto sessions = by_account_.extract(*account))
      for (auto& session : sessions.mapped()) entries_.erase(session);
  }
}

void session_cache::drop(const session_id& session) {
  auto found = entries_.find(session);
  if (found == entries_.end()) return;
  auto of_account = by_account_.find(found->second->account.id);
  of_account->second.erase(session);
  if (of_account->second.empty()) by_account_.erase(of_account);
  entries_.erase(found);
}

void session_cache::set_deaf(bool deaf) {
  deaf_ = deaf;
  clear();
}

void session_cache::clear() {
  ++generation_;
  entries_.clear();
  by_account_.clear();
}

} // namespace backstay::http
