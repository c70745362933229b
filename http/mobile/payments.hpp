#pragma once

#include "actors/payments/messages.hpp"

#include <string>

namespace backstay::http::mobile {

/// What the enumeration of the payments' history knows: pending, completed, failed or refunded.
inline std::string history_status(const payments::payment& what) {
  using payments::state;
  switch (what.state) {
  case state::paid:
    return "completed";
  case state::refunded:
    return "refunded";
  case state::expired:
  case state::failed:
    return "failed";
  default:
    return "pending";
  }
}

} // namespace backstay::http::mobile
