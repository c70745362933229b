#include "http/kernel/server.hpp"

#include "http/kernel/pipeline.hpp"
#include "http/kernel/server_traits.hpp"

#include <asio/dispatch.hpp>
#include <restinio/transforms/zlib.hpp>

#include <algorithm>
#include <ctime>

namespace backstay::http {

namespace {

const char* reason_of(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 201:
    return "Created";
  case 202:
    return "Accepted";
  case 204:
    return "No Content";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 402:
    return "Payment Required";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 409:
    return "Conflict";
  case 410:
    return "Gone";
  case 413:
    return "Content Too Large";
  case 414:
    return "URI Too Long";
  case 422:
    return "Unprocessable Content";
  case 423:
    return "Locked";
  case 426:
    return "Upgrade Required";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 502:
    return "Bad Gateway";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  default:
    return "Unknown";
  }
}

/// RFC 9110 section 6.6.1; made once a second.
const std::string& date_now() {
  static std::time_t made_at = 0;
  static std::string text;
  if (auto now = std::time(nullptr); now != made_at) {
    char buffer[40];
    std::tm parts{};
    gmtime_r(&now, &parts);
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    made_at = now;
  }
  return text;
}

/// RFC 9110 section 12.5.3: named, and not with a weight of 0.
bool accepts_gzip(std::string_view codings) {
  while (!codings.empty()) {
    auto coding = codings.substr(0, codings.find(','));
    codings.remove_prefix(std::min(codings.size(), coding.size() + 1));
    auto name = coding.substr(0, coding.find(';'));
    auto weight = coding.substr(name.size());
    if (equal_ignoring_case(trim(name), "gzip"))
      return weight.empty() || weight.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

request read_request(const restinio::request_t& from) {
  request in;
  auto& header = from.header();
  in.method = header.method().c_str();
  in.target = header.request_target();
  in.path = in.target.substr(0, in.target.find_first_of("?#"));
  in.query = in.target.size() > in.path.size() ? in.target.substr(in.path.size() + 1) : std::string_view{};
  in.query = in.query.substr(0, in.query.find('#'));
  in.headers.reserve(header.fields_count());
  header.for_each_field([&](const auto& field) { in.headers.emplace_back(field.name(), field.value()); });
  in.body = from.body();
  in.peer = from.remote_endpoint().address().to_string();
  return in;
}

} // namespace

struct server::engine {
  using http_server = restinio::http_server_t<server_traits>;

  services& context;
  const router& routes;
  options how;
  socket_handler sockets;
  std::unique_ptr<http_server> listener;

  restinio::request_handling_status_t accept(restinio::request_handle_t request) {
    auto in = read_request(*request);
    context.open_exchanges.fetch_add(1, std::memory_order_relaxed);
    bool compress = how.compress_above > 0 && accepts_gzip(in.header("Accept-Encoding"));
    auto cors = context.cors.headers_for(in);
    bool head = in.method == "HEAD";
    // Not make_shared: the gateway's weak reference must not keep the memory of an answered exchange.
    exchange_ptr x{new exchange{context, std::move(in),
                                [this, request, compress, head, cors = std::move(cors)](response out) mutable {
                                  deliver(std::move(request), std::move(out), std::move(cors), compress, head);
                                }}};
    identify(x);
    if (sockets && request->header().connection() == restinio::http_connection_header_t::upgrade) {
      upgrade_offer offer{std::move(request)};
      if (sockets(x, offer)) return restinio::request_accepted();
    }
    handle_request(routes, x);
    return restinio::request_accepted();
  }

  /// From any thread: the answer is written on the HTTP thread.
  void deliver(restinio::request_handle_t request, response out, std::vector<std::pair<std::string, std::string>> cors,
               bool compress, bool head) {
    asio::dispatch(context.io, [this, request = std::move(request), out = std::move(out), cors = std::move(cors),
                                compress, head]() mutable { write(*request, std::move(out), cors, compress, head); });
  }

  void write(restinio::request_t& request, response out, const std::vector<std::pair<std::string, std::string>>& cors,
             bool compress, bool head) {
    auto answer = request.create_response<restinio::user_controlled_output_t>(restinio::http_status_line_t{
        restinio::http_status_code_t{static_cast<std::uint16_t>(out.status)}, reason_of(out.status)});
    auto add = [&](auto name, const std::string& value) { answer.append_header(name, value); };
    add(restinio::http_field::date, date_now());
    if (!out.content_type.empty()) add(restinio::http_field::content_type, out.content_type);
    // OWASP REST Security Cheat Sheet, "Security Headers".
    answer.append_header("X-Content-Type-Options", "nosniff");
    answer.append_header("X-Frame-Options", "DENY");
    answer.append_header("Referrer-Policy", "no-referrer");
    bool has_policy = false, has_caching = false;
    for (auto& [name, value] : out.headers) {
      answer.append_header(name, value);
      has_policy |= equal_ignoring_case(name, "Content-Security-Policy");
      has_caching |= equal_ignoring_case(name, "Cache-Control");
    }
    if (!has_policy) answer.append_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    if (!has_caching) answer.append_header("Cache-Control", "no-store");
    for (auto& [name, value] : cors) answer.append_header(name, value);
    if (context.settings.in_production())
      answer.append_header("Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    if (compress && out.body.size() > how.compress_above) {
      out.body = restinio::transforms::zlib::gzip_compress(out.body);
      add(restinio::http_field::content_encoding, "gzip");
      answer.append_header("Vary", "Accept-Encoding");
    }
    // RFC 9110 section 9.3.2: HEAD gets the header of GET, with its length, without the content.
    answer.set_content_length(out.body.size());
    if (!head) answer.set_body(std::move(out.body));
    answer.done();
  }
};

server::server(services& context, const router& routes, options how, socket_handler sockets)
    : engine_(new engine{context, routes, std::move(how), std::move(sockets), nullptr}) {}

// RESTinio counts connections within its server, and idle ones end only with the io_context, which in turn has to
// outlive the server: whichever went first, the other would look into memory that is gone. So a server is closed here,
// and its memory kept for the rest of the process, which starts one or two of them.
server::~server() {
  static auto& retired = *new std::vector<std::unique_ptr<engine::http_server>>;
  if (!engine_->listener) return;
  engine_->listener->close_sync();
  retired.push_back(std::move(engine_->listener));
}

void server::open() {
  auto& how = engine_->how;
  restinio::server_settings_t<server_traits> settings;
  settings.address(how.address)
      .port(how.port)
      .buffer_size(1024)
      .max_pipelined_requests(4)
      .max_parallel_connections(how.max_connections)
      .concurrent_accepts_count(1)
      .read_next_http_message_timelimit(how.idle_timeout)
      .write_http_response_timelimit(std::chrono::seconds{10})
      .handle_request_timeout(std::chrono::seconds{8}) // above the gateway's deadline: see the timeout ladder
      .socket_options_setter([](auto& options) { options.set_option(asio::ip::tcp::no_delay{true}); })
      .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                    .max_url_size(65'536u)
                                    .max_field_name_size(1'024u)
                                    .max_field_value_size(65'536u)
                                    .max_field_count(1'000u)
                                    .max_body_size(std::max<std::uint64_t>(how.max_body * 4, 8'388'608u)))
      .request_handler([engine = engine_.get()](auto request) { return engine->accept(std::move(request)); });
  try {
    engine_->listener =
        std::make_unique<engine::http_server>(restinio::external_io_context(engine_->context.io), std::move(settings));
    engine_->listener->open_sync();
  } catch (const std::exception&) {
    throw std::runtime_error{"cannot listen on " + how.address + " port " + std::to_string(how.port) +
                             ": the address is in use or not ours"};
  }
}

std::uint16_t server::port() const { return engine_->how.port; }

void server::close() {
  if (engine_->listener) engine_->listener->close_sync();
}

std::uint16_t free_loopback_port() {
  asio::io_context io;
  return asio::ip::tcp::acceptor{io, {asio::ip::address_v4::loopback(), 0}}.local_endpoint().port();
}

} // namespace backstay::http
