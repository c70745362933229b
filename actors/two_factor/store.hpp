#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/keyring.hpp"
#include "actors/two_factor/messages.hpp"

#include <optional>
#include <vector>

/// Authenticators and recovery codes. Secrets are sealed, recovery codes are kept as keyed hashes. Their rows are
/// locked after the account's budget. Turning the second factor on and off is announced to every node, for cached
/// sessions say whether their account has one.
namespace backstay::two_factor::store {

standing get(transaction& tx, const account_id& account);

/// Keeps a secret that waits for its first code, in place of one that waits already. False, and nothing changes, when
/// the second factor is on.
bool keep_waiting(transaction& tx, const keyring& keys, const account_id& account, const secret& shared, timestamp now);

/// The first code of the secret that waits: turns the second factor on, and gives new recovery codes. Nothing if the
/// code is wrong or no secret waits (any more). Of parallel calls one wins.
std::optional<std::vector<secret>> confirm(transaction& tx, const keyring& keys, const account_id& account,
                                           const secret& code, timestamp now);

/// Whether the code, of the authenticator or for recovery, is good now; uses it up. Of parallel calls one wins. The
/// code of an earlier step than the last one that was used is no good any more.
bool use_code(transaction& tx, const keyring& keys, const account_id& account, const secret& code, timestamp now);

/// Turns it off and forgets all its secrets.
void remove(transaction& tx, const account_id& account);

} // namespace backstay::two_factor::store
