#include "persistence/bootstrap.hpp"

#include "actors/accounts/store.hpp"
#include "actors/audit/store.hpp"
#include "actors/hashing/rules.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"
#include "persistence/accounts.hpp"
#include "persistence/transaction.hpp"

namespace backstay::persistence {

namespace {

/// Runs `job` in one transaction on a connection of its own.
template <class Job>
auto run_alone(const std::string& url, Job job) {
  database_connection connection{url};
  pqxx::work work{connection.link};
  work.exec("SET LOCAL TIME ZONE 'UTC'");
  transaction tx{connection, work};
  auto result = job(tx);
  work.commit();
  return result;
}

/// Nobody is signed in on the command line: the trail names no actor.
sessions::account add_admin(transaction& tx, const std::string& email, const std::string& hash, const char* way,
                            timestamp now) {
  auto made = accounts::store::create(tx,
                                      {.logins = {"admin", email.substr(0, email.find('@'))},
                                       .email = email,
                                       .password_hash = hash,
                                       .role = role::super_admin,
                                       .is_active = true,
                                       .is_email_verified = true},
                                      now);
  audit::store::record(
      tx, {.action = "user.create", .subject = made.id, .details = {{"way", way}, {"role", "super_admin"}}}, now);
  return made;
}

bool is_empty(transaction& tx) {
  return !subscriptions::store::has_plans(tx) && !tx.first("SELECT 1 FROM accounts LIMIT 1");
}

constexpr std::int64_t gigabyte = std::int64_t{1} << 30;

void insert_demo_plans(transaction& tx) {
  using subscriptions::plan;
  const std::vector<std::string> basics{"All locations", "No logs", "Support by chat"};
  const plan plans[] = {
      {.id = plan_id::random(),
       .name = "Basic Monthly",
       .description = "For one person and their devices",
       .prices = {{499, "USD"}, {44'900, "RUB"}},
       .duration_days = 30,
       .traffic_limit_bytes = 100 * gigabyte,
       .max_devices = 3,
       .features = basics},
      {.id = plan_id::random(),
       .name = "Premium Monthly",
       .description = "Unlimited traffic",
       .prices = {{999, "USD"}, {89'900, "RUB"}},
       .duration_days = 30,
       .max_devices = 5,
       .features = basics},
      {.id = plan_id::random(),
       .name = "Premium Yearly",
       .description = "Unlimited traffic, two months for free",
       .prices = {{9'990, "USD"}, {899'000, "RUB"}},
       .duration_days = 365,
       .max_devices = 5,
       .features = basics},
  };
  int position = 0;
  for (auto& each : plans) subscriptions::store::insert_plan(tx, each, ++position);
}

} // namespace

void create_admin(const std::string& url, const std::string& email, const secret& password, timestamp now) {
  auto hash = hashing::hash_password(password);
  run_alone(url, [&](transaction& tx) { return add_admin(tx, email, hash, "create-admin", now); });
}

std::optional<demo_admin> load_demo(const std::string& url, timestamp now) {
  if (!run_alone(url, is_empty)) return std::nullopt;
  demo_admin made{"admin@backstay.localhost", secret{crypto::to_base64url(crypto::random_bytes(15))}};
  auto hash = hashing::hash_password(made.password);
  bool loaded = run_alone(url, [&](transaction& tx) {
    // Another server may have been faster between our look and this lock.
    tx.run("SELECT pg_advisory_xact_lock(7227813)");
    if (!is_empty(tx)) return false;
    insert_demo_plans(tx);
    add_admin(tx, made.email, hash, "demo", now);
    return true;
  });
  return loaded ? std::optional{made} : std::nullopt;
}

std::vector<std::string> audit_accounts(const std::string& url) {
  return run_alone(url, [](transaction& tx) {
    std::vector<std::string> lines;
    auto usable = accounts::store::usable("a");
    if (!tx.first("SELECT 1 FROM accounts a WHERE role = 'super_admin' AND " + usable))
      lines.push_back("no super_admin can sign in; `backstay create-admin` makes one");
    for (auto row : tx.run("SELECT number FROM accounts a WHERE password_hash = '' AND email IS NULL AND NOT EXISTS "
                           "(SELECT 1 FROM identities WHERE account = a.id) AND NOT "
                           "EXISTS (SELECT 1 FROM device_credentials WHERE account = a.id) AND " +
                           usable + " ORDER BY number LIMIT 100"))
      lines.push_back("account " + sql::get<std::string>(row[0]) + " has no way in: no password, no e-mail, " +
                      "nothing linked, no device");
    return lines;
  });
}

std::vector<std::string> audit_ledger(const std::string& url) {
  std::vector<std::string> lines;
  for (auto& found : run_alone(url, [](transaction& tx) { return wallet::store::audit(tx); }))
    lines.push_back(found.rule + ": " + found.subject + ": " + found.detail);
  return lines;
}

std::vector<std::string> audit_subscriptions(const std::string& url) {
  return run_alone(url, [](transaction& tx) { return subscriptions::store::audit(tx); });
}

} // namespace backstay::persistence
