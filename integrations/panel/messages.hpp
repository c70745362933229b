#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The VPN panel (Remnawave 2.x and 3.x): its users, nodes and subscription templates, in our words.
///
/// Errors of all: `unavailable` (certainly not executed), `timeout` (perhaps executed), `upstream`; `not_found`.
namespace backstay::panel {

template <class T>
void admitted(const T&);

enum class user_status : std::uint8_t { active, disabled, limited, expired };

/// When the panel sets a user's traffic back to nothing by itself: at midnight UTC, on Mondays, on the first of the
/// month, on the day of the month that the user was created on.
enum class traffic_reset : std::uint8_t { never, daily, weekly, monthly, rolling };

struct user {
  std::int64_t id = 0;
  std::string short_uuid;
  std::string username;
  user_status status = user_status::active;
  std::int64_t traffic_limit_bytes = 0; ///< 0: unlimited
  std::int64_t used_traffic_bytes = 0;
  std::optional<int> device_limit;
  timestamp expires_at;
  bool is_revoked = false;
  std::string subscription_url;
  std::string key = {}; ///< what paths name it by: the number in 3.x, a UUID in 2.x
  std::optional<std::string> email = {};
  panel::traffic_reset reset = traffic_reset::never;
  timestamp traffic_since = {}; ///< since when the used traffic is counted
  std::optional<timestamp> online_at = {};
  std::vector<std::string> squads = {}; ///< ids, in no order
  bool operator==(const user&) const = default;
};

/// Creates the user, or, when one of that name exists, makes it as described, and writes nothing where it is so
/// already: gives it every squad, and disables it where the panel would let it run past `expires_at`. Keys stay as they
/// are. Idempotent. Takes up to seven calls of 3 s.
struct put_user {
  using reply = user;
  std::string username; ///< 3–36 of [a-zA-Z0-9_-]
  std::optional<std::string> email;
  timestamp expires_at; ///< with the days of grace; the panel knows none
  std::int64_t traffic_limit_bytes = 0;
  std::optional<int> device_limit; ///< none: as the panel's own settings say
  panel::traffic_reset reset = traffic_reset::never;
  /// A period for which the whole limit was sold began then: traffic used before is forgotten. An answer that was lost
  /// costs nothing, since a reset moves `user::traffic_since`; 5 minutes of difference between the clocks do not count.
  std::optional<timestamp> traffic_since = {};
  /// The panel has been told all this before. Whoever disabled the user since then was its operator, and is heard.
  bool is_repetition = false;
};

struct get_user {
  using reply = user;
  std::string username;
};

struct usage {
  panel::user user;
  int device_count = 0; ///< registered by clients that send a hardware id
  bool operator==(const usage&) const = default;
};

/// A user and how many devices it has. Takes two calls.
struct get_usage {
  using reply = usage;
  std::string username;
};

struct subscription_text {
  std::string text;
};

/// What a VPN client would import.
struct get_subscription_text {
  using reply = subscription_text;
  std::string short_uuid;
};

struct node {
  node_id id;
  std::string name, address, country_code;
  std::optional<int> port;
  bool is_connected = false, is_connecting = false, is_disabled = false;
  std::int64_t traffic_used_bytes = 0;
  int inbound_count = 0;
  int users_online = 0;
  timestamp created_at, updated_at;
  bool operator==(const node&) const = default;
};

struct node_list {
  std::vector<node> items;
};

struct list_nodes {
  using reply = node_list;
};

/// For which clients the panel fills in a template.
enum class template_kind : std::uint8_t { xray_json, mihomo, stash, clash, singbox };

/// What the panel makes subscriptions from. Public to subscribers: each gets it with his own keys filled in.
struct subscription_template {
  std::string id, name;
  template_kind kind = template_kind::xray_json;
  std::string content; ///< JSON or YAML as `kind` says; empty: the panel's own
  bool operator==(const subscription_template&) const = default;
};

struct template_list {
  std::vector<subscription_template> items;
};

/// All of them, with their content. One call more than there are templates.
struct list_templates {
  using reply = template_list;
};

/// Makes a template and gives it its content. Errors: `conflict` when there is one of that name and kind, unless
/// `is_repetition`: then that one is ours, from a try whose answer was lost. Takes up to three calls.
struct create_template {
  using reply = subscription_template;
  std::string name; ///< 2–255 of [A-Za-z0-9_-] and white space, not "Default"
  template_kind kind = template_kind::xray_json;
  std::string content; ///< a JSON object, which is YAML too; empty: what the panel has for new ones
  bool is_repetition = false;
};

/// What a webhook hints at; its content is not trusted, whoever is concerned reads again.
enum class hint : std::uint8_t { other, user_changed, node_changed };

struct webhook_hint {
  panel::hint about = hint::other;
  std::string username; ///< with `user_changed`
  /// With `user_changed`: the user may not be what we told the panel any more. False where only traffic moved on, and
  /// for users that the panel's operator has disabled.
  bool may_differ = false;
  std::string key; ///< the same for every delivery of one event
};

/// Errors: `unauthenticated` for a wrong signature or a time more than 5 min off, `malformed`.
struct read_webhook {
  using reply = webhook_hint;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
};

/// For users' periods, nodes and webhooks.
using panel_actor = caf::typed_actor<answers<put_user>, answers<get_user>, answers<get_subscription_text>,
                                     answers<list_nodes>, answers<read_webhook>>;

/// The same actor, for whoever shows what the panel keeps.
using catalog_actor = caf::typed_actor<answers<get_usage>, answers<list_templates>, answers<create_template>>;

} // namespace backstay::panel

template <>
inline constexpr std::array backstay::names_of<backstay::panel::user_status>{"active", "disabled", "limited",
                                                                             "expired"};
template <>
inline constexpr std::array backstay::names_of<backstay::panel::template_kind>{"xray_json", "mihomo", "stash", "clash",
                                                                               "singbox"};
