#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace backstay {

/// How a supervised actor can be made to fail on purpose. Only the sandbox's control port asks for it.
enum class drill : int {
  none,
  exit,  ///< the actor ends between two messages
  fault, ///< the handler of the next message throws
  stall, ///< the next message keeps the actor busy for half a second, then its handler throws
};

/// The pulse of one supervised actor, shared by its guardian, the actor itself, /health and /metrics. Thread-safe.
struct vitals {
  vitals(std::string actor_name, bool is_critical) : name(std::move(actor_name)), critical(is_critical) {}

  const std::string name;
  const bool critical; ///< the product cannot serve without it
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::uint32_t> restarts{0};
  std::atomic<bool> up{false};
  std::atomic<bool> degraded{false}; ///< left alone for now, and tried again after a while
  std::atomic<bool> is_pool{false};  ///< then `queued` and `busy` tell of its jobs
  std::atomic<std::size_t> queued{0}, busy{0};
  std::atomic<drill> ordered{drill::none};

  /// Messages that wait, approximately.
  std::uint64_t mailbox() const;
  std::string last_cause() const;
  void note_cause(std::string cause);

private:
  mutable std::mutex mutex_;
  std::string cause_;
};

using vitals_ptr = std::shared_ptr<vitals>;

/// Every supervised actor of the process, in the order of their start. Thread-safe.
class vitals_board {
public:
  vitals_ptr add(std::string name, bool critical);
  std::vector<vitals_ptr> all() const;

private:
  mutable std::mutex mutex_;
  std::vector<vitals_ptr> entries_;
};

} // namespace backstay
