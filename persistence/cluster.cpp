#include "persistence/cluster.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <thread>

namespace fs = std::filesystem;

namespace backstay::persistence {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

const fs::path installed_programs = "/usr/lib/postgresql";
const fs::path common_home = "/var/lib/backstay";

constexpr auto setup_patience = 120s; // another server creating the cluster on a slow disk
constexpr auto start_patience = 20s;  // orphans of a killed postmaster letting go
constexpr auto recovery_patience = 10min;
constexpr auto stop_patience = 8s;  // a fast shutdown, before an immediate one
constexpr auto leave_patience = 5s; // another server in the middle of its own start
constexpr auto glance = 5ms;

/// The socket's file name is /.s.PGSQL.5432; sun_path holds 107 characters (unix(7)).
constexpr std::size_t longest_socket_directory = 107 - sizeof("/.s.PGSQL.5432") + 1;

/// Run once in the new cluster, in single-user mode. ALTER SYSTEM leaves the settings open to the operator.
std::string first_statements(const fs::path& socket) {
  std::string sockets;
  for (const char c : socket.string()) sockets.append(c == '\'' ? 2 : 1, c);
  const std::vector<std::string> settings = {
      "listen_addresses = ''",
      "unix_socket_directories = '" + sockets + "'",
      "unix_socket_permissions = '0700'",
      "max_connections = 100",
      "shared_buffers = '64MB'",
      "fsync = on",
      "jit = off",
      // Nothing replicates from it, so the log need not say enough for that.
      "wal_level = minimal",
      "max_wal_senders = 0",
      "timezone = 'UTC'",
      "log_timezone = 'UTC'",
      // A file a weekday, each emptied when its day comes round again.
      "logging_collector = on",
      "log_directory = '../log'",
      "log_filename = 'postgresql-%a.log'",
      "log_truncate_on_rotation = on",
      "log_rotation_age = '1d'",
      "log_rotation_size = 0",
  };
  std::string statements;
  for (const auto& setting : settings) statements += "ALTER SYSTEM SET " + setting + ";\n";
  return statements + "CREATE DATABASE backstay;\n";
}

std::optional<int> parse_int(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Distinguishes directories in names that must be short: half of SHA-256, in hex.
std::string digest(const fs::path& directory) {
  const auto text = directory.string();
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  EVP_Digest(text.data(), text.size(), bytes.data(), nullptr, EVP_sha256(), nullptr);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (std::size_t i = 0; i < 16; ++i) result.append({digits[bytes[i] >> 4], digits[bytes[i] & 15]});
  return result;
}

/// Whether that account can enter a directory, asked by trying: parents, groups and access lists all have a say.
bool can_enter(const account& who, const fs::path& directory) {
  return run({.arguments = {"/usr/bin/test", "-x", directory.string()}, .as = who}) == 0;
}

uid_t owner_of(const fs::path& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0)
    throw cluster_error("cannot look at " + path.string() + ": " + std::generic_category().message(errno));
  return info.st_uid;
}

/// Makes the directory, closed to all but its owner, or checks that it is just that.
void own_directory(const fs::path& path, const account& owner) {
  const bool made = mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST)
    throw cluster_error("cannot create " + path.string() + ": " + std::generic_category().message(errno));
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat info {};
  const bool opened = directory >= 0 && fstat(directory, &info) == 0;
  // Root may have been killed between making the directory and giving it away.
  if (opened && info.st_uid != owner.user && info.st_uid == geteuid() &&
      fchown(directory, owner.user, owner.group) == 0)
    info.st_uid = owner.user;
  const bool closed = opened && fchmod(directory, 0700) == 0;
  if (directory >= 0) ::close(directory);
  if (!closed || info.st_uid != owner.user)
    throw cluster_error(path.string() + " is not a directory of " + owner.name +
                        ", as which the database would run: give it back, or set data.directory or database.url");
}

/// The data directory that a process serves as its postmaster. From the command line, which everybody may read, and
/// which neither a zombie nor a backend nor whoever got the process id next has.
std::optional<fs::path> directory_served_by(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(in, argument, '\0');) arguments.push_back(argument);
  if (arguments.empty() || fs::path(arguments.front()).filename() != "postgres") return std::nullopt;
  const auto option = std::find(arguments.begin(), arguments.end(), "-D");
  return option == arguments.end() || option + 1 == arguments.end() ? fs::path() : fs::path(option[1]);
}

/// Whatever goes wrong in there is told as a cluster_error.
template <class Action>
void in_one_line(Action action) {
  try {
    action();
  } catch (const cluster_error&) {
    throw;
  } catch (const std::exception& error) {
    throw cluster_error(std::string("no private database: ") + error.what());
  }
}

/// The newest version that Debian has installed, or 0.
int newest_version() {
  int newest = 0;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(installed_programs, none)) {
    const auto version = parse_int(entry.path().filename().string());
    if (version > newest && fs::exists(entry.path() / "bin/initdb", none)) newest = *version;
  }
  return newest;
}

} // namespace

cluster::cluster(const fs::path& data_directory, log report) : report_(std::move(report)) {
  if (!report_) report_ = [](std::string_view) {};
  in_one_line([&] {
    settle(data_directory);
    const auto setup = lock_setup();
    membership_ = file_lock(home_ / "servers.lock", file_lock::mode::shared, setup_patience);
    find_programs();
    choose_socket_directory();
    if (!fs::exists(data() / "PG_VERSION")) initialize(setup);
    ensure_running();
  });
}

std::string cluster::url() const {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string host;
  for (const unsigned char c : socket_.string())
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.') host.push_back(static_cast<char>(c));
    else host.append({'%', digits[c >> 4], digits[c & 15]});
  return "postgresql:///backstay?host=" + host + "&port=5432&user=backstay";
}

void cluster::revive() {
  in_one_line([&] {
    const auto setup = lock_setup();
    ensure_running();
  });
}

void cluster::close() noexcept {
  if (!membership_.held()) return;
  try {
    // Without the setup lock somebody is just joining or reviving: then we are not the last.
    const file_lock setup(home_, file_lock::mode::exclusive, leave_patience);
    if (setup.held() && membership_.try_exclusive()) stop();
  } catch (const std::exception& error) {
    report_(std::string("cannot stop the private database: ") + error.what());
  }
  membership_ = file_lock{};
}

/// Decides where the cluster lives and as whom it runs.
void cluster::settle(const fs::path& data_directory) {
  fs::create_directories(data_directory);
  const auto directory = fs::canonical(data_directory);
  if (geteuid() == 0) return settle_as_root(directory);
  account_ = account::current();
  home_ = directory / "postgres";
  own_directory(home_, account_);
}

/// PostgreSQL refuses to run as root, so another user has to reach the place.
void cluster::settle_as_root(const fs::path& data_directory) {
  const auto near = data_directory / "postgres", far = common_home / digest(data_directory);
  const bool near_exists = fs::exists(near / "data");
  const auto owner = fs::exists(near) ? owner_of(near) : 0;
  account_ = owner == 0 ? account::named("postgres") : account::of(owner);
  const bool reachable = can_enter(account_, data_directory);
  if (near_exists && !reachable)
    throw cluster_error(near.string() + " holds the database, but " + account_.name +
                        ", as which it runs, cannot get there any more: open the way (chmod a+x on the parents)");
  // A cluster once made stays where it is, also when the way is opened later.
  home_ = near_exists || (reachable && !fs::exists(far / "data")) ? near : far;
  if (home_ == far) {
    fs::create_directories(common_home);
    report_("the database is kept in " + far.string() + ", because the user " + account_.name + " cannot enter " +
            data_directory.string());
  }
  own_directory(home_, account_);
}

/// The socket lies in the home, or in a directory of its own where the path is too long for one, or has a comma, which
/// separates hosts to libpq and directories to PostgreSQL.
void cluster::choose_socket_directory() {
  socket_ = home_;
  if (home_.native().size() <= longest_socket_directory && home_.native().find(',') == std::string::npos) return;
  socket_ = fs::path("/tmp") / ("backstay-" + digest(home_));
  own_directory(socket_, account_);
}

file_lock cluster::lock_setup() const {
  file_lock setup(home_, file_lock::mode::exclusive, setup_patience);
  if (!setup.held()) throw cluster_error("another server has been setting up " + home_.string() + " for too long");
  return setup;
}

void cluster::find_programs() {
  int version = newest_version();
  const auto written_by = lines_of(data() / "PG_VERSION");
  if (!written_by.empty()) version = parse_int(written_by.front()).value_or(version);
  programs_ = installed_programs / std::to_string(version) / "bin";
  if (version == 0)
    throw cluster_error("PostgreSQL is not installed: install the package postgresql, or set database.url");
  if (!fs::exists(programs_ / "postgres"))
    throw cluster_error("the database in " + data().string() + " was written by PostgreSQL " + written_by.front() +
                        ", whose programs are gone: install the package postgresql-" + written_by.front());
}

/// Creates the data beside its final place: what is there under the final name is always complete.
void cluster::initialize(const file_lock& setup) {
  report_("creating the database in " + home_.string());
  const auto fresh = home_ / "data.new";
  fs::remove_all(fresh);
  auto create = program("initdb", {"-D", fresh.string(), "-U", "backstay", "-E", "UTF8", "--locale=C.UTF-8",
                                   "--auth-local=trust", "--auth-host=reject", "--no-instructions"});
  auto furnish = program("postgres", {"--single", "-D", fresh.string(), "-c", "exit_on_error=on", "postgres"});
  furnish.input = first_statements(socket_);
  // If we are killed, nobody else may begin before these have ended as well.
  create.inherited = furnish.inherited = setup.descriptor();
  for (const auto& step : {create, furnish})
    if (run(step) != 0)
      throw cluster_error("cannot create the database in " + home_.string() + ": " + last_complaint());
  fs::rename(fresh, data());
  fsync(setup.descriptor());
}

/// Looks, acts and looks again until a postmaster accepts connections, whoever has started it.
void cluster::ensure_running() {
  const auto give_up = steady_clock::now() + start_patience, too_long = steady_clock::now() + recovery_patience;
  for (bool launched = false;; std::this_thread::sleep_for(glance)) {
    const auto now = get_state();
    postmaster_ = now.running ? now.process : 0;
    if (now.ready) return;
    if (steady_clock::now() > too_long) throw cluster_error("PostgreSQL has not become ready: " + last_complaint());
    if (now.running) continue;    // starting, recovering, or stopping at somebody else's wish
    if (!child_ended()) continue; // has not written its lock file yet
    if (launched) {
      const auto complaint = last_complaint();
      const bool passes = complaint.find("pre-existing shared memory block") != std::string::npos ||
                          complaint.find("postmaster.pid\" already exists") != std::string::npos;
      if (!passes || steady_clock::now() > give_up) throw cluster_error("PostgreSQL does not start: " + complaint);
      std::this_thread::sleep_for(200ms);
    }
    launch();
    launched = true;
  }
}

/// PostgreSQL refuses to start while the process that a lock file names exists. After a restart of the machine that may
/// be anybody, and a postmaster that was killed with its parent exists until somebody waits for it.
void cluster::clear_lock(const fs::path& file) const {
  const auto lines = lines_of(file);
  const auto named = lines.empty() ? 0 : parse_int(lines.front()).value_or(0);
  if (named <= 0 || kill(named, 0) != 0) return; // PostgreSQL sees that by itself
  const auto directory = directory_served_by(named);
  if (!directory || (directory->is_absolute() && *directory != data())) fs::remove(file);
}

/// Runs the postmaster itself: pg_ctl would poll ten times a second where we look more often.
void cluster::launch() {
  report_("starting PostgreSQL in " + home_.string());
  clear_lock(data() / "postmaster.pid");
  clear_lock(socket_ / ".s.PGSQL.5432.lock");
  auto postmaster = program("postgres", {"-D", data().string(), "-k", socket_.string(), "-p", "5432"});
  postmaster.own_session = true;
  child_ = start(postmaster);
}

/// Whether no postmaster of our own is left; its remains are cleared away.
bool cluster::child_ended() {
  if (child_ != 0 && waitpid(child_, nullptr, WNOHANG) != 0) child_ = 0;
  return child_ == 0;
}

/// Fast shutdown: connections are cut, transactions rolled back, a checkpoint is written. If the disk is too slow for
/// that, the immediate one: nothing committed is lost, the next start recovers.
void cluster::stop() {
  const auto now = get_state();
  if (!now.running) return;
  const auto postmaster = now.process;
  report_("stopping PostgreSQL in " + home_.string());
  for (const int signal : {SIGINT, SIGQUIT}) {
    kill(postmaster, signal);
    const auto give_up = steady_clock::now() + stop_patience;
    while (is_postmaster(postmaster) && steady_clock::now() < give_up) std::this_thread::sleep_for(glance);
    if (!is_postmaster(postmaster)) break;
  }
  child_ended();
}

/// Line 1 of postmaster.pid is the process, line 8 its state: what pg_ctl goes by.
cluster::state cluster::get_state() const {
  const auto lines = lines_of(data() / "postmaster.pid");
  const auto process = lines.empty() ? 0 : parse_int(lines.front()).value_or(0);
  if (!is_postmaster(process)) return {process};
  return {process, true, lines.size() >= 8 && lines[7].starts_with("ready")};
}

bool cluster::is_postmaster(pid_t process) const { return process > 0 && directory_served_by(process) == data(); }

/// The last line of the start's log that is an error, without the time before it.
std::string cluster::last_complaint() const {
  std::string complaint = "see " + (home_ / "log").string();
  for (const auto& line : lines_of(start_log()))
    for (const auto* mark : {"FATAL:", "PANIC:", "ERROR:", "error:"})
      if (const auto at = line.find(mark); at != std::string::npos) complaint = line.substr(at);
  return complaint;
}

command cluster::program(std::string name, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), (programs_ / name).string());
  return {.arguments = std::move(arguments), .as = account_, .log = start_log()};
}

} // namespace backstay::persistence
