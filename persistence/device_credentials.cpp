#include "persistence/device_credentials.hpp"

#include "actors/audit/store.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/proofs/store.hpp"
#include "actors/sessions/store.hpp"

namespace backstay::sessions::store {

namespace {

using sql::get;

constexpr auto challenge_purpose = proofs::store::purpose::device_challenge;

/// By whichever key the token was made.
std::vector<std::string> hashes_of(const keyring& keys, const secret& token) {
  auto hashes = keys.sign_by_each("device token", token.reveal());
  for (auto& hash : hashes) hash = crypto::to_hex(hash);
  return hashes;
}

/// Nothing else than base64 of a P-256 key passes.
void check_key(const std::string& public_key) {
  auto bytes = crypto::from_base64(public_key);
  if (!bytes || !crypto::is_p256_key(*bytes))
    fail_field("public_key", "Input should be a P-256 key: SubjectPublicKeyInfo in base64");
}

/// Locks the session; it must be open, and no other device's.
void check_session(transaction& tx, const session_id& session, const std::string& device_id) {
  auto open = tx.first("SELECT device_id FROM sessions WHERE id = $1::uuid AND revoked_at IS NULL FOR UPDATE", session);
  if (!open) fail(ec::unauthenticated);
  if (get<std::optional<std::string>>((*open)[0]).value_or(device_id) != device_id)
    fail_field("device_id", "This session is another device's");
}

/// The session is its device's from now on, so that ending it ends what the device keeps.
void bind_session(transaction& tx, const caller& who, const std::string& device_id, timestamp now) {
  note_device(tx, who.account, device_id, now);
  tx.run("UPDATE sessions SET device_id = $2 WHERE id = $1::uuid AND device_id IS NULL", who.session, device_id);
}

struct credential {
  credential_id id;
  account_id account;
  std::optional<std::string> public_key;
};

/// Named by its token or, as that may stay on the device when it has a key, by its id; by both if both are shown.
std::optional<credential> find_credential(transaction& tx, const keyring& keys,
                                          const sessions::sign_in_by_device& shown, timestamp now) {
  if (!shown.token && !shown.credential) return std::nullopt;
  auto hashes = shown.token ? hashes_of(keys, *shown.token) : std::vector<std::string>{};
  auto row = tx.first(
      "SELECT id, account, public_key FROM device_credentials WHERE device_id = $1 "
      "AND (cardinality($2::text[]) = 0 OR token_hash = ANY($2::text[])) AND ($3::uuid IS NULL OR id = $3::uuid) "
      "AND last_used_at > $4::timestamptz",
      shown.device_id, hashes, shown.credential, now - device_credential_lifetime);
  if (!row) return std::nullopt;
  return credential{get<credential_id>((*row)["id"]), get<account_id>((*row)["account"]),
                    get<std::optional<std::string>>((*row)["public_key"])};
}

/// Uses the challenge up, whatever comes of it.
bool was_challenged(transaction& tx, const keyring& keys, const sessions::sign_in_by_device& shown, timestamp now) {
  if (!shown.challenge) return false;
  auto proof = proofs::store::redeem(tx, keys, challenge_purpose, *shown.challenge, now);
  return proof && proof->content.at("device_id") == shown.device_id;
}

/// A device that has a key must show that it holds it: a copied token alone is worth nothing then.
bool is_proved(const credential& found, const sessions::sign_in_by_device& shown, bool was_challenged) {
  if (!found.public_key) return shown.token.has_value();
  auto signature = crypto::from_base64(shown.signature.value_or(""));
  return was_challenged && signature &&
         crypto::verifies_p256(*crypto::from_base64(*found.public_key), shown.challenge->reveal(), *signature);
}

/// False if it was revoked or replaced meanwhile.
bool note_use(transaction& tx, const credential_id& id, timestamp now) {
  return tx.run("UPDATE device_credentials SET last_used_at = $2 WHERE id = $1::uuid", id, now).affected_rows() == 1;
}

} // namespace

// Killed right after the commit: only the note stands.
void note_device(transaction& tx, const account_id& account, const std::string& device_id, timestamp now) {
  tx.run("INSERT INTO devices (account, device_id, platform_id, os_version, app_version, device_model, registered_at, "
         "last_active_at) VALUES ($1::uuid, $2, '', '', '', '', $3, $3) "
         "ON CONFLICT (account, device_id) DO UPDATE SET last_active_at = excluded.last_active_at",
         account, device_id, now);
}

// Killed right after the commit, the answer is lost: nobody knows this token, and the next one takes its place.
device_enrolled enroll_device(transaction& tx, const terms& terms, const sessions::enroll_device& command,
                              timestamp now) {
  if (command.public_key) check_key(*command.public_key);
  check_session(tx, command.caller.session, command.device_id);
  device_enrolled made{credential_id::random(), proofs::store::make_secret(), now + device_credential_lifetime};
  tx.run("INSERT INTO device_credentials (id, account, device_id, token_hash, public_key, created_at, last_used_at) "
         "VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $6) ON CONFLICT (account, device_id) DO UPDATE SET "
         "id = excluded.id, token_hash = excluded.token_hash, public_key = excluded.public_key, "
         "created_at = excluded.created_at, last_used_at = excluded.last_used_at",
         made.credential, command.caller.account, command.device_id, hashes_of(terms.keys, made.token).front(),
         command.public_key, now);
  bind_session(tx, command.caller, command.device_id, now);
  audit::store::record(tx,
                       {.action = "auth.biometric.enroll",
                        .actor = command.caller.account,
                        .subject = command.caller.account,
                        .origin = command.origin,
                        .resource = "credential:" + to_string(made.credential)},
                       now);
  return made;
}

// Killed right after the commit, the answer is lost: nobody knows this challenge, and it expires.
device_challenge challenge_device(transaction& tx, const terms& terms, const std::string& device_id, timestamp now) {
  device_challenge made{.value = proofs::store::make_secret()};
  proofs::store::keep(tx, terms.keys, made.value, {challenge_purpose, std::nullopt, {{"device_id", device_id}}},
                      made.lifetime, now);
  return made;
}

// Killed right after the commit, the answer is lost: the device signs in once more.
outcome<signed_in> sign_in_by_device(transaction& tx, const terms& terms, const sessions::sign_in_by_device& command,
                                     timestamp now) {
  bool challenged = was_challenged(tx, terms.keys, command, now);
  auto found = find_credential(tx, terms.keys, command, now);
  if (!found || !is_proved(*found, command, challenged)) return unknown_device();
  // The account's row first: whoever changes the password or ends all sessions holds it, and nothing slips through.
  auto account = accounts::store::note_sign_in(tx, found->account, now);
  if (!account || !note_use(tx, found->id, now)) return unknown_device();
  return open(tx, terms,
              {.account = *account, .device_id = command.device_id, .origin = command.origin, .way = "biometric"}, now);
}

} // namespace backstay::sessions::store
