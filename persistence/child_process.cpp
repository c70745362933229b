#include "persistence/child_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace backstay::persistence {

namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

account from_entry(const passwd& entry) {
  account result{entry.pw_uid, entry.pw_gid, std::vector<gid_t>(64), entry.pw_name};
  auto count = static_cast<int>(result.groups.size());
  if (getgrouplist(entry.pw_name, entry.pw_gid, result.groups.data(), &count) < 0) {
    result.groups.resize(count);
    getgrouplist(entry.pw_name, entry.pw_gid, result.groups.data(), &count);
  }
  result.groups.resize(count);
  return result;
}

/// The read end of a pipe that already holds `text`.
int pipe_with(const std::string& text) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe");
  const auto written = write(ends[1], text.data(), text.size());
  close(ends[1]);
  if (written != static_cast<ssize_t>(text.size())) {
    close(ends[0]);
    fail("pipe");
  }
  return ends[0];
}

/// The child's side of fork: only async-signal-safe calls, since another thread may hold any lock.
[[noreturn]] void become(const command& program, char* const* arguments, int input) {
  static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", locale[] = "LC_ALL=C.UTF-8";
  static char* const environment[] = {path, locale, nullptr};
  constexpr int cannot_execute = 127;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (program.own_session) setsid();
  if (program.as.user != geteuid() && (setgroups(program.as.groups.size(), program.as.groups.data()) != 0 ||
                                       setgid(program.as.group) != 0 || setuid(program.as.user) != 0))
    _exit(cannot_execute);
  const int output = program.log.empty()
                         ? open("/dev/null", O_WRONLY)
                         : open(program.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0600);
  if (output < 0 || chdir("/") != 0) _exit(cannot_execute);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (program.inherited >= 0) dup2(program.inherited, 3);
  closefrom(program.inherited >= 0 ? 4 : 3);
  if (program.inherited == 3) fcntl(3, F_SETFD, 0);
  execve(arguments[0], arguments, environment);
  _exit(cannot_execute);
}

} // namespace

account account::named(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (!found) throw std::runtime_error("there is no system user '" + name + "'");
  return from_entry(entry);
}

account account::of(uid_t user) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer{};
  getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found);
  return found ? from_entry(entry) : account{user, user, {user}, std::to_string(user)};
}

account account::current() { return of(geteuid()); }

pid_t start(const command& program) {
  std::vector<char*> arguments;
  for (const auto& argument : program.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const int input = pipe_with(program.input);
  const pid_t child = fork();
  if (child == 0) become(program, arguments.data(), input);
  close(input);
  if (child < 0) fail("fork");
  return child;
}

int run(const command& program) {
  const pid_t child = start(program);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace backstay::persistence
