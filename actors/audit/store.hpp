#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/names.hpp"

#include <map>
#include <optional>
#include <string>

/// The trail of sensitive acts.
namespace backstay::audit {

enum class result : std::uint8_t {
  success,
  failure, ///< tried, and it did not work: a wrong password
  denied,  ///< not allowed to
};

struct entry {
  std::string action;                ///< "auth.login.success", "user.role.change"
  std::optional<account_id> actor;   ///< who; nothing: nobody was signed in
  std::optional<account_id> subject; ///< to whom
  backstay::origin origin;
  audit::result result = result::success;
  std::string resource;                       ///< what else it was about, as "kind:id"; empty: nothing
  std::map<std::string, std::string> details; ///< never a secret
};

namespace store {

/// Adds it to the trail, if and only if the transaction commits.
void record(transaction& tx, const entry& what, timestamp now);

} // namespace store
} // namespace backstay::audit

template <>
inline constexpr std::array backstay::names_of<backstay::audit::result>{"success", "failure", "denied"};
