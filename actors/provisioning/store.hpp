#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/provisioning/messages.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace backstay::provisioning::store {

/// What is known of a template's name before the panel is asked.
struct reservation {
  std::optional<template_view> made; ///< by this very request: an earlier try of it came to its end
  bool is_repetition = false;        ///< an earlier try may have reached the panel, nobody knows
  bool operator==(const reservation&) const = default;
};

/// Makes sure that the name has a row, which is how a later try knows that this one may have reached the panel.
reservation reserve(transaction& tx, const create_template& wish, panel::template_kind kind, timestamp now);

/// The panel has made it, under that id: the row says all that was wished for.
template_view keep(transaction& tx, const create_template& wish, panel::template_kind kind, const std::string& panel_id,
                   timestamp now);

/// The panel certainly has not made it: the name is free again. A row that the panel has answered for stays.
void release(transaction& tx, const std::string& name, panel::template_kind kind);

/// What an account is entitled to, and its name at the panel.
struct subscriber {
  std::string username;
  std::optional<std::int64_t> traffic_limit_bytes;
  std::optional<int> max_devices;
  timestamp started_at, expires_at;
};

std::optional<subscriber> find_subscriber(transaction& tx, const account_id& account);

/// Whom the panel's user of that name stands for; nobody for names that we did not give, and without a subscription.
std::optional<account_id> find_account(transaction& tx, const std::string& username);

} // namespace backstay::provisioning::store
