#define CAF_SUITE persistence_outbox_actor

#include "actors/outbox/actor.hpp"

#include "actors/live/store.hpp"
#include "actors/subscriptions/actor.hpp"
#include "actors/subscriptions/store.hpp"
#include "persistence/database.hpp"
#include "tests/eventually.hpp"
#include "tests/persistence/commerce.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::steady_clock;

namespace {

vitals_ptr make_pulse(const std::string& name) { return std::make_shared<vitals>(name, false); }

/// What the performers were asked, how often, and how they answer. Thread-safe.
struct performances {
  std::mutex mutex;
  std::map<std::string, int> counts;
  std::optional<ec> failure;
  std::atomic<bool> holds{false}; ///< does not answer settlements; their promises wait in `held`
  std::vector<caf::typed_response_promise<done>> held;
  std::vector<panel::put_user> put;

  int count(const std::string& what) {
    std::lock_guard lock{mutex};
    return counts[what];
  }
  /// How many were asked for something exactly `times` times.
  long asked(int times) {
    std::lock_guard lock{mutex};
    return std::ranges::count(counts, times, [](auto& entry) { return entry.second; });
  }
  caf::result<done> note(const std::string& what) {
    std::lock_guard lock{mutex};
    ++counts[what];
    if (failure) return to_error({.code = *failure});
    return done{};
  }
};

/// Real actors on real threads and a real database; mail, payments and panel are played.
struct fixture : commerce_database {
  fixture() {
    outbox::store::seal_with(keyring{{secret{std::string(32, 'k')}}});
    starter = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      pool = spawn_database(self, make_pulse("database"), {.url = scratch.url(), .pool = {4, 1000, 3000ms}});
      started.push_back(pool);
      ready = true;
      return {[](int) {}};
    });
    eventually([this] { return ready.load(); });
  }
  ~fixture() {
    {
      std::lock_guard lock{done_so_far.mutex};
      done_so_far.held.clear();
    }
    caf::anon_send_exit(starter, caf::exit_reason::kill);
    for (auto& one : started) caf::anon_send_exit(one, caf::exit_reason::kill);
  }

  template <class Handle>
  Handle keep(const Handle& handle) {
    started.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  domain_context context(const std::string& name, clock_handle by = nullptr) {
    return {make_pulse(name), by ? by : clock, caf::actor_cast<database_actor>(pool)};
  }

  outbox::outbox_dependencies performers() {
    auto mail = system.spawn([this]() -> mail::mail_actor::behavior_type {
      return {[this](const mail::send_mail& m) { return done_so_far.note(m.key + " " + m.to); }};
    });
    auto payments = system.spawn([this](caf::event_based_actor* self) -> caf::behavior {
      return {[this, self](const payments::settle_charge& m) -> caf::result<done> {
        auto answer = done_so_far.note(m.external_id);
        if (!done_so_far.holds) return answer;
        auto promise = self->make_response_promise<done>();
        std::lock_guard lock{done_so_far.mutex};
        done_so_far.held.push_back(promise);
        return promise;
      }};
    });
    auto panel = system.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {[this](const panel::put_user& m) -> caf::result<panel::user> {
        done_so_far.note(m.username);
        std::lock_guard lock{done_so_far.mutex};
        done_so_far.put.push_back(m);
        return panel::user{.short_uuid = "abc", .username = m.username, .subscription_url = "https://p/abc"};
      }};
    });
    auto subscriptions =
        system.spawn(subscriptions::subscriptions_behavior, context("subscriptions"),
                     subscriptions::subscriptions_dependencies{caf::actor_cast<panel::panel_actor>(keep(panel))});
    return {keep(mail), keep(subscriptions), caf::actor_cast<payments::payments_actor>(keep(payments))};
  }

  outbox::outbox_actor start_outbox(clock_handle by = nullptr, outbox::outbox_options options = {.tick = 50ms}) {
    return keep(system.spawn(outbox::outbox_behavior, context("outbox", by), performers(), options));
  }

  void add(const outbox::work& what) {
    commit([&](transaction& tx) { outbox::store::enqueue(tx, what, clock->now()); });
  }
  std::int64_t count(const std::string& where) {
    return commit([&](transaction& tx) {
      return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM outbox WHERE " + where))[0]);
    });
  }
  bool becomes(const std::string& where, std::int64_t wanted) {
    return eventually([&] { return count(where) == wanted; });
  }

  performances done_so_far;
  clock_handle clock = std::make_shared<domain_clock>();
  std::atomic<bool> ready{false};
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::actor starter, pool;
  std::vector<caf::actor> started;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(outbox_actor_tests, fixture)

CAF_TEST(two outboxes share the work and nothing is done twice) {
  for (int i = 0; i < 150; ++i) add(outbox::settle_work{"cryptobot", std::to_string(i)});
  start_outbox();
  start_outbox();
  CAF_CHECK(becomes("done_at IS NOT NULL", 150));
  CAF_CHECK_EQUAL(done_so_far.asked(1), 150);
}

CAF_TEST(a mail is sent under the same key at each try and then its code is emptied) {
  done_so_far.failure = ec::timeout;
  add(outbox::mail_work{"ann@example.org", "en", {}, secret{"123456"}});
  start_outbox();
  CAF_CHECK(becomes("attempts = 1 AND payload ? 'code'", 1));
  {
    std::lock_guard lock{done_so_far.mutex};
    done_so_far.failure.reset();
  }
  clock->set_offset(1min);
  CAF_CHECK(becomes("done_at IS NOT NULL AND NOT payload ? 'code'", 1));
  std::lock_guard lock{done_so_far.mutex};
  CAF_REQUIRE_EQUAL(done_so_far.counts.size(), 1u);
  auto& [key_and_address, times] = *done_so_far.counts.begin();
  CAF_CHECK(key_and_address.starts_with("outbox-1-"));
  CAF_CHECK(key_and_address.ends_with(" ann@example.org"));
  CAF_CHECK_EQUAL(times, 2);
}

CAF_TEST(work whose holder is stuck is taken over and the late outcome changes nothing) {
  add(outbox::settle_work{"cryptobot", "7"});
  done_so_far.holds = true;
  start_outbox();
  CAF_REQUIRE(eventually([&] { return done_so_far.count("7") == 1; }));
  done_so_far.holds = false;
  auto later = std::make_shared<domain_clock>();
  later->set_offset(61s);
  start_outbox(later);
  CAF_CHECK(becomes("done_at IS NOT NULL AND claims = 2", 1));
  CAF_CHECK_EQUAL(done_so_far.count("7"), 2);
  {
    std::lock_guard lock{done_so_far.mutex};
    CAF_REQUIRE_EQUAL(done_so_far.held.size(), 1u);
    done_so_far.held[0].deliver(to_error({.code = ec::refused})); // would bury it, were the lease still ours
  }
  std::this_thread::sleep_for(300ms);
  CAF_CHECK_EQUAL(count("done_at IS NOT NULL AND dead_at IS NULL AND attempts = 0"), 1);
}

CAF_TEST(a failure postpones and the next try succeeds) {
  done_so_far.failure = ec::unavailable;
  add(outbox::settle_work{"cryptobot", "7"});
  start_outbox();
  CAF_CHECK(becomes("attempts = 1 AND cause = 'unavailable' AND done_at IS NULL", 1));
  {
    std::lock_guard lock{done_so_far.mutex};
    done_so_far.failure.reset();
  }
  clock->set_offset(3s);
  CAF_CHECK(becomes("done_at IS NOT NULL", 1));
  CAF_CHECK_EQUAL(done_so_far.count("7"), 2);
}

CAF_TEST(a refusal buries) {
  done_so_far.failure = ec::refused;
  add(outbox::mail_work{"nobody@example.org", "ru", {}, secret{"123456"}});
  auto outbox = start_outbox();
  CAF_CHECK(becomes("dead_at IS NOT NULL AND cause = 'refused'", 1));
  caf::scoped_actor self{system};
  self->request(outbox, 5s, outbox::get_backlog{})
      .receive(
          [](outbox::backlog_view& view) {
            CAF_CHECK_EQUAL(view.waiting, 0);
            CAF_CHECK_EQUAL(view.dead, 1);
          },
          [](const caf::error&) { CAF_FAIL("refused"); });
}

CAF_TEST(what was done and told a day ago is removed) {
  auto ann = add_account("ann");
  auto day_ago = clock->now() - 25h;
  commit([&](transaction& tx) {
    for (auto when : {day_ago, clock->now()}) {
      outbox::store::enqueue(tx, outbox::settle_work{"cryptobot", "7"}, when);
      live::store::append(tx, ann, live::force_disconnect{"over"}, when);
    }
    tx.run("UPDATE outbox SET done_at = created_at");
  });
  start_outbox();
  CAF_CHECK(becomes("true", 1));
  auto events = commit([](transaction& tx) { return live::store::read_after(tx, 0, 10); });
  CAF_CHECK_EQUAL(events.size(), 1u);
}

CAF_TEST(what was granted reaches the panel as our row says) {
  auto ann = add_account("ann");
  subscriptions::plan plan{
      .id = plan_id::random(), .name = "Basic", .duration_days = 30, .traffic_limit_bytes = 1000, .max_devices = 2};
  auto granted = commit([&](transaction& tx) {
    subscriptions::store::insert_plan(tx, plan, 1);
    return subscriptions::store::grant(tx, ann, {plan, {}, subscriptions::source::admin, to_string(uuid::random())},
                                       clock->now());
  });
  start_outbox();
  CAF_REQUIRE(becomes("done_at IS NOT NULL", 1));
  auto link = commit([&](transaction& tx) { return subscriptions::store::find_panel_link(tx, ann); });
  CAF_CHECK(link->short_uuid == "abc");
  auto row = commit([&](transaction& tx) { return subscriptions::store::find_current(tx, ann); });
  CAF_CHECK_EQUAL(row->synced_version, 1);
  std::lock_guard lock{done_so_far.mutex};
  CAF_REQUIRE_EQUAL(done_so_far.put.size(), 1u);
  auto& put = done_so_far.put[0];
  CAF_CHECK_EQUAL(put.username, "bs_" + std::to_string(link->account_number));
  CAF_CHECK(put.expires_at == granted.expires_at);
  CAF_CHECK_EQUAL(put.traffic_limit_bytes, 1000);
  CAF_CHECK(put.device_limit == 2);
  CAF_CHECK(put.email == "ann@example.org");
}

CAF_TEST(an entitlement that is over is not sent to the panel) {
  auto ann = add_account("ann");
  subscriptions::plan plan{.id = plan_id::random(), .name = "Basic", .duration_days = 30};
  commit([&](transaction& tx) {
    subscriptions::store::insert_plan(tx, plan, 1);
    subscriptions::store::grant(tx, ann, {plan, {}, subscriptions::source::admin, to_string(uuid::random())},
                                clock->now());
  });
  clock->set_offset(days{31});
  start_outbox();
  CAF_CHECK(becomes("done_at IS NOT NULL", 1));
  std::lock_guard lock{done_so_far.mutex};
  CAF_CHECK(done_so_far.put.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
