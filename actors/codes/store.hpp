#pragma once

#include "actors/codes/rules.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/outcome.hpp"

/// The table of mailed codes: a row for each address and purpose that was asked about. Addresses are taken without
/// regard to case. Locks are taken on budgets first, then here, then on accounts.
namespace backstay::codes::store {

/// Makes a new code, which ends the old one; the tries count anew.
secret issue(transaction& tx, const keyring& keys, purpose what_for, const std::string& address, timestamp now);

/// Does what `issue` does to the counts, for an address that gets no mail: both look alike from outside.
void issue_none(transaction& tx, purpose what_for, const std::string& address, timestamp now);

/// Tries `code`, and uses it up if it is right. To be committed also with a fault: the try counts.
/// The fault is `refused` or `too_many`, as `fault_of` says.
outcome<done> check(transaction& tx, const keyring& keys, purpose what_for, const std::string& address,
                    const secret& code, timestamp now);

/// Counts a resend. Throws `too_many` named RATE_LIMITED.
resends_left count_resend(transaction& tx, purpose what_for, const std::string& address, timestamp now);

/// Removes some that no answer depends on any more.
void forget_stale(transaction& tx, timestamp now);

} // namespace backstay::codes::store
