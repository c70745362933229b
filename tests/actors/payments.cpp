#define CAF_SUITE actors_payments

#include "actors/payments/actor.hpp"

#include "tests/actors/scripted_database.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::payments;
using namespace backstay::payment_provider;
using namespace std::chrono_literals;
using backstay::payments::state;

namespace {

const timestamp start{std::chrono::seconds{1'800'000'000}};

store::record row_in(state now, const std::string& external_id = "") {
  store::record row;
  row.id = payment_id::random();
  row.provider = "cryptobot";
  row.plan_name = "Basic";
  row.price = {999, "USD"};
  row.external_id = external_id;
  row.state = now;
  row.created_at = row.tried_at = start;
  return row;
}

charge seen_as(charge_state seen, const std::string& external_id = "1", money price = {999, "USD"}) {
  return {.external_id = external_id, .state = seen, .price = price};
}

struct decision {
  state ours;
  charge_state seen;
  step what;
};

} // namespace

CAF_TEST(every state of ours meets every state at the provider) {
  using enum state;
  const decision table[] = {
      {created, charge_state::pending, step::await},     {created, charge_state::paid, step::settle},
      {created, charge_state::expired, step::expire},    {created, charge_state::failed, step::fail},
      {created, charge_state::refunded, step::refund},   {unknown, charge_state::pending, step::await},
      {unknown, charge_state::paid, step::settle},       {unknown, charge_state::expired, step::expire},
      {unknown, charge_state::failed, step::fail},       {unknown, charge_state::refunded, step::refund},
      {pending, charge_state::pending, step::nothing},   {pending, charge_state::paid, step::settle},
      {pending, charge_state::expired, step::expire},    {pending, charge_state::failed, step::fail},
      {pending, charge_state::refunded, step::refund},   {paid, charge_state::pending, step::nothing},
      {paid, charge_state::paid, step::nothing},         {paid, charge_state::expired, step::nothing},
      {paid, charge_state::failed, step::nothing},       {paid, charge_state::refunded, step::review},
      {expired, charge_state::pending, step::nothing},   {expired, charge_state::paid, step::settle},
      {expired, charge_state::expired, step::nothing},   {expired, charge_state::failed, step::nothing},
      {expired, charge_state::refunded, step::refund},   {failed, charge_state::pending, step::await},
      {failed, charge_state::paid, step::settle},        {failed, charge_state::expired, step::nothing},
      {failed, charge_state::failed, step::nothing},     {failed, charge_state::refunded, step::refund},
      {refunded, charge_state::pending, step::nothing},  {refunded, charge_state::paid, step::nothing},
      {refunded, charge_state::expired, step::nothing},  {refunded, charge_state::failed, step::nothing},
      {refunded, charge_state::refunded, step::nothing}, {held, charge_state::pending, step::nothing},
      {held, charge_state::paid, step::nothing},         {held, charge_state::expired, step::nothing},
      {held, charge_state::failed, step::nothing},       {held, charge_state::refunded, step::nothing},
  };
  CAF_CHECK_EQUAL(std::size(table), names_of<state>.size() * names_of<charge_state>.size());
  for (auto& [ours, seen, what] : table) {
    CAF_MESSAGE(name_of(ours) << " and " << name_of(seen));
    CAF_CHECK(decide(row_in(ours, "1"), seen_as(seen)) == what);
  }
}

CAF_TEST(another amount or currency is never settled) {
  auto row = row_in(state::pending, "1");
  CAF_CHECK(decide(row, seen_as(charge_state::paid, "1", {998, "USD"})) == step::hold);
  CAF_CHECK(decide(row, seen_as(charge_state::paid, "1", {1000, "USD"})) == step::hold);
  CAF_CHECK(decide(row, seen_as(charge_state::paid, "1", {999, "RUB"})) == step::hold);
  CAF_CHECK_EQUAL(reason(row, seen_as(charge_state::paid, "1", {998, "USD"})), "paid 9.98 USD instead of 9.99 USD");
}

CAF_TEST(a second charge of a row matters only when it is paid) {
  CAF_CHECK(decide(row_in(state::pending, "1"), seen_as(charge_state::pending, "2")) == step::nothing);
  CAF_CHECK(decide(row_in(state::pending, "1"), seen_as(charge_state::expired, "2")) == step::nothing);
  CAF_CHECK(decide(row_in(state::pending, "1"), seen_as(charge_state::failed, "2")) == step::nothing);
  CAF_CHECK(decide(row_in(state::paid, "1"), seen_as(charge_state::refunded, "2")) == step::nothing);
  CAF_CHECK(decide(row_in(state::pending, "1"), seen_as(charge_state::paid, "2")) == step::settle);
  CAF_CHECK(decide(row_in(state::paid, "1"), seen_as(charge_state::paid, "2")) == step::review);
  CAF_CHECK(decide(row_in(state::held, "1"), seen_as(charge_state::paid, "2")) == step::review);
}

CAF_TEST(a paid charge is better than an open one and that than a dead one) {
  using enum charge_state;
  CAF_CHECK_EQUAL(best_of({seen_as(expired, "1"), seen_as(pending, "2"), seen_as(paid, "3")}).external_id, "3");
  CAF_CHECK_EQUAL(best_of({seen_as(expired, "1"), seen_as(pending, "2"), seen_as(failed, "3")}).external_id, "2");
  CAF_CHECK_EQUAL(best_of({seen_as(expired, "1")}).external_id, "1");
}

CAF_TEST(a direct purchase is a top - up and a purchase) {
  auto row = row_in(state::pending, "1");
  row.account = account_id::random();
  auto transfers = bookings(row);
  CAF_REQUIRE_EQUAL(transfers.size(), 2u);
  CAF_CHECK(transfers[0].to == wallet::store::wallet_of(row.account));
  CAF_CHECK(transfers[1].from == wallet::store::wallet_of(row.account));
  for (auto& each : transfers) {
    CAF_CHECK(each.amount == row.price);
    CAF_CHECK_EQUAL(each.cause_id, to_string(row.id));
  }
}

namespace {

std::chrono::seconds pause(const store::record& row, timestamp now, double jitter = 0.5) {
  return std::chrono::floor<std::chrono::seconds>(next_look(row, now, jitter) - now);
}

} // namespace

CAF_TEST(looks slow down from seconds to minutes to hours) {
  auto row = row_in(state::pending, "1");
  row.expires_at = start + 24h;
  const std::chrono::seconds expected[] = {5s, 10s, 20s, 40s, 80s, 160s, 320s, 600s, 600s};
  for (row.looks = 0; row.looks < 9; ++row.looks) CAF_CHECK(pause(row, start) == expected[row.looks]);
  row.looks = 1'000'000;
  CAF_CHECK(pause(row, start) == 600s);
  CAF_CHECK(pause(row, start + 24h) == 1h); // expired, or about to be
  row.looks = 0;
  CAF_CHECK(pause(row, start + 24h) == 1h);
  row.expires_at.reset(); // unknown: a day
  CAF_CHECK(pause(row, start + 24h - 1s) == 5s);
  CAF_CHECK(pause(row, start + 24h) == 1h);
}

CAF_TEST(jitter spreads looks by a quarter) {
  auto row = row_in(state::pending, "1");
  row.looks = 3;
  CAF_CHECK(pause(row, start, 0) == 30s);
  CAF_CHECK(pause(row, start, 0.999999) == 49s);
}

CAF_TEST(the last look is at the closing time) {
  auto row = row_in(state::expired, "1");
  row.expires_at = start;
  CAF_CHECK(closing_time(row) == start + 72h);
  CAF_CHECK(next_look(row, start + 72h - 10s, 0.5) == start + 72h); // once more, exactly then
  CAF_CHECK(next_look(row, start + 72h, 0.5) == start + 73h);       // the provider was away: on and on
}

CAF_TEST(a lost create is given up after the safe time) {
  for (auto lost : {state::created, state::unknown}) {
    auto row = row_in(lost);
    row.expires_at = start + 24h; // does not matter here
    CAF_CHECK(closing_time(row) == start + 2min);
    row.looks = 9;
    CAF_CHECK(next_look(row, start + 10s, 0.5) == start + 2min);
    CAF_CHECK(state_at_closing(lost) == state::failed);
  }
  CAF_CHECK(state_at_closing(state::pending) == state::expired);
  CAF_CHECK(!state_at_closing(state::expired));
}

CAF_TEST(only what cannot have reached the provider is certain) {
  for (auto code : {ec::unavailable, ec::overloaded, ec::restarting}) CAF_CHECK(is_certainly_not_executed(code));
  for (auto code : {ec::timeout, ec::in_doubt, ec::upstream, ec::internal}) CAF_CHECK(!is_certainly_not_executed(code));
}

CAF_TEST(ids that cannot exist are not looked for) {
  CAF_CHECK(is_plausible_id("123"));
  CAF_CHECK(is_plausible_id(std::string(100, 'a')));
  for (auto id : {std::string{}, std::string(101, 'a'), std::string("\xff"), std::string("1\0", 2), std::string("1 2")})
    CAF_CHECK(!is_plausible_id(id));
}

namespace {

struct fixture : test_coordinator_fixture<> {
  /// Its loop never ends by itself, and the base waits until all is quiet.
  ~fixture() {
    self->send_exit(actor, caf::exit_reason::kill);
    consume_messages();
  }
  fixture() {
    auto bank = sys.spawn([this](caf::event_based_actor*) -> caf::behavior { return provider_behavior(); });
    auto outbox = sys.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {[this](const outbox::wake&) {
        ++woken;
        return done{};
      }};
    });
    database.returns(std::vector<store::record>{}); // the first look for due payments
    domain_context context{pulse, clock, database.spawn(sys)};
    actor = caf::actor_cast<payments_actor>(
        sys.spawn(payments::payments, context,
                  payments_dependencies{.providers = {{"cryptobot", caf::actor_cast<provider_actor>(bank)}},
                                        .outbox = caf::actor_cast<outbox::outbox_actor>(outbox),
                                        .poll_every = 10s}));
    consume_messages();
  }

  template <class Reply>
  caf::result<Reply> answer(Reply reply) {
    if (hangs) return caf::skip;
    if (failure) return to_error({.code = *failure});
    return reply;
  }
  caf::behavior provider_behavior() {
    return {[this](const create_charge&) { return answer(charge_seen); },
            [this](const list_charges&) { return answer(charge_list{{charge_seen}}); },
            [this](const find_charge&) { return answer(charge_list{{charge_seen}}); },
            [this](const read_webhook&) {
              return answer(webhook_event{"e", charge_seen});
            }};
  }

  template <class Message>
  struct outcome {
    std::optional<typename Message::reply> reply;
    ec code = ec::none;
  };
  /// Sends, lets `time` pass, and takes the answer.
  template <class Message>
  outcome<Message> ask(Message message, std::chrono::milliseconds time = 0ms) {
    auto request = self->request(actor, caf::infinite, std::move(message));
    consume_messages();
    if (time > 0ms) sched.advance_time(time), consume_messages();
    outcome<Message> result;
    request.receive([&](typename Message::reply& value) { result.reply = std::move(value); },
                    [&](const caf::error& error) { result.code = describe(error).code; });
    return result;
  }

  vitals_ptr pulse = std::make_shared<vitals>("payments", true);
  clock_handle clock = std::make_shared<domain_clock>();
  scripted_database database;
  charge charge_seen = seen_as(charge_state::pending);
  bool hangs = false;
  std::optional<ec> failure;
  int woken = 0;
  payments_actor actor;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(payments_tests, fixture)

CAF_TEST(without a database nothing is asked of the provider) {
  database.fails(ec::unavailable);
  CAF_CHECK(ask(create_payment{}).code == ec::unavailable);
  database.fails(ec::in_doubt); // the row may stand: the poller will see
  CAF_CHECK(ask(create_payment{}).code == ec::in_doubt);
}

CAF_TEST(a silent provider is a timeout after three seconds) {
  hangs = true;
  database.returns(begun{row_in(state::created), begun::next::create});
  database.returns(done{}); // noted as unknown
  CAF_CHECK(ask(create_payment{}, 3s).code == ec::timeout);
  CAF_CHECK_EQUAL(*database.asked, 3);
}

CAF_TEST(what went wrong is told though it cannot be noted) {
  using pair = std::pair<ec, ec>;
  for (auto [from_provider, told] : {pair{ec::timeout, ec::timeout}, pair{ec::internal, ec::timeout},
                                     pair{ec::upstream, ec::upstream}, pair{ec::unavailable, ec::unavailable}}) {
    failure = from_provider;
    database.returns(begun{row_in(state::created), begun::next::create});
    database.fails(ec::overloaded);
    CAF_CHECK(ask(create_payment{}).code == told);
  }
}

CAF_TEST(a charge that cannot be stored is not shown) {
  database.returns(begun{row_in(state::created), begun::next::create});
  database.fails(ec::in_doubt);
  CAF_CHECK(ask(create_payment{}).code == ec::in_doubt);
}

CAF_TEST(a known charge is answered without the provider) {
  hangs = true;
  database.returns(begun{row_in(state::pending, "1"), begun::next::answer});
  auto answer = ask(create_payment{});
  CAF_REQUIRE(answer.reply);
  CAF_CHECK_EQUAL(answer.reply->external_id, "1");
}

CAF_TEST(a check that fails anywhere shows the row as it is) {
  auto check = [&](std::chrono::milliseconds time = 0ms) {
    auto answer = ask(get_payment{{}, "1"}, time);
    return answer.reply && answer.reply->state == state::pending;
  };
  auto waiting = row_in(state::pending, "1");
  database.returns(waiting);
  database.fails(ec::unavailable); // when asking whether it is time
  CAF_CHECK(check());
  database.returns(waiting);
  database.returns(false); // not yet
  CAF_CHECK(check());
  database.returns(waiting);
  database.returns(true);
  database.fails(ec::in_doubt); // when applying
  CAF_CHECK(check());
  failure = ec::upstream;
  database.returns(waiting);
  database.returns(true);
  CAF_CHECK(check());
  hangs = true;
  database.returns(waiting);
  database.returns(true);
  CAF_CHECK(check(1500ms));
}

CAF_TEST(a settled payment is one question to the database) {
  auto before = *database.asked; // the poller has looked already
  database.returns(row_in(state::paid, "1"));
  auto answer = ask(get_payment{{}, "1"});
  CAF_REQUIRE(answer.reply);
  CAF_CHECK_EQUAL(answer.reply->state, state::paid);
  CAF_CHECK_EQUAL(*database.asked, before + 1);
}

CAF_TEST(a webhook that cannot be stored is an error to the provider) {
  receive_webhook call{"cryptobot", "{}", {}, {}};
  database.fails(ec::unavailable);
  CAF_CHECK(ask(call).code == ec::unavailable);
  CAF_CHECK_EQUAL(woken, 0);
  database.returns(true);
  CAF_CHECK(ask(call).code == ec::none);
  CAF_CHECK_EQUAL(woken, 1);
  database.returns(false); // doubled
  CAF_CHECK(ask(call).code == ec::none);
}

CAF_TEST(a forged webhook stores nothing) {
  failure = ec::unauthenticated;
  auto before = *database.asked;
  CAF_CHECK(ask(receive_webhook{"cryptobot", "{}", {}, {}}).code == ec::unauthenticated);
  CAF_CHECK_EQUAL(*database.asked, before);
}

CAF_TEST(settling fails when the provider or the database does and is repeated by the outbox) {
  database.fails(ec::unavailable);
  CAF_CHECK(ask(settle_charge{"cryptobot", "1"}).code == ec::unavailable);
  failure = ec::timeout;
  CAF_CHECK(ask(settle_charge{"cryptobot", "1"}).code == ec::timeout);
  CAF_CHECK(ask(settle_charge{"another", "1"}).code == ec::unavailable);
}

CAF_TEST(the poller survives every failure) {
  CAF_CHECK_EQUAL(*database.asked, 1);
  for (int ticks = 2; ticks < 5; ++ticks) { // the database is away
    sched.advance_time(10s);
    consume_messages();
    CAF_CHECK_EQUAL(*database.asked, ticks);
  }
  failure = ec::unavailable; // the provider is away: the row is put back, which fails, too
  database.returns(std::vector{row_in(state::pending, "1"), row_in(state::unknown)});
  sched.advance_time(10s);
  consume_messages();
  CAF_CHECK_EQUAL(*database.asked, 7);
  sched.advance_time(10s);
  consume_messages();
  CAF_CHECK_EQUAL(*database.asked, 8);
}

CAF_TEST(the poller goes on at once after a full batch) {
  database.returns(std::vector(100, row_in(state::pending, "1")));
  sched.advance_time(10s);
  consume_messages();
  auto before = *database.asked;
  sched.advance_time(1s);
  consume_messages();
  CAF_CHECK_EQUAL(*database.asked, before + 1);
}

CAF_TEST_FIXTURE_SCOPE_END()
