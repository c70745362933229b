#pragma once

#include <chrono>
#include <thread>

namespace backstay {

/// Waits until `condition` holds, and says whether it came to that. On a loaded machine everything takes long, hence so
/// much patience; only a test that fails needs all of it.
template <class Condition>
bool eventually(Condition condition, std::chrono::seconds patience = std::chrono::seconds{60}) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  return true;
}

} // namespace backstay
