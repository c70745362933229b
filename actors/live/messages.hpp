#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"

#include <caf/typed_actor.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What happens, told to whoever watches over a WebSocket: events, each of which counts, and states, of which only the
/// latest does.
namespace backstay::live {

template <class T>
void admitted(const T&);

enum class server_status : std::uint8_t { online, offline, warning, maintenance };

struct server_status_changed {
  node_id server;
  live::server_status status = server_status::online;
  int current_users = 0;
  std::optional<double> load{}; ///< 0–100, where the panel tells
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

/// A payment is in another state, or a person has to look at it, or need not any more.
struct payment_changed {
  payment_id payment;
  std::optional<account_id> account; ///< none: nobody knows yet who paid
  std::string provider;
  std::string state; ///< as `payments::state` is called
  money amount;
  std::string review; ///< why a person has to look at it; empty: nobody has to
  bool operator==(const payment_changed&) const = default;
};

enum class account_change : std::uint8_t { registered, signed_in, signed_out, locked, unlocked, role_changed, deleted };

struct account_changed {
  account_id account;
  account_change what = account_change::registered;
  bool operator==(const account_changed&) const = default;
};

using event = std::variant<server_status_changed, subscription_updated, notification_received, force_disconnect,
                           payment_changed, account_changed>;

enum class topic : std::uint8_t { servers, users, system, payments, general };

/// An event in the stored stream, which every node reads from PostgreSQL.
struct stored_event {
  std::int64_t sequence = 0;              ///< its place in the stream
  std::variant<account_id, topic> whom{}; ///< whose sockets hear it: an account's, or a topic's subscribers
  live::event what;
};

// ---- states: what is so at the moment. Never stored; each node shows what it sees itself.

/// What a node measured. Topic `servers`.
struct node_sample {
  node_id node;
  server_status status = server_status::online;
  int current_users = 0;
  std::optional<double> load{};                   ///< 0–100, where the panel tells
  std::int64_t traffic_bytes = 0;                 ///< as the panel counts them
  std::optional<std::int64_t> bytes_per_second{}; ///< none before there is something to compare with
  std::optional<std::chrono::seconds> uptime{};
  timestamp measured_at;
  bool operator==(const node_sample&) const = default;
  std::string key() const { return to_string(node); }
};

enum class actor_condition : std::uint8_t { up, restarting, degraded };

/// One supervised actor of this process. Topic `system`.
struct actor_state {
  std::string name;
  bool is_critical = false;
  actor_condition condition = actor_condition::up;
  std::uint64_t mailbox = 0, handled = 0;
  double per_second = 0; ///< messages, over the last seconds
  std::uint32_t restarts = 0;
  std::string last_cause; ///< of a restart; empty: there was none
  bool operator==(const actor_state&) const = default;
  std::string key() const { return name; }
};

/// What waits to be done: a kind of the outbox's entries, for instance. Topic `system`.
struct queue_state {
  std::string name;
  std::int64_t waiting = 0, dead = 0;
  std::chrono::seconds lag{0}; ///< how long the oldest due entry has been due
  bool operator==(const queue_state&) const = default;
  std::string key() const { return name; }
};

/// Each has a `key`: a later state of the same kind and key replaces an earlier one.
using state = std::variant<node_sample, actor_state, queue_state>;

// ---- the hub

/// Gives a stored event to the sockets of this node that it is for; `force_disconnect` ends those that it is about.
struct deliver {
  using reply = done;
  stored_event event;
};

/// Gives an event to the subscribers of a topic, and to every account where it concerns all.
struct publish {
  using reply = done;
  live::topic topic = topic::servers;
  live::event what;
};

/// Shows states to the subscribers of a topic. A slow reader misses values in between and never the latest; a new
/// subscriber begins with the latest of every key.
struct show {
  using reply = done;
  live::topic topic = topic::servers;
  std::vector<state> latest;
};

/// Removes states that are no more: a new subscriber does not see them.
struct forget {
  using reply = done;
  live::topic topic = topic::servers;
  std::vector<state> gone; ///< only their kinds and keys count
};

/// The hub: implemented by http/websocket, which owns the sockets. Every message is answered at once.
using hub_actor = caf::typed_actor<answers<deliver>, answers<publish>, answers<show>, answers<forget>>;

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
template <>
inline constexpr std::array backstay::names_of<backstay::live::account_change>{
    "registered", "signed_in", "signed_out", "locked", "unlocked", "role_changed", "deleted"};
template <>
inline constexpr std::array backstay::names_of<backstay::live::actor_condition>{"up", "restarting", "degraded"};
