#include "integrations/transfers.hpp"

#include <csignal>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace backstay::integrations {

namespace {

/// More connections to one host than this wait for a free one; the wait counts against their timeout.
constexpr long max_connections_per_host = 32;

/// The loop wakes at least this often; new work and the end wake it at once.
constexpr int poll_interval_ms = 1000;

} // namespace

class transfers::loop {
public:
  loop() : multi_(open_multi(), curl_multi_cleanup) {
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, max_connections_per_host);
    thread_ = std::thread([this] { run(); });
  }

  ~loop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
  }

  void enqueue(std::unique_ptr<transfer> what) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(what));
    }
    curl_multi_wakeup(multi_.get());
  }

private:
  static CURLM* open_multi() {
    static const auto initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
    auto* multi = initialized == CURLE_OK ? curl_multi_init() : nullptr;
    return multi ? multi : throw std::runtime_error("libcurl cannot be initialized");
  }

  void run() {
    // Signals belong to the main thread; a peer that closes must not raise SIGPIPE from inside TLS.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (start_queued()) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      finish_done();
      curl_multi_poll(multi_.get(), nullptr, 0, poll_interval_ms, nullptr);
    }
    abandon_all();
  }

  std::vector<std::unique_ptr<transfer>> take_queue() {
    const std::lock_guard lock(mutex_);
    return std::exchange(queue_, {});
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  /// Hands what waits to libcurl; false when the loop is to stop.
  bool start_queued() {
    if (is_stopping()) return false;
    for (auto& each : take_queue()) start(std::move(each));
    return true;
  }

  void start(std::unique_ptr<transfer> what) {
    if (const auto* why = what->prepare()) return what->give_up(false, why);
    auto* easy = what->easy.get();
    if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK)
      return what->give_up(false, "no resources for another request");
    open_.emplace(easy, std::move(what));
  }

  void finish_done() {
    int left = 0;
    while (const auto* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const auto how = message->data.result; // the message goes with its handle
      close(message->easy_handle)->finish(how);
    }
  }

  std::unique_ptr<transfer> close(CURL* easy) {
    curl_multi_remove_handle(multi_.get(), easy);
    return std::move(open_.extract(easy).mapped());
  }

  /// Answers everything that is open, and what the answers make their owners send.
  void abandon_all() {
    constexpr auto why = "the client stopped";
    while (!open_.empty()) close(open_.begin()->first)->give_up(true, why);
    for (auto waiting = take_queue(); !waiting.empty(); waiting = take_queue())
      for (auto& each : waiting) each->give_up(true, why);
  }

  std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi_;
  std::unordered_map<CURL*, std::unique_ptr<transfer>> open_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<transfer>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

transfers::transfers() : loop_(std::make_unique<loop>()) {}

transfers::~transfers() = default;

void transfers::begin(std::unique_ptr<transfer> what) { loop_->enqueue(std::move(what)); }

} // namespace backstay::integrations
