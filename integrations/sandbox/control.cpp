#include "integrations/sandbox/control.hpp"

#include "integrations/sandbox/page.hpp"

#include <algorithm>
#include <fstream>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

/// A century: what any rule about time can be tried with, and far from the ends of the clock's range.
constexpr std::int64_t largest_offset_seconds = 100LL * 365 * 24 * 3600;

json parse_object(const call& c) {
  auto body = json::parse(c.body);
  if (!body.is_object()) refuse(400, "the body must be a JSON object");
  return body;
}

double read_rate(const json& value, const std::string& name) {
  if (!value.is_number() || value < 0 || value > 1) refuse(400, name + " must be a number from 0 to 1");
  return value.get<double>();
}

int read_latency(const json& value) {
  if (!value.is_number_integer() || value < 0 || value > 60'000)
    refuse(400, "latency_ms must be a whole number from 0 to 60000");
  return value.get<int>();
}

webhook_mode read_mode(const json& value) {
  for (const auto mode : {webhook_mode::deliver, webhook_mode::drop, webhook_mode::duplicate, webhook_mode::reorder})
    if (json(mode) == value) return mode;
  refuse(400, "webhooks must be deliver, drop, duplicate or reorder");
}

answer set_faults(world& w, const call& c) {
  const auto body = parse_object(c);
  const auto system = body.find("system");
  if (system == body.end() || !system->is_string() || !w.faulty.contains(system->get<std::string>()))
    refuse(400, "system must be one of those that GET /sandbox/faults shows");
  auto changed = w.faulty[system->get<std::string>()];
  for (const auto& [name, value] : body.items()) {
    if (name == "latency_ms") changed.latency_ms = read_latency(value);
    else if (name == "error_rate") changed.error_rate = read_rate(value, name);
    else if (name == "lose_answer_rate") changed.lose_answer_rate = read_rate(value, name);
    else if (name == "webhooks") changed.webhooks = read_mode(value);
    else if (name != "system") refuse(400, "unknown: " + name);
  }
  w.faulty[system->get<std::string>()] = changed;
  w.changed();
  return reply(changed);
}

answer reset_faults(world& w) {
  for (auto& [system, entry] : w.faulty) entry = {};
  w.changed();
  return reply(w.faulty);
}

json describe_clock(const world& w) { return {{"now", format_time(w.now())}, {"offset_seconds", w.offset.count()}}; }

std::chrono::seconds read_offset(const world& w, const json& body) {
  if (body.size() != 1) refuse(400, "give one of now, offset_seconds and advance_seconds");
  const auto& name = body.begin().key();
  const auto& value = body.begin().value();
  if (name == "now") {
    const auto wanted = value.is_string() ? parse_time(value.get<std::string>()) : std::nullopt;
    if (!wanted) refuse(400, "now must be a date and time of RFC 3339");
    return std::chrono::round<std::chrono::seconds>(*wanted - w.now()) + w.offset;
  }
  if (name != "offset_seconds" && name != "advance_seconds") refuse(400, "unknown: " + name);
  if (!value.is_number_integer() || value < -largest_offset_seconds || value > largest_offset_seconds)
    refuse(400, name + " must be a whole number, at most a hundred years");
  const std::chrono::seconds amount(value.get<std::int64_t>());
  return name == "offset_seconds" ? amount : w.offset + amount;
}

/// Where the server's control port is, as the server itself wrote it; none when there is no server.
struct control_port {
  std::string url;
  std::string token;
};

std::optional<control_port> find_control_port(const world& w) {
  std::ifstream file(w.given.control_file);
  const auto content = json::parse(file, nullptr, false);
  if (!content.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto found = content.find(name);
    return found != content.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  control_port port{text("url"), text("token")};
  if (!port.url.starts_with("http://127.0.0.1:") && !port.url.starts_with("http://[::1]:")) return std::nullopt;
  return port;
}

/// Calls the server's control port and passes its answer on; 502 when no server is there.
void call_server(world& w, const std::string& path, const json& body, const respond& then) {
  const auto no_server = [](const std::string& why) {
    return reply({{"detail", "the server's control port is not there: " + why}}, 502);
  };
  const auto port = find_control_port(w);
  if (!port) return then(no_server("no server has written a control file"));
  integrations::http_request request{"POST", port->url + path, {}, body.is_null() ? "" : dump(body)};
  request.headers = {{"Authorization", "Bearer " + port->token}, {"Content-Type", "application/json"}};
  w.request(std::move(request), [then, no_server](const integrations::http_result& result) {
    if (result.failure != integrations::transport_failure::none) return then(no_server(result.reason));
    then({result.response.status, result.response.body, {}});
  });
}

void set_clock(world& w, const call& c, const std::function<void()>& clock_moved, const respond& then) {
  const auto offset = read_offset(w, parse_object(c));
  if (std::abs(offset.count()) > largest_offset_seconds) refuse(400, "that is over a hundred years from now");
  w.offset = offset;
  w.changed();
  clock_moved();
  call_server(w, "/control/clock", {{"offset_seconds", offset.count()}}, [&w, then](const answer& server) {
    auto clock = describe_clock(w);
    clock["server_told"] = server.status / 100 == 2;
    then(reply(clock));
  });
}

bool is_name(std::string_view text) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  return !text.empty() && text.size() <= 64 && text.find_first_not_of(allowed) == std::string_view::npos;
}

void crash(world& w, const call& c, const respond& then) {
  const auto& domain = c.parameters.at("domain");
  if (!is_name(domain)) refuse(400, "a domain is lower-case letters, digits, _ and -");
  auto path = "/control/crash/" + domain;
  if (const auto how = c.query.find("how"); how != c.query.end()) {
    if (!is_name(how->second)) refuse(400, "how is lower-case letters, digits, _ and -");
    path += "?how=" + how->second;
  }
  call_server(w, path, nullptr, then);
}

} // namespace

void declare_control(world& w, routes& table, std::function<void()> clock_moved) {
  table.open("GET", "/sandbox", [&table](const call&) { return reply_html(render_page(table)); });
  table.open("GET", "/sandbox/health", [&w](const call&) {
    return reply({{"status", "ok"}, {"version", BACKSTAY_VERSION}, {"now", format_time(w.now())}});
  });
  table.control("GET", "/sandbox/clock", "What time is it here?", {},
                [&w](const call&) { return reply(describe_clock(w)); });
  table.control("POST", "/sandbox/clock", "Move the clock, here and in the server: give one of these",
                {{"now", "2027-01-31T09:00:00Z"}, {"advance_seconds", "86400"}, {"offset_seconds", "0"}},
                [&w, clock_moved](const call& c, const respond& then) { set_clock(w, c, clock_moved, then); });
  table.control("POST", "/sandbox/crash/{domain}", "Crash one of the server's actors",
                {{"domain", "payments"}, {"?how", ""}},
                [&w](const call& c, const respond& then) { crash(w, c, then); });
  table.control("GET", "/sandbox/faults", "Which faults are on?", {}, [&w](const call&) { return reply(w.faulty); });
  table.control("POST", "/sandbox/faults", "Make a system misbehave",
                {{"system", "cryptobot"},
                 {"latency_ms", "0"},
                 {"error_rate", "0"},
                 {"lose_answer_rate", "0"},
                 {"webhooks", "deliver, drop, duplicate, reorder"}},
                [&w](const call& c) { return set_faults(w, c); });
  table.control("DELETE", "/sandbox/faults", "End all faults", {}, [&w](const call&) { return reset_faults(w); });
}

} // namespace backstay::sandbox
