#include "http/kernel/pipeline.hpp"

#include "actors/kernel/crypto.hpp"
#include "config/log.hpp"
#include "http/kernel/services.hpp"
#include "http/policy/authentication.hpp"
#include "http/policy/idempotency.hpp"

#include <algorithm>
#include <cctype>

namespace backstay::http {

namespace {

constexpr std::size_t longest_target = 8192, most_headers = 100;

/// Echoes a sane X-Request-ID, or makes one: random per process, counted per request.
std::string request_id_of(const request& in) {
  auto sent = in.header("X-Request-ID");
  auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (!sent.empty() && sent.size() <= 128 && std::all_of(sent.begin(), sent.end(), is_plain)) return std::string{sent};
  static const std::string process = crypto::to_hex(crypto::random_bytes(6));
  static std::uint64_t count = 0;
  return process + "-" + std::to_string(++count);
}

/// The limits of RESTinio lie above these: it would close the connection without an answer.
bool is_within_limits(const exchange_ptr& x) {
  auto& in = x->in();
  auto refuse = [&](int status, const char* code, const char* text) {
    x->answer(render_refusal(status, code, text, x->request_id));
    return false;
  };
  if (in.target.size() > longest_target) return refuse(414, "URL_TOO_LONG", "The URL is too long.");
  if (in.headers.size() > most_headers) return refuse(431, "TOO_MANY_HEADERS", "There are too many headers.");
  return true;
}

bool passes_gate(const exchange_ptr& x) {
  auto& context = x->context();
  if (context.is_stopping) {
    x->fail({.code = ec::unavailable, .name = "STOPPING"});
    return false;
  }
  if (context.open_exchanges.load(std::memory_order_relaxed) <= context.settings.gate.open_exchanges) return true;
  x->fail({.code = ec::overloaded});
  return false;
}

bool is_charged(const exchange_ptr& x) {
  auto& context = x->context();
  auto which = x->route->bucket;
  if (which == bucket::none) return true;
  std::string who;
  bool by_address = !x->session || which == bucket::login || which == bucket::mail;
  if (by_address) {
    if (context.settings.in_development() && is_loopback(x->address)) return true;
    who = limited_address(x->address);
  } else {
    who = to_string(x->session->account.id);
  }
  auto wait = context.limits.charge(which, who);
  if (wait.count() == 0) return true;
  x->fail({.code = ec::too_many, .retry_after = wait});
  return false;
}

void run_endpoint(const exchange_ptr& x) {
  if (!is_charged(x)) return;
  try {
    x->route->handle(x);
  } catch (const fault_error& error) {
    x->fail(error.what_failed);
  } catch (const std::exception& error) {
    log::error("http", "an endpoint threw", {{"request_id", x->request_id}, {"cause", error.what()}});
    x->fail({.code = ec::internal});
  }
}

void refuse_unmatched(const exchange_ptr& x, const std::string& allowed) {
  if (allowed.empty())
    return x->fail({.code = ec::not_found, .message = "There is nothing here.", .name = "ROUTE_NOT_FOUND"});
  if (auto preflight = x->context().cors.answer_preflight(x->in(), allowed)) return x->answer(std::move(*preflight));
  auto refusal = render_refusal(405, "METHOD_NOT_ALLOWED", "This method is not allowed here.", x->request_id);
  refusal.headers.emplace_back("Allow", allowed);
  x->answer(std::move(refusal));
}

} // namespace

void identify(const exchange_ptr& x) {
  x->request_id = request_id_of(x->in());
  x->address = x->context().addresses.find(x->in());
}

void handle_request(const router& routes, const exchange_ptr& x) {
  if (!is_within_limits(x)) return;
  auto found = routes.find(x->in().method, x->in().path);
  if (!found.route) return refuse_unmatched(x, found.allowed);
  x->route = found.route;
  x->placeholders = std::move(found.placeholders);
  if (x->in().body.size() > x->route->body_limit) return x->fail({.code = ec::too_large});
  if (x->route->family && !passes_gate(x)) return; // health and metrics have no family: they answer even then
  authenticate(x, [x] { claim_idempotency_key(x, [x] { run_endpoint(x); }); });
}

} // namespace backstay::http
