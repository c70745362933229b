#pragma once

#include "actors/audit/messages.hpp"
#include "actors/kernel/database.hpp"

namespace backstay::audit::store {

/// Adds it to the trail, if and only if the transaction commits.
void record(transaction& tx, const entry& what, timestamp now);

trail_page list(transaction& tx, const list_entries& wanted);

/// Removes some of what is older than `moment`; a limited number of rows a call.
void forget_before(transaction& tx, timestamp moment);

} // namespace backstay::audit::store
