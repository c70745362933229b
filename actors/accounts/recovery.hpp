#pragma once

#include "actors/accounts/messages.hpp"
#include "actors/kernel/outcome.hpp"
#include "actors/sessions/store.hpp"

/// What is mailed to an address, and what whoever read it may do. What the requests cost does not depend on whether
/// there is an account, but for one look-up by index: known or not, codes, proofs and mails are written alike.
namespace backstay::accounts::store {

using sessions::store::terms;

/// Throws `too_many` named RATE_LIMITED.
void request_password_reset(transaction& tx, const terms& terms, const std::string& email, timestamp now);

/// To be committed also with a fault: a tried code counts. Returns whose password it is now. The new password has been
/// held against the policy, but for the name in the address, which is known only here.
outcome<account_id> reset_password(transaction& tx, const terms& terms, const accounts::reset_password& command,
                                   const std::string& new_hash, timestamp now);

/// Throws `too_many` named RATE_LIMITED. `may_register`: strangers get a link, too.
void request_magic_link(transaction& tx, const terms& terms, const accounts::request_magic_link& command,
                        bool may_register, timestamp now);

sessions::signed_in use_magic_link(transaction& tx, const terms& terms, const accounts::use_magic_link& command,
                                   bool may_register, timestamp now);

/// Throws `too_many` named RATE_LIMITED.
void request_verification_link(transaction& tx, const terms& terms, const std::string& email, timestamp now);

/// Mails the link that confirms the address of a new account.
void send_verification_link(transaction& tx, const terms& terms, const sessions::account& to, timestamp now);

/// Returns whose address it is.
account_id use_verification_link(transaction& tx, const terms& terms, const accounts::use_verification_link& command,
                                 timestamp now);

} // namespace backstay::accounts::store
