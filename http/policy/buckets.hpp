#pragma once

#include <cstdint>

namespace backstay::http {

/// Which budget a request is charged to; the sizes are settings (`limits.*`, contract's ruling 11).
enum class bucket : std::uint8_t {
  none,      ///< webhooks in, health, metrics; refresh and logout, which the sessions domain counts per session
  general,   ///< per account, or per address without one
  dashboard, ///< reads of dashboards and consoles: larger
  login,     ///< per address; guesses are also counted per account by the sessions domain
  mail,      ///< whatever sends a mail: per address; per e-mail by the domain
  payments,  ///< per account
};

} // namespace backstay::http
