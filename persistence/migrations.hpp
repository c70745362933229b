#pragma once

#include <string>

namespace backstay::persistence {

/// Brings the database up to date: applies what is new of `migrations/NNNN_what.sql`, each in a transaction of its own,
/// under an advisory lock, so that servers may start at once. Returns how many were applied.
/// Throws `std::runtime_error` with one clear line: not reachable, newer than this binary, or changed after it was
/// applied.
int migrate(const std::string& url);

} // namespace backstay::persistence
