#pragma once

#include "actors/kernel/message.hpp"
#include "config/secret.hpp"

#include <caf/typed_actor.hpp>

#include <string>

namespace backstay::mail {

template <class T>
void admitted(const T&);

/// One mail, rendered. `key` makes a repeat harmless where the provider supports it (Resend: `Idempotency-Key`).
/// Errors: `unavailable`, `timeout`, `upstream`: repeat later; `refused`: never will be accepted.
struct send_mail {
  using reply = done;
  std::string key;
  std::string to, subject;
  secret text, html; ///< may hold a code or a link
};

using mail_actor = caf::typed_actor<answers<send_mail>>;

} // namespace backstay::mail
