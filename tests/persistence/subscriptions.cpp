#define CAF_SUITE persistence_subscriptions

#include "actors/subscriptions/store.hpp"

#include "actors/live/store.hpp"
#include "actors/outbox/store.hpp"
#include "actors/subscriptions/commerce.hpp"
#include "actors/subscriptions/renewals.hpp"
#include "actors/wallet/store.hpp"
#include "tests/persistence/commerce.hpp"

#include <atomic>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::persistence;
using namespace std::chrono_literals;
namespace store = subscriptions::store;
using std::chrono::days;
using subscriptions::plan;

namespace {

plan make_plan(const std::string& name, int duration, std::vector<money> prices) {
  return {.id = plan_id::random(),
          .name = name,
          .description = "about " + name,
          .prices = prices,
          .duration_days = duration,
          .traffic_limit_bytes = 1000,
          .max_devices = 3,
          .features = {"fast", "\"quoted\""},
          .offers = {{.days = duration, .prices = prices}}};
}

store::order order_of(const plan& what) {
  return {what, what.prices.back(), subscriptions::source::payment, to_string(uuid::random())};
}

struct fixture : commerce_database {
  fixture() {
    commit([&](transaction& tx) {
      store::insert_plan(tx, dear, 2);
      store::insert_plan(tx, cheap, 1);
    });
  }

  store::subscription grant(const plan& what, timestamp now) {
    return commit([&](transaction& tx) { return store::grant(tx, ann, order_of(what), now); });
  }
  std::int64_t count(const std::string& table) {
    return commit(
        [&](transaction& tx) { return sql::get<std::int64_t>((*tx.first("SELECT count(*) FROM " + table))[0]); });
  }
  void save_link(std::int64_t version) {
    commit([&](transaction& tx) { store::save_panel_link(tx, ann, "abc", "https://panel/abc", version, moment(0)); });
  }

  account_id ann = add_account("ann");
  /// Money from nowhere, for the wallet.
  void fund(const account_id& account, std::int64_t minor) {
    commit([&](transaction& tx) {
      wallet::store::credit(tx, account, wallet::provider("test"), {minor, "USD"},
                            {wallet::cause_kind::admin, to_string(uuid::random())}, moment(0));
    });
  }
  std::int64_t balance() {
    return commit([&](transaction& tx) { return wallet::store::balance_of(tx, ann, "USD"); });
  }
  template <class Message>
  typename Message::reply perform(const Message& m, timestamp now) {
    return commit([&](transaction& tx) { return subscriptions::perform(tx, m, now); });
  }
  bool take_back(const std::string& cause, timestamp now) {
    return commit(
        [&](transaction& tx) { return store::take_back(tx, ann, subscriptions::source::payment, cause, now); });
  }
  std::optional<store::subscription> current() {
    return commit([&](transaction& tx) { return store::find_current(tx, ann); });
  }
  std::vector<std::string> audit() {
    return commit([](transaction& tx) { return store::audit(tx); });
  }
  /// How many of 64 tries at the same time succeed.
  template <class Job>
  int race(Job job) {
    std::atomic<int> successes = 0;
    std::vector<std::thread> tries;
    for (int i = 0; i < 64; ++i) tries.emplace_back([&] { successes += code_of([&] { commit(job); }) == ec::none; });
    for (auto& each : tries) each.join();
    return successes;
  }

  plan cheap = make_plan("Basic", 30, {{30'000, "RUB"}, {300, "USD"}});
  plan dear = make_plan("Premium", 30, {{600, "USD"}});
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(subscription_store_tests, fixture)

CAF_TEST(plans come back as they were written in their order) {
  auto plans = commit([](transaction& tx) { return store::list_plans(tx); });
  CAF_REQUIRE_EQUAL(plans.size(), 2u);
  auto as_stored = [](plan what, const plan& seen) {
    what.number = seen.number;
    what.position = seen.position;
    return what;
  };
  CAF_CHECK(plans[0] == as_stored(cheap, plans[0]));
  CAF_CHECK(plans[1] == as_stored(dear, plans[1]));
  CAF_CHECK_NOT_EQUAL(plans[0].number, plans[1].number);
  CAF_CHECK(commit([](transaction& tx) { return store::has_plans(tx); }));
}

CAF_TEST(a plan is found by id and by name in any case but only while on sale) {
  auto find = [&](const std::string& what) {
    return commit([&](transaction& tx) { return store::find_plan(tx, what); });
  };
  auto found = find(to_string(dear.id));
  CAF_REQUIRE(found.has_value());
  CAF_CHECK(found->id == dear.id);
  CAF_CHECK(find("pREMIUM") == found);
  CAF_CHECK(find(std::to_string(found->number)) == found);
  CAF_CHECK(!find("Premium Plus"));
  CAF_CHECK(!find(to_string(plan_id::random())));
  CAF_CHECK(!find("' OR true --"));
  commit([](transaction& tx) { tx.run("UPDATE plans SET is_active = false WHERE name = 'Premium'"); });
  CAF_CHECK(!find("premium"));
}

CAF_TEST(two plans cannot have one name) {
  CAF_CHECK(code_of([&] { commit([&](transaction& tx) { store::insert_plan(tx, make_plan("BASIC", 1, {}), 3); }); }) ==
            ec::conflict);
}

CAF_TEST(a grant entitles from now and tells panel and sockets in the same transaction) {
  auto opened = begin();
  auto granted = store::grant(opened->tx, ann, order_of(cheap), moment(0));
  CAF_CHECK_EQUAL(count("outbox"), 0);
  CAF_CHECK_EQUAL(count("live_events"), 0);
  opened->commit();
  CAF_CHECK(granted.started_at == moment(0));
  CAF_CHECK(granted.expires_at == moment(0) + days{30});
  CAF_CHECK(granted.status == subscriptions::status::active);
  CAF_CHECK_EQUAL(granted.plan_name, "Basic");
  CAF_CHECK_EQUAL(granted.version, 1);
  CAF_CHECK_EQUAL(granted.synced_version, 0);
  auto work = commit([](transaction& tx) { return outbox::store::claim(tx, moment(0), 60s, 10); });
  CAF_REQUIRE_EQUAL(work.size(), 1u);
  CAF_CHECK(std::get<outbox::panel_work>(work[0].work).account == ann);
  auto events = commit([](transaction& tx) { return live::store::read_after(tx, 0, 10); });
  CAF_REQUIRE_EQUAL(events.size(), 1u);
  CAF_CHECK(events[0].what == live::event{live::subscription_updated{granted.id, "active"}});
}

CAF_TEST(the same plan goes on from its end and an expired one from now) {
  grant(cheap, moment(0));
  auto longer = grant(cheap, moment(1000));
  CAF_CHECK(longer.started_at == moment(0));
  CAF_CHECK(longer.expires_at == moment(0) + days{60});
  CAF_CHECK_EQUAL(longer.version, 2);
  auto late = longer.expires_at + 1s;
  auto again = grant(cheap, late);
  CAF_CHECK(again.started_at == late);
  CAF_CHECK(again.expires_at == late + days{30});
  CAF_CHECK(again.id == longer.id);
}

CAF_TEST(whoever comes second with an earlier clock loses nothing) {
  grant(cheap, moment(10));
  auto second = grant(cheap, moment(9));
  CAF_CHECK(second.started_at == moment(10));
  CAF_CHECK(second.expires_at == moment(10) + days{60});
}

CAF_TEST(another plan takes over with the value that is left) {
  grant(cheap, moment(0));
  auto changed = grant(dear, moment(0) + days{10});
  CAF_CHECK_EQUAL(changed.plan_name, "Premium");
  CAF_CHECK(changed.started_at == moment(0) + days{10});
  CAF_CHECK(changed.expires_at == moment(0) + days{10 + 30 + 10}); // 20 days at 10 cents are 10 at 20
  CAF_CHECK_EQUAL(count("subscriptions"), 1);
}

CAF_TEST(payments at the same time add up) {
  std::vector<std::thread> buyers;
  for (int i = 0; i < 8; ++i) buyers.emplace_back([this] { grant(cheap, moment(0)); });
  for (auto& buyer : buyers) buyer.join();
  auto current = commit([&](transaction& tx) { return store::find_current(tx, ann); });
  CAF_REQUIRE(current.has_value());
  CAF_CHECK(current->expires_at == moment(0) + days{240});
  CAF_CHECK_EQUAL(current->version, 8);
  CAF_CHECK_EQUAL(count("outbox"), 8);
}

CAF_TEST(a cause is granted once whoever tries) {
  auto order = order_of(cheap);
  CAF_CHECK_EQUAL(race([&](transaction& tx) { store::grant(tx, ann, order, moment(0)); }), 64);
  CAF_CHECK(current()->expires_at == moment(0) + days{30});
  CAF_CHECK(current()->version == 1);
  CAF_CHECK_EQUAL(count("subscription_periods"), 1);
}

CAF_TEST(what is taken back ends what is left and is told to panel and sockets once) {
  auto first = order_of(cheap), second = order_of(dear);
  commit([&](transaction& tx) { store::grant(tx, ann, first, moment(0)); });
  commit([&](transaction& tx) { store::grant(tx, ann, second, moment(0)); });
  CAF_CHECK(current()->expires_at == moment(0) + days{45});
  CAF_CHECK(!take_back("another", moment(1)));
  CAF_CHECK_EQUAL(count("outbox"), 2);
  CAF_CHECK_EQUAL(race([&](transaction& tx) {
                    store::take_back(tx, ann, subscriptions::source::payment, second.cause, moment(86'400));
                  }),
                  64);
  CAF_CHECK(current()->expires_at == moment(0) + days{15});
  CAF_CHECK_EQUAL(count("outbox"), 3);
  CAF_CHECK(take_back(first.cause, moment(2 * 86'400)));
  CAF_CHECK(current()->expires_at == moment(2 * 86'400));
  CAF_CHECK_EQUAL(count("live_events"), 4);
  CAF_CHECK(!take_back(first.cause, moment(2 * 86'400)));
  grant(cheap, moment(3 * 86'400));
  CAF_CHECK(current()->expires_at == moment(0) + days{33});
}

CAF_TEST(free days change neither a cancellation nor a trial) {
  plan terms{.duration_days = 3, .traffic_limit_bytes = 500, .max_devices = 1};
  commit([&](transaction& tx) { subscriptions::perform(tx, subscriptions::activate_trial{ann}, terms, moment(0)); });
  auto add_free_days = [&](const std::string& code) {
    commit([&](transaction& tx) {
      auto what = store::find_any_plan(tx, store::find_current(tx, ann)->plan).value();
      store::order free_days{.plan = what, .paid = {}, .from = subscriptions::source::promo, .cause = code};
      store::grant(tx, ann, free_days, moment(1));
    });
  };
  add_free_days("one");
  CAF_CHECK(current()->status == subscriptions::status::trial);
  CAF_CHECK(current()->traffic_limit_bytes == 500);
  perform(subscriptions::cancel{ann}, moment(1));
  add_free_days("two");
  CAF_CHECK(current()->status == subscriptions::status::cancelled);
  CAF_CHECK(current()->expires_at == moment(0) + days{9});
  grant(cheap, moment(2));
  CAF_CHECK(current()->status == subscriptions::status::active);
}

CAF_TEST(a trial is once and never after a subscription) {
  plan terms{.duration_days = 3, .traffic_limit_bytes = 500, .max_devices = 1};
  auto activate = [&](const account_id& who) {
    return
        [&, who](transaction& tx) { subscriptions::perform(tx, subscriptions::activate_trial{who}, terms, moment(0)); };
  };
  CAF_CHECK(perform(subscriptions::get_trial{ann}, moment(0)).is_eligible);
  CAF_CHECK_EQUAL(race(activate(ann)), 1);
  CAF_CHECK(current()->status == subscriptions::status::trial);
  CAF_CHECK(current()->plan_name == "Trial");
  CAF_CHECK(current()->max_devices == 1);
  auto shown = perform(subscriptions::get_trial{ann}, moment(1));
  CAF_CHECK(shown.is_active && !shown.is_eligible);
  CAF_CHECK(shown.ends_at == moment(0) + days{3});
  CAF_CHECK_EQUAL(shown.days_remaining, 3);
  CAF_CHECK(!perform(subscriptions::get_trial{ann}, moment(3 * 86'400)).is_active);
  auto bob = add_account("bob");
  commit([&](transaction& tx) { store::grant(tx, bob, order_of(cheap), moment(0)); });
  CAF_CHECK(code_of([&] { commit(activate(bob)); }) == ec::refused);
  CAF_CHECK(!perform(subscriptions::get_trial{bob}, moment(0)).is_eligible);
  auto eve = add_account("eve");
  commit(activate(eve)); // finds the same plan
  CAF_CHECK_EQUAL(count("plans"), 3);
}

CAF_TEST(a plan on sale that is flagged gives the trial) {
  auto flagged = make_plan("Taste", 5, {{100, "USD"}});
  flagged.is_trial = true;
  commit([&](transaction& tx) {
    store::save_plan(tx, flagged);
    subscriptions::perform(tx, subscriptions::activate_trial{ann}, {.duration_days = 3}, moment(0));
  });
  CAF_CHECK(current()->plan_name == "Taste");
  CAF_CHECK(current()->expires_at == moment(0) + days{5});
}

CAF_TEST(a purchase takes the price and grants the days or does neither) {
  fund(ann, 500);
  auto bought = perform(subscriptions::purchase{.account = ann, .plan = "basic"}, moment(0));
  CAF_CHECK(bought.paid == (money{300, "USD"}));
  CAF_CHECK(bought.balance == (money{200, "USD"}));
  CAF_CHECK(bought.expires_at == moment(0) + days{30});
  CAF_CHECK(code_of([&] { perform(subscriptions::purchase{.account = ann}, moment(0)); }) == ec::refused);
  CAF_CHECK(current()->expires_at == moment(0) + days{30});
  CAF_CHECK_EQUAL(balance(), 200);
  fund(ann, 100);
  CAF_CHECK(perform(subscriptions::purchase{.account = ann}, moment(0)).expires_at == moment(0) + days{60});
  auto bob = add_account("bob");
  CAF_CHECK(code_of([&] { perform(subscriptions::purchase{.account = bob}, moment(0)); }) == ec::not_found);
  CAF_CHECK(code_of([&] { perform(subscriptions::purchase{.account = ann, .plan = "Gold"}, moment(0)); }) ==
            ec::not_found);
  CAF_CHECK(code_of([&] { perform(subscriptions::purchase{.account = ann, .days = 31}, moment(0)); }) == ec::invalid);
  CAF_CHECK(audit().empty());
}

CAF_TEST(a change of plan is as it was previewed) {
  fund(ann, 900);
  perform(subscriptions::purchase{.account = ann, .plan = "Basic"}, moment(0));
  auto later = moment(0) + days{10};
  auto seen = perform(subscriptions::preview{.account = ann, .plan = "Premium"}, later);
  CAF_CHECK(seen.step == subscriptions::step::upgrade);
  CAF_CHECK_EQUAL(seen.carried_days, 10);
  auto bought = perform(subscriptions::purchase{.account = ann, .plan = "Premium"}, later);
  CAF_CHECK(bought.expires_at == seen.expires_at);
  CAF_CHECK(bought.paid == seen.price);
  CAF_CHECK(audit().empty());
}

CAF_TEST(of parallel purchases with money for one exactly one succeeds) {
  fund(ann, 599);
  CAF_CHECK_EQUAL(race([&](transaction& tx) {
                    subscriptions::perform(tx, subscriptions::purchase{.account = ann, .plan = "Basic"}, moment(0));
                  }),
                  1);
  CAF_CHECK_EQUAL(balance(), 299);
  CAF_CHECK(current()->expires_at == moment(0) + days{30});
}

CAF_TEST(parallel purchases under one claim are one) {
  fund(ann, 3000);
  subscriptions::purchase wanted{.account = ann, .plan = "Basic", .claim = claim_id::random()};
  CAF_CHECK_EQUAL(race([&](transaction& tx) {
                    auto receipt = subscriptions::perform(tx, wanted, moment(0));
                    if (receipt.paid.minor != 300) fail(ec::internal);
                  }),
                  64);
  CAF_CHECK_EQUAL(balance(), 2700);
  CAF_CHECK(current()->expires_at == moment(0) + days{30});
}

CAF_TEST(cancelling keeps the period and the first reason and is limited) {
  CAF_CHECK(code_of([&] { perform(subscriptions::cancel{ann}, moment(0)); }) == ec::refused);
  grant(cheap, moment(0));
  auto first = perform(subscriptions::cancel{ann, "too_expensive", "sorry"}, moment(5));
  CAF_CHECK(first.effective_until == moment(0) + days{30});
  CAF_CHECK(perform(subscriptions::cancel{ann, "other"}, moment(6)).cancelled_at == moment(5));
  CAF_CHECK(current()->status == subscriptions::status::cancelled);
  CAF_CHECK(perform(subscriptions::reactivate{ann}, moment(7)).status == subscriptions::status::active);
  perform(subscriptions::cancel{ann}, moment(8));
  CAF_CHECK(code_of([&] { perform(subscriptions::cancel{ann}, moment(9)); }) == ec::too_many);
  perform(subscriptions::cancel{ann}, moment(5 + 3600));
  CAF_CHECK(code_of([&] { perform(subscriptions::reactivate{ann}, moment(30 * 86'400)); }) == ec::refused);
}

CAF_TEST(what is renewed by itself is charged once a period with notices) {
  fund(ann, 350);
  perform(subscriptions::purchase{.account = ann, .plan = "Basic"}, moment(0));
  CAF_CHECK(code_of([&] {
              perform(subscriptions::set_autopay{.account = ann, .on = true, .currency = "EUR"}, moment(0));
            }) == ec::invalid);
  perform(subscriptions::set_autopay{.account = ann, .on = true}, moment(0));
  auto end = current()->expires_at;
  auto advance = [&](std::chrono::seconds before) {
    return commit([&](transaction& tx) { return subscriptions::advance_renewal(tx, ann, 1h, end - before); });
  };
  auto due = [&](std::chrono::seconds before) {
    return commit([&](transaction& tx) { return store::list_due(tx, end - before, 1h, 10).size(); });
  };
  using store::stage;
  using store::stage_outcome;
  CAF_CHECK_EQUAL(due(97h), 0u);
  CAF_CHECK_EQUAL(due(96h), 1u);
  CAF_CHECK(advance(96h)->outcome == stage_outcome::told);
  CAF_CHECK_EQUAL(due(73h), 0u);
  CAF_CHECK(!advance(73h));
  CAF_CHECK_EQUAL(due(72h), 1u);
  CAF_CHECK(advance(72h)->outcome == stage_outcome::short_);
  CAF_CHECK(!advance(71h));
  CAF_CHECK_EQUAL(count("notifications WHERE title = 'Your subscription could not be renewed'"), 1);
  fund(ann, 250);
  CAF_CHECK_EQUAL(race([&](transaction& tx) { subscriptions::advance_renewal(tx, ann, 1h, end - 24h); }), 64);
  CAF_CHECK_EQUAL(balance(), 0);
  CAF_CHECK(current()->expires_at == end + days{30});
  CAF_CHECK_EQUAL(count("notifications WHERE title = 'Your subscription was renewed'"), 1);
  CAF_CHECK_EQUAL(due(1h), 0u);
  CAF_CHECK(audit().empty());
}

CAF_TEST(what the balance does not cover is charged to the saved method until it is refused) {
  fund(ann, 300);
  perform(subscriptions::purchase{.account = ann, .plan = "Basic"}, moment(0));
  auto method = uuid::random();
  auto consent = [&] { perform(subscriptions::set_autopay{.account = ann, .on = true, .method = method}, moment(0)); };
  CAF_CHECK(code_of(consent) == ec::not_found); // nobody's
  commit([&](transaction& tx) {
    tx.run(
        "INSERT INTO saved_payment_methods (id, account, provider, method, fingerprint, sealed_id, title, created_at, "
        "is_default) VALUES ($1::uuid, $2::uuid, 'yookassa', 'yookassa_card', 'f', 's', 'Visa', $3::timestamptz, true)",
        method, ann, moment(0));
  });
  consent();
  auto at = current()->expires_at - 72h;
  auto advanced = commit([&](transaction& tx) { return subscriptions::advance_renewal(tx, ann, 0s, at); });
  CAF_CHECK(advanced->outcome == store::stage_outcome::charging);
  auto take = [&](timestamp when) {
    return commit([&](transaction& tx) { return store::take_charges(tx, when, when + 2min, 10); });
  };
  auto taken = take(at);
  CAF_REQUIRE_EQUAL(taken.size(), 1u);
  CAF_CHECK(taken[0].account == ann && taken[0].method == method && taken[0].plan == cheap.id);
  CAF_CHECK(taken[0].price == (money{300, "USD"}));
  CAF_CHECK_EQUAL(taken[0].days, 30);
  CAF_CHECK(take(at + 1min).empty());
  CAF_CHECK(take(at + 3min).at(0).claim == taken[0].claim); // the same charge again
  CAF_CHECK(take(at + 25h).empty());
  commit([&](transaction& tx) { subscriptions::note_failed_charge(tx, taken[0], at); });
  CAF_CHECK(take(at + 10min).empty());
  CAF_CHECK_EQUAL(count("notifications WHERE title = 'Your subscription could not be renewed'"), 1);
}

CAF_TEST(what is not renewed is reminded and told of its end after the grace) {
  grant(cheap, moment(0));
  auto end = current()->expires_at;
  auto advance = [&](timestamp at) {
    auto done = commit([&](transaction& tx) { return subscriptions::advance_renewal(tx, ann, 2h, at); });
    return done ? done->stage : store::stage::announced;
  };
  CAF_CHECK(advance(end - 70h) == store::stage::first);
  CAF_CHECK(advance(end - 1h) == store::stage::last);
  CAF_CHECK(advance(end + 1h) == store::stage::announced); // nothing new
  CAF_CHECK_EQUAL(count("notifications"), 1);
  CAF_CHECK_EQUAL(commit([&](transaction& tx) { return store::list_due(tx, end + 2h, 2h, 10).size(); }), 1u);
  CAF_CHECK(advance(end + 2h) == store::stage::expired);
  CAF_CHECK_EQUAL(count("notifications WHERE kind = 'expired'"), 1);
  CAF_CHECK_EQUAL(commit([&](transaction& tx) { return store::list_due(tx, end + 3h, 2h, 10).size(); }), 0u);
}

CAF_TEST(the doctor finds entitlements that do not match) {
  auto order = order_of(cheap);
  commit([&](transaction& tx) { store::grant(tx, ann, order, moment(0)); });
  auto finds = [&](const std::string& rule) {
    auto found = audit();
    return std::ranges::any_of(found, [&](auto& line) { return line.starts_with(rule + ":"); });
  };
  CAF_CHECK(finds("period_without_payment"));
  take_back(order.cause, moment(1));
  CAF_CHECK(audit().empty());
  auto damage = [&](const std::string& sql) { commit([&](transaction& tx) { tx.run(sql); }); };
  damage("UPDATE subscriptions SET expires_at = expires_at + interval '1 day'");
  CAF_CHECK(finds("end_differs"));
  damage("UPDATE subscription_periods SET worth = 301");
  CAF_CHECK(finds("worth_more_than_paid"));
  damage("UPDATE subscription_periods SET source = 'purchase'");
  CAF_CHECK(finds("period_without_booking"));
}

CAF_TEST(nobody can be entitled who does not exist) {
  auto stranger = account_id::random();
  CAF_CHECK(code_of([&] {
              commit([&](transaction& tx) { store::grant(tx, stranger, order_of(cheap), moment(0)); });
            }) == ec::not_found);
  CAF_CHECK(!commit([&](transaction& tx) { return store::find_current(tx, stranger); }));
  CAF_CHECK(!commit([&](transaction& tx) { return store::find_panel_link(tx, stranger); }));
}

CAF_TEST(the panel link is unknown until it is saved) {
  auto link = commit([&](transaction& tx) { return store::find_panel_link(tx, ann); });
  CAF_REQUIRE(link.has_value());
  CAF_CHECK_GREATER(link->account_number, 0);
  CAF_CHECK(link->email == "ann@example.org");
  CAF_CHECK(!link->short_uuid);
  grant(cheap, moment(0));
  save_link(1);
  link = commit([&](transaction& tx) { return store::find_panel_link(tx, ann); });
  CAF_CHECK(link->short_uuid == "abc");
  CAF_CHECK(link->subscription_url == "https://panel/abc");
  auto current = commit([&](transaction& tx) { return store::find_current(tx, ann); });
  CAF_CHECK_EQUAL(current->synced_version, 1);
  CAF_CHECK_EQUAL(current->account_number, link->account_number);
}

CAF_TEST(what the panel was told too late is told again) {
  grant(cheap, moment(0));
  save_link(1);
  CAF_CHECK_EQUAL(count("outbox"), 1);
  grant(cheap, moment(1));
  save_link(2);
  CAF_CHECK_EQUAL(count("outbox"), 2);
  save_link(1); // an older call that arrived last
  CAF_CHECK_EQUAL(count("outbox"), 3);
}

CAF_TEST_FIXTURE_SCOPE_END()
