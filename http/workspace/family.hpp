#pragma once

#include "http/kernel/domains.hpp"
#include "http/kernel/router.hpp"

/// A project collaboration app: `/api/v1/*` (tests/contract/workspace.json). Its items come in `{"data": {…}}`, billing
/// and shared paths are flat (contract's ruling 14); it shows the integer number of an account as its id (ruling 2).
namespace backstay::http::workspace {

inline constexpr dialect family{"workspace"};

void add_profile(router& to, const domains& who);
void add_session_tokens(router& to, const domains& who);

/// Every endpoint of the family.
void add_all(router& to, const domains& who);

} // namespace backstay::http::workspace
