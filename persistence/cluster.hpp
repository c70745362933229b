#pragma once

#include "persistence/child_process.hpp"
#include "persistence/file_lock.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace backstay::persistence {

/// Why there is no private cluster, in one line for the operator.
struct cluster_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The private PostgreSQL cluster of a server that was given no `database.url`: Debian's programs, a directory below
/// the data directory, a Unix socket and nothing else.
///
/// Whoever comes first creates and starts it, later servers adopt it, the last one to leave stops it. It outlives a
/// server that is killed, and the next one adopts it again. As root its processes run as the system user `postgres`, or
/// as whoever owns an existing directory; any other user runs them as itself. Who may connect: that user and root, by
/// the 0700 of both the directory and the socket; hence no password.
///
/// Not to be used by two threads at once, but for `alive` and `url`.
class cluster {
public:
  /// What happens, a line each, to be logged.
  using log = std::function<void(std::string_view)>;

  /// Returns when the cluster of that data directory accepts connections: about 0.2 s when it exists, about 2 s when it
  /// has to be created, longer when it has to recover. Throws cluster_error.
  explicit cluster(const std::filesystem::path& data_directory, log report = {});

  ~cluster() { close(); }
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  /// What libpq connects to: the database `backstay`, as its superuser of the same name.
  std::string url() const;

  /// Whether the postmaster runs; a look into /proc, no connection.
  bool alive() const { return is_postmaster(postmaster_); }

  /// Starts a dead postmaster again, waiting up to 20 s for what the old one's orphans still hold, or adopts the one
  /// that another server has started meanwhile. Throws cluster_error.
  void revive();

  /// Leaves the cluster; the last server to do so stops it. Returns within 15 s. The destructor does the same.
  void close() noexcept;

  /// Where the cluster lives: `postgres` below the data directory, or below /var/lib/backstay.
  const std::filesystem::path& directory() const { return home_; }

private:
  /// What the lock file that PostgreSQL keeps in its data directory tells.
  struct state {
    pid_t process = 0;    ///< the one named, alive or not
    bool running = false; ///< it is our postmaster
    bool ready = false;   ///< and accepts connections
  };

  void settle(const std::filesystem::path& data_directory);
  void settle_as_root(const std::filesystem::path& data_directory);
  void choose_socket_directory();
  file_lock lock_setup() const;
  void initialize(const file_lock& setup);
  void find_programs();
  void ensure_running();
  void clear_lock(const std::filesystem::path& file) const;
  void launch();
  bool child_ended();
  void stop();
  state get_state() const;
  bool is_postmaster(pid_t process) const;
  std::filesystem::path data() const { return home_ / "data"; }
  std::filesystem::path start_log() const { return home_ / "start.log"; }
  std::string last_complaint() const;
  command program(std::string name, std::vector<std::string> arguments) const;

  log report_;
  account account_;
  std::filesystem::path home_;     // 0700: data, log, locks
  std::filesystem::path socket_;   // the directory of the socket
  std::filesystem::path programs_; // /usr/lib/postgresql/<major>/bin
  file_lock membership_;           // shared by the servers that use the cluster
  std::atomic<pid_t> postmaster_ = 0;
  pid_t child_ = 0; // a postmaster that we have started and not yet seen end
};

} // namespace backstay::persistence
