#pragma once

#include "http/kernel/pipeline.hpp"
#include "http/kernel/services.hpp"
#include "http/kernel/shape.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "caf/test/dsl.hpp"

/// What the tests of this room share. Include it last: it brings CAF's test macros.
namespace backstay::http::test {

/// A request as a client sends it.
struct sent {
  std::string method = "GET", target = "/", body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string peer = "198.51.100.1";

  /// Valid as long as this object.
  request view() const {
    std::string_view all = target;
    auto path = all.substr(0, all.find('?'));
    request in{.method = method, .target = all, .path = path, .body = body, .peer = peer};
    if (path.size() < all.size()) in.query = all.substr(path.size() + 1);
    for (auto& [name, value] : headers) in.headers.emplace_back(name, value);
    return in;
  }
};

/// What a client got; `times` must never be above 1. All by value: CAF's checks look at what they compare after the
/// temporaries of its expression are gone.
struct received {
  response got{.status = 0};
  int times = 0;

  int status() const { return got.status; }
  std::string text() const { return got.body; }
  json body() const { return json::parse(got.body, nullptr, false); }
  /// A member of the body; null when there is none.
  json field(const char* name) const {
    auto all = body();
    return all.is_object() ? all.value(name, json{}) : json{};
  }
  std::string code() const {
    auto error = field("error");
    return error.is_object() ? error.value("code", "") : "";
  }
  std::string header(std::string_view name) const {
    for (auto& [key, value] : got.headers)
      if (equal_ignoring_case(key, name)) return value;
    return {};
  }
};
using received_ptr = std::shared_ptr<received>;

/// The errors of a body, each as "place: type", in their order.
inline std::vector<std::string> list_problems(const std::vector<problem>& problems) {
  std::vector<std::string> list;
  for (auto& each : problems) {
    std::string place;
    for (auto& step : each.location) place += (place.empty() ? "" : ".") + step;
    list.push_back(place + ": " + each.type);
  }
  return list;
}

/// The fault that `f` throws; `ec::none` when it throws none.
template <class F>
fault fault_of(F f) {
  try {
    f();
  } catch (const fault_error& error) {
    return error.what_failed;
  }
  return {.code = ec::none};
}

/// Everything between a request and a domain, with sessions and idempotency that do as the test says, on CAF's
/// deterministic scheduler. Change `settings` before the first use of `context()`.
struct house : test_coordinator_fixture<> {
  house() {
    settings.security.keys = {secret{"a key of thirty-two bytes, or so"}};
    gateway_actor = sys.spawn(behave_as_gateway, std::chrono::milliseconds{5000});
    consume_messages();
  }
  /// The gateway's sweep never ends by itself, and the base waits until all is quiet.
  ~house() {
    self->send_exit(gateway_actor, caf::exit_reason::kill);
    consume_messages();
  }

  services& context() {
    if (!context_)
      context_.reset(new services{settings, io, clock, gateway{gateway_actor}, spawn_sessions(), spawn_idempotency()});
    return *context_;
  }

  /// An exchange that nobody has looked at yet.
  exchange_ptr open(sent what, received_ptr into) {
    auto kept = std::make_shared<sent>(std::move(what));
    ++context().open_exchanges;
    return exchange_ptr{new exchange{context(), kept->view(), [kept, into](response out) {
                                       into->got = std::move(out);
                                       ++into->times;
                                     }}};
  }
  /// Takes a request through the pipeline until nothing moves any more.
  received_ptr send(sent what) {
    if (!watched_) context().observe.watch(routes), watched_ = true;
    auto into = std::make_shared<received>();
    {
      auto x = open(std::move(what), into);
      identify(x);
      handle_request(routes, x);
    }
    drive();
    return into;
  }
  /// Runs actors and the HTTP thread until both are idle.
  void drive() {
    do {
      consume_messages();
      io.restart();
    } while (io.poll() > 0);
  }
  void pass(caf::timespan time) {
    advance_time(time);
    drive();
  }

  /// A living session of a new account with that role, as the sessions domain knows it.
  sessions::session_view make_session(role who = role::viewer) {
    sessions::session_view made;
    made.session = session_id::random();
    made.account.id = account_id::random();
    made.account.login = "ann";
    made.account.role = who;
    made.token_id = "token-1";
    made.last_seen_at = clock->now();
    made.expires_at = clock->now() + std::chrono::hours{24};
    known_sessions[made.session] = made;
    return made;
  }
  std::string token_of(const sessions::session_view& whose, std::chrono::seconds lifetime = std::chrono::minutes{15}) {
    auto now = clock->now();
    return context().tokens.sign({whose.account.id, whose.session, whose.account.role, whose.token_id, std::nullopt,
                                  now - std::chrono::seconds{1}, now + lifetime});
  }
  std::pair<std::string, std::string> bearer_of(const sessions::session_view& whose) {
    return {"Authorization", "Bearer " + token_of(whose)};
  }

  config::settings settings;
  asio::io_context io;
  clock_handle clock = std::make_shared<domain_clock>();
  router routes;

  std::map<session_id, sessions::session_view> known_sessions;
  std::optional<ec> sessions_fail_with;
  int session_loads = 0;
  std::vector<std::string> confirmed_tokens;
  std::vector<session_id> seen;

  std::function<caf::result<idempotency::claimed>(const idempotency::claim_key&)> on_claim =
      [](const idempotency::claim_key&) {
        return idempotency::claimed{claim_id::random(), {}};
      };
  std::vector<idempotency::claim_key> claims;
  std::vector<idempotency::stored_answer> kept_answers;
  std::vector<claim_id> released;
  bool keeping_fails = false;

  caf::actor gateway_actor;

private:
  /// Plays what the HTTP thread itself asks for; whatever else is an error to it.
  sessions::sessions_actor spawn_sessions() {
    auto play = sys.spawn([this]() -> caf::behavior {
      return {
          [this](const sessions::get_session& m) -> caf::result<sessions::session_view> {
            ++session_loads;
            if (sessions_fail_with) return to_error({.code = *sessions_fail_with});
            auto found = known_sessions.find(m.session);
            if (found == known_sessions.end()) return to_error({.code = ec::unauthenticated});
            return found->second;
          },
          [this](const sessions::confirm_token& m) {
            confirmed_tokens.push_back(m.token_id);
            return done{};
          },
          [this](const sessions::note_seen& m) {
            seen.push_back(m.session);
            return done{};
          },
      };
    });
    return caf::actor_cast<sessions::sessions_actor>(play);
  }
  idempotency::idempotency_actor spawn_idempotency() {
    return sys.spawn([this]() -> idempotency::idempotency_actor::behavior_type {
      return {
          [this](const idempotency::claim_key& m) {
            claims.push_back(m);
            return on_claim(m);
          },
          [this](const idempotency::keep_answer& m) -> caf::result<done> {
            kept_answers.push_back(m.answer);
            if (keeping_fails) return to_error({.code = ec::unavailable});
            return done{};
          },
          [this](const idempotency::release_key& m) {
            released.push_back(m.claim);
            return done{};
          },
      };
    });
  }

  std::unique_ptr<services> context_;
  bool watched_ = false;
};

} // namespace backstay::http::test
