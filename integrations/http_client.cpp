#include "integrations/http_client.hpp"

#include "integrations/transfers.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace backstay::integrations {

namespace {

/// One request under way.
struct exchange : transfer {
  const char* prepare() override;
  void finish(CURLcode how) override;
  void give_up(bool was_begun, const char* why) override {
    then({was_begun ? transport_failure::broken : transport_failure::unreachable, why, {}});
  }

  http_request request;
  std::function<void(http_result)> then;
  http_response response;
  std::size_t body_sent = 0;
  bool body_started = false;
  bool over_limit = false;
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

const char* exchange::prepare() {
  if (!is_well_formed(request.headers)) return "malformed header";
  apply_options(*this);
  return nullptr;
}

void exchange::finish(CURLcode how) {
  const auto failure = classify(*this, how);
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  then({failure, describe(failure, how), failure == transport_failure::none ? std::move(response) : http_response{}});
}

} // namespace

http_client::http_client() : transfers_(std::make_unique<transfers>()) {}

http_client::~http_client() = default;

void http_client::send(http_request request, std::function<void(http_result)> then) {
  auto x = std::make_unique<exchange>();
  x->request = std::move(request);
  x->then = std::move(then);
  transfers_->begin(std::move(x));
}

} // namespace backstay::integrations
