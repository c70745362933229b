#pragma once

#include "actors/hashing/messages.hpp"

/// The password hash itself: Argon2id m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet), libsodium's
/// encoded form. Both functions block for tens of milliseconds and take 19 MiB. Thread-safe.
namespace backstay::hashing {

/// Errors: `overloaded` when there is no memory for it.
std::string hash_password(const secret& password);

/// Also knows bcrypt (`$2a$`, `$2b$`, `$2y$`), which accounts from elsewhere may come with. Never matches an unreadable
/// `hash`. A match whose hash is outdated comes with a new one.
verdict check_password(const secret& password, const std::string& hash);

} // namespace backstay::hashing
