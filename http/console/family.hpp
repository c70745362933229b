#pragma once

#include "http/kernel/domains.hpp"
#include "http/kernel/router.hpp"

/// A web operations console: `/api/v1/*` (tests/contract/console.json). Paths that it shares with other families are
/// declared where their answer is the richest: sign-in and `/auth/me` by `mobile`, the list of sessions here.
namespace backstay::http::console {

inline constexpr dialect family{"console"};

void add_browser_sessions(router& to, const domains& who);
void add_profile(router& to, const domains& who);

/// Every endpoint of the family.
void add_all(router& to, const domains& who);

} // namespace backstay::http::console
