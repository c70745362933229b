#pragma once

#include "actors/kernel/database.hpp"
#include "actors/kernel/vitals.hpp"
#include "actors/outbox/messages.hpp"
#include "http/kernel/router.hpp"
#include "http/kernel/services.hpp"

#include <functional>
#include <string>

/// What operators and machines ask: health, metrics, the API's description.
namespace backstay::http::system {

/// Whom to ask how the process is.
struct sources {
  services& context;
  const vitals_board& board;
  database_actor database;
  outbox::outbox_actor outbox;
};

/// `/health`, `/health/live`, `/health/ready`, `/metrics`. Components and metrics are for operators, for whoever shows
/// `metrics.token`, and for loopback in development (contract's ruling 19).
void add_health(router& to, const sources& from);

/// `/openapi.json`, `/docs` and its files. Last of all: the document describes what `to` has by then.
void add_documentation(router& to, const std::vector<std::string>& sockets, const std::string& server_url);

/// The sandbox's way in: `/control/crash/{domain}` and `/control/clock`, for whoever shows the token. Served on a
/// loopback port of its own, which exists only with `--sandbox`.
struct control_sources {
  std::string token;
  std::map<std::string, caf::actor, std::less<>> guardians;
  clock_handle clock;
};
void add_control(router& to, const control_sources& from);

} // namespace backstay::http::system
