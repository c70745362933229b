#include "actors/outbox/store.hpp"

#include "config/log.hpp"
#include "persistence/transaction.hpp"

#include <nlohmann/json.hpp>

#include <mutex>

namespace backstay::outbox::store {

namespace {

using nlohmann::json;

/// The keys that `seal_with` was given. Shared by every worker's thread.
class sealing_keys {
public:
  void use(keyring keys) {
    std::lock_guard lock{mutex_};
    keys_ = std::make_shared<const keyring>(std::move(keys));
  }

  std::string seal(const secret& text) const { return text.empty() ? "" : current()->seal(purpose, text); }
  secret open(const std::string& sealed) const { return sealed.empty() ? secret{} : current()->open(purpose, sealed); }

private:
  static constexpr std::string_view purpose = "outbox";

  std::shared_ptr<const keyring> current() const {
    std::lock_guard lock{mutex_};
    if (!keys_) fail(ec::internal, "the outbox has no key yet");
    return keys_;
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const keyring> keys_;
};

sealing_keys& keys() {
  static sealing_keys instance;
  return instance;
}

json to_json(const mail_work& work) {
  return {{"to", work.to},
          {"locale", work.locale},
          {"template", name_of(work.template_)},
          {"code", keys().seal(work.code)},
          {"link", keys().seal(work.link)}};
}

json to_json(const panel_work& work) { return {{"account", to_string(work.account)}}; }

using payment_provider::charge;

/// What a charge can be without our asking for it: nothing of it is secret, and no buyer has to be led anywhere.
json to_json(const charge& proof) {
  json object{{"external_id", proof.external_id},
              {"state", name_of(proof.state)},
              {"minor", proof.price.minor},
              {"currency", proof.price.currency},
              {"refunded", proof.refunded}};
  if (proof.payment) object["payment"] = to_string(*proof.payment);
  if (proof.payer) object["payer"] = *proof.payer;
  if (proof.paid_at) object["paid_at"] = to_rfc3339(*proof.paid_at);
  return object;
}

charge read_charge(const json& object) {
  charge proof{.external_id = object.at("external_id"),
               .payment = payment_id::parse(object.value("payment", "")),
               .state = from_name<payment_provider::charge_state>(object.at("state").get<std::string>()).value(),
               .price = {object.at("minor"), object.at("currency")},
               .refunded = object.at("refunded"),
               .paid_at = from_rfc3339(object.value("paid_at", ""))};
  if (object.contains("payer")) proof.payer = object["payer"].get<std::int64_t>();
  return proof;
}

json to_json(const settle_work& work) {
  json object{{"provider", work.provider}, {"external_id", work.external_id}};
  if (work.proof) object["proof"] = to_json(*work.proof);
  return object;
}

settle_work read_settle(const json& object) {
  settle_work work{object.at("provider"), object.at("external_id")};
  if (object.contains("proof")) work.proof = read_charge(object["proof"]);
  return work;
}

mail_work read_mail(const json& object) {
  return {object.at("to"), object.at("locale"),
          from_name<template_name>(object.at("template").get<std::string>()).value(), keys().open(object.at("code")),
          keys().open(object.value("link", ""))};
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
    return read_settle(object);
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

void seal_with(keyring with) { keys().use(std::move(with)); }

// Killed before the commit of the cause: neither cause nor effect; after it: a worker of any node finds the row.
bool enqueue(transaction& tx, const work& what, timestamp now, const std::string& deduplication) {
  auto payload = std::visit([](auto& one) { return to_json(one); }, what).dump();
  auto written = tx.run("INSERT INTO outbox (kind, payload, deduplication, created_at, due_at) "
                        "VALUES ($1, $2::jsonb, nullif($3, ''), $4::timestamptz, $4::timestamptz) "
                        "ON CONFLICT (deduplication) DO NOTHING",
                        kind_of(what), payload, deduplication, now);
  if (!changed_one(written)) return false;
  tx.wake_outbox();
  return true;
}

void enqueue_nothing(transaction& tx, const mail_work& what, timestamp now) {
  auto payload = to_json(what);
  for (auto secret_part : {"to", "code", "link"}) payload.erase(secret_part);
  tx.run("INSERT INTO outbox (kind, payload, created_at, due_at, done_at) "
         "VALUES ($1, $2::jsonb, $3::timestamptz, $3::timestamptz, $3::timestamptz)",
         kind::mail, payload.dump(), now);
  tx.wake_outbox();
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
  return changed_one(
      tx.run("UPDATE outbox SET done_at = $3::timestamptz, payload = payload - '{code,link}'::text[], cause = NULL "
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
