#include "http/websocket/hub.hpp"

#include "actors/kernel/domain.hpp"
#include "http/websocket/frame.hpp"

#include <asio/post.hpp>

#include <optional>

namespace backstay::websocket {

namespace {

/// An event is encoded once per family, however many sockets get it.
class frame_maker {
public:
  explicit frame_maker(const live::event& what) : what_(what) {}

  const shared_frame& operator()(hub::encoder encode) {
    auto& frame = made_[encode];
    if (!frame) frame = encode_text(encode(what_));
    return frame;
  }

private:
  const live::event& what_;
  std::map<hub::encoder, shared_frame> made_;
};

/// Events that replace an older one of the same thing while it waits in a slow reader's outbox.
std::optional<std::uint64_t> conflation_key(const live::event& what) {
  auto* status = std::get_if<live::server_status_changed>(&what);
  return status ? std::optional{static_cast<std::uint64_t>(std::hash<uuid>{}(status->server))} : std::nullopt;
}

std::pair<std::size_t, std::string> key_of(const live::state& what) {
  return {what.index(), std::visit([](auto& state) { return state.key(); }, what)};
}

void send(session& to, const live::event& what, const shared_frame& frame) {
  auto key = conflation_key(what);
  key ? to.send_latest(*key, frame) : to.send(frame);
}

} // namespace

hub::socket_number hub::add(std::shared_ptr<session> socket, const sessions::session_view& who, encoder encode,
                            bool hears_account, bool hears_everyone, state_encoder encode_states) {
  auto number = ++last_;
  by_account_[who.account.id].insert(number);
  sockets_.emplace(
      number,
      open_socket{
          std::move(socket), who.account.id, who.session, encode, hears_account, hears_everyone, encode_states, {}});
  return number;
}

void hub::remove(socket_number number) {
  auto entry = sockets_.find(number);
  if (entry == sockets_.end()) return;
  auto& of_account = by_account_[entry->second.account];
  of_account.erase(number);
  if (of_account.empty()) by_account_.erase(entry->second.account);
  sockets_.erase(entry);
}

void hub::subscribe(socket_number number, live::topic topic) {
  auto entry = sockets_.find(number);
  if (entry == sockets_.end() || !entry->second.topics.insert(topic).second) return;
  auto& open = entry->second;
  std::vector<live::state> latest;
  for (auto& [key, state] : shown_[topic]) latest.push_back(state);
  if (open.encode_states)
    for (auto& text : open.encode_states(latest)) open.socket->send(encode_text(text));
}

void hub::unsubscribe(socket_number number, live::topic topic) {
  if (auto entry = sockets_.find(number); entry != sockets_.end()) entry->second.topics.erase(topic);
}

void hub::deliver(const live::stored_event& event) {
  if (auto* account = std::get_if<account_id>(&event.whom)) deliver(*account, event.what);
  else publish(std::get<live::topic>(event.whom), event.what);
}

void hub::deliver(const account_id& account, const live::event& what) {
  if (auto* goodbye = std::get_if<live::force_disconnect>(&what)) return disconnect(account, *goodbye);
  auto entry = by_account_.find(account);
  if (entry == by_account_.end()) return;
  frame_maker frame{what};
  for (auto number : entry->second)
    if (auto& open = sockets_.at(number); open.hears_account) send(*open.socket, what, frame(open.encode));
}

void hub::publish(live::topic topic, const live::event& what) {
  frame_maker frame{what};
  bool for_everyone = topic == live::topic::servers;
  for (auto& [number, open] : sockets_)
    if (open.topics.count(topic) || (for_everyone && open.hears_everyone)) send(*open.socket, what, frame(open.encode));
}

void hub::show(live::topic topic, const std::vector<live::state>& latest) {
  for (auto& state : latest) shown_[topic][key_of(state)] = state;
  std::map<state_encoder, std::vector<shared_frame>> made;
  for (auto& [number, open] : sockets_) {
    if (!open.encode_states || !open.topics.count(topic)) continue;
    auto [frames, is_new] = made.try_emplace(open.encode_states);
    if (is_new)
      for (auto& text : open.encode_states(latest)) frames->second.push_back(encode_text(text));
    for (auto& frame : frames->second) open.socket->send(frame);
  }
}

void hub::forget(live::topic topic, const std::vector<live::state>& gone) {
  for (auto& state : gone) shown_[topic].erase(key_of(state));
}

void hub::disconnect(const account_id& account, const live::force_disconnect& what) {
  auto entry = by_account_.find(account);
  if (entry == by_account_.end()) return;
  live::event goodbye = what;
  frame_maker frame{goodbye};
  for (auto number : entry->second) {
    auto& open = sockets_.at(number);
    if (what.only ? open.of_session != *what.only : what.except && open.of_session == *what.except) continue;
    open.socket->send(frame(open.encode));
    open.socket->close(close_code::policy_violation, what.reason);
  }
}

void hub::close_all() {
  for (auto& [number, open] : sockets_) open.socket->close(close_code::going_away, "the server is stopping");
}

namespace {

struct hub_state {
  hub_state() = default;
  static inline constexpr auto name = "hub";
};
static_assert(!std::is_aggregate_v<hub_state>);

live::hub_actor::behavior_type behave(live::hub_actor::stateful_pointer<hub_state> self, vitals_ptr pulse,
                                      asio::io_context* io, std::shared_ptr<hub> sockets) {
  auto on = handlers(self, pulse);
  auto on_http_thread = [io](auto f) {
    asio::post(*io, std::move(f));
    return done{};
  };
  return {
      on([=](const live::deliver& m) { return on_http_thread([sockets, m] { sockets->deliver(m.event); }); }),
      on([=](const live::publish& m) { return on_http_thread([sockets, m] { sockets->publish(m.topic, m.what); }); }),
      on([=](const live::show& m) { return on_http_thread([sockets, m] { sockets->show(m.topic, m.latest); }); }),
      on([=](const live::forget& m) { return on_http_thread([sockets, m] { sockets->forget(m.topic, m.gone); }); }),
  };
}

} // namespace

caf::actor spawn_hub(caf::scheduled_actor* parent, vitals_ptr pulse, asio::io_context& io,
                     std::shared_ptr<hub> sockets) {
  return caf::actor_cast<caf::actor>(parent->spawn(behave, pulse, &io, std::move(sockets)));
}

} // namespace backstay::websocket
