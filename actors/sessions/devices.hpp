#pragma once

#include "actors/kernel/database.hpp"
#include "actors/sessions/messages.hpp"

/// The table of devices, as their owners see and change it. Locks: sessions first, then devices.
namespace backstay::sessions::store {

device_list list_devices(transaction& tx, const sessions::list_devices& wanted);

device_view add_device(transaction& tx, const sessions::add_device& command, timestamp now);

device_view register_device(transaction& tx, const caller& who, const device& what, timestamp now);

/// Errors: `not_found`.
void remove_device(transaction& tx, const sessions::remove_device& command, timestamp now);

void keep_push_token(transaction& tx, const sessions::keep_push_token& command, timestamp now);

/// Push tokens that were not confirmed for 90 days are not theirs any more (Firebase says 60 to 270).
void forget_stale_push_tokens(transaction& tx, timestamp now);

} // namespace backstay::sessions::store
