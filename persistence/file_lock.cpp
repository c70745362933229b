#include "persistence/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

namespace backstay::persistence {

using namespace std::chrono_literals;

file_lock::file_lock(const std::filesystem::path& path, mode wanted, std::chrono::milliseconds patience) {
  // Read-only is enough for flock, and lets the owner of a directory lock what root has made in it.
  const bool directory = std::filesystem::is_directory(path);
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (directory ? O_DIRECTORY : O_CREAT), 0644);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "cannot lock " + path.string());
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!attempt(wanted) && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(10ms);
}

file_lock::~file_lock() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool file_lock::try_exclusive() { return attempt(mode::exclusive); }

bool file_lock::attempt(mode wanted) {
  held_ = flock(descriptor_, (wanted == mode::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0;
  return held_;
}

} // namespace backstay::persistence
