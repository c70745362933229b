#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"

#include <caf/typed_actor.hpp>

#include <optional>
#include <string>
#include <variant>

/// What happens, told to whoever watches over a WebSocket.
namespace backstay::live {

template <class T>
void admitted(const T&);

enum class server_status : std::uint8_t { online, offline, warning, maintenance };

struct server_status_changed {
  node_id server;
  live::server_status status = server_status::online;
  int current_users = 0;
  bool operator==(const server_status_changed&) const = default;
};

struct subscription_updated {
  subscription_id subscription;
  std::string status;
  bool operator==(const subscription_updated&) const = default;
};

enum class notification_kind : std::uint8_t {
  subscription_expiring,
  expired,
  payment_confirmed,
  referral_joined,
  security_alert,
  promotional,
  server_maintenance,
  app_update,
};

struct notification_received {
  uuid id; ///< the same in the inbox, on the socket and in a push
  notification_kind kind = notification_kind::promotional;
  std::string title, body;
  std::optional<std::string> action_route;
  bool operator==(const notification_received&) const = default;
};

/// Ends sockets of an account, on every node: those of the session `only`, or else all but those of the session
/// `except`.
struct force_disconnect {
  std::string reason;
  std::optional<session_id> only{}, except{};
  bool operator==(const force_disconnect&) const = default;
};

using event = std::variant<server_status_changed, subscription_updated, notification_received, force_disconnect>;

/// An event of one account goes to its sockets on every node, through PostgreSQL.
struct account_event {
  std::int64_t sequence = 0; ///< its place in the stored stream
  account_id account;
  live::event what;
};

enum class topic : std::uint8_t { servers, users, system, payments, general };

/// Gives an event of an account to the sockets on this node; `force_disconnect` ends those that it is about.
struct deliver_to_account {
  using reply = done;
  account_event event;
};

/// Gives an event to the subscribers of a topic, and to every account where it concerns all.
struct publish {
  using reply = done;
  live::topic topic = topic::servers;
  live::event what;
};

/// The hub: implemented by http/websocket, which owns the sockets. Every message is answered at once.
using hub_actor = caf::typed_actor<answers<deliver_to_account>, answers<publish>>;

} // namespace backstay::live

template <>
inline constexpr std::array backstay::names_of<backstay::live::server_status>{"online", "offline", "warning",
                                                                              "maintenance"};
template <>
inline constexpr std::array backstay::names_of<backstay::live::notification_kind>{
    "subscription_expiring", "expired",     "payment_confirmed",  "referral_joined",
    "security_alert",        "promotional", "server_maintenance", "app_update"};
template <>
inline constexpr std::array backstay::names_of<backstay::live::topic>{"servers", "users", "system", "payments",
                                                                      "general"};
