#include "persistence/devices.hpp"

#include "actors/audit/store.hpp"
#include "actors/kernel/text.hpp"
#include "actors/sessions/devices.hpp"
#include "actors/sessions/store.hpp"
#include "persistence/accounts.hpp"

namespace backstay::sessions::store {

namespace {

using sql::get;

/// Devices of account $1, with whether session $2 is on them. `$3` is NULL or one device's id.
const std::string& device_query() {
  static const std::string statement =
      "SELECT d.device_id, coalesce(nullif(d.name, ''), nullif(d.device_model, ''), nullif(d.platform, ''), 'Unknown') "
      "AS name, coalesce(d.platform, d.os_version) AS platform, newest.address, d.registered_at, "
      "greatest(d.last_active_at, newest.last_seen_at) AS last_active_at, "
      "EXISTS (SELECT 1 FROM sessions s WHERE s.id = $2::uuid AND s.account = d.account "
      "AND s.device_id = d.device_id) AS is_current "
      "FROM devices d LEFT JOIN LATERAL (SELECT s.address, s.last_seen_at FROM sessions s "
      "WHERE s.account = d.account AND s.device_id = d.device_id ORDER BY s.last_seen_at DESC LIMIT 1) newest ON true "
      "WHERE d.account = $1::uuid AND ($3::text IS NULL OR d.device_id = $3) ";
  return statement;
}

device_view device_of(const pqxx::row& row) {
  return {.device_id = get<std::string>(row["device_id"]),
          .name = get<std::string>(row["name"]),
          .platform = get<std::string>(row["platform"]),
          .address = get<std::optional<std::string>>(row["address"]),
          .registered_at = get<timestamp>(row["registered_at"]),
          .last_active_at = get<timestamp>(row["last_active_at"]),
          .is_current = get<bool>(row["is_current"])};
}

device_view find_device(transaction& tx, const caller& who, const std::string& device_id) {
  return device_of(*tx.first(device_query(), who.account, who.session, std::optional{device_id}));
}

/// Taken before the device, as a refresh does.
void lock_session(transaction& tx, const caller& who) {
  tx.run("SELECT 1 FROM sessions WHERE id = $1::uuid FOR UPDATE", who.session);
}

/// A session that was opened without saying from which device is on this one.
void move_session(transaction& tx, const caller& who, const std::string& device_id) {
  tx.run("UPDATE sessions SET device_id = $2 WHERE id = $1::uuid AND device_id IS NULL", who.session, device_id);
}

std::optional<std::string> device_of_session(transaction& tx, const session_id& id) {
  auto row = tx.first("SELECT device_id FROM sessions WHERE id = $1::uuid", id);
  return row ? get<std::optional<std::string>>((*row)[0]) : std::nullopt;
}

/// A token reaches one device: a phone that another account signs in on is not that of the one before any more.
void take_push_token(transaction& tx, const account_id& account, const std::string& device_id, const std::string& token,
                     timestamp now) {
  tx.run("UPDATE devices SET push_token = NULL, push_token_at = NULL "
         "WHERE push_token = $3 AND (account, device_id) <> ($1::uuid, $2)",
         account, device_id, token);
  tx.run("UPDATE devices SET push_token = $3, push_token_at = $4 WHERE account = $1::uuid AND device_id = $2", account,
         device_id, token, now);
}

} // namespace

void keep_device(transaction& tx, const account_id& account, const device& what, timestamp now) {
  tx.run("INSERT INTO devices AS d (account, device_id, platform, platform_id, os_version, app_version, device_model, "
         "registered_at, last_active_at) VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $8) "
         "ON CONFLICT (account, device_id) DO UPDATE SET platform = excluded.platform, "
         "platform_id = excluded.platform_id, os_version = excluded.os_version, app_version = excluded.app_version, "
         "device_model = excluded.device_model, last_active_at = excluded.last_active_at",
         account, what.device_id, what.platform, what.platform_id, what.os_version, what.app_version, what.device_model,
         now);
  if (what.push_token && !what.push_token->empty()) take_push_token(tx, account, what.device_id, *what.push_token, now);
}

device_list list_devices(transaction& tx, const sessions::list_devices& wanted) {
  static const std::string statement = device_query() + "ORDER BY last_active_at DESC, d.device_id LIMIT $4 OFFSET $5";
  device_list found;
  for (auto row : tx.run(statement, wanted.caller.account, wanted.caller.session, std::optional<std::string>{},
                         wanted.per_page, (wanted.page - 1) * wanted.per_page))
    found.items.push_back(device_of(row));
  return found;
}

// Killed right after the commit, the answer is lost: a repeat gives the same device.
device_view add_device(transaction& tx, const sessions::add_device& command, timestamp now) {
  lock_session(tx, command.caller);
  auto platform = from_name<sessions::platform>(to_lower(command.os));
  tx.run(
      "INSERT INTO devices AS d (account, device_id, platform, platform_id, os_version, app_version, device_model, "
      "name, registered_at, last_active_at) VALUES ($1::uuid, $2, $3, '', $4, '', '', $5, $6, $6) "
      "ON CONFLICT (account, device_id) DO UPDATE SET name = excluded.name, last_active_at = excluded.last_active_at",
      command.caller.account, command.device_id, platform, command.os, command.name, now);
  move_session(tx, command.caller, command.device_id);
  return find_device(tx, command.caller, command.device_id);
}

// Killed right after the commit, the answer is lost: a repeat gives the same device.
device_view register_device(transaction& tx, const caller& who, const device& what, timestamp now) {
  lock_session(tx, who);
  keep_device(tx, who.account, what, now);
  move_session(tx, who, what.device_id);
  return find_device(tx, who, what.device_id);
}

// Killed right after the commit: removed; a repeat finds nothing.
void remove_device(transaction& tx, const sessions::remove_device& command, timestamp now) {
  auto& account = command.caller.account;
  accounts::store::lock_row(tx, account);
  auto open = tx.run("SELECT id FROM sessions WHERE account = $1::uuid AND device_id = $2 AND revoked_at IS NULL "
                     "ORDER BY id FOR UPDATE",
                     account, command.device_id);
  for (auto row : open) revoke(tx, get<session_id>(row[0]), now);
  tx.run("DELETE FROM device_credentials WHERE account = $1::uuid AND device_id = $2", account, command.device_id);
  auto removed = tx.run("DELETE FROM devices WHERE account = $1::uuid AND device_id = $2", account, command.device_id);
  if (removed.affected_rows() == 0) fail(ec::not_found, "Unknown device");
  audit::store::record(tx,
                       {.action = "device.removed",
                        .actor = account,
                        .subject = account,
                        .origin = command.origin,
                        .resource = "device:" + command.device_id},
                       now);
}

// Killed right after the commit: kept; a repeat keeps the same.
void keep_push_token(transaction& tx, const sessions::keep_push_token& command, timestamp now) {
  auto& who = command.caller;
  auto device_id = command.device_id ? command.device_id : device_of_session(tx, who.session);
  auto id = device_id.value_or(to_string(who.session));
  tx.run("INSERT INTO devices (account, device_id, platform, platform_id, os_version, app_version, device_model, "
         "registered_at, last_active_at) VALUES ($1::uuid, $2, $3, '', '', '', '', $4, $4) "
         "ON CONFLICT (account, device_id) DO UPDATE SET last_active_at = excluded.last_active_at",
         who.account, id, command.platform, now);
  take_push_token(tx, who.account, id, command.token.reveal(), now);
}

void forget_stale_push_tokens(transaction& tx, timestamp now) {
  tx.run("UPDATE devices SET push_token = NULL, push_token_at = NULL WHERE push_token IS NOT NULL "
         "AND push_token_at < $1",
         now - std::chrono::days{90});
}

} // namespace backstay::sessions::store
