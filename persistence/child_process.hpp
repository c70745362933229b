#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace backstay::persistence {

/// A system user that a program can run as, with everything looked up beforehand: nothing between fork and exec may
/// touch the user database or the heap.
struct account {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
  std::string name;

  /// The account of this process.
  static account current();

  /// The account of that name; throws std::runtime_error when there is none.
  static account named(const std::string& name);

  /// The account with that id, whether or not it has a name.
  static account of(uid_t user);
};

/// A program to run without a shell, with an empty environment but for PATH and the C.UTF-8 locale, and with none of
/// our file descriptors: neither secrets nor sockets of the server outlive it in a child.
struct command {
  std::vector<std::string> arguments; ///< argument 0 is the absolute path of the program
  account as;                         ///< switched to before exec when it is not the current one; needs root then
  std::filesystem::path log;          ///< stdout and stderr go to this file, emptied first; /dev/null when empty
  std::string input;                  ///< its stdin, at most 4096 bytes
  int inherited = -1;                 ///< a descriptor that it keeps open as its number 3, say one that holds a lock
  bool own_session = false;           ///< survives Ctrl-C in our terminal
};

/// Starts the program and returns its process id. Throws std::system_error when it cannot fork. A program that cannot
/// be executed ends with 127. Safe in a process with many threads.
pid_t start(const command& program);

/// Starts the program and waits for its end: its exit code, or 128 + the signal that killed it.
int run(const command& program);

} // namespace backstay::persistence
