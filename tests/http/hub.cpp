#define CAF_SUITE http_hub

#include "http/websocket/hub.hpp"

#include "tests/http/sockets.hpp"

using namespace backstay;
using namespace backstay::websocket;
using namespace backstay::websocket::test;

namespace {

int times_encoded = 0;

std::string encode(const live::event& what) {
  ++times_encoded;
  if (auto* status = std::get_if<live::server_status_changed>(&what))
    return "users " + std::to_string(status->current_users);
  if (auto* goodbye = std::get_if<live::force_disconnect>(&what)) return "goodbye " + goodbye->reason;
  return "other";
}
std::string encode_otherwise(const live::event& what) { return "otherwise " + encode(what); }

std::vector<std::string> encode_states(const std::vector<live::state>& latest) {
  std::string text;
  for (auto& state : latest)
    if (auto* queue = std::get_if<live::queue_state>(&state))
      text += queue->name + " " + std::to_string(queue->waiting) + ",";
  return {text};
}

const live::event other = live::subscription_updated{};

live::event users(node_id server, int count) {
  return live::server_status_changed{server, live::server_status::online, count};
}

using fixture = hub_fixture;

} // namespace

CAF_TEST_FIXTURE_SCOPE(hub_tests, fixture)

CAF_TEST(an account hears its own events on each of its sockets) {
  auto account = account_id::random();
  auto &phone = enter(make_session(account), encode), &web = enter(make_session(account), encode_otherwise),
       &stranger = enter(make_session(), encode), &monitor = enter(make_session(account), encode, false);
  sockets->deliver({1, account, other});
  sockets->deliver({1, account_id::random(), other});
  CAF_CHECK_EQUAL(heard_by(phone), findings{"text:other"});
  CAF_CHECK_EQUAL(heard_by(web), findings{"text:otherwise other"});
  CAF_CHECK_EQUAL(heard_by(stranger), findings{});
  CAF_CHECK_EQUAL(heard_by(monitor), findings{});
}

CAF_TEST(a topic is heard by its subscribers) {
  auto &one = enter(make_session(), encode), &two = enter(make_session(), encode);
  sockets->subscribe(one.number, live::topic::payments);
  sockets->publish(live::topic::payments, other);
  sockets->publish(live::topic::users, other);
  CAF_CHECK_EQUAL(heard_by(one), findings{"text:other"});
  CAF_CHECK_EQUAL(heard_by(two), findings{});
  sockets->unsubscribe(one.number, live::topic::payments);
  sockets->publish(live::topic::payments, other);
  CAF_CHECK_EQUAL(heard_by(one), findings{});
}

CAF_TEST(what concerns everybody is heard by those who want it) {
  auto &app = enter(make_session(), encode, true, true), &monitor = enter(make_session(), encode, false, false);
  sockets->publish(live::topic::servers, users(node_id::random(), 1));
  sockets->publish(live::topic::payments, other); // concerns subscribers only
  CAF_CHECK_EQUAL(heard_by(app), findings{"text:users 1"});
  CAF_CHECK_EQUAL(heard_by(monitor), findings{});
  sockets->subscribe(app.number, live::topic::servers);
  sockets->publish(live::topic::servers, users(node_id::random(), 2));
  CAF_CHECK_EQUAL(heard_by(app), findings{"text:users 2"}); // once, though for two reasons
}

CAF_TEST(an event is encoded once a family) {
  auto account = account_id::random();
  for (int i = 0; i < 5; ++i) enter(make_session(account), i % 2 ? encode : encode_otherwise);
  times_encoded = 0;
  sockets->deliver({1, account, other});
  CAF_CHECK_EQUAL(times_encoded, 2);
  sockets->publish(live::topic::servers, other);
  CAF_CHECK_EQUAL(times_encoded, 2); // nobody listens: not at all
}

CAF_TEST(a newer state replaces the older one of the same server that waits) {
  auto& app = enter(make_session(), encode, true, true);
  auto frankfurt = node_id::random(), paris = node_id::random();
  sockets->publish(live::topic::servers, users(frankfurt, 1));
  sockets->publish(live::topic::servers, users(paris, 2));
  sockets->deliver({1, app.who.account.id, other});
  sockets->publish(live::topic::servers, users(frankfurt, 3));
  sockets->deliver({1, app.who.account.id, other});
  CAF_CHECK_EQUAL(heard_by(app), (findings{"text:users 3", "text:users 2", "text:other", "text:other"}));
}

CAF_TEST(an account is told why and cut off) {
  auto account = account_id::random();
  auto &one = enter(make_session(account), encode), &two = enter(make_session(account), encode_otherwise),
       &stranger = enter(make_session(), encode);
  sockets->deliver({1, account, live::force_disconnect{"suspended"}});
  CAF_CHECK_EQUAL(heard_by(one), (findings{"text:goodbye suspended", "close:1008:suspended"}));
  CAF_CHECK_EQUAL(heard_by(two), (findings{"text:otherwise goodbye suspended", "close:1008:suspended"}));
  CAF_CHECK_EQUAL(heard_by(stranger), findings{});
  sockets->deliver({1, account_id::random(), live::force_disconnect{"nobody"}});
}

CAF_TEST(one session may be cut off alone) {
  auto account = account_id::random();
  auto &one = enter(make_session(account), encode), &two = enter(make_session(account), encode);
  sockets->deliver({1, account, live::force_disconnect{"signed out", one.who.session}});
  CAF_CHECK_EQUAL(heard_by(one), (findings{"text:goodbye signed out", "close:1008:signed out"}));
  CAF_CHECK_EQUAL(heard_by(two), findings{});
}

CAF_TEST(all sessions but one may be cut off) {
  auto account = account_id::random();
  auto &one = enter(make_session(account), encode), &two = enter(make_session(account), encode);
  sockets->deliver({1, account, live::force_disconnect{"password changed", std::nullopt, one.who.session}});
  CAF_CHECK_EQUAL(heard_by(one), findings{});
  CAF_CHECK_EQUAL(heard_by(two), (findings{"text:goodbye password changed", "close:1008:password changed"}));
}

CAF_TEST(an event of a topic may come from the stream) {
  auto &one = enter(make_session(), encode), &two = enter(make_session(), encode);
  sockets->subscribe(one.number, live::topic::payments);
  sockets->deliver({1, live::topic::payments, other});
  CAF_CHECK_EQUAL(heard_by(one), findings{"text:other"});
  CAF_CHECK_EQUAL(heard_by(two), findings{});
}

CAF_TEST(states are shown to subscribers and the latest of each to new ones) {
  auto &one = enter(make_session(), encode, false, false, encode_states), &two = enter(make_session(), encode);
  auto queue = [](const char* name, int waiting) {
    return live::state{live::queue_state{.name = name, .waiting = waiting}};
  };
  sockets->show(live::topic::system, {queue("mail", 1), queue("push", 2)});
  CAF_CHECK_EQUAL(heard_by(one), findings{});
  sockets->show(live::topic::system, {queue("mail", 3)});
  sockets->subscribe(one.number, live::topic::system);
  sockets->subscribe(two.number, live::topic::system); // of a family that has no states
  CAF_CHECK_EQUAL(heard_by(one), findings{"text:mail 3,push 2,"});
  sockets->show(live::topic::system, {queue("push", 4)});
  sockets->show(live::topic::servers, {live::node_sample{}});
  CAF_CHECK_EQUAL(heard_by(one), findings{"text:push 4,"});
  sockets->forget(live::topic::system, {queue("mail", 0)});
  sockets->unsubscribe(one.number, live::topic::system);
  sockets->subscribe(one.number, live::topic::system);
  CAF_CHECK_EQUAL(heard_by(one), findings{"text:push 4,"});
  CAF_CHECK_EQUAL(heard_by(two), findings{});
}

CAF_TEST(who has gone is forgotten) {
  auto& one = enter(make_session(), encode);
  sockets->subscribe(one.number, live::topic::general);
  CAF_CHECK_EQUAL(sockets->size(), 1u);
  one.peer.write(masked(close_frame, close_payload(1000)));
  CAF_CHECK(until([&] { return sockets->size() == 0; }));
  sockets->deliver({1, one.who.account.id, other});
  sockets->publish(live::topic::general, other);
  sockets->subscribe(one.number, live::topic::general);
  sockets->remove(one.number);
  CAF_CHECK_EQUAL(sockets->size(), 0u);
}

CAF_TEST(at the end everybody is told to come back) {
  auto &one = enter(make_session(), encode), &two = enter(make_session(), encode);
  sockets->close_all();
  for (auto* each : {&one, &two}) CAF_CHECK_EQUAL(heard_by(*each), findings{"close:1001:the server is stopping"});
}

CAF_TEST_FIXTURE_SCOPE_END()

namespace {

struct actor_fixture : test_coordinator_fixture<>, hub_fixture {
  actor_fixture() {
    auto parent = sys.spawn([this](caf::event_based_actor* self) {
      entry =
          caf::actor_cast<live::hub_actor>(spawn_hub(self, std::make_shared<vitals>("hub", false), context, sockets));
    });
    consume_messages();
  }
  template <class Message>
  void tell(Message message) {
    auto request = self->request(entry, caf::infinite, message);
    consume_messages();
    request.receive([](done) {}, [](const caf::error&) { CAF_FAIL("the hub refused"); });
  }
  live::hub_actor entry;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(hub_actor_tests, actor_fixture)

CAF_TEST(the actor takes events to the thread of the sockets in their order) {
  auto& one = enter(make_session(), encode, true, true);
  tell(live::deliver{{1, one.who.account.id, other}});
  tell(live::publish{live::topic::servers, users(node_id::random(), 4)});
  tell(live::deliver{{2, one.who.account.id, live::force_disconnect{"bye"}}});
  one.peer.poll();
  CAF_CHECK_EQUAL(one.peer.received, ""); // nothing moves before that thread turns to it
  CAF_CHECK_EQUAL(heard_by(one), (findings{"text:other", "text:users 4", "text:goodbye bye", "close:1008:bye"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
