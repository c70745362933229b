#pragma once

#include <curl/curl.h>
#include <memory>

namespace backstay::integrations {

/// One transfer of libcurl's, with everything that its handle points into. Its functions run on the thread of the
/// `transfers` that it is given to, and must neither block nor throw.
class transfer {
public:
  virtual ~transfer() = default;
  /// Sets the options of `easy`. Returns why that cannot be done, or null.
  virtual const char* prepare() = 0;
  /// It has ended; called once, unless `give_up` is.
  virtual void finish(CURLcode how) = 0;
  /// It was not begun, or is broken off; called once, unless `finish` is.
  virtual void give_up(bool was_begun, const char* why) = 0;

  std::unique_ptr<CURL, void (*)(CURL*)> easy{curl_easy_init(), curl_easy_cleanup};
};

/// Carries out transfers side by side on one thread, the only place that touches libcurl after `begin`.
class transfers {
public:
  transfers();
  /// Gives up all that is under way, then stops the thread.
  ~transfers();
  transfers(const transfers&) = delete;
  transfers& operator=(const transfers&) = delete;

  /// Returns at once; callable from any thread, also from inside a transfer's functions.
  void begin(std::unique_ptr<transfer> what);

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace backstay::integrations
