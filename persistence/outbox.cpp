#include "actors/outbox/store.hpp"

#include "actors/kernel/crypto.hpp"
#include "config/log.hpp"
#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>
#include <sodium.h>

#include <mutex>

namespace backstay::outbox::store {

namespace {

using nlohmann::json;

/// Seals secrets with the first of its keys, opens with each. Thread-safe.
class sealed_box {
public:
  void use(const std::vector<secret>& server_keys) {
    std::vector<secret> derived;
    for (auto& key : server_keys) derived.emplace_back(crypto::hmac(key.reveal(), "backstay outbox secret 1"));
    std::lock_guard lock{mutex_};
    keys_ = std::move(derived);
  }

  std::string seal(const secret& text) const {
    auto keys = current_keys();
    auto sealed = crypto::random_bytes(crypto_secretbox_NONCEBYTES);
    sealed.resize(sealed.size() + crypto_secretbox_MACBYTES + text.reveal().size());
    auto data = bytes(sealed);
    crypto_secretbox_easy(data + crypto_secretbox_NONCEBYTES, bytes(text.reveal()), text.reveal().size(), data,
                          bytes(keys.front().reveal()));
    return crypto::to_base64url(sealed);
  }

  secret open(const std::string& text) const {
    auto sealed = crypto::from_base64url(text).value_or("");
    constexpr auto head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (sealed.size() < head) fail(ec::internal, "a sealed secret is damaged");
    std::string plain(sealed.size() - head, '\0');
    for (auto& key : current_keys())
      if (crypto_secretbox_open_easy(bytes(plain), bytes(sealed) + crypto_secretbox_NONCEBYTES,
                                     sealed.size() - crypto_secretbox_NONCEBYTES, bytes(sealed),
                                     bytes(key.reveal())) == 0)
        return secret{std::move(plain)};
    fail(ec::internal, "a sealed secret opens with none of the keys");
  }

private:
  static unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
  static const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }

  std::vector<secret> current_keys() const {
    std::lock_guard lock{mutex_};
    if (keys_.empty()) fail(ec::internal, "the outbox has no key yet");
    return keys_;
  }

  mutable std::mutex mutex_;
  std::vector<secret> keys_;
};

sealed_box& box() {
  static sealed_box instance;
  return instance;
}

json to_json(const mail_work& work) {
  return {
      {"to", work.to}, {"locale", work.locale}, {"template", name_of(work.template_)}, {"code", box().seal(work.code)}};
}

json to_json(const panel_work& work) { return {{"account", to_string(work.account)}}; }

json to_json(const settle_work& work) { return {{"provider", work.provider}, {"external_id", work.external_id}}; }

mail_work read_mail(const json& object) {
  return {object.at("to"), object.at("locale"),
          from_name<template_name>(object.at("template").get<std::string>()).value(), box().open(object.at("code"))};
}

panel_work read_panel(const json& object) {
  return {account_id::parse(object.at("account").get<std::string>()).value()};
}

work read_work(kind which, const json& object) {
  switch (which) {
  case kind::mail:
    return read_mail(object);
  case kind::panel:
    return read_panel(object);
  case kind::settle:
    return settle_work{object.at("provider"), object.at("external_id")};
  }
  fail(ec::internal, "an unknown kind of work");
}

/// Adds the row as an entry to `entries`, or buries it: one bad row must not hold up the others.
void read_entry(transaction& tx, const pqxx::row& row, timestamp now, std::vector<entry>& entries) {
  entry claimed{sql::get<std::int64_t>(row["id"]),
                sql::get<std::int64_t>(row["claims"]),
                sql::get<int>(row["attempts"]),
                sql::get<timestamp>(row["created_at"]),
                {}};
  try {
    claimed.work = read_work(sql::get<kind>(row["kind"]), json::parse(row["payload"].c_str()));
    entries.push_back(std::move(claimed));
  } catch (const std::exception& error) {
    log::error("outbox", "an entry cannot be read",
               {{"entry", std::to_string(claimed.id)}, {"kind", row["kind"].c_str()}});
    bury(tx, claimed, now, "unreadable: " + std::string{error.what()});
  }
}

bool changed_one(const pqxx::result& outcome) { return outcome.affected_rows() == 1; }

} // namespace

void seal_with(const std::vector<secret>& server_keys) { box().use(server_keys); }

// Killed before the commit of the cause: neither cause nor effect; after it: a worker of any node finds the row.
bool enqueue(transaction& tx, const work& what, timestamp now, const std::string& deduplication) {
  auto payload = std::visit([](auto& one) { return to_json(one); }, what).dump();
  auto written = tx.run("INSERT INTO outbox (kind, payload, deduplication, created_at, due_at) "
                        "VALUES ($1, $2::jsonb, nullif($3, ''), $4::timestamptz, $4::timestamptz) "
                        "ON CONFLICT (deduplication) DO NOTHING",
                        kind_of(what), payload, deduplication, now);
  if (!changed_one(written)) return false;
  tx.notify("outbox", "");
  return true;
}

// Killed after the commit: the lease runs out, and the entries are due again.
std::vector<entry> claim(transaction& tx, timestamp now, std::chrono::seconds lease, int limit) {
  const std::vector<std::string_view> known(names_of<kind>.begin(), names_of<kind>.end());
  auto rows = tx.run("WITH due AS (SELECT id FROM outbox WHERE done_at IS NULL AND dead_at IS NULL "
                     "AND due_at <= $1::timestamptz AND kind = ANY($4::text[]) "
                     "ORDER BY due_at LIMIT $3::bigint FOR UPDATE SKIP LOCKED) "
                     "UPDATE outbox SET due_at = $2::timestamptz, claims = claims + 1 FROM due "
                     "WHERE outbox.id = due.id "
                     "RETURNING outbox.id, claims, attempts, created_at, kind, payload",
                     now, now + lease, limit, known);
  std::vector<entry> entries;
  for (auto row : rows) read_entry(tx, row, now, entries);
  return entries;
}

// In all three: killed before the commit, the lease runs out and the effect, which is idempotent, is repeated.
bool complete(transaction& tx, const entry& done, timestamp now) {
  return changed_one(tx.run("UPDATE outbox SET done_at = $3::timestamptz, payload = payload - 'code', cause = NULL "
                            "WHERE id = $1::bigint AND claims = $2::bigint AND done_at IS NULL AND dead_at IS NULL",
                            done.id, done.claim, now));
}

bool postpone(transaction& tx, const entry& failed, timestamp due, const std::string& cause, bool counts) {
  return changed_one(tx.run("UPDATE outbox SET due_at = $3::timestamptz, cause = $4, "
                            "attempts = attempts + $5::boolean::int "
                            "WHERE id = $1::bigint AND claims = $2::bigint AND done_at IS NULL AND dead_at IS NULL",
                            failed.id, failed.claim, due, cause, counts));
}

bool bury(transaction& tx, const entry& hopeless, timestamp now, const std::string& cause) {
  return changed_one(tx.run("UPDATE outbox SET dead_at = $3::timestamptz, cause = $4, attempts = attempts + 1 "
                            "WHERE id = $1::bigint AND claims = $2::bigint AND done_at IS NULL AND dead_at IS NULL",
                            hopeless.id, hopeless.claim, now, cause));
}

backlog measure(transaction& tx, timestamp now) {
  auto row = *tx.first("SELECT count(*) FILTER (WHERE dead_at IS NULL) AS waiting, "
                       "count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead, "
                       "coalesce(extract(epoch FROM $1::timestamptz - min(due_at) FILTER (WHERE dead_at IS NULL)), 0)"
                       "::bigint AS oldest FROM outbox WHERE done_at IS NULL",
                       now);
  auto oldest = std::max<std::int64_t>(sql::get<std::int64_t>(row["oldest"]), 0);
  return {sql::get<std::int64_t>(row["waiting"]), sql::get<std::int64_t>(row["dead"]), std::chrono::seconds{oldest}};
}

void forget_done_before(transaction& tx, timestamp moment) {
  tx.run("DELETE FROM outbox WHERE done_at < $1::timestamptz", moment);
}

} // namespace backstay::outbox::store
