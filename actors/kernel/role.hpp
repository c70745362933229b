#pragma once

#include "actors/kernel/names.hpp"

#include <cstdint>

namespace backstay {

/// What an account is to us. A new account is a viewer: every right over its own things.
enum class role : std::uint8_t { viewer, support, operator_, admin, super_admin };

template <>
inline constexpr std::array names_of<role>{"viewer", "support", "operator", "admin", "super_admin"};

/// What an endpoint may demand beyond a session.
enum class permission : std::uint8_t {
  server_read,     ///< see the servers and the plans
  account_read,    ///< see other accounts
  payment_read,    ///< see other accounts' payments
  ticket_answer,   ///< answer others' tickets
  monitoring_read, ///< health of the parts, queues, live topic "servers"
  manage,          ///< change other accounts, plans, payments
  roles_and_keys,  ///< change roles and server keys
};

/// The one table from role to permission; each role may all that the roles before it may.
constexpr bool may(role who, permission what) {
  switch (what) {
  case permission::server_read:
    return true;
  case permission::account_read:
  case permission::payment_read:
  case permission::ticket_answer:
    return who >= role::support;
  case permission::monitoring_read:
    return who >= role::operator_;
  case permission::manage:
    return who >= role::admin;
  case permission::roles_and_keys:
    return who == role::super_admin;
  }
  return false;
}

} // namespace backstay
