#pragma once

#include "actors/kernel/vitals.hpp"
#include "actors/live/messages.hpp"
#include "actors/sessions/messages.hpp"
#include "http/websocket/session.hpp"

#include <caf/all.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace backstay::websocket {

/// The open sockets of this node, by account and by topic. On the HTTP thread only.
class hub {
public:
  /// Writes an event as one frame's text; each API family has its own way.
  using encoder = std::string (*)(const live::event& what);
  /// Writes states of one topic as the texts of some frames.
  using state_encoder = std::vector<std::string> (*)(const std::vector<live::state>& latest);
  using socket_number = std::uint64_t;

  /// A socket that `who` opened. `hears_account`: gets what concerns the account; `hears_everyone`: also what concerns
  /// every account.
  socket_number add(std::shared_ptr<session> socket, const sessions::session_view& who, encoder encode,
                    bool hears_account, bool hears_everyone, state_encoder encode_states = nullptr);
  void remove(socket_number socket);
  void subscribe(socket_number socket, live::topic topic);
  void unsubscribe(socket_number socket, live::topic topic);

  /// `live::force_disconnect` is told to the sockets that it is about, and closes them.
  void deliver(const live::stored_event& event);
  void publish(live::topic topic, const live::event& what);

  void show(live::topic topic, const std::vector<live::state>& latest);
  void forget(live::topic topic, const std::vector<live::state>& gone);

  /// At shutdown: 1001 to everybody.
  void close_all();
  std::size_t size() const { return sockets_.size(); }

private:
  void deliver(const account_id& account, const live::event& what);
  void disconnect(const account_id& account, const live::force_disconnect& what);

  struct open_socket {
    std::shared_ptr<session> socket;
    account_id account;
    session_id of_session;
    encoder encode;
    bool hears_account, hears_everyone;
    state_encoder encode_states;
    std::set<live::topic> topics;
  };
  /// The alternative of `live::state`, and its key.
  using state_key = std::pair<std::size_t, std::string>;

  std::unordered_map<socket_number, open_socket> sockets_;
  std::unordered_map<account_id, std::set<socket_number>> by_account_;
  std::map<live::topic, std::map<state_key, live::state>> shown_;
  socket_number last_ = 0;
};

/// The actor in front of the hub: takes the domains' events to the HTTP thread.
caf::actor spawn_hub(caf::scheduled_actor* parent, vitals_ptr pulse, asio::io_context& io,
                     std::shared_ptr<hub> sockets);

} // namespace backstay::websocket
