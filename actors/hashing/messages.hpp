#pragma once

#include "actors/kernel/message.hpp"
#include "config/secret.hpp"

#include <caf/typed_actor.hpp>

#include <string>

/// Passwords are hashed on threads of their own, behind a bounded queue, so that a login flood slows nothing else.
namespace backstay::hashing {

template <class T>
void admitted(const T&);

struct verdict {
  std::string hash; ///< of a `hash` request, or of a right password whose stored hash is outdated; else empty
  bool matches = false;
};

/// With `against` empty: hash `password`. Otherwise: does `password` belong to the hash `against`?
/// Argon2id m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet), libsodium's encoded form.
struct password_job {
  using reply = verdict;
  secret password;
  std::string against;
};

/// Errors: `too_many` when the queue is full: whoever signs in is to come back a little later (429).
using hashing_actor = caf::typed_actor<answers<password_job>>;

} // namespace backstay::hashing
