#include "integrations/sandbox/server.hpp"

#include <algorithm>
#include <restinio/all.hpp>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

using traits =
    restinio::single_thread_traits_t<restinio::asio_timer_manager_t, restinio::null_logger_t,
                                     std::function<restinio::request_handling_status_t(restinio::request_handle_t)>>;

/// RESTinio closes a connection that is over one of these without an answer.
constexpr std::uint64_t largest_url = 16 * 1024;
constexpr std::uint64_t largest_header = 16 * 1024;
constexpr std::uint64_t largest_body = 1024 * 1024;
constexpr std::size_t most_headers = 100;

/// Longer than the longest latency that can be set.
constexpr auto longest_answer = 120s;

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1); // the slash
    const auto end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool is_placeholder(std::string_view segment) { return segment.starts_with('{'); }

bool matches(const std::vector<std::string_view>& pattern, const std::vector<std::string_view>& path) {
  return std::equal(pattern.begin(), pattern.end(), path.begin(), path.end(),
                    [](auto p, auto s) { return p == s || (is_placeholder(p) && !s.empty()); });
}

std::map<std::string, std::string> parameters(std::string_view pattern, std::string_view path) {
  std::map<std::string, std::string> values;
  const auto names = segments(pattern);
  const auto parts = segments(path);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (is_placeholder(names[i])) values.emplace(names[i].substr(1, names[i].size() - 2), percent_decode(parts[i]));
  return values;
}

call to_call(const restinio::request_t& request) {
  call c;
  const std::string_view target = request.header().request_target();
  const auto path_end = std::min(target.find('?'), target.size());
  c.method = request.header().method().c_str();
  c.path = target.substr(0, path_end);
  c.query = parse_form(target.substr(std::min(path_end + 1, target.size())));
  request.header().for_each_field([&](const auto& field) { c.headers[lower_case(field.name())] = field.value(); });
  c.body = request.body();
  return c;
}

bool is_loopback_name(std::string_view host) {
  const auto end = host.starts_with('[') ? host.find(']') + 1 : std::min(host.find(':'), host.size());
  const auto rest = host.substr(end);
  const auto name = lower_case(host.substr(0, end));
  return (name == "localhost" || name == "127.0.0.1" || name == "[::1]") &&
         (rest.empty() || (rest.front() == ':' && parse_integer(rest.substr(1))));
}

/// A page from elsewhere must not reach the sandbox through a browser here: not by a name that it had resolved to
/// loopback (`Host`), and not by a form that it submits (`Origin`).
void refuse_strangers(const call& c) {
  if (!is_loopback_name(c.header("host"))) refuse(421, "the sandbox answers only to localhost, 127.0.0.1 and [::1]");
  const auto origin = c.header("origin");
  if (!origin.empty() && !(origin.starts_with("http://") && is_loopback_name(origin.substr(7))))
    refuse(403, "a page from elsewhere may not use the sandbox");
}

void send(restinio::request_t& request, const answer& a) {
  auto response = request.create_response(
      restinio::http_status_line_t{restinio::http_status_code_t{static_cast<std::uint16_t>(a.status)}, std::string()});
  for (const auto& [name, value] : a.headers) response.append_header(name, value);
  response.append_header(restinio::http_field::cache_control, "no-store");
  if (!a.body.empty()) response.append_header(restinio::http_field::content_type, a.content_type);
  response.set_body(a.body);
  response.done();
}

/// Closes the connection of a request without an answer. RESTinio has no call for that, but it lets a WebSocket take
/// the socket away, and so do we.
void hang_up(restinio::request_t& request) {
  const auto connection = std::move(restinio::impl::access_req_connection(request));
  auto socket = dynamic_cast<restinio::impl::connection_t<traits>&>(*connection).move_upgrade_internals();
  asio::error_code ignored;
  socket.m_socket.close(ignored);
}

void finish(restinio::request_t& request, const answer& a) {
  if (a.silent) hang_up(request);
  else send(request, a);
}

/// A request on its way through the sandbox.
struct exchange {
  restinio::request_handle_t request;
  call asked;
  /// None when nothing is there.
  const route* row = nullptr;
  /// The fake whose API is called; none for all other paths.
  fake* of = nullptr;
  bool answered = false;
};

using exchange_ptr = std::shared_ptr<exchange>;

/// What `Allow` tells about a path that is there with other methods.
std::string allowed_methods(const routes& table, std::string_view path) {
  std::string allowed;
  for (const auto& row : table.rows)
    if (matches(segments(row.pattern), segments(path))) allowed += (allowed.empty() ? "" : ", ") + row.method;
  return allowed;
}

} // namespace

class server::listener {
public:
  listener(world& w, const std::vector<std::unique_ptr<fake>>& fakes, const routes& table)
      : world_(w), fakes_(fakes), table_(table), server_(restinio::external_io_context(w.context), settings()) {
    server_.open_sync();
  }

private:
  restinio::server_settings_t<traits> settings() {
    return restinio::server_settings_t<traits>{}
        .address(world_.given.address)
        .port(world_.given.port)
        .handle_request_timeout(longest_answer)
        .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                      .max_url_size(largest_url)
                                      .max_field_name_size(largest_header)
                                      .max_field_value_size(largest_header)
                                      .max_field_count(most_headers)
                                      .max_body_size(largest_body))
        .acceptor_post_bind_hook(
            [this](asio::ip::tcp::acceptor& acceptor) { world_.port = acceptor.local_endpoint().port(); })
        .request_handler([this](restinio::request_handle_t request) {
          start(std::move(request));
          return restinio::request_accepted();
        });
  }

  void start(restinio::request_handle_t request) {
    auto x = std::make_shared<exchange>();
    x->asked = to_call(*request);
    x->request = std::move(request);
    x->row = find_row(x->asked);
    x->of = x->row ? x->row->of : find_fake(x->asked.path);
    const auto latency = x->of ? world_.faulty[x->of->name()].latency_ms : 0;
    if (latency == 0) execute(x);
    else world_.later(std::chrono::milliseconds(latency), [this, x] { execute(x); });
  }

  const route* find_row(const call& c) const {
    const auto path = segments(c.path);
    const auto found = std::find_if(table_.rows.begin(), table_.rows.end(), [&](const route& row) {
      return row.method == c.method && matches(segments(row.pattern), path);
    });
    return found == table_.rows.end() ? nullptr : &*found;
  }

  fake* find_fake(std::string_view path) const {
    for (const auto& f : fakes_)
      if (path.starts_with(f->root() + "/")) return f.get();
    return nullptr;
  }

  void execute(const exchange_ptr& x) {
    try {
      dispatch(x);
    } catch (const refusal& refused) {
      conclude(x, refused.with);
    } catch (const json::parse_error&) {
      conclude(x, malformed(*x));
    } catch (const json::out_of_range&) { // a number that no type holds
      conclude(x, malformed(*x));
    } catch (const std::exception& error) {
      conclude(x, reply({{"detail", error.what()}}, 500));
    }
  }

  void dispatch(const exchange_ptr& x) {
    auto& c = x->asked;
    refuse_strangers(c);
    if (x->row) c.parameters = parameters(x->row->pattern, c.path);
    if (x->of) {
      if (happens(world_.faulty[x->of->name()].error_rate)) refuse(503, "a fault that the sandbox was asked for");
      c.path.erase(0, x->of->root().size());
      if (!x->row) return conclude(x, x->of->unknown_route(c));
      x->of->guard(c);
    }
    if (!x->row) return conclude(x, unknown(c.path));
    x->row->handle(c, [this, x](const answer& a) { conclude(x, a); });
  }

  static answer malformed(const exchange& x) {
    return x.of ? x.of->malformed(x.asked) : reply({{"detail", "the body is not JSON"}}, 400);
  }

  answer unknown(std::string_view path) const {
    const auto allowed = allowed_methods(table_, path);
    if (allowed.empty()) return reply({{"detail", "there is nothing here; GET /sandbox shows what there is"}}, 404);
    auto a = reply({{"detail", "not with this method"}}, 405);
    a.headers.emplace_back("Allow", allowed);
    return a;
  }

  void conclude(const exchange_ptr& x, answer a) {
    if (std::exchange(x->answered, true)) return;
    if (x->of) a.silent = a.silent || happens(world_.faulty[x->of->name()].lose_answer_rate);
    finish(*x->request, a);
  }

  world& world_;
  const std::vector<std::unique_ptr<fake>>& fakes_;
  const routes& table_;
  restinio::http_server_t<traits> server_;
};

server::server(world& w, const std::vector<std::unique_ptr<fake>>& fakes, const routes& table)
    : listener_(std::make_unique<listener>(w, fakes, table)) {}

server::~server() = default;

} // namespace backstay::sandbox
