#pragma once

#include "actors/kernel/id.hpp"
#include "actors/kernel/role.hpp"

#include <optional>
#include <string>

namespace backstay {

/// Who asks, as their session says.
struct caller {
  account_id account;
  session_id session;
  backstay::role role = role::viewer;

  bool may(permission what) const { return backstay::may(role, what); }
  bool operator==(const caller&) const = default;
};

/// A browser that has signed in to this account before, as a cookie of ours proves.
struct known_device {
  account_id account;
  uuid device;
  bool operator==(const known_device&) const = default;
};

/// Where a request comes from; for session lists, limits and the audit trail. But for `known_device` no proof of
/// anything.
struct origin {
  std::string address; ///< of the client, behind trusted proxies too
  std::string user_agent;
  std::string request_id;
  std::optional<backstay::known_device> known_device{};
  bool operator==(const origin&) const = default;
};

} // namespace backstay
