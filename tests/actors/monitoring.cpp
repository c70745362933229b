#define CAF_SUITE actors_monitoring

#include "actors/monitoring/actor.hpp"

#include "tests/actors/scripted_database.hpp"

#include <limits>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::monitoring;
using namespace std::chrono_literals;
using live::server_status;

namespace {

panel::node make_node(const std::string& name, int users = 10) {
  return {.id = node_id::random(), .name = name, .is_connected = true, .users_online = users};
}

server seen(const panel::node& node) { return {node, rules::status_of(node), {}}; }

struct fixture : test_coordinator_fixture<> {
  /// The loop never ends by itself, and the fixture below waits for all to be quiet.
  ~fixture() {
    if (monitoring) self->send_exit(monitoring, caf::exit_reason::kill);
    consume_messages();
  }

  void start() {
    auto panel = sys.spawn([this]() -> panel::panel_actor::behavior_type {
      return {[](const panel::put_user&) { return panel::user{}; },
              [](const panel::get_user&) { return panel::user{}; },
              [](const panel::get_subscription_text&) { return panel::subscription_text{}; },
              [this](const panel::list_nodes&) -> caf::result<panel::node_list> {
                ++looks;
                if (away) return to_error({.code = ec::unavailable});
                return panel::node_list{nodes};
              },
              [](const panel::read_webhook&) { return panel::webhook_hint{}; }};
    });
    auto hub = sys.spawn([this]() -> live::hub_actor::behavior_type {
      return {[](const live::deliver&) { return done{}; },
              [this](const live::publish& m) {
                CAF_CHECK(m.topic == live::topic::servers);
                told.push_back(std::get<live::server_status_changed>(m.what));
                return done{};
              },
              [](const live::show&) { return done{}; }, [](const live::forget&) { return done{}; }};
    });
    domain_context context{std::make_shared<vitals>("monitoring", false), std::make_shared<domain_clock>(), {}};
    monitoring = sys.spawn(monitoring_behavior, context, monitoring_dependencies{panel, hub}, monitoring_options{});
    consume_messages();
  }
  template <class Message>
  typename Message::reply ask(Message m) {
    typename Message::reply reply;
    auto request = self->request(monitoring, caf::infinite, std::move(m));
    consume_messages();
    request.receive([&](typename Message::reply& value) { reply = std::move(value); },
                    [&](const caf::error& error) { CAF_FAIL("refused: " << to_string(describe(error).code)); });
    return reply;
  }
  template <class Message>
  ec refusal(Message m) {
    ec code = ec::none;
    auto request = self->request(monitoring, caf::infinite, std::move(m));
    consume_messages();
    request.receive([](typename Message::reply&) {}, [&](const caf::error& error) { code = describe(error).code; });
    return code;
  }
  void pass(std::chrono::milliseconds time) {
    sched.advance_time(time);
    consume_messages();
  }

  std::vector<panel::node> nodes{make_node("a"), make_node("b"), make_node("c")};
  bool away = false;
  int looks = 0;
  std::vector<live::server_status_changed> told;
  monitoring_actor monitoring;
};

} // namespace

CAF_TEST(the status follows from three flags of the panel in their order) {
  auto status = [](bool connected, bool connecting, bool disabled) {
    return rules::status_of({.is_connected = connected, .is_connecting = connecting, .is_disabled = disabled});
  };
  CAF_CHECK(status(true, false, false) == server_status::online);
  CAF_CHECK(status(false, false, false) == server_status::offline);
  CAF_CHECK(status(false, true, false) == server_status::warning);
  CAF_CHECK(status(true, true, false) == server_status::warning);
  CAF_CHECK(status(true, true, true) == server_status::maintenance);
  CAF_CHECK(status(false, false, true) == server_status::maintenance);
}

CAF_TEST(only what is worth telling is told) {
  rules::told last;
  auto node = make_node("a", 100);
  auto changes = [&] { return rules::changes(last, {seen(node)}).size(); };
  CAF_CHECK_EQUAL(changes(), 1u); // new
  CAF_CHECK_EQUAL(changes(), 0u);
  node.users_online = 109;
  CAF_CHECK_EQUAL(changes(), 0u);
  node.users_online = 110;
  CAF_CHECK_EQUAL(changes(), 1u);
  node.users_online = 105; // a tenth of 110 is 11
  CAF_CHECK_EQUAL(changes(), 0u);
  node.is_connected = false;
  CAF_CHECK_EQUAL(changes(), 1u);
}

CAF_TEST(a slow drift is told although no step is) {
  rules::told last;
  auto node = make_node("a", 100);
  rules::changes(last, {seen(node)});
  std::size_t news = 0;
  for (; node.users_online < 120; ++node.users_online) news += rules::changes(last, {seen(node)}).size();
  CAF_CHECK_EQUAL(news, 1u);
}

CAF_TEST(few users are told one by one and a node that is gone is offline) {
  rules::told last;
  auto node = make_node("a", 0);
  rules::changes(last, {seen(node)});
  node.users_online = 1;
  CAF_CHECK_EQUAL(rules::changes(last, {seen(node)}).size(), 1u);
  auto gone = rules::changes(last, {});
  CAF_REQUIRE_EQUAL(gone.size(), 1u);
  CAF_CHECK(gone[0] == (live::server_status_changed{node.id, server_status::offline, 0}));
  CAF_CHECK(rules::changes(last, {}).empty());
}

CAF_TEST_FIXTURE_SCOPE(monitoring_actor_tests, fixture)

CAF_TEST(pages come from memory) {
  start();
  auto page = ask(list_servers{1, 1});
  CAF_CHECK_EQUAL(page.total, 3);
  CAF_REQUIRE_EQUAL(page.items.size(), 1u);
  CAF_CHECK(page.items[0].node == nodes[1]);
  CAF_CHECK_EQUAL(ask(list_servers{}).items.size(), 3u);
  CAF_CHECK(ask(list_servers{3, 50}).items.empty());
  CAF_CHECK(ask(list_servers{1000, std::numeric_limits<std::int64_t>::max()}).items.empty());
  CAF_CHECK(ask(list_servers{-5, -5}).items.empty());
  CAF_CHECK(ask(get_server{nodes[2].id}).node == nodes[2]);
  CAF_CHECK(refusal(get_server{node_id::random()}) == ec::not_found);
  CAF_CHECK_EQUAL(looks, 1);
}

CAF_TEST(before the panel was reached nothing is known and later the last state stands) {
  away = true;
  start();
  CAF_CHECK(refusal(list_servers{}) == ec::unavailable);
  CAF_CHECK(refusal(get_server{nodes[0].id}) == ec::unavailable);
  away = false;
  pass(5s);
  CAF_CHECK_EQUAL(ask(list_servers{}).total, 3);
  away = true;
  pass(5s);
  CAF_CHECK_EQUAL(looks, 3);
  CAF_CHECK_EQUAL(ask(list_servers{}).total, 3);
}

CAF_TEST(a node that flaps is told once a change) {
  start();
  CAF_CHECK_EQUAL(told.size(), 3u);
  told.clear();
  pass(5s);
  CAF_CHECK(told.empty());
  nodes[0].is_connected = false;
  pass(5s);
  CAF_REQUIRE_EQUAL(told.size(), 1u);
  CAF_CHECK(told[0] == (live::server_status_changed{nodes[0].id, server_status::offline, 10}));
}

CAF_TEST(many hints are one look) {
  start();
  for (int i = 0; i < 5; ++i) ask(look_again{});
  CAF_CHECK_EQUAL(looks, 1);
  pass(200ms);
  CAF_CHECK_EQUAL(looks, 2);
  pass(1s);
  CAF_CHECK_EQUAL(looks, 2);
  ask(look_again{});
  pass(200ms);
  CAF_CHECK_EQUAL(looks, 3);
}

CAF_TEST_FIXTURE_SCOPE_END()
