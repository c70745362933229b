#define CAF_SUITE actors_subscriptions

#include "actors/subscriptions/actor.hpp"

#include "actors/subscriptions/notices.hpp"
#include "actors/subscriptions/rules.hpp"
#include "actors/subscriptions/store.hpp"
#include "tests/actors/scripted_database.hpp"

#include <random>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::subscriptions;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

const timestamp now{std::chrono::seconds{1'800'000'000}};

plan make_plan(int duration, std::vector<money> prices) {
  return {.id = plan_id::random(),
          .name = "Basic",
          .prices = prices,
          .duration_days = duration,
          .offers = {{.days = duration, .prices = prices}}};
}

/// Days of one plan after another, as the store keeps them.
struct entitlement {
  std::vector<rules::period> periods;
  std::optional<plan> current;
  std::int64_t last_id = 0;
  int causes = 0;

  std::vector<rules::period> running(timestamp at) const {
    auto some = periods;
    std::erase_if(some, [&](auto& each) { return each.ends_at <= at; });
    std::ranges::sort(some, {}, [](auto& each) { return std::pair{each.starts_at, each.ends_at}; });
    return some;
  }
  void keep(const std::vector<rules::period>& changed) {
    for (auto each : changed) {
      auto old = std::ranges::find(periods, each.id, &rules::period::id);
      if (each.id != 0) *old = each;
      else each.id = ++last_id, periods.push_back(each);
    }
  }
  std::string grant(const plan& what, timestamp at, money paid, source from = source::payment) {
    auto cause = std::to_string(++causes);
    keep(rules::after_grant(running(at), current, {what, paid, from, cause}, at));
    current = what;
    return cause;
  }
  std::string buy(const plan& what, timestamp at) { return grant(what, at, what.prices.front()); }
  void take_back(const std::string& cause, timestamp at, source from = source::payment) {
    keep(rules::after_take_back(running(at), from, cause, at));
  }
  timestamp end(timestamp at) const { return rules::end_of(running(at), at); }
  std::int64_t worth(timestamp at) const {
    std::int64_t sum = 0;
    for (auto& each : running(at)) sum += rules::unused_worth(each, at);
    return sum;
  }
};

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
    self->send_exit(actor, caf::exit_reason::kill);
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
  entitlement had;
  had.buy(month, now - days{10});
  CAF_CHECK(had.end(now) == now + days{20});
  had.buy(month, now);
  CAF_CHECK(had.end(now) == now + days{50});
  had.buy(month, now + days{60});
  CAF_CHECK(had.end(now + days{60}) == now + days{90});
}

CAF_TEST(another plan begins now with what was paid for and not used) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{600, "USD"}});
  struct {
    money paid;
    source from;
    int carried;
  } table[] = {
      {{300, "USD"}, source::payment, 10}, // 20 of 30 days are 200 cents, at 20 cents a day
      {{150, "USD"}, source::purchase, 5}, // half was paid: half is carried
      {{59, "USD"}, source::payment, 1},   // 39 cents
      {{29, "USD"}, source::payment, 0},   // 19 cents
      {{0, "USD"}, source::purchase, 0},   // free by a discount
      {{}, source::trial, 0},
      {{}, source::promo, 0},
      {{}, source::bonus, 0},
      {{}, source::admin, 0},
  };
  for (auto& row : table) {
    entitlement had;
    had.grant(cheap, now - days{10}, row.paid, row.from);
    had.buy(dear, now);
    CAF_CHECK(had.end(now) == now + days{30 + row.carried});
  }
}

CAF_TEST(a discount on the new plan does not make the old one worth more) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{600, "USD"}});
  entitlement had;
  had.buy(cheap, now);
  had.grant(dear, now, {1, "USD"}, source::purchase);
  CAF_CHECK(had.end(now) == now + days{30 + 15});
}

CAF_TEST(carried days are floored and never invented) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{1000, "USD"}});
  auto year = make_plan(365, {{3000, "EUR"}, {3650, "USD"}});
  auto free = make_plan(30, {{0, "USD"}}), rubles = make_plan(30, {{100, "RUB"}});
  struct {
    money worth;
    days left;
    plan from, to;
    int carried;
  } table[] = {
      {{200, "USD"}, days{20}, cheap, dear, 6},
      {{32, "USD"}, days{3}, cheap, dear, 0},
      {{34, "USD"}, days{3}, cheap, dear, 1},
      {{200, "USD"}, days{6}, dear, cheap, 20},
      {{300, "USD"}, days{30}, cheap, year, 30},
      {{300, "EUR"}, days{30}, cheap, year, 36},   // what was paid counts, whatever the old plan costs
      {{200, "USD"}, days{20}, cheap, free, 20},   // nothing to divide by
      {{200, "USD"}, days{20}, cheap, rubles, 20}, // no price that both have: day for day
      {{200, "RUB"}, days{20}, cheap, dear, 6},    // paid in another currency: by the list prices that both have
      {{200, "RUB"}, days{20}, free, cheap, 0},
  };
  for (auto& row : table) CAF_CHECK_EQUAL(rules::carried_days(row.worth, row.left, row.from, row.to), row.carried);
  CAF_CHECK_EQUAL(rules::carried_days({200, "EUR"}, days{20} + 23h, cheap, rubles), 20);
}

CAF_TEST(no purchase reaches further than a hundred years) {
  auto gold = make_plan(1, {{std::numeric_limits<std::int64_t>::max(), "USD"}}), penny = make_plan(36500, {{1, "USD"}});
  entitlement had;
  had.buy(gold, now);
  had.buy(penny, now);
  CAF_CHECK(had.end(now) == now + days{36500});
  had.buy(penny, now);
  CAF_CHECK(had.end(now) == now + days{36500});
}

CAF_TEST(what was paid ends a trial and free days do not ) {
  auto month = make_plan(30, {{300, "USD"}});
  entitlement had;
  had.grant(month, now, {}, source::trial);
  had.grant(month, now, {}, source::promo);
  CAF_CHECK(had.end(now) == now + days{60});
  CAF_CHECK(rules::status_of(had.running(now), now) == status::trial);
  had.buy(month, now + days{1});
  CAF_CHECK(had.end(now + days{1}) == now + days{1 + 30 + 30}); // the promo code's days move up
  CAF_CHECK(rules::status_of(had.running(now + days{1}), now + days{1}) == status::active);
}

CAF_TEST(what a cause has brought is taken back and what is behind it moves up) {
  auto month = make_plan(30, {{300, "USD"}});
  entitlement had;
  auto first = had.buy(month, now), second = had.buy(month, now), third = had.buy(month, now);
  auto later = now + days{10};
  had.take_back(first, later);
  CAF_CHECK(had.end(later) == later + days{60});
  had.take_back(first, later);
  CAF_CHECK(had.end(later) == later + days{60}); // once
  had.take_back(third, later);
  CAF_CHECK(had.end(later) == later + days{30});
  had.take_back(second, later);
  CAF_CHECK(had.end(later) == later);
  CAF_CHECK(had.running(later).empty());
}

CAF_TEST(what was carried into another plan is taken back from there) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{600, "USD"}});
  entitlement had;
  auto first = had.buy(cheap, now), second = had.buy(cheap, now);
  auto third = had.buy(dear, now); // 15 days of each
  CAF_CHECK(had.end(now) == now + days{60});
  had.take_back(second, now);
  CAF_CHECK(had.end(now) == now + days{45});
  had.take_back(third, now + days{5});
  CAF_CHECK(had.end(now + days{5}) == now + days{15});
  had.buy(cheap, now + days{5}); // what is left of `first`: 10 days of the dear one
  CAF_CHECK(had.end(now + days{5}) == now + days{5 + 30 + 20});
  had.take_back(first, now + days{10});
  CAF_CHECK(had.end(now + days{10}) == now + days{10 + 30});
}

CAF_TEST(no sequence of purchases and refunds mints anything) {
  auto seed = std::random_device{}();
  CAF_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  auto below = [&](std::int64_t limit) { return std::uniform_int_distribution<std::int64_t>{0, limit - 1}(random); };
  std::vector<plan> plans;
  for (int i = 0; i < 4; ++i) plans.push_back(make_plan(static_cast<int>(1 + below(400)), {{1 + below(5000), "USD"}}));
  for (int round = 0; round < 50; ++round) {
    entitlement had;
    auto at = now;
    std::vector<std::string> causes;
    for (int i = 0; i < 30; ++i) {
      auto worth = had.worth(at);
      auto end = had.end(at);
      if (!causes.empty() && below(4) == 0) {
        had.take_back(causes[static_cast<std::size_t>(below(std::ssize(causes)))], at);
        CAF_REQUIRE_LESS_OR_EQUAL(had.worth(at), worth);
        CAF_REQUIRE(had.end(at) <= end);
      } else {
        auto& what = plans[static_cast<std::size_t>(below(4))];
        bool is_free = below(3) == 0;
        bool goes_on = had.current && had.current->id == what.id;
        auto price = is_free ? money{} : money{below(what.prices[0].minor + 1), "USD"};
        causes.push_back(had.grant(what, at, price, is_free ? source::promo : source::payment));
        CAF_REQUIRE_LESS_OR_EQUAL(had.worth(at), worth + price.minor);
        // Whoever changes gets no more days than the unused money buys, at the list price.
        if (!goes_on)
          CAF_REQUIRE(had.end(at) <=
                      at + days{what.duration_days} + days{worth * what.duration_days / what.prices[0].minor});
      }
      auto expected = at;
      for (auto& each : had.running(at)) { // one after the other, without a gap
        CAF_REQUIRE(each.starts_at <= expected && (each.starts_at == expected || expected == at));
        CAF_REQUIRE(each.plan == had.current->id);
        expected = each.ends_at;
      }
      at += std::chrono::seconds{below(20 * 86400)};
    }
  }
}

CAF_TEST(discounts round in our favour by less than a unit) {
  struct {
    std::int64_t amount;
    int percent;
    std::int64_t price;
  } table[] = {{49900, 10, 44910}, {999, 0, 999},
               {999, 1, 990},      {1, 50, 1},
               {1, 100, 0},        {0, 50, 0},
               {99, 99, 1},        {300, 150, 0},
               {300, -5, 300},     {std::int64_t{1} << 62, 50, std::int64_t{1} << 61}};
  for (auto& row : table) CAF_CHECK_EQUAL(rules::discounted(row.amount, row.percent), row.price);
}

CAF_TEST(months of a period) {
  std::pair<int, int> table[] = {{1, 1},  {14, 1}, {15, 1}, {30, 1}, {44, 1},  {45, 2},
                                 {46, 2}, {75, 2}, {76, 3}, {90, 3}, {180, 6}, {365, 12}};
  for (auto& [days, months] : table) CAF_CHECK_EQUAL(rules::months(days), months);
}

CAF_TEST(what a purchase costs and brings) {
  auto what = make_plan(30, {{1000, "USD"}});
  what.offers.push_back({.days = 90, .prices = {{3000, "USD"}, {200'000, "RUB"}}, .discount_percent = 10});
  what.offers.push_back({.days = 7, .prices = {{500, "USD"}, {0, "RUB"}}, .discount_percent = 100});
  auto month = rules::quote_for(what, {}, "USD", {}, {}, {}, now);
  CAF_CHECK(month.price == (money{1000, "USD"}));
  CAF_CHECK(month.step == step::first);
  CAF_CHECK(month.expires_at == now + days{30});
  auto quarter = rules::quote_for(what, 90, "USD", {15}, {}, {}, now);
  CAF_CHECK(quarter.list_price == (money{2700, "USD"}));
  CAF_CHECK(quarter.price == (money{2295, "USD"}));
  CAF_CHECK(quarter.price_a_month == (money{765, "USD"}));
  auto twice = rules::quote_for(what, {}, "USD", {15, 15}, {}, {}, now); // 150 off 1000, then 127 off 850
  CAF_CHECK(twice.price == (money{723, "USD"}));
  CAF_CHECK_EQUAL(twice.discount_percent, 27);
  CAF_CHECK_EQUAL(rules::quote_for(what, 7, "USD", {}, {}, {}, now).price.minor, 0);
  CAF_CHECK_EQUAL(rules::quote_for(what, {}, "USD", {100}, {}, {}, now).price.minor, 0);
  auto refused = [&](std::optional<int> days, const std::string& currency) {
    try {
      rules::quote_for(what, days, currency, {}, {}, {}, now);
    } catch (const fault_error& error) {
      return error.what_failed.problems.at(0).location.back();
    }
    return std::string{"nothing"};
  };
  CAF_CHECK_EQUAL(refused(31, "USD"), "period_days");
  CAF_CHECK_EQUAL(refused({}, "RUB"), "currency");
  CAF_CHECK_EQUAL(refused(7, "RUB"), "currency"); // a price of nothing is a mistake, a discount is not
  CAF_CHECK_EQUAL(refused(90, "EUR"), "currency");
}

CAF_TEST(whether a purchase goes up or down is told by the price of a day) {
  auto cheap = make_plan(30, {{300, "USD"}}), dear = make_plan(30, {{600, "USD"}}),
       year = make_plan(360, {{3000, "USD"}});
  auto rubles = make_plan(30, {{1, "RUB"}});
  auto to = [&](const plan& from, const plan& what) {
    entitlement had;
    had.buy(from, now);
    return rules::quote_for(what, {}, what.prices[0].currency, {}, had.running(now), from, now);
  };
  CAF_CHECK(to(cheap, cheap).step == step::renewal);
  CAF_CHECK(to(cheap, dear).step == step::upgrade);
  CAF_CHECK_EQUAL(to(cheap, dear).carried_days, 15);
  CAF_CHECK(to(dear, cheap).step == step::downgrade);
  CAF_CHECK(to(cheap, year).step == step::downgrade);
  CAF_CHECK(to(cheap, rubles).step == step::upgrade); // nothing to compare
  CAF_CHECK(rules::quote_for(dear, {}, "USD", {}, {}, cheap, now).step == step::first);
}

CAF_TEST(the mistakes of a plan are all named) {
  auto what = make_plan(30, {{300, "USD"}, {200, "USD"}});
  what.offers.push_back({.days = 30});
  what.duration_days = 60;
  what.price_names = {{90, "stripe", "a"}, {30, "stripe", "b"}, {30, "stripe", "c"}};
  std::vector<std::string> fields;
  for (auto& each : rules::problems_of(what)) fields.push_back(each.location.back());
  CAF_CHECK_EQUAL(fields,
                  (std::vector<std::string>{"offers", "offers", "duration_days", "price_names", "price_names"}));
  CAF_CHECK(rules::problems_of(make_plan(30, {{300, "USD"}})).empty());
}

CAF_TEST(the stages around the end) {
  using store::stage;
  std::pair<std::chrono::seconds, std::optional<stage>> table[] = {
      {96h + 1s, {}},           {96h, stage::announced}, {72h + 1s, stage::announced}, {72h, stage::first},
      {24h + 1s, stage::first}, {24h, stage::second},    {1h + 1s, stage::second},     {1h, stage::last},
      {0s, stage::last},        {-2h + 1s, stage::last}, {-2h, stage::expired},        {-days{9}, stage::expired}};
  for (auto& [left, stage] : table) CAF_CHECK(rules::stage_at(now + left, 2h, now) == stage);
  CAF_CHECK(rules::stage_at(now, 0s, now) == stage::expired);
}

CAF_TEST(notices speak the language of the account) {
  quote what{.plan_name = "Basic", .price = {999, "USD"}};
  auto english = notices::short_of(what, {99, "USD"}, now, "en");
  CAF_CHECK_EQUAL(english.body, "Basic ends on 2027-01-15. Top up your balance: 0.99 USD is missing.");
  CAF_CHECK(english.kind == live::notification_kind::subscription_expiring);
  CAF_CHECK(notices::expired("Basic", "ru-RU").body.find("истёк") != std::string::npos);
  CAF_CHECK(notices::expired("Basic", "").kind == live::notification_kind::expired);
  CAF_CHECK(notices::announced(what, now, "ru").body.find("9.99 USD") != std::string::npos);
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
