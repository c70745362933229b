#pragma once

#include "http/kernel/exchange.hpp"

#include <functional>

namespace backstay::http {

/// With an Idempotency-Key: gives the kept answer again, or goes on with `then` and a claim. Without one, or where the
/// route does not honour it: just goes on. On the HTTP thread, after authentication; `then` is called there too.
void claim_idempotency_key(const exchange_ptr& x, std::function<void()> then);

/// Keeps the answer (or releases the key after 429 and 5xx), then sends it.
void keep_answer(services& context, claim_id claim, response out, exchange::sink send);

} // namespace backstay::http
