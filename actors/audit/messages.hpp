#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The trail of sensitive acts.
namespace backstay::audit {

template <class T>
void admitted(const T&);

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

/// An entry as the trail keeps it.
struct recorded {
  std::int64_t id = 0;
  timestamp at;
  audit::entry entry;
  std::optional<std::string> actor_login, subject_login; ///< of accounts that still exist
};

struct trail_page {
  std::vector<recorded> items;
  std::optional<std::int64_t> next; ///< to be asked for as `before`; nothing on the last page
};

/// Newest first; whatever is given must fit.
struct list_entries {
  using reply = trail_page;
  std::optional<account_id> actor, subject;
  std::optional<std::string> action; ///< itself and all below it: "auth" finds "auth.login.failed"
  std::optional<audit::result> result;
  std::optional<timestamp> since, until; ///< from the first moment on, up to but without the second
  std::optional<std::int64_t> before;    ///< only what is older than this entry
  std::int64_t limit = 50;
};

/// Reads the trail; writing is `store::record`.
using audit_actor = caf::typed_actor<answers<list_entries>>;

} // namespace backstay::audit

template <>
inline constexpr std::array backstay::names_of<backstay::audit::result>{"success", "failure", "denied"};
