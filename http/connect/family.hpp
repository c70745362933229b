#pragma once

#include "http/kernel/domains.hpp"
#include "http/kernel/router.hpp"

/// The job-swiping phone app: `/v1/*` (tests/contract/connect.json).
namespace backstay::http::connect {

inline constexpr dialect family{.name = "connect", .message_member = true, .locks_with_429 = true};

void add_sign_in(router& to, const domains& who);

/// Every endpoint of the family.
void add_all(router& to, const domains& who);

} // namespace backstay::http::connect
