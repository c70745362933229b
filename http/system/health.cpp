#include "http/system/system.hpp"

#include "actors/kernel/crypto.hpp"

#include <nlohmann/json.hpp>
#include <prometheus/text_serializer.h>

#include <fstream>
#include <map>
#include <unistd.h>

namespace backstay::http::system {

namespace {

using nlohmann::json;

/// A route of ours that is no API of a family: it writes its answer itself. `fails` are the statuses of its own, with
/// their meaning.
route page(std::string path, std::string summary, std::map<std::string, std::string> fails,
           std::function<void(const exchange_ptr&)> handle) {
  route made{.method = "GET",
             .paths = {std::move(path)},
             .needs = allow::anyone_better_signed_in,
             .bucket = bucket::none,
             .tag = "System",
             .summary = std::move(summary),
             .handle = std::move(handle)};
  made.describe = [made, fails = std::move(fails)] {
    json operation{
        {"operationId", "get" + made.paths.front()},
        {"summary", made.summary},
        {"tags", {made.tag}},
        {"responses", {{"200", {{"description", "Fine"}}}, {"414", {{"description", "The URL is over 8 kB"}}}}},
        {"security", json::array()}};
    for (auto& [status, meaning] : fails) operation["responses"][status] = {{"description", meaning}};
    for (char& c : operation["operationId"].get_ref<std::string&>())
      if (c == '/' || c == '.') c = '_';
    return operation;
  };
  return made;
}

bool shows_metrics_token(const exchange& x) {
  auto& token = x.context().settings.metrics.token;
  auto header = x.in().header("Authorization");
  return !token.empty() && header.starts_with("Bearer ") && crypto::equal(header.substr(7), token.reveal());
}

bool may_look_inside(const exchange& x) {
  if (x.session && may(x.session->account.role, permission::monitoring_read)) return true;
  auto& settings = x.context().settings;
  return shows_metrics_token(x) || (settings.in_development() && is_loopback(x.address));
}

const char* condition_of(const vitals& pulse) {
  if (pulse.degraded) return "degraded";
  return pulse.up ? "up" : "restarting";
}

std::string overall(const sources& from) {
  if (from.context.is_stopping) return "stopping";
  bool is_degraded = false;
  for (auto& pulse : from.board.all()) {
    if (!pulse->up && pulse->critical) return "unhealthy";
    is_degraded |= !pulse->up || pulse->degraded;
  }
  return is_degraded ? "degraded" : "healthy";
}

json components_of(const sources& from) {
  json components = json::array();
  for (auto& pulse : from.board.all())
    components.push_back({{"name", pulse->name},
                          {"critical", pulse->critical},
                          {"condition", condition_of(*pulse)},
                          {"mailbox", pulse->mailbox()},
                          {"handled", pulse->handled.load()},
                          {"restarts", pulse->restarts.load()},
                          {"last_cause", pulse->last_cause()}});
  return components;
}

void answer_health(const sources& from, exchange& x) {
  auto status = overall(from);
  json body{{"status", status}, {"ok", status == "healthy"}};
  if (may_look_inside(x)) {
    body["version"] = BACKSTAY_VERSION;
    body["components"] = components_of(from);
  }
  x.answer({.status = status == "unhealthy" || status == "stopping" ? 503 : 200, .body = body.dump()});
}

/// Ready: a transaction can be begun and ended.
void answer_ready(const sources& from, const exchange_ptr& x) {
  if (from.context.is_stopping) return x->fail({.code = ec::unavailable, .name = "STOPPING"});
  database_job probe{[](transaction&) { return std::any{}; }, false};
  from.context.entry.ask(x, from.database, std::move(probe), [](exchange& ready, const database_outcome&) {
    ready.answer({.body = R"({"status":"ready"})"});
  });
}

// ---- metrics ---------------------------------------------------------------------------------------------------

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily gauge(std::string name, std::string help, MetricType type = MetricType::Gauge) {
  MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

void add(MetricFamily& to, double value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (to.type == MetricType::Counter) metric.counter.value = value;
  else metric.gauge.value = value;
  to.metric.push_back(std::move(metric));
}

double resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::vector<MetricFamily> collect(const sources& from, const outbox::backlog_view* backlog) {
  auto families = from.context.observe.registry().Collect();
  auto mailbox = gauge("backstay_actor_mailbox", "Messages that wait, by actor");
  auto handled = gauge("backstay_actor_handled_total", "Messages handled, by actor", MetricType::Counter);
  auto restarts = gauge("backstay_actor_restarts_total", "Restarts by a guardian, by actor", MetricType::Counter);
  auto up = gauge("backstay_actor_up", "1 while the actor lives, by actor");
  auto queued = gauge("backstay_pool_queued", "Jobs that wait for a worker, by pool");
  auto busy = gauge("backstay_pool_busy", "Jobs that a worker has in hand, by pool");
  for (auto& pulse : from.board.all()) {
    std::vector<prometheus::ClientMetric::Label> label{{"actor", pulse->name}};
    add(mailbox, static_cast<double>(pulse->mailbox()), label);
    add(handled, static_cast<double>(pulse->handled.load()), label);
    add(restarts, pulse->restarts.load(), label);
    add(up, pulse->up ? 1 : 0, label);
    if (!pulse->is_pool) continue;
    add(queued, static_cast<double>(pulse->queued.load()), label);
    add(busy, static_cast<double>(pulse->busy.load()), label);
  }
  for (auto* family : {&mailbox, &handled, &restarts, &up, &queued, &busy}) families.push_back(std::move(*family));
  auto open = gauge("backstay_http_open_exchanges", "Requests without an answer yet");
  add(open, static_cast<double>(from.context.open_exchanges.load()));
  auto memory = gauge("process_resident_memory_bytes", "Resident memory of the server process");
  add(memory, resident_bytes());
  families.insert(families.end(), {std::move(open), std::move(memory)});
  if (!backlog) return families;
  auto waiting = gauge("backstay_outbox_waiting", "Effects that wait in the outbox");
  add(waiting, static_cast<double>(backlog->waiting));
  auto dead = gauge("backstay_outbox_dead", "Effects that were given up");
  add(dead, static_cast<double>(backlog->dead));
  auto lag = gauge("backstay_outbox_lag_seconds", "How long the oldest due effect has been due");
  add(lag, static_cast<double>(backlog->lag.count()));
  families.insert(families.end(), {std::move(waiting), std::move(dead), std::move(lag)});
  return families;
}

void answer_metrics(const sources& from, const exchange_ptr& x) {
  if (!may_look_inside(*x)) return x->fail({.code = x->session ? ec::forbidden : ec::unauthenticated});
  auto write = [from, x](const outbox::backlog_view* backlog) {
    x->answer({.content_type = "text/plain; version=0.0.4; charset=utf-8",
               .body = prometheus::TextSerializer{}.Serialize(collect(from, backlog))});
  };
  from.context.entry.ask_aside(
      from.outbox, outbox::get_backlog{}, [write](outbox::backlog_view& backlog) { write(&backlog); },
      [write](const fault&) { write(nullptr); }); // without the database, the rest is still worth seeing
}

} // namespace

void add_health(router& to, const sources& from) {
  to.add(page("/health", "Is the service well? Operators see its parts", {{"503", "A critical part is not up"}},
              [from](const exchange_ptr& x) { answer_health(from, *x); }));
  to.add(page("/health/live", "Does the process answer?", {},
              [](const exchange_ptr& x) { x->answer({.body = R"({"status":"ok"})"}); }));
  to.add(page("/health/ready", "Can it serve requests?", {{"503", "Not now"}, {"504", "The database is silent"}},
              [from](const exchange_ptr& x) { answer_ready(from, x); }));
  to.add(page("/metrics", "Prometheus metrics",
              {{"401", "Neither an operator nor metrics.token"}, {"403", "The role lacks a permission"}},
              [from](const exchange_ptr& x) { answer_metrics(from, x); }));
}

} // namespace backstay::http::system
