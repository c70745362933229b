#include "tests/persistence/fixture.hpp"

#include "persistence/cluster.hpp"

#include <unistd.h>

#include <cstdlib>
#include <pqxx/pqxx>

namespace backstay::persistence {

namespace {

/// One whose data need not survive the machine, only its processes: nothing waits for the disk.
class test_cluster : public cluster {
public:
  explicit test_cluster(const std::filesystem::path& directory) : cluster(directory) {
    pqxx::connection connection(url());
    pqxx::nontransaction session(connection);
    session.exec("ALTER SYSTEM SET fsync = off");
    session.exec("SELECT pg_reload_conf()");
  }
};

const cluster& shared_cluster() {
  static const test_cluster instance([] {
    const char* chosen = std::getenv("BACKSTAY_TEST_CLUSTER");
    // The program lies in <build tree>/tests.
    return chosen ? std::filesystem::path(chosen)
                  : std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "testcluster";
  }());
  return instance;
}

/// In the cluster's own database, outside a transaction.
void administer(const std::string& statement) {
  pqxx::connection connection(shared_cluster().url());
  pqxx::nontransaction(connection).exec(statement);
}

} // namespace

scratch_database::scratch_database(const std::string& model) {
  static int count = 0;
  name_ = "scratch_" + std::to_string(getpid()) + "_" + std::to_string(++count);
  url_ = shared_cluster().url();
  url_.replace(url_.find("/backstay?"), std::string("/backstay?").size(), "/" + name_ + "?");
  // A killed run with this process id may have left one.
  administer("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  administer("CREATE DATABASE " + name_ + " TEMPLATE " + model);
}

scratch_database::~scratch_database() {
  try {
    administer("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception&) {
    // The test has broken the cluster; the next one with this name drops it.
  }
}

} // namespace backstay::persistence
