#pragma once

#include "actors/live/messages.hpp"

#include <map>

namespace backstay::notifications {

/// By which ways an account wants to hear of a kind of notice.
struct channels {
  bool push = true, email = true, in_app = true;
  bool operator==(const channels&) const = default;
};

/// What an account has chosen; kinds that are not here go every way.
using preferences = std::map<live::notification_kind, channels>;

} // namespace backstay::notifications
