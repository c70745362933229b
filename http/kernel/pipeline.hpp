#pragma once

#include "http/kernel/exchange.hpp"
#include "http/kernel/router.hpp"

namespace backstay::http {

/// Gives an exchange its request id and its client's address. On the HTTP thread, first of all.
void identify(const exchange_ptr& x);

/// Takes a request through the house: match, limits, authentication, idempotency, rate limit, and then the endpoint.
/// Each step answers and stops, or goes on. On the HTTP thread, after `identify`.
void handle_request(const router& routes, const exchange_ptr& x);

} // namespace backstay::http
