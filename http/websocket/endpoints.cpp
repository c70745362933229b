#include "http/websocket/endpoints.hpp"

#include "config/log.hpp"
#include "http/kernel/body.hpp"
#include "http/kernel/server_traits.hpp"
#include "http/websocket/upgrade.hpp"

#include <algorithm>

namespace backstay::websocket {

namespace {

using http::exchange_ptr;

struct acceptor {
  http::services& context;
  std::shared_ptr<hub> sockets;
  std::shared_ptr<heartbeat> pulse;
  std::vector<socket_endpoint> endpoints;
};

const socket_endpoint* find(const acceptor& all, std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  for (auto& endpoint : all.endpoints)
    if (std::find(endpoint.paths.begin(), endpoint.paths.end(), path) != endpoint.paths.end()) return &endpoint;
  return nullptr;
}

/// Phones send no Origin. A page's must be ours (the Host it talks to) or listed.
bool origin_is_welcome(const acceptor& all, const http::request& in) {
  auto origin = in.header("Origin");
  if (origin.empty() || all.context.cors.allows(origin)) return true;
  auto host = origin.substr(origin.find("//") == origin.npos ? 0 : origin.find("//") + 2);
  return host == in.header("Host");
}

void open(const acceptor& all, const socket_endpoint& endpoint, restinio::request_handle_t request,
          const std::string& accept, const sessions::session_view& who) {
  auto view = std::make_shared<const sessions::session_view>(who);
  auto number = std::make_shared<hub::socket_number>(0);
  auto self = std::make_shared<std::weak_ptr<session>>();
  auto socket = upgrade<http::server_traits>(
      *request, accept, all.pulse,
      {.on_text =
           [sockets = all.sockets, number, self, view, &endpoint](std::string_view text) {
             auto open = self->lock();
             if (endpoint.on_text && open) endpoint.on_text(*sockets, *number, *open, *view, text);
           },
       .on_closed = [sockets = all.sockets, number](close_code, std::string_view) { sockets->remove(*number); }});
  *self = socket;
  *number = all.sockets->add(socket, who, endpoint.encode, endpoint.hears_account, endpoint.hears_everyone,
                             endpoint.encode_states);
  if (endpoint.greet) socket->send(encode_text(endpoint.greet(who)));
}

void refuse(const exchange_ptr& x, const handshake& checked) {
  auto answer =
      http::render_refusal(checked.status, "BAD_HANDSHAKE", std::string{checked.problem}.c_str(), x->request_id);
  for (auto& [name, value] : checked.fields) answer.headers.emplace_back(name, value);
  x->answer(std::move(answer));
}

/// The ticket is used up by the look-up, whatever comes after.
void redeem(const std::shared_ptr<acceptor>& all, const socket_endpoint& endpoint, const exchange_ptr& x,
            restinio::request_handle_t request, std::string accept) {
  auto query = http::read_form(x->in().query);
  auto ticket = query.find("ticket");
  if (ticket == query.end() || ticket->second.empty() || ticket->second.size() > 4096)
    return x->fail({.code = ec::forbidden,
                    .message = "A ticket is needed; get one from /api/v1/ws/ticket.",
                    .name = "TICKET_MISSING"});
  auto& context = all->context;
  context.entry.ask_aside(
      context.sessions_domain, sessions::redeem_ticket{secret{ticket->second}},
      [=, &endpoint](sessions::session_view& who) {
        all->context.run_on_http_thread([=, &endpoint, who = std::move(who)] {
          x->release();
          try {
            open(*all, endpoint, request, accept, who);
          } catch (const std::exception& error) {
            log::warning("http", "a WebSocket could not be opened",
                         {{"cause", error.what()}, {"request_id", x->request_id}});
          }
        });
      },
      [x](const fault& what) { x->fail(what); });
}

bool take(const std::shared_ptr<acceptor>& all, const exchange_ptr& x, http::upgrade_offer& offer) {
  auto* endpoint = find(*all, x->in().path);
  if (!endpoint) return false;
  if (all->context.is_stopping) return x->fail({.code = ec::unavailable}), true;
  auto checked = check_request(offer.request->header());
  if (checked.status != 101) return refuse(x, checked), true;
  if (!origin_is_welcome(*all, x->in()))
    return x->fail({.code = ec::forbidden,
                    .message = "This origin may not open a WebSocket here.",
                    .name = "ORIGIN_REFUSED"}),
           true;
  try {
    redeem(all, *endpoint, x, offer.request, checked.accept);
  } catch (const fault_error& error) {
    x->fail(error.what_failed);
  }
  return true;
}

} // namespace

http::server::socket_handler accept_sockets(http::services& context, std::shared_ptr<hub> sockets,
                                            std::shared_ptr<heartbeat> pulse, std::vector<socket_endpoint> endpoints) {
  auto all = std::make_shared<acceptor>(acceptor{context, std::move(sockets), std::move(pulse), std::move(endpoints)});
  return [all](const exchange_ptr& x, http::upgrade_offer& offer) { return take(all, x, offer); };
}

} // namespace backstay::websocket
