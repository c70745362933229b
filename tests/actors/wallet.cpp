#define CAF_SUITE wallet

#include "actors/wallet/actor.hpp"
#include "actors/wallet/rules.hpp"
#include "tests/actors/scene.hpp"

#include <variant>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::wallet;

namespace {

const account_id alice = account_id::random(), bob = account_id::random();

money usd(std::int64_t minor) { return {minor, "USD"}; }
position in_usd(const book& which) { return {which, "USD"}; }

transfer pays(const account_id& who, std::int64_t minor, const std::string& id) {
  return {{cause_kind::purchase, id}, wallet_of(who), revenue(), usd(minor)};
}

template <class Job>
fault thrown_by(Job job) {
  try {
    job();
  } catch (const fault_error& error) {
    return error.what_failed;
  }
  return {.code = ec::none};
}

/// "new", "known" or what is missing.
std::string told(const outcome<transferred>& one) {
  if (auto* refusal = std::get_if<fault>(&one)) return refusal->details.at(0).second;
  return std::get<transferred>(one).is_new ? "new" : "known";
}

std::vector<std::string> judged(open_books& books, std::set<cause> known, const std::vector<transfer>& transfers) {
  std::vector<std::string> all;
  for (auto& each : judge(books, std::move(known), transfers)) all.push_back(told(each));
  return all;
}

using words = std::vector<std::string>;

} // namespace

CAF_TEST(a transfer that is nonsense is a defect) {
  auto good = pays(alice, 1, "1");
  auto code = [&](auto change) {
    auto changed = good;
    change(changed);
    return thrown_by([&] { check(changed); }).code;
  };
  CAF_CHECK(code([](auto&) {}) == ec::none);
  CAF_CHECK(code([](auto& t) { t.amount.minor = most; }) == ec::none);
  CAF_CHECK(code([](auto& t) { t.amount.minor = most + 1; }) == ec::internal);
  CAF_CHECK(code([](auto& t) { t.amount.minor = 0; }) == ec::internal);
  CAF_CHECK(code([](auto& t) { t.amount.minor = -5; }) == ec::internal);
  CAF_CHECK(code([](auto& t) { t.to = t.from; }) == ec::internal);
  CAF_CHECK(code([](auto& t) { t.cause.id.clear(); }) == ec::internal);
  for (auto currency : {"", "US", "usd", "USDT", "U D"})
    CAF_CHECK(code([&](auto& t) { t.amount.currency = currency; }) == ec::internal);
}

CAF_TEST(each transfer is judged by what those before it left) {
  open_books books{{in_usd(wallet_of(alice)), 100}};
  auto outcomes = judged(books, {{cause_kind::purchase, "0"}},
                         {pays(alice, 999, "0"), pays(alice, 60, "1"), pays(alice, 60, "2"), pays(alice, 60, "1"),
                          pays(alice, 40, "3"), pays(bob, 1, "4")});
  CAF_CHECK_EQUAL(outcomes, (words{"known", "new", "0.20", "known", "new", "0.01"}));
  CAF_CHECK_EQUAL(books[in_usd(wallet_of(alice))], 0);
  CAF_CHECK_EQUAL(books[in_usd(revenue())], 100);
}

CAF_TEST(what was refused may be tried again under its cause) {
  open_books books;
  transfer gift{{cause_kind::promo, "g"}, rewards(), wallet_of(bob), usd(5)};
  CAF_CHECK_EQUAL(judged(books, {}, {pays(bob, 5, "1"), gift, pays(bob, 5, "1")}), (words{"0.05", "new", "new"}));
  CAF_CHECK_EQUAL(books[in_usd(rewards())], -5); // what is ours may go below zero
}

CAF_TEST(a refusal says what is missing) {
  open_books books;
  auto outcomes = judge(books, {}, {{{cause_kind::purchase, "1"}, wallet_of(bob), revenue(), {5, "JPY"}}});
  auto refusal = std::get<fault>(outcomes.at(0));
  CAF_CHECK(refusal.code == ec::refused);
  CAF_CHECK_EQUAL(refusal.name, "INSUFFICIENT_FUNDS");
  CAF_CHECK(
      (refusal.details == std::vector<std::pair<std::string, std::string>>{{"missing", "5"}, {"currency", "\"JPY\""}}));
}

CAF_TEST(a debt is paid as far as the credit goes) {
  transfer credit{{cause_kind::payment, "p"}, provider("stripe"), wallet_of(alice), usd(100)};
  struct row {
    std::int64_t owed, paid;
  };
  for (auto [owed, paid] : {row{0, 0}, {1, 1}, {99, 99}, {100, 100}, {101, 100}, {most, 100}}) {
    auto all = paying_debt(credit, owed);
    CAF_REQUIRE_EQUAL(all.size(), paid ? 2u : 1u);
    CAF_CHECK(all[0] == credit);
    if (paid)
      CAF_CHECK((all[1] == transfer{{cause_kind::debt, "payment p"}, wallet_of(alice), debt_of(alice), usd(paid)}));
  }
}

CAF_TEST(what the wallet lacks is lent) {
  transfer taken{{cause_kind::refund, "p"}, wallet_of(alice), provider("stripe"), usd(100)};
  struct row {
    std::int64_t balance, lent;
  };
  for (auto [balance, lent] : {row{0, 100}, {1, 99}, {99, 1}, {100, 0}, {101, 0}}) {
    auto all = lending(taken, balance);
    CAF_REQUIRE_EQUAL(all.size(), lent ? 2u : 1u);
    CAF_CHECK(all.back() == taken);
    if (lent)
      CAF_CHECK((all[0] == transfer{{cause_kind::debt, "refund p"}, debt_of(alice), wallet_of(alice), usd(lent)}));
  }
}

CAF_TEST(nobody is paid more than is owed to him) {
  open_books books{{in_usd(wallet_of(alice)), 10}, {in_usd(debt_of(alice)), -4}};
  auto pay = [&](std::int64_t minor) {
    return thrown_by([&] {
      judge(books, {}, {{{cause_kind::debt, "1"}, wallet_of(alice), debt_of(alice), usd(minor)}});
    });
  };
  CAF_CHECK(pay(5).code == ec::internal);
  CAF_CHECK(pay(4).code == ec::none);
  CAF_CHECK(pay(1).code == ec::internal);
}

CAF_TEST(an adjustment reads its amount by its currency) {
  auto read = [](const std::string& text, const std::string& currency = "USD") {
    adjust command;
    command.amount = text;
    command.currency = currency;
    return amount_of(command).minor;
  };
  CAF_CHECK_EQUAL(read("9.99"), 999);
  CAF_CHECK_EQUAL(read("-0.01"), -1);
  CAF_CHECK_EQUAL(read("5.0", "JPY"), 5);
  CAF_CHECK_EQUAL(read("-10000000000000"), -most);
  for (auto text : {"", "0", "0.00", "-0", "9.999", "1e3", "abc", "10000000000000.01", "99999999999999999999"}) {
    auto complaint = thrown_by([&] { read(text); });
    CAF_CHECK(complaint.code == ec::invalid);
    CAF_REQUIRE_EQUAL(complaint.problems.size(), 1u);
    CAF_CHECK_EQUAL(complaint.problems[0].location.back(), "amount");
  }
}

namespace {

using outcomes = std::vector<outcome<transferred>>;

struct fixture : scene {
  wallet_actor start(wallet_options options = {}) {
    return on_stage(caf::actor_cast<wallet_actor>(sys.spawn(wallet::wallet, context, options)));
  }
  auto send(const wallet_actor& actor, const transfer& what) { return self->request(actor, caf::infinite, what); }

  /// A batch is booked, and then reaches the disk.
  void books(outcomes batch) {
    database.returns(std::move(batch));
    database.returns(std::any{});
  }

  template <class Request>
  std::string ended(Request& request) {
    consume_messages();
    std::string how;
    request.receive([&](const transferred& reply) { how = reply.is_new ? "new" : "known"; },
                    [&](const caf::error& error) { how = to_string(describe(error).code); });
    return how;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(wallet_tests, fixture)

CAF_TEST(what has come by now is one batch) {
  auto actor = start();
  books({transferred{true}, fault{.code = ec::refused}, transferred{false}});
  auto first = send(actor, pays(alice, 1, "1")), second = send(actor, pays(alice, 1, "2")),
       third = send(actor, pays(alice, 1, "3"));
  CAF_CHECK_EQUAL(ended(first), "new");
  CAF_CHECK_EQUAL(ended(second), "refused");
  CAF_CHECK_EQUAL(ended(third), "known");
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(what may not be on the disk is not told) {
  auto actor = start();
  database.returns(outcomes{transferred{true}});
  database.fails(ec::unavailable);
  auto lost = send(actor, pays(alice, 1, "1"));
  CAF_CHECK_EQUAL(ended(lost), "in_doubt");
  books({transferred{false}});
  auto again = send(actor, pays(alice, 1, "1"));
  CAF_CHECK_EQUAL(ended(again), "known");
}

CAF_TEST(a batch that fails tells all of its askers and the next one is booked) {
  auto actor = start({.batch = 2});
  for (auto code : {ec::unavailable, ec::in_doubt, ec::internal}) {
    database.fails(code);
    books({transferred{true}});
    auto first = send(actor, pays(alice, 1, "1"));
    auto second = send(actor, pays(alice, 1, "2"));
    auto third = send(actor, pays(alice, 1, "3"));
    CAF_CHECK_EQUAL(ended(first), to_string(code));
    CAF_CHECK_EQUAL(ended(second), to_string(code));
    CAF_CHECK_EQUAL(ended(third), "new");
  }
}

CAF_TEST(a batch has a limit and so has the queue) {
  auto actor = start({.batch = 2, .queue = 3});
  books({transferred{true}, transferred{true}});
  books({transferred{true}});
  std::vector<decltype(send(actor, pays(alice, 1, "1")))> requests;
  for (int i = 0; i < 5; ++i) requests.push_back(send(actor, pays(alice, 1, std::to_string(i))));
  std::vector<std::string> all;
  for (auto& each : requests) all.push_back(ended(each));
  CAF_CHECK_EQUAL(all, (words{"new", "new", "new", "overloaded", "overloaded"}));
  CAF_CHECK_EQUAL(*database.asked, 4);
}

CAF_TEST(nonsense is refused before anybody is asked) {
  auto actor = start();
  auto request = send(actor, pays(alice, 0, "1"));
  CAF_CHECK_EQUAL(ended(request), "internal");
  adjust command;
  command.amount = "0";
  command.currency = "USD";
  CAF_CHECK(fault_of(actor, command).code == ec::invalid);
  CAF_CHECK_EQUAL(*database.asked, 0);
}

CAF_TEST(a failure of the database is told) {
  auto actor = start();
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, get_wallet{alice}).code == ec::unavailable);
  database.fails(ec::unavailable);
  CAF_CHECK(fault_of(actor, list_transfers{alice}).code == ec::unavailable);
  adjust command;
  command.amount = "1";
  command.currency = "USD";
  database.fails(ec::in_doubt);
  CAF_CHECK(fault_of(actor, command).code == ec::in_doubt);
}

CAF_TEST_FIXTURE_SCOPE_END()
