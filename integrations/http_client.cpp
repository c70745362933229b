#include "integrations/http_client.hpp"

#include <algorithm>
#include <csignal>
#include <curl/curl.h>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>

namespace backstay::integrations {

namespace {

/// More connections to one host than this wait for a free one; the wait counts against their timeout.
constexpr long max_connections_per_host = 32;

/// A loop wakes at least this often; new work and the end of the client wake it at once.
constexpr int poll_interval_ms = 1000;

/// One request under way: libcurl's handle and everything it points into.
struct exchange {
  http_request request;
  std::function<void(http_result)> then;
  http_response response;
  std::size_t body_sent = 0;
  bool body_started = false;
  bool over_limit = false;
  std::unique_ptr<CURL, void (*)(CURL*)> easy{curl_easy_init(), curl_easy_cleanup};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers{nullptr, curl_slist_free_all};
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return result;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

std::size_t read_body(char* target, std::size_t size, std::size_t count, void* state) {
  auto& x = *static_cast<exchange*>(state);
  x.body_started = true;
  const auto taken = x.request.body.copy(target, size * count, x.body_sent);
  x.body_sent += taken;
  return taken;
}

std::size_t receive_header(char* data, std::size_t size, std::size_t count, void* state) {
  auto& headers = static_cast<exchange*>(state)->response.headers;
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) headers.clear(); // an interim 1xx answer came before
  else if (const auto colon = line.find(':'); colon != std::string_view::npos)
    headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  return line.size();
}

std::size_t receive_body(char* data, std::size_t size, std::size_t count, void* state) {
  auto& x = *static_cast<exchange*>(state);
  x.over_limit = x.response.body.size() + size * count > http_client::max_response_size;
  if (x.over_limit) return CURL_WRITEFUNC_ERROR;
  x.response.body.append(data, size * count);
  return size * count;
}

/// RFC 9110, 9.2.2: repeating these has the effect of doing them once.
bool is_idempotent(std::string_view method) { return method != "POST" && method != "PATCH"; }

bool is_well_formed(const http_headers& headers) {
  constexpr std::string_view line_breaks("\r\n\0", 3);
  return std::all_of(headers.begin(), headers.end(), [&](const auto& field) {
    return !field.first.empty() && field.first.find_first_of(line_breaks) == std::string::npos &&
           field.first.find(':') == std::string::npos && field.second.find_first_of(line_breaks) == std::string::npos;
  });
}

bool has_header(const http_headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& field) { return lower(field.first) == name; });
}

void add_header(exchange& x, const std::string& line) {
  x.headers.reset(curl_slist_append(x.headers.release(), line.c_str()));
}

void apply_headers(exchange& x) {
  // libcurl reads "Name:" as "do not send it" and "Name;" as "send it empty".
  for (const auto& [name, value] : x.request.headers) add_header(x, value.empty() ? name + ";" : name + ": " + value);
  add_header(x, "Expect:"); // do not wait for a "100 Continue" before a large body
  if (!has_header(x.request.headers, "content-type")) add_header(x, "Content-Type:"); // not libcurl's form default
  curl_easy_setopt(x.easy.get(), CURLOPT_HTTPHEADER, x.headers.get());
}

void apply_method_and_body(exchange& x) {
  auto* easy = x.easy.get();
  const auto& [method, body] = std::tie(x.request.method, x.request.body);
  if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (method != "GET" || !body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    if (is_idempotent(method) || body.empty()) {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    } else {
      // A body that cannot be rewound is what keeps libcurl from sending it a second time.
      curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
      curl_easy_setopt(easy, CURLOPT_READDATA, &x);
    }
    // Without a body there is nothing to rewind: only a new connection is never retried.
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, !is_idempotent(method) && body.empty() ? 1L : 0L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
}

void apply_options(exchange& x) {
  auto* easy = x.easy.get();
  const auto timeout = std::clamp<std::int64_t>(x.request.timeout.count(), 1, 24 * 3600 * 1000);
  curl_easy_setopt(easy, CURLOPT_URL, x.request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Over TLS the handshake tells at once whether a connection can be shared; without, only the first answer would.
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, x.request.url.starts_with("https:") ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); // a stop does not wait for a name server
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receive_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &x);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &x);
  apply_method_and_body(x);
  apply_headers(x);
}

bool was_sent(const exchange& x) {
  long sent = 0;
  curl_easy_getinfo(x.easy.get(), CURLINFO_REQUEST_SIZE, &sent);
  return x.body_started || sent > 0;
}

transport_failure classify(const exchange& x, CURLcode code) {
  if (code == CURLE_OK) return transport_failure::none;
  if (x.over_limit) return transport_failure::too_large;
  if (!was_sent(x)) return transport_failure::unreachable;
  return code == CURLE_OPERATION_TIMEDOUT ? transport_failure::timeout : transport_failure::broken;
}

std::string describe(transport_failure failure, CURLcode code) {
  switch (failure) {
  case transport_failure::none:
    return {};
  case transport_failure::too_large:
    return "the answer is over the size limit";
  default:
    return curl_easy_strerror(code);
  }
}

} // namespace

/// The client's thread, and the only place that touches libcurl after a request was queued.
class http_client::loop {
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

  void enqueue(std::unique_ptr<exchange> x) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(x));
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

  std::vector<std::unique_ptr<exchange>> take_queue() {
    const std::lock_guard lock(mutex_);
    return std::exchange(queue_, {});
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  /// Hands what waits to libcurl; false when the client is to stop.
  bool start_queued() {
    if (is_stopping()) return false;
    for (auto& x : take_queue()) start(std::move(x));
    return true;
  }

  void start(std::unique_ptr<exchange> x) {
    if (!is_well_formed(x->request.headers)) return x->then({transport_failure::unreachable, "malformed header", {}});
    apply_options(*x);
    auto* easy = x->easy.get();
    if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK)
      return x->then({transport_failure::unreachable, "no resources for another request", {}});
    open_.emplace(easy, std::move(x));
  }

  void finish_done() {
    int left = 0;
    while (const auto* message = curl_multi_info_read(multi_.get(), &left))
      if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
  }

  void finish(CURL* easy, CURLcode code) {
    const auto x = close(easy);
    const auto failure = classify(*x, code);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    x->response.status = static_cast<int>(status);
    x->then({failure, describe(failure, code),
             failure == transport_failure::none ? std::move(x->response) : http_response{}});
  }

  std::unique_ptr<exchange> close(CURL* easy) {
    curl_multi_remove_handle(multi_.get(), easy);
    return std::move(open_.extract(easy).mapped());
  }

  /// Answers everything that is open, and what the answers make their owners send.
  void abandon_all() {
    const auto abandon = [](exchange& x) { x.then({transport_failure::broken, "the client stopped", {}}); };
    while (!open_.empty()) abandon(*close(open_.begin()->first));
    for (auto waiting = take_queue(); !waiting.empty(); waiting = take_queue())
      for (auto& x : waiting) abandon(*x);
  }

  std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi_;
  std::unordered_map<CURL*, std::unique_ptr<exchange>> open_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<exchange>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

http_client::http_client() : loop_(std::make_unique<loop>()) {}

http_client::~http_client() = default;

void http_client::send(http_request request, std::function<void(http_result)> then) {
  auto x = std::make_unique<exchange>();
  x->request = std::move(request);
  x->then = std::move(then);
  loop_->enqueue(std::move(x));
}

} // namespace backstay::integrations
