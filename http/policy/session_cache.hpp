#pragma once

#include "actors/sessions/messages.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace backstay::http {

/// Living sessions, so that most requests need no look into the database. On the HTTP thread only.
///
/// Truth is in PostgreSQL: an entry is dropped when the sessions domain has changed it here, or when NOTIFY tells that
/// another node did. A node that cannot hear is deaf: it keeps nothing and reads through.
class session_cache {
public:
  using entry = std::shared_ptr<const sessions::session_view>;

  entry find(const session_id& session) const;

  /// Taken before a load; a session that was invalidated in between is then not stored.
  std::uint64_t generation() const { return generation_; }
  void store(entry loaded, std::uint64_t generation);

  /// The newest access token of the session has been seen.
  void mark_token_used(const session_id& session);

  /// Somebody was seen in the session.
  void mark_seen(const session_id& session, timestamp now);

  /// "session:<uuid>" or "account:<uuid>": what the channel `sessions` carries.
  void forget(std::string_view what);
  void set_deaf(bool deaf);
  bool is_deaf() const { return deaf_; }
  std::size_t size() const { return entries_.size(); }

private:
  template <class Change>
  void change(const session_id& session, Change how);
  void drop(const session_id& session);
  void clear();

  std::unordered_map<session_id, entry> entries_;
  std::unordered_map<account_id, std::unordered_set<session_id>> by_account_;
  std::uint64_t generation_ = 0;
  bool deaf_ = true; ///< until the listener says that it listens
};

} // namespace backstay::http
