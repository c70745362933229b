#pragma once

#include "http/kernel/exchange.hpp"

#include <functional>

namespace backstay::http {

/// Finds the session of the bearer token (RFC 6750), or without one of the cookie (policy/cookies.hpp), and goes on
/// with `then`, with `x->session` set; answers 401 or 403 itself when the route needs more than there is. On the HTTP
/// thread; a session that is not cached is read first.
void authenticate(const exchange_ptr& x, std::function<void()> then);

} // namespace backstay::http
