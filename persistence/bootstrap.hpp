#pragma once

#include "actors/kernel/clock.hpp"
#include "config/secret.hpp"

#include <optional>
#include <string>
#include <vector>

/// What is written into a database before any actor runs.
namespace backstay::persistence {

/// Creates an active super_admin with a verified e-mail: the way to the first one in production.
/// Throws `std::runtime_error` with one clear line when the e-mail or login is taken.
void create_admin(const std::string& url, const std::string& email, const secret& password, timestamp now);

struct demo_admin {
  std::string email;
  secret password; ///< generated; told once
};

/// Fills an empty database with three plans and a super_admin; nothing happens when there is any account or plan.
std::optional<demo_admin> load_demo(const std::string& url, timestamp now);

/// What `backstay doctor accounts` found: one line for each account that nobody can get into any more, at most 100, and
/// one if there is no super_admin who can.
std::vector<std::string> audit_accounts(const std::string& url);

/// What `backstay doctor ledger` found: one line per discrepancy, none when the books are right.
std::vector<std::string> audit_ledger(const std::string& url);

/// What `backstay doctor subscriptions` found: one line per entitlement that does not match its payments.
std::vector<std::string> audit_subscriptions(const std::string& url);

} // namespace backstay::persistence
