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

/// The VPN panel (Remnawave 3.x): its users and nodes, in our words.
///
/// Errors of all: `unavailable` (certainly not executed), `timeout` (perhaps executed), `upstream`; `not_found`.
namespace backstay::panel {

template <class T>
void admitted(const T&);

enum class user_status : std::uint8_t { active, disabled, limited, expired };

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
  bool operator==(const user&) const = default;
};

/// Creates the user, or, when one of that name exists, makes it as described: gives it every squad, and
/// disables it where the panel would let it run past `expires_at`. Traffic and keys stay as they are. Idempotent.
/// Takes up to four calls of 3 s.
struct put_user {
  using reply = user;
  std::string username; ///< 3–36 of [a-zA-Z0-9_-]
  std::optional<std::string> email;
  timestamp expires_at;
  std::int64_t traffic_limit_bytes = 0;
  std::optional<int> device_limit;
};

struct get_user {
  using reply = user;
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

/// What a webhook hints at; its content is not trusted, whoever is concerned reads again.
enum class hint : std::uint8_t { other, user_changed, node_changed };

struct webhook_hint {
  panel::hint about = hint::other;
  std::string username; ///< with `user_changed`
};

/// Errors: `unauthenticated` for a wrong signature or a time more than 5 min off, `malformed`.
struct read_webhook {
  using reply = webhook_hint;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
};

using panel_actor = caf::typed_actor<answers<put_user>, answers<get_user>, answers<get_subscription_text>,
                                     answers<list_nodes>, answers<read_webhook>>;

} // namespace backstay::panel

template <>
inline constexpr std::array backstay::names_of<backstay::panel::user_status>{"active", "disabled", "limited",
                                                                             "expired"};
