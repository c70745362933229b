#pragma once

#include "http/kernel/exchange.hpp"
#include "http/kernel/router.hpp"

namespace backstay::http {

/// Takes a request through the house: match, limits, authentication, idempotency, rate limit, and then the endpoint.
/// Each step answers and stops, or goes on. On the HTTP thread.
void handle_request(const router& routes, const exchange_ptr& x);

} // namespace backstay::http
