#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/sessions/messages.hpp"

#include <caf/typed_actor.hpp>

#include <optional>
#include <string>

/// Who somebody is: the one account store of all API families.
namespace backstay::accounts {

template <class T>
void admitted(const T&);

/// How a registration ends; which endpoint asks for which is the contract's ruling 5.
enum class welcome : std::uint8_t {
  verify_first,   ///< inactive until the e-mailed code is confirmed (active at once without an e-mail); no session
  sign_in_at_once ///< active, signed in, and a verification mail is sent
};

struct registered {
  sessions::account account;
  std::optional<sessions::signed_in> session; ///< with `sign_in_at_once`
};

/// Errors: `invalid` (password policy, field rules), `conflict` (e-mail or login taken), `forbidden`
/// (registration is switched off).
struct register_account {
  using reply = registered;
  std::optional<std::string> login; ///< 3–50 of [a-zA-Z0-9_]; derived from the e-mail's local part when absent
  std::optional<std::string> email;
  secret password;
  std::string locale = "en-EN";
  std::optional<bool> tos_accepted;
  std::optional<sessions::device> device;
  accounts::welcome welcome = welcome::verify_first;
  bool strong_password = false; ///< the endpoint demands ≥ 12 characters of four kinds, beyond the common policy
  backstay::origin origin;
};

struct get_account {
  using reply = sessions::account;
  account_id account;
};

using accounts_actor = caf::typed_actor<
    // Creates an account; the mail with its code goes out through the outbox.
    answers<register_account>,
    // One account by its id; `not_found`.
    answers<get_account>>;

} // namespace backstay::accounts
