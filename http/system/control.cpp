#include "http/system/system.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/guardian.hpp"
#include "config/log.hpp"
#include "http/kernel/body.hpp"

namespace backstay::http::system {

namespace {

bool shows_token(const exchange& x, const std::string& token) {
  auto header = x.in().header("Authorization");
  return header.starts_with("Bearer ") && crypto::equal(header.substr(7), token);
}

route guarded(std::string path, std::string token, std::function<void(exchange&)> handle) {
  return {.method = "POST",
          .paths = {std::move(path)},
          .bucket = bucket::none,
          .tag = "Control",
          .handle = [token = std::move(token), handle = std::move(handle)](const exchange_ptr& x) {
            if (!shows_token(*x, token)) return x->fail({.code = ec::unauthenticated});
            handle(*x);
          }};
}

drill drill_of(const exchange& x) {
  auto query = read_form(x.in().query);
  auto how = query.find("how");
  if (how == query.end() || how->second == "exit") return drill::exit;
  if (how->second == "fault") return drill::fault;
  if (how->second == "stall") return drill::stall;
  fail(ec::malformed, "`how` should be exit, fault or stall.");
}

void crash_domain(exchange& x, const control_sources& from) {
  auto entry = from.guardians.find(x.placeholders.at(0));
  if (entry == from.guardians.end()) {
    std::string names;
    for (auto& [name, ignored] : from.guardians) names += (names.empty() ? "" : ", ") + name;
    fail(ec::not_found, "There is no such actor; there are: " + names + ".");
  }
  caf::anon_send(entry->second, crash{drill_of(x)});
  x.answer({.body = R"({"ok":true})"});
}

void set_clock(exchange& x, domain_clock& clock) {
  auto body = read_body(x.in()).object;
  auto offset = body.find("offset_seconds");
  if (offset == body.end() || !offset->is_number_integer())
    fail(ec::malformed, "`offset_seconds` should be an integer.");
  clock.set_offset(std::chrono::seconds{offset->get<std::int64_t>()});
  log::warning("control", "the domain clock was moved", {{"offset_seconds", offset->dump()}});
  x.answer({.body = R"({"ok":true})"});
}

} // namespace

void add_control(router& to, const control_sources& from) {
  to.add(guarded("/control/crash/{domain}", from.token, [from](exchange& x) { crash_domain(x, from); }));
  to.add(guarded("/control/clock", from.token, [clock = from.clock](exchange& x) { set_clock(x, *clock); }));
}

} // namespace backstay::http::system
