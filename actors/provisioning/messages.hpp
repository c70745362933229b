#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/json_object.hpp"
#include "actors/kernel/message.hpp"
#include "integrations/panel/messages.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What the VPN panel keeps beside the subscriptions that we order there: how much was used, what clients'
/// configurations are made from, and what it tells us unasked.
namespace backstay::provisioning {

template <class T>
void admitted(const T&);

/// What a client's configuration is made from. Holds no secrets: each subscriber's keys are filled in by the panel.
struct config_profile {
  std::string id, name;
  panel::template_kind kind = panel::template_kind::xray_json;
  std::string content; ///< JSON or YAML, as `kind` says
  bool is_default = false;
  bool operator==(const config_profile&) const = default;
};

struct profile_list {
  std::vector<config_profile> items;
};

/// The panel's subscription templates, at most 60 s old; older while the panel is away. Its own "config profiles" are
/// its servers' configurations, with their private keys: nobody gets those.
/// Errors: `unavailable`, `timeout`, `upstream` when the panel has not answered since our start.
struct list_profiles {
  using reply = profile_list;
};

struct template_view {
  std::string id; ///< the panel's
  std::string name, type;
  std::optional<std::string> host, inbound_tag, flow;
  std::optional<json_object> config;
  bool operator==(const template_view&) const = default;
};

/// Makes a subscription template at the panel. Errors: `invalid`; `conflict` TEMPLATE_EXISTS; those of the panel.
struct create_template {
  using reply = template_view;
  backstay::caller caller;
  backstay::origin origin;
  std::string name; ///< 2–100 of [A-Za-z0-9_-] and space, not "Default": the panel's own rule
  std::string type; ///< one of `rules::kind_of`
  /// The panel's templates have no such fields: kept by us, as they came.
  std::optional<std::string> host, inbound_tag, flow;
  std::optional<json_object> config; ///< what the template says; none: what the panel has for new ones
  std::optional<claim_id> claim;
};

struct usage_view {
  std::int64_t used_bytes = 0;
  std::int64_t limit_bytes = 0;              ///< 0: unlimited
  std::int64_t devices = 0, max_devices = 0; ///< 0: unlimited
  timestamp period_start, period_end;
  std::optional<timestamp> last_connection_at;
  bool operator==(const usage_view&) const = default;
};

/// What an account has used of what it is entitled to in the current traffic period. From the panel, at most 45 s old;
/// while that is away, zeros stand for what it alone knows.
struct get_usage {
  using reply = usage_view;
  account_id account;
};

/// A call of the panel: a hint. Errors: `unauthenticated`, `malformed`; those of the database, then it comes again.
struct receive_webhook {
  using reply = done;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
};

using provisioning_actor =
    caf::typed_actor<answers<list_profiles>, answers<create_template>, answers<get_usage>, answers<receive_webhook>>;

} // namespace backstay::provisioning
