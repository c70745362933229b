#define CAF_SUITE actors_subscriptions

#include "actors/subscriptions/actor.hpp"

#include "actors/subscriptions/rules.hpp"
#include "actors/subscriptions/store.hpp"
#include "tests/actors/scripted_database.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::subscriptions;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

const timestamp now{std::chrono::seconds{1'800'000'000}};

plan make_plan(int duration, std::vector<money> prices) {
  return {.id = plan_id::random(), .prices = std::move(prices), .duration_days = duration};
}

rules::standing bought(const plan& what, timestamp start, days length, status state = status::active) {
  return {what, state, start, start + length};
}

struct fixture : test_coordinator_fixture<> {
  fixture() {
    row.id = subscription_id::random();
    row.account = ann.account = account_id::random();
    row.account_number = 7;
    row.plan_name = "Basic";
    row.status = status::active;
    row.started_at = clock->now();
    row.expires_at = clock->now() + days{30};
    row.traffic_limit_bytes = 1000;
    row.version = 3;
    user = {.short_uuid = "abc", .username = "bs_7", .used_traffic_bytes = 250, .subscription_url = "https://p/abc"};
    panel = sys.spawn([this](caf::event_based_actor*) -> caf::behavior { return panel_behavior(); });
    domain_context context{std::make_shared<vitals>("subscriptions", true), clock, database.spawn(sys)};
    actor = sys.spawn(subscriptions_behavior, context,
                      subscriptions_dependencies{caf::actor_cast<panel::panel_actor>(panel)});
    consume_messages();
  }

  /// A question that hangs keeps asker and panel alive.
  ~fixture() {
    self->send_exit(panel, caf::exit_reason::kill);
    consume_messages();
  }

  caf::behavior panel_behavior() {
    return {[this](const panel::get_user& m) -> caf::result<panel::user> {
              asked.push_back(m.username);
              if (hangs) return caf::skip;
              if (failure) return to_error({.code = *failure});
              return user;
            },
            [this](const panel::put_user& m) -> caf::result<panel::user> {
              if (failure) return to_error({.code = *failure});
              put.push_back(m);
              return user;
            },
            [this](const panel::get_subscription_text& m) -> caf::result<panel::subscription_text> {
              if (m.short_uuid != user.short_uuid) return to_error({.code = ec::not_found});
              return panel::subscription_text{"vless://" + m.short_uuid};
            }};
  }

  template <class Message>
  struct outcome {
    std::optional<typename Message::reply> reply;
    ec code = ec::none;
  };
  /// Sends, lets `time` pass, and takes the answer.
  template <class Message>
  outcome<Message> ask(Message m, std::chrono::milliseconds time = 0ms) {
    auto request = self->request(actor, caf::infinite, std::move(m));
    consume_messages();
    if (time > 0ms) {
      sched.advance_time(time);
      consume_messages();
    }
    outcome<Message> result;
    request.receive([&](typename Message::reply& value) { result.reply = std::move(value); },
                    [&](const caf::error& error) { result.code = describe(error).code; });
    return result;
  }
  subscription_view view(std::chrono::milliseconds time = 0ms) {
    database.returns(std::optional{row});
    return ask(get_active{ann.account}, time).reply.value();
  }
  void pass(std::chrono::seconds time) { clock->set_offset(clock->offset() + time); }

  clock_handle clock = std::make_shared<domain_clock>();
  scripted_database database;
  store::subscription row;
  caller ann;
  panel::user user;
  bool hangs = false;
  std::optional<ec> failure;
  std::vector<std::string> asked;
  std::vector<panel::put_user> put;
  caf::actor panel;
  subscriptions_actor actor;
};

} // namespace

CAF_TEST(a first purchase runs from now and a repeated one from the end) {
  auto month = make_plan(30, {{300, "USD"}});
  CAF_CHECK(rules::period_after({}, month, now) == (rules::period{now, now + days{30}}));
  auto current = bought(month, now - days{10}, days{30});
  CAF_CHECK(rules::period_after(current, month, now) == (rules::period{now - days{10}, now + days{50}}));
  auto over = bought(month, now - days{30}, days{30});
  CAF_CHECK(rules::period_after(over, month, now) == (rules::period{now, now + days{30}}));
}

CAF_TEST(another plan begins now with the unused value of the old one) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{600, "USD"}});
  auto current = bought(cheap, now - days{10}, days{30});
  CAF_CHECK(rules::period_after(current, dear, now) == (rules::period{now, now + days{40}}));
  auto trial = bought(cheap, now - days{1}, days{3}, status::trial);
  CAF_CHECK(rules::period_after(trial, dear, now) == (rules::period{now, now + days{30}}));
}

CAF_TEST(carried days are floored and never invented) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{1000, "USD"}});
  CAF_CHECK_EQUAL(rules::carried_days(20, cheap, dear), 6);
  CAF_CHECK_EQUAL(rules::carried_days(3, cheap, dear), 0);
  CAF_CHECK_EQUAL(rules::carried_days(6, dear, cheap), 20);
  auto year = make_plan(365, {{3000, "EUR"}, {3650, "USD"}});
  CAF_CHECK_EQUAL(rules::carried_days(30, cheap, year), 30);
  auto free = make_plan(30, {{0, "USD"}}), rubles = make_plan(30, {{100, "RUB"}});
  CAF_CHECK_EQUAL(rules::carried_days(20, free, cheap), 0);
  CAF_CHECK_EQUAL(rules::carried_days(20, cheap, free), 20);
  CAF_CHECK_EQUAL(rules::carried_days(20, cheap, rubles), 20);
}

CAF_TEST(no purchase reaches further than a hundred years) {
  auto gold = make_plan(1, {{std::numeric_limits<std::int64_t>::max(), "USD"}}), penny = make_plan(36500, {{1, "USD"}});
  CAF_CHECK(rules::period_after(bought(gold, now, days{36500}), penny, now).expires_at == now + days{36500});
  CAF_CHECK(rules::period_after(bought(penny, now, days{36500}), penny, now).expires_at == now + days{36500});
}

CAF_TEST(a day that has begun counts as remaining) {
  CAF_CHECK_EQUAL(rules::days_remaining(now + days{30}, now), 30);
  CAF_CHECK_EQUAL(rules::days_remaining(now + days{30}, now + 1s), 30);
  CAF_CHECK_EQUAL(rules::days_remaining(now + 1s, now), 1);
  CAF_CHECK_EQUAL(rules::days_remaining(now, now), 0);
  CAF_CHECK_EQUAL(rules::days_remaining(now - days{5}, now), 0);
}

CAF_TEST(the remaining share stays between nothing and all) {
  CAF_CHECK_EQUAL(rules::traffic_remaining_percent(1000, 200), 80.0);
  CAF_CHECK_EQUAL(rules::traffic_remaining_percent(1000, 5000), 0.0);
  CAF_CHECK_EQUAL(rules::traffic_remaining_percent(std::nullopt, 5000), 100.0);
  CAF_CHECK_EQUAL(rules::traffic_remaining_percent(1000, std::nullopt), 100.0);
}

CAF_TEST(what is shown as status) {
  auto shown = [](status stored, std::optional<panel::user> known, timestamp end = now + 1s) {
    return rules::shown_status(stored, end, known, now);
  };
  CAF_CHECK(shown(status::active, {}) == status::active);
  CAF_CHECK(shown(status::trial, {}) == status::trial);
  CAF_CHECK(shown(status::active, {}, now) == status::expired);
  CAF_CHECK(shown(status::cancelled, {}, now) == status::expired);
  CAF_CHECK(shown(status::active, panel::user{.status = panel::user_status::limited}) == status::active);
  CAF_CHECK(shown(status::active, panel::user{.status = panel::user_status::disabled}) == status::cancelled);
  CAF_CHECK(shown(status::active, panel::user{.is_revoked = true}) == status::cancelled);
}

CAF_TEST(the cache forgets who was not asked for the longest) {
  usage_cache cache{2};
  cache.put("a", {});
  cache.put("b", {});
  cache.find("a");
  cache.put("c", {});
  CAF_CHECK(cache.find("a"));
  CAF_CHECK(!cache.find("b"));
  CAF_CHECK(cache.find("c"));
  cache.put("a", {panel::user{.id = 5}, now});
  CAF_CHECK_EQUAL(cache.size(), 2u);
  cache.outdate("a");
  CAF_CHECK(cache.find("a")->good_until == timestamp{});
  CAF_CHECK_EQUAL(cache.find("a")->user->id, 5);
}

CAF_TEST_FIXTURE_SCOPE(subscriptions_actor_tests, fixture)

CAF_TEST(without a row there is no subscription and the panel is not asked) {
  database.returns(std::optional<store::subscription>{});
  auto shown = ask(get_active{ann.account}).reply.value();
  CAF_CHECK(shown.status == status::none);
  CAF_CHECK(!shown.id);
  CAF_CHECK(asked.empty());
}

CAF_TEST(the panel is asked once in 45 seconds) {
  auto shown = view();
  CAF_CHECK(shown.used_traffic_bytes == 250);
  CAF_CHECK_EQUAL(shown.traffic_remaining_percent, 75.0);
  CAF_CHECK_EQUAL(shown.days_remaining, 30);
  CAF_CHECK(shown.status == status::active);
  user.used_traffic_bytes = 500;
  pass(44s);
  CAF_CHECK(view().used_traffic_bytes == 250);
  CAF_CHECK_EQUAL(asked.size(), 1u);
  pass(1s);
  CAF_CHECK(view().used_traffic_bytes == 500);
  CAF_CHECK_EQUAL(asked.size(), 2u);
  CAF_CHECK_EQUAL(asked[0], "bs_7");
}

CAF_TEST(a panel that hangs costs 1500 ms once and then what was known is shown) {
  view();
  pass(45s);
  hangs = true;
  CAF_CHECK(view(1500ms).used_traffic_bytes == 250);
  CAF_CHECK(view().used_traffic_bytes == 250); // at once
  CAF_CHECK_EQUAL(asked.size(), 2u);
  hangs = false;
  pass(10s);
  user.used_traffic_bytes = 600;
  CAF_CHECK(view().used_traffic_bytes == 600);
}

CAF_TEST(with a panel that was never reached our own figures are shown) {
  failure = ec::restarting;
  auto shown = view();
  CAF_CHECK(shown.status == status::active);
  CAF_CHECK(!shown.used_traffic_bytes);
  CAF_CHECK_EQUAL(shown.traffic_remaining_percent, 100.0);
}

CAF_TEST(askers at the same time share one question) {
  hangs = true;
  database.returns(std::optional{row});
  database.returns(std::optional{row});
  auto one = self->request(actor, caf::infinite, get_active{ann.account});
  auto two = self->request(actor, caf::infinite, get_active{ann.account});
  consume_messages();
  CAF_CHECK_EQUAL(asked.size(), 1u);
  sched.advance_time(1500ms);
  consume_messages();
  int answers = 0;
  one.receive([&](subscription_view&) { ++answers; }, [](const caf::error&) {});
  two.receive([&](subscription_view&) { ++answers; }, [](const caf::error&) {});
  CAF_CHECK_EQUAL(answers, 2);
}

CAF_TEST(a change at the panel is asked for at the next occasion) {
  view();
  user.used_traffic_bytes = 900;
  ask(forget_usage{"bs_7"});
  CAF_CHECK(view().used_traffic_bytes == 900);
  ask(forget_usage{"bs_7"});
  failure = ec::unavailable;
  CAF_CHECK(view().used_traffic_bytes == 900);
}

CAF_TEST(a failing database is told) {
  database.fails(ec::unavailable);
  CAF_CHECK(ask(get_active{ann.account}).code == ec::unavailable);
  database.fails(ec::timeout);
  CAF_CHECK(ask(list_plans{}).code == ec::timeout);
}

CAF_TEST(the config is for its owner and for who may manage) {
  auto link = std::optional{store::panel_link{7, "a@example.org", "abc", "https://p/abc"}};
  database.returns(link);
  auto own = ask(get_config{ann, ann.account});
  CAF_CHECK_EQUAL(own.reply.value().config, "vless://abc");
  CAF_CHECK(own.reply->subscription_url == "https://p/abc");
  caller stranger{.account = account_id::random(), .role = role::operator_};
  CAF_CHECK(ask(get_config{stranger, ann.account}).code == ec::not_found);
  stranger.role = role::admin;
  database.returns(link);
  CAF_CHECK(ask(get_config{stranger, ann.account}).reply.has_value());
}

CAF_TEST(without a panel user there is no config) {
  database.returns(std::optional{store::panel_link{.account_number = 7}});
  CAF_CHECK(ask(get_config{ann, ann.account}).code == ec::not_found);
  database.returns(std::optional<store::panel_link>{});
  CAF_CHECK(ask(get_config{ann, ann.account}).code == ec::not_found);
}

CAF_TEST(a link that the panel has replaced is found again) {
  user.short_uuid = "new";
  user.subscription_url = "https://p/new";
  database.returns(std::optional{store::panel_link{7, {}, "abc", "https://p/abc"}});
  auto found = ask(get_config{ann, ann.account});
  CAF_CHECK_EQUAL(found.reply.value().config, "vless://new");
  CAF_CHECK(found.reply->subscription_url == "https://p/new");
}

CAF_TEST_FIXTURE_SCOPE_END()
