#include "persistence/bootstrap.hpp"

#include "actors/accounts/store.hpp"
#include "actors/hashing/rules.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/subscriptions/store.hpp"
#include "actors/wallet/store.hpp"
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

accounts::store::new_account admin(const std::string& email, const std::string& hash) {
  return {.logins = {"admin", email.substr(0, email.find('@'))},
          .email = email,
          .password_hash = hash,
          .role = role::super_admin,
          .is_active = true,
          .is_email_verified = true};
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
  run_alone(url, [&](transaction& tx) { return accounts::store::create(tx, admin(email, hash), now); });
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
    accounts::store::create(tx, admin(made.email, hash), now);
    return true;
  });
  return loaded ? std::optional{made} : std::nullopt;
}

std::vector<std::string> audit_ledger(const std::string& url) {
  std::vector<std::string> lines;
  for (auto& found : run_alone(url, [](transaction& tx) { return wallet::store::audit(tx); }))
    lines.push_back(found.rule + ": " + found.subject + ": " + found.detail);
  return lines;
}

} // namespace backstay::persistence
