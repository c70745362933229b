#define CAF_SUITE wallet_durability

#include "actors/wallet/actor.hpp"
#include "actors/wallet/store.hpp"
#include "persistence/cluster.hpp"
#include "persistence/database.hpp"
#include "persistence/migrations.hpp"
#include "tests/eventually.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <future>
#include <mutex>
#include <pqxx/pqxx>
#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::wallet;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// The wallet's actor on a PostgreSQL of its own, which can be killed.
struct fixture {
  fixture() {
    std::string name = (fs::temp_directory_path() / "backstay-wallet-XXXXXX").string();
    directory = mkdtemp(name.data());
    chmod(directory.c_str(), 0755);
    postgres.emplace(directory);
    persistence::migrate(postgres->url());
    std::promise<void> started;
    starter = system.spawn([&](caf::event_based_actor* self) -> caf::behavior {
      auto pulse = [](auto name) { return std::make_shared<vitals>(name, true); };
      database =
          persistence::spawn_database(self, pulse("database"), {.url = postgres->url(), .pool = {2, 1000, 3000ms}});
      domain_context context{pulse("wallet"), std::make_shared<domain_clock>(),
                             caf::actor_cast<database_actor>(database)};
      actor = caf::actor_cast<wallet_actor>(spawn_wallet(self, context));
      started.set_value();
      return {[](int) {}};
    });
    started.get_future().wait();
  }
  ~fixture() {
    for (auto& each : {caf::actor_cast<caf::actor>(actor), database, starter})
      caf::anon_send_exit(each, caf::exit_reason::kill);
    system.await_all_actors_done();
    postgres.reset();
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  }

  /// Books one transfer after the other until one fails; the ids of those that were said to be booked go to `told`.
  void book_on() {
    caf::scoped_actor self{system};
    for (bool goes_on = true; goes_on;) {
      auto id = to_string(uuid::random());
      self->request(actor, caf::infinite, transfer{{cause_kind::admin, id}, adjustments(), revenue(), {1, "USD"}})
          .receive(
              [&](const transferred&) {
                std::lock_guard lock{mutex};
                told.insert(id);
              },
              [&](const caf::error&) { goes_on = false; });
    }
  }
  std::size_t count_told() {
    std::lock_guard lock{mutex};
    return told.size();
  }

  void kill_postgres() const {
    pid_t postmaster = 0;
    std::ifstream{postgres->directory() / "data/postmaster.pid"} >> postmaster;
    ::kill(postmaster, SIGKILL);
  }

  std::set<std::string> booked() const {
    pqxx::connection connection{postgres->url()};
    std::set<std::string> ids;
    for (auto row : pqxx::nontransaction{connection}.exec("SELECT cause_id FROM ledger_transfers"))
      ids.insert(row[0].c_str());
    return ids;
  }

  fs::path directory;
  std::optional<persistence::cluster> postgres;
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::actor starter, database;
  wallet_actor actor;
  std::mutex mutex;
  std::set<std::string> told;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(wallet_durability_tests, fixture)

CAF_TEST(what was said to be booked survives the death of PostgreSQL) {
  std::vector<std::future<void>> askers;
  for (int i = 0; i < 16; ++i) askers.push_back(std::async(std::launch::async, [this] { book_on(); }));
  CAF_CHECK(eventually([&] { return count_told() > 500; }));
  kill_postgres();
  for (auto& each : askers) each.wait();
  postgres->revive();
  auto kept = booked();
  CAF_MESSAGE(told.size() << " told, " << kept.size() << " booked");
  for (auto& id : told) CAF_CHECK(kept.contains(id));
}

CAF_TEST_FIXTURE_SCOPE_END()
