#pragma once

#include <chrono>
#include <filesystem>
#include <utility>

namespace backstay::persistence {

/// A flock(2) on a file or directory. The kernel drops it when the last process that holds the descriptor ends, however
/// it ends; two objects exclude each other within one process as well.
class file_lock {
public:
  enum class mode { shared, exclusive };

  file_lock() = default;

  /// Opens `path`, made as an empty file when nothing is there, and waits at most `patience` for the lock: check with
  /// `held`. Throws std::system_error when the path cannot be opened.
  file_lock(const std::filesystem::path& path, mode wanted, std::chrono::milliseconds patience);

  file_lock(file_lock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), held_(std::exchange(other.held_, false)) {}
  file_lock& operator=(file_lock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(held_, other.held_);
    return *this;
  }
  ~file_lock();

  /// Whether the lock is ours.
  bool held() const { return held_; }

  /// Turns a shared lock into an exclusive one if nobody else holds it. On failure the shared one may be gone, too: the
  /// kernel's exchange is not atomic.
  bool try_exclusive();

  /// The open file, to be inherited by a child that is to prolong the lock, or to be synced.
  int descriptor() const { return descriptor_; }

private:
  bool attempt(mode wanted);

  int descriptor_ = -1;
  bool held_ = false;
};

} // namespace backstay::persistence
