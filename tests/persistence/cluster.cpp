#define CAF_SUITE cluster

#include "persistence/cluster.hpp"

#include "tests/eventually.hpp"
#include "tests/persistence/fixture.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <pqxx/pqxx>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay::persistence;
using backstay::eventually;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using std::chrono::steady_clock;

namespace {

/// A directory that everybody can reach, gone with the test, and what the clusters in it said.
struct scene {
  scene() {
    std::string name = (fs::temp_directory_path() / "backstay-cluster-XXXXXX").string();
    directory = mkdtemp(name.data());
    chmod(directory.c_str(), 0755);
  }
  ~scene() {
    std::error_code ignored;
    if (const auto postmaster = get_postmaster(); postmaster > 0 && running(postmaster)) kill(postmaster, SIGQUIT);
    fs::remove_all(directory, ignored);
    if (!elsewhere.empty()) fs::remove_all(elsewhere, ignored);
  }

  cluster::log report() {
    return [this](std::string_view line) { said.append(line).push_back('\n'); };
  }

  pid_t get_postmaster() const {
    pid_t process = 0;
    std::ifstream((elsewhere.empty() ? directory / "postgres" : elsewhere) / "data/postmaster.pid") >> process;
    return process;
  }

  static bool running(pid_t process) {
    std::string line;
    return bool(std::getline(std::ifstream("/proc/" + std::to_string(process) + "/cmdline"), line, '\0'));
  }

  int times_said(std::string_view words) const {
    int count = 0;
    for (auto at = said.find(words); at != std::string::npos; at = said.find(words, at + 1)) ++count;
    return count;
  }

  fs::path directory;
  fs::path elsewhere; // the cluster's home where it is not below the directory
  std::string said;
};

std::string ask(const cluster& where, const std::string& query) {
  pqxx::connection connection(where.url());
  pqxx::nontransaction work(connection);
  const auto result = work.exec(query);
  return result.empty() || result[0][0].is_null() ? "" : result[0][0].c_str();
}

double seconds_of(const std::function<void()>& action) {
  const auto begin = steady_clock::now();
  action();
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

/// What a child process does, ended without the destructors and the output of the test program.
pid_t in_child(const std::function<void()>& action) {
  const auto child = fork();
  if (child != 0) return child;
  try {
    action();
    _exit(0);
  } catch (...) {
    _exit(1);
  }
}

int exit_code_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(cluster_tests, scene)

CAF_TEST(a new cluster is private and has the settings of a small server) {
  cluster one(directory, report());
  CAF_CHECK_EQUAL(one.directory(), fs::canonical(directory) / "postgres");
  CAF_CHECK(one.alive());
  CAF_CHECK_EQUAL(ask(one, "SELECT current_user || '@' || current_database()"), "backstay@backstay");
  CAF_CHECK_EQUAL(ask(one, "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user"), "true");
  CAF_CHECK_EQUAL(ask(one, "SHOW listen_addresses"), "");
  CAF_CHECK_EQUAL(ask(one, "SHOW server_encoding"), "UTF8");
  CAF_CHECK_EQUAL(ask(one, "SELECT datcollate FROM pg_database WHERE datname = current_database()"), "C.UTF-8");
  CAF_CHECK_EQUAL(ask(one, "SHOW shared_buffers"), "64MB");
  CAF_CHECK_EQUAL(ask(one, "SHOW max_connections"), "100");
  CAF_CHECK_EQUAL(ask(one, "SHOW wal_level"), "minimal");
  CAF_CHECK_EQUAL(ask(one, "SHOW fsync"), "on");
  CAF_CHECK_EQUAL(ask(one, "SHOW jit"), "off");
  CAF_CHECK_EQUAL(ask(one, "SHOW TimeZone"), "UTC");
  struct stat info {};
  CAF_CHECK_EQUAL(stat(one.directory().c_str(), &info), 0);
  CAF_CHECK_EQUAL(info.st_mode & 0777, 0700u);
  CAF_CHECK(info.st_uid != 0);
  CAF_CHECK_EQUAL(stat((one.directory() / ".s.PGSQL.5432").c_str(), &info), 0);
  CAF_CHECK_EQUAL(info.st_mode & 0777, 0700u);
}

CAF_TEST(a second server adopts the cluster and the last one to leave stops it) {
  std::optional<cluster> first, second;
  first.emplace(directory, report());
  const auto postmaster = get_postmaster();
  second.emplace(directory, report());
  CAF_CHECK_EQUAL(get_postmaster(), postmaster);
  CAF_CHECK_EQUAL(times_said("starting PostgreSQL"), 1);
  first->close();
  CAF_CHECK(second->alive());
  CAF_CHECK_EQUAL(ask(*second, "SELECT 1"), "1");
  second->close();
  CAF_CHECK(!second->alive());
  CAF_CHECK(!running(postmaster));
  CAF_CHECK_EQUAL(times_said("stopping PostgreSQL"), 1);
}

CAF_TEST(the data is still there at the next start which is quick) {
  {
    cluster one(directory);
    ask(one, "CREATE TABLE kept AS SELECT 42 AS answer");
  }
  std::optional<cluster> again;
  const auto seconds = seconds_of([&] { again.emplace(directory, report()); });
  CAF_MESSAGE("ready again after " << seconds << " s");
  CAF_CHECK_LESS(seconds, 3.0);
  CAF_CHECK_EQUAL(ask(*again, "SELECT answer FROM kept"), "42");
  CAF_CHECK_EQUAL(times_said("creating"), 0);
}

CAF_TEST(the cluster survives a server that is killed and is then adopted and stopped) {
  exit_code_of(in_child([&] {
    cluster one(directory);
    raise(SIGKILL);
  }));
  const auto postmaster = get_postmaster();
  CAF_CHECK(running(postmaster));
  CAF_CHECK_EQUAL(getsid(postmaster), postmaster); // so that Ctrl-C in a terminal does not reach it
  {
    cluster next(directory, report());
    CAF_CHECK_EQUAL(get_postmaster(), postmaster);
    CAF_CHECK_EQUAL(times_said("starting PostgreSQL"), 0);
    CAF_CHECK_EQUAL(ask(next, "SELECT 1"), "1");
  }
  CAF_CHECK(!running(postmaster));
}

CAF_TEST(a killed postmaster is noticed and revived) {
  cluster one(directory, report());
  ask(one, "CREATE TABLE kept AS SELECT 42 AS answer");
  // An orphan that does not look at its postmaster keeps the shared memory for these three seconds.
  pqxx::connection busy(one.url());
  std::thread orphan([&] {
    try {
      pqxx::nontransaction(busy).exec("DO $$ DECLARE until timestamptz = clock_timestamp() + interval '3 s';"
                                      " BEGIN WHILE clock_timestamp() < until LOOP END LOOP; END $$");
    } catch (const std::exception&) {
      // its server is gone
    }
  });
  std::this_thread::sleep_for(300ms);
  const auto killed = get_postmaster();
  kill(killed, SIGKILL);
  CAF_CHECK(eventually([&] { return !one.alive(); }));
  CAF_MESSAGE("revived after " << seconds_of([&] { one.revive(); }) << " s");
  CAF_CHECK(one.alive());
  CAF_CHECK(get_postmaster() != killed);
  CAF_CHECK_EQUAL(ask(one, "SELECT answer FROM kept"), "42");
  CAF_CHECK(times_said("starting PostgreSQL") > 2); // it was refused before
  one.revive();                                     // of one that lives is nothing
  CAF_CHECK_EQUAL(ask(one, "SELECT 1"), "1");
  orphan.join();
}

CAF_TEST(servers that start together create one cluster) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i)
    children.push_back(in_child([&] {
      cluster one(directory);
      if (ask(one, "SELECT 1") != "1") throw cluster_error("no answer");
      std::this_thread::sleep_for(100ms);
    }));
  for (const auto child : children) CAF_CHECK_EQUAL(exit_code_of(child), 0);
  CAF_CHECK(!running(get_postmaster()));
}

CAF_TEST(a creation that was killed half way is begun again) {
  const auto child = in_child([&] { cluster one(directory); });
  const auto half = directory / "postgres/data.new/PG_VERSION";
  for (int i = 0; i < 30'000 && !fs::exists(half); ++i) std::this_thread::sleep_for(2ms);
  kill(child, SIGKILL);
  exit_code_of(child);
  CAF_CHECK(fs::exists(half));
  CAF_CHECK(!fs::exists(directory / "postgres/data"));
  cluster one(directory, report());
  CAF_CHECK_EQUAL(times_said("creating"), 1);
  CAF_CHECK_EQUAL(ask(one, "SELECT 1"), "1");
  CAF_CHECK(!fs::exists(half));
}

CAF_TEST(a lock file that names somebody else is no obstacle) {
  { cluster one(directory); }
  // Our own process: it lives and is no postmaster, as any process may be after a restart of the machine.
  std::ofstream(directory / "postgres/data/postmaster.pid") << getpid() << "\n";
  cluster one(directory);
  CAF_CHECK_EQUAL(ask(one, "SELECT 1"), "1");
}

CAF_TEST(a postmaster that was killed and that nobody has waited for is no obstacle) {
  prctl(PR_SET_CHILD_SUBREAPER, 1); // orphans become our children, and stay until we wait for them
  exit_code_of(in_child([&] {
    cluster one(directory);
    raise(SIGKILL);
  }));
  const auto killed = get_postmaster();
  kill(killed, SIGKILL);
  CAF_CHECK(eventually([&] { return !running(killed); }));
  cluster next(directory);
  CAF_CHECK_EQUAL(ask(next, "SELECT 1"), "1");
  CAF_CHECK_EQUAL(waitpid(killed, nullptr, WNOHANG), killed);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

CAF_TEST(a directory that cannot hold a socket has it elsewhere) {
  for (const auto& name : {std::string(80, 'a'), std::string("one,two")}) {
    std::string socket;
    {
      cluster one(directory / name);
      socket = ask(one, "SHOW unix_socket_directories");
      CAF_CHECK_EQUAL(ask(one, "SELECT 1"), "1");
    }
    CAF_CHECK(socket.starts_with("/tmp/backstay-"));
    fs::remove(socket);
  }
}

CAF_TEST(an odd directory is quoted) {
  cluster one(directory / "it's \"odd\" 100%");
  CAF_CHECK_EQUAL(ask(one, "SELECT 1"), "1");
}

CAF_TEST(data of a version that is not installed is refused in one line) {
  { cluster one(directory); }
  std::ofstream(directory / "postgres/data/PG_VERSION") << "9\n";
  try {
    cluster one(directory);
    CAF_FAIL("it started");
  } catch (const cluster_error& error) {
    const std::string words = error.what();
    CAF_CHECK(words.find("postgresql-9") != std::string::npos);
    CAF_CHECK(words.find('\n') == std::string::npos);
  }
}

CAF_TEST(a setting that PostgreSQL refuses is told at once) {
  { cluster one(directory); }
  std::ofstream(directory / "postgres/data/postgresql.auto.conf", std::ios::app) << "max_connections = many\n";
  std::string words;
  const auto seconds = seconds_of([&] {
    try {
      cluster one(directory);
    } catch (const cluster_error& error) {
      words = error.what();
    }
  });
  CAF_CHECK(words.starts_with("PostgreSQL does not start: FATAL:"));
  CAF_CHECK_LESS(seconds, 5.0);
}

CAF_TEST(where the database user cannot go the cluster lives in a common place) {
  if (geteuid() != 0) return; // any other user runs it as itself
  const auto closed = directory / "closed";
  fs::create_directories(closed / "var");
  chmod(closed.c_str(), 0700);
  {
    cluster one(closed / "var", report());
    elsewhere = one.directory();
    CAF_CHECK_EQUAL(elsewhere.parent_path(), fs::path("/var/lib/backstay"));
    CAF_CHECK_EQUAL(times_said(elsewhere.string() + ", because"), 1);
    ask(one, "CREATE TABLE kept AS SELECT 42 AS answer");
  }
  chmod(closed.c_str(), 0755); // the way is open now, but the data stays where it is
  cluster again(closed / "var");
  CAF_CHECK_EQUAL(again.directory(), elsewhere);
  CAF_CHECK_EQUAL(ask(again, "SELECT answer FROM kept"), "42");
}

CAF_TEST(a cluster that can no longer be reached is not replaced by an empty one) {
  if (geteuid() != 0) return;
  const auto home = directory / "home";
  { cluster one(home / "var"); }
  chmod(home.c_str(), 0700);
  try {
    cluster one(home / "var");
    elsewhere = one.directory();
    CAF_FAIL("it started");
  } catch (const cluster_error& error) {
    CAF_CHECK(std::string(error.what()).find("cannot get there") != std::string::npos);
  }
}

CAF_TEST(a scratch database is empty and gone afterwards) {
  std::string url;
  {
    scratch_database scratch;
    url = scratch.url();
    pqxx::connection connection(url);
    pqxx::nontransaction work(connection);
    CAF_CHECK_EQUAL(work.exec("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")[0][0].as<int>(), 0);
  }
  bool gone = false;
  try {
    pqxx::connection connection(url);
  } catch (const std::exception&) {
    gone = true;
  }
  CAF_CHECK(gone);
}

CAF_TEST_FIXTURE_SCOPE_END()
