#define CAF_SUITE persistence_live

#include "actors/live/store.hpp"

#include "actors/notifications/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = live::store;

namespace {

struct fixture : commerce_database {
  account_id ann = add_account("ann");

  void append(transaction& tx, const std::string& reason) {
    store::append(tx, ann, live::force_disconnect{reason}, moment(0));
  }
  std::vector<live::stored_event> after(std::int64_t sequence, std::int64_t limit = 100) {
    return commit([&](transaction& tx) { return store::read_after(tx, sequence, limit); });
  }
};

const std::string& reason_of(const live::stored_event& event) {
  return std::get<live::force_disconnect>(event.what).reason;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(live_store_tests, fixture)

CAF_TEST(every event comes back as it was written) {
  std::vector<live::event> events{
      live::server_status_changed{node_id::random(), live::server_status::maintenance, 12},
      live::subscription_updated{subscription_id::random(), "active"},
      live::notification_received{uuid::random(), live::notification_kind::payment_confirmed, "Оплата", "\"ok\"", "/x"},
      live::notification_received{uuid::random(), live::notification_kind::expired, "t", "b", std::nullopt},
      live::force_disconnect{"locked"},
      live::force_disconnect{"signed out", session_id::random()},
      live::force_disconnect{"password changed", std::nullopt, session_id::random()},
      live::server_status_changed{node_id::random(), live::server_status::online, 3, 41.5},
      live::payment_changed{payment_id::random(), ann, "stripe", "held", {1999, "USD"}, "paid too little"},
      live::payment_changed{payment_id::random(), std::nullopt, "tribute", "paid", {5, "XTR"}, ""},
      live::account_changed{ann, live::account_change::signed_in}};
  commit([&](transaction& tx) {
    for (auto& event : events) store::append(tx, ann, event, moment(0));
  });
  auto kept = after(0);
  CAF_REQUIRE_EQUAL(kept.size(), events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    CAF_CHECK(kept[i].what == events[i]);
    CAF_CHECK(std::get<account_id>(kept[i].whom) == ann);
  }
}

CAF_TEST(accounts and topics share one stream) {
  live::event what = live::account_changed{ann, live::account_change::registered};
  commit([&](transaction& tx) {
    append(tx, "first");
    store::append(tx, live::topic::users, what, moment(0));
    append(tx, "last");
  });
  auto kept = after(0);
  CAF_REQUIRE_EQUAL(kept.size(), 3u);
  CAF_CHECK(std::get<live::topic>(kept[1].whom) == live::topic::users);
  CAF_CHECK(kept[1].what == what);
  CAF_CHECK_LESS(kept[0].sequence, kept[1].sequence);
  CAF_CHECK_LESS(kept[1].sequence, kept[2].sequence);
}

CAF_TEST(an event is visible and announced only once its cause is committed) {
  database_connection listener{scratch.url()};
  struct ear : pqxx::notification_receiver {
    using notification_receiver::notification_receiver;
    std::vector<std::string> heard;
    void operator()(const std::string& payload, int) override { heard.push_back(payload); }
  } ear{listener.link, "live_events"};

  auto opened = begin();
  append(opened->tx, "first");
  listener.link.await_notification(0, 100'000);
  CAF_CHECK(ear.heard.empty());
  CAF_CHECK(after(0).empty());

  opened->commit();
  listener.link.await_notification(2, 0);
  CAF_REQUIRE_EQUAL(ear.heard.size(), 1u);
  auto announced = commit([&](transaction& tx) { return store::read(tx, {std::stoll(ear.heard[0])}); });
  CAF_REQUIRE_EQUAL(announced.size(), 1u);
  CAF_CHECK_EQUAL(reason_of(announced[0]), "first");
}

CAF_TEST(an event whose cause rolls back never was) {
  begin()->tx.run("SELECT 1");
  {
    auto opened = begin();
    append(opened->tx, "gone");
  }
  commit([&](transaction& tx) { append(tx, "kept"); });
  auto kept = after(0);
  CAF_REQUIRE_EQUAL(kept.size(), 1u);
  CAF_CHECK_EQUAL(reason_of(kept[0]), "kept");
}

// With numbers drawn at the insert the later commit would have the smaller one, and a reader that has seen the larger
// would never look for it.
CAF_TEST(the order of the numbers is the order of the commits) {
  auto slow = begin();
  append(slow->tx, "slow");
  commit([&](transaction& tx) { append(tx, "quick"); });
  auto seen = commit([](transaction& tx) { return store::last_sequence(tx); });
  slow->commit();
  auto missed = after(seen);
  CAF_REQUIRE_EQUAL(missed.size(), 1u);
  CAF_CHECK_EQUAL(reason_of(missed[0]), "slow");
}

CAF_TEST(a reader that follows the stream misses nothing of many writers) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([this] {
      for (int i = 0; i < 50; ++i)
        commit([&](transaction& tx) {
          append(tx, "one");
          append(tx, "two");
        });
    });
  std::int64_t seen = 0;
  std::size_t count = 0;
  auto give_up = std::chrono::steady_clock::now() + 20s;
  while (count < 400 && std::chrono::steady_clock::now() < give_up)
    for (auto& event : after(seen, 33)) {
      CAF_CHECK_LESS(seen, event.sequence);
      seen = event.sequence;
      ++count;
    }
  for (auto& writer : writers) writer.join();
  CAF_CHECK_EQUAL(count, 400u);
}

CAF_TEST(what is old is forgotten) {
  commit([&](transaction& tx) {
    store::append(tx, ann, live::force_disconnect{"old"}, moment(0));
    store::append(tx, ann, live::force_disconnect{"new"}, moment(10));
    store::forget_before(tx, moment(5));
  });
  CAF_REQUIRE_EQUAL(after(0).size(), 1u);
  CAF_CHECK(reason_of(after(0)[0]) == "new");
}

CAF_TEST(a notice is in the inbox and on the socket under one id or in neither) {
  auto opened = begin();
  notifications::store::notify(opened->tx, ann, {live::notification_kind::payment_confirmed, "t", "b", "/s"},
                               moment(3));
  CAF_CHECK(after(0).empty());
  opened->commit();
  auto events = after(0);
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  auto& event = std::get<live::notification_received>(events[0].what);
  auto row = commit([](transaction& tx) {
    auto found = *tx.first("SELECT id, account_id, kind, action_route, created_at, read_at FROM notifications");
    return std::tuple{
        sql::get<uuid>(found[0]),        sql::get<account_id>(found[1]), sql::get<live::notification_kind>(found[2]),
        sql::get<std::string>(found[3]), sql::get<timestamp>(found[4]),  found[5].is_null()};
  });
  CAF_CHECK(row == std::tuple(event.id, ann, event.kind, std::string{"/s"}, moment(3), true));
}

CAF_TEST_FIXTURE_SCOPE_END()
