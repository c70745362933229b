#define CAF_SUITE actors_payments

#include "actors/payments/actor.hpp"

#include "actors/payments/wording.hpp"
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
  row.account = account_id::random();
  row.plan = plan_id::random();
  row.plan_name = "Basic";
  row.duration_days = 30;
  row.provider = "cryptobot";
  row.method = "crypto_bot";
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
      {paid, charge_state::failed, step::nothing},       {paid, charge_state::refunded, step::reverse},
      {expired, charge_state::pending, step::nothing},   {expired, charge_state::paid, step::settle},
      {expired, charge_state::expired, step::nothing},   {expired, charge_state::failed, step::nothing},
      {expired, charge_state::refunded, step::refund},   {failed, charge_state::pending, step::await},
      {failed, charge_state::paid, step::settle},        {failed, charge_state::expired, step::nothing},
      {failed, charge_state::failed, step::nothing},     {failed, charge_state::refunded, step::refund},
      {refunded, charge_state::pending, step::nothing},  {refunded, charge_state::paid, step::nothing},
      {refunded, charge_state::expired, step::nothing},  {refunded, charge_state::failed, step::nothing},
      {refunded, charge_state::refunded, step::nothing}, {held, charge_state::pending, step::nothing},
      {held, charge_state::paid, step::nothing},         {held, charge_state::expired, step::nothing},
      {held, charge_state::failed, step::nothing},       {held, charge_state::refunded, step::refund},
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
  for (auto settled : {state::paid, state::held, state::refunded})
    CAF_CHECK(decide(row_in(settled, "1"), seen_as(charge_state::paid, "2")) == step::surplus);
}

CAF_TEST(the buyer pays price and fee) {
  auto row = row_in(state::pending, "1");
  row.fee = 30;
  CAF_CHECK(decide(row, seen_as(charge_state::paid)) == step::hold);
  CAF_CHECK(decide(row, seen_as(charge_state::paid, "1", {1029, "USD"})) == step::settle);
  CAF_CHECK((refundable(row) == money{1029, "USD"}));
  row.paid = money{500, "USD"};
  CAF_CHECK((refundable(row) == money{500, "USD"}));
}

CAF_TEST(what nobody we know has paid is held) {
  auto row = row_in(state::created, "1");
  row.account.reset();
  auto seen = seen_as(charge_state::paid);
  seen.payer = 77;
  CAF_CHECK(decide(row, seen) == step::hold);
  CAF_CHECK_EQUAL(reason(row, seen), "paid by nobody we know, Telegram id 77");
}

CAF_TEST(a part that went back is put before a person once) {
  auto seen = seen_as(charge_state::paid);
  seen.refunded = 100;
  CAF_CHECK(decide(row_in(state::pending, "1"), seen) == step::hold);
  auto row = row_in(state::paid, "1");
  CAF_CHECK(decide(row, seen) == step::review);
  CAF_CHECK_EQUAL(reason(row, seen), "1.00 USD of 9.99 USD went back at the provider");
  row.refunded = 100;
  CAF_CHECK(decide(row, seen) == step::nothing);
  CAF_CHECK(decide(row_in(state::refunded, "1"), seen) == step::nothing);
}

CAF_TEST(a paid charge is better than an open one and that than a dead one) {
  using enum charge_state;
  CAF_CHECK_EQUAL(best_of({seen_as(expired, "1"), seen_as(pending, "2"), seen_as(paid, "3")}).external_id, "3");
  CAF_CHECK_EQUAL(best_of({seen_as(expired, "1"), seen_as(pending, "2"), seen_as(failed, "3")}).external_id, "2");
  CAF_CHECK_EQUAL(best_of({seen_as(expired, "1")}).external_id, "1");
}

namespace {

const method card{.id = "card",
                  .title = "Card",
                  .provider = "bank",
                  .currencies = {"USD", "RUB"},
                  .minimum = 100,
                  .maximum = 100'000,
                  .fee = 250};

/// The field that a job complains about, or nothing.
template <class Job>
std::string field_of(Job job) {
  try {
    job();
  } catch (const fault_error& error) {
    return error.what_failed.problems.empty() ? "?" : error.what_failed.problems.front().location.back();
  }
  return {};
}

} // namespace

CAF_TEST(a method takes what its terms say) {
  auto taken = [](money amount, method by = card) { return field_of([&] { check_takes(by, amount, "amount"); }); };
  CAF_CHECK_EQUAL(taken({100, "USD"}), "");
  CAF_CHECK_EQUAL(taken({100'000, "RUB"}), "");
  CAF_CHECK_EQUAL(taken({99, "USD"}), "amount");
  CAF_CHECK_EQUAL(taken({100'001, "USD"}), "amount");
  CAF_CHECK_EQUAL(taken({-100, "USD"}), "amount");
  CAF_CHECK_EQUAL(taken({100, "EUR"}), "currency");
  auto off = card;
  off.enabled = false;
  CAF_CHECK_EQUAL(taken({100, "USD"}, off), "payment_method");
  CAF_CHECK_EQUAL(field_of([] { find_method({card}, "cash"); }), "payment_method");
  CAF_CHECK_EQUAL(find_method({card}, "card").provider, "bank");
}

CAF_TEST(a fee is rounded half up and never overflows) {
  const std::tuple<std::int64_t, int, std::int64_t> table[] = {
      {0, 250, 0},    {100, 250, 3},      {99, 250, 2},   {20, 250, 1},
      {19, 250, 0},   {10'000, 250, 250}, {12'345, 0, 0}, {12'345, 10'000, 12'345},
      {39'999, 1, 4}, {4'999, 1, 0},      {5'000, 1, 1},  {900'000'000'000'000'000, 10'000, 900'000'000'000'000'000},
  };
  for (auto& [amount, rate, fee] : table) CAF_CHECK_EQUAL(fee_of({amount, "USD"}, rate), fee);
}

CAF_TEST(only an open invoice of that price may be paid) {
  auto row = row_in(state::pending, "1");
  CAF_CHECK(may_pay(row, "cryptobot", {999, "USD"}));
  CAF_CHECK(!may_pay(row, "another", {999, "USD"}));
  CAF_CHECK(!may_pay(row, "cryptobot", {998, "USD"}));
  CAF_CHECK(!may_pay(row, "cryptobot", {999, "RUB"}));
  CAF_CHECK(!may_pay(std::nullopt, "cryptobot", {999, "USD"}));
  for (auto over : {state::paid, state::expired, state::failed, state::refunded, state::held})
    CAF_CHECK(!may_pay(row_in(over, "1"), "cryptobot", {999, "USD"}));
}

CAF_TEST(a circuit opens after five failures in a row and closes by a probe) {
  breaker circuit;
  for (int i = 0; i < 4; ++i) circuit.fail(start);
  circuit.succeed();
  for (int i = 0; i < 4; ++i) circuit.fail(start);
  CAF_CHECK(circuit.admits(start));
  circuit.fail(start);
  CAF_CHECK(circuit.is_open());
  CAF_CHECK(!circuit.begin(start + 29s));
  CAF_CHECK(circuit.wait(start + 29s + 500ms) == 1s);
  CAF_CHECK(circuit.begin(start + 30s)); // the probe
  CAF_CHECK(circuit.is_open());
  CAF_CHECK(!circuit.begin(start + 30s));
  circuit.fail(start + 31s);
  CAF_CHECK(!circuit.begin(start + 60s));
  CAF_CHECK(circuit.begin(start + 61s));
  circuit.succeed();
  CAF_CHECK(!circuit.is_open());
  CAF_CHECK(circuit.begin(start + 61s) && circuit.begin(start + 61s));
}

CAF_TEST(a clock that is put back does not keep a circuit open) {
  breaker circuit;
  for (int i = 0; i < 5; ++i) circuit.fail(start + 24h);
  CAF_CHECK(circuit.admits(start));
}

CAF_TEST(only trouble of the provider counts against it) {
  for (auto code : {ec::unavailable, ec::timeout}) CAF_CHECK(is_trouble({.code = code}));
  CAF_CHECK(is_trouble({.code = ec::upstream, .name = "UPSTREAM_DOWN"}));
  for (auto code : {ec::upstream, ec::refused, ec::internal}) CAF_CHECK(!is_trouble({.code = code}));
}

CAF_TEST(buyers read English or Russian) {
  auto row = row_in(state::paid, "1");
  CAF_CHECK_EQUAL(wording::description(row, "en-EN"), "Basic - 30 days");
  CAF_CHECK_EQUAL(wording::description(row, "ru"), "Basic - 30 дн.");
  CAF_CHECK(wording::settled(row, "en").body.starts_with("9.99 USD went to your balance"));
  row.is_fulfilled = true;
  CAF_CHECK_EQUAL(wording::settled(row, "en").body, "Basic is active");
  CAF_CHECK_EQUAL(wording::settled(row, "ru-RU").title, "Платёж получен");
  row.purpose = purpose::top_up, row.is_fulfilled = false;
  CAF_CHECK_EQUAL(wording::settled(row, "en").body, "9.99 USD was added to your balance");
  CAF_CHECK_EQUAL(wording::description(row, "ru"), "Пополнение баланса");
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

CAF_TEST(a refund is asked about until three days are over) {
  auto row = row_in(state::paid, "1");
  row.refund_at = start + 100h; // long after the invoice has ended
  CAF_CHECK(pause(row, start + 100h) == 5s);
  CAF_CHECK(closing_time(row) == start + 172h);
  CAF_CHECK(!state_at_closing(state::paid));
}

CAF_TEST(only what cannot have reached the provider is certain) {
  for (auto code : {ec::unavailable, ec::overloaded, ec::restarting, ec::refused, ec::invalid})
    CAF_CHECK(is_certainly_not_executed(code));
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
    terms by{.methods = {{.id = "crypto_bot",
                          .title = "CryptoBot",
                          .provider = "cryptobot",
                          .currencies = {"USD"},
                          .minimum = 100,
                          .maximum = 100'000}},
             .return_url = "",
             .keys = keyring{{secret{std::string(32, 'k')}}}};
    auto bank = sys.spawn([this](caf::event_based_actor*) -> caf::behavior { return provider_behavior(); });
    database.returns(std::vector<store::record>{}); // the first look for due payments
    domain_context context{pulse, clock, database.spawn(sys)};
    actor = caf::actor_cast<payments_actor>(
        sys.spawn(payments::payments, context,
                  payments_dependencies{{{"cryptobot", caf::actor_cast<provider_actor>(bank)}},
                                        std::make_shared<const terms>(by),
                                        10s,
                                        [this](auto& provider, bool is_open) {
                                          circuits.push_back(provider + (is_open ? " open" : " closed"));
                                        }}));
    consume_messages();
  }

  template <class Reply>
  caf::result<Reply> answer(Reply reply) {
    if (hangs) return caf::skip;
    if (failure) return to_error({.code = *failure, .name = *failure == ec::refused ? "NOT_SUPPORTED" : ""});
    return reply;
  }
  caf::behavior provider_behavior() {
    return {[this](const create_charge& order) {
              ordered = order;
              ++calls;
              return answer(charge_seen);
            },
            [this](const list_charges&) {
              ++calls;
              return answer(charge_list{{charge_seen}});
            },
            [this](const find_charge&) -> caf::result<charge_list> {
              if (!finds) return to_error({.code = ec::refused, .name = "NOT_SUPPORTED"});
              return answer(charge_list{{charge_seen}});
            },
            [this](const refund_charge& order) {
              refunded = order;
              return answer(charge_seen);
            },
            [this](const answer_checkout& told) {
              refusal = told.refusal;
              return answer(done{});
            },
            [this](const read_webhook&) -> caf::result<webhook_event> {
              if (is_forged) return to_error({.code = ec::unauthenticated});
              return event.value_or(webhook_event{"e", charge_seen});
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
  bool hangs = false, finds = true, is_forged = false;
  std::optional<ec> failure;
  std::optional<webhook_event> event;
  std::optional<create_charge> ordered;
  std::optional<refund_charge> refunded;
  std::optional<std::string> refusal;
  int calls = 0;
  std::vector<std::string> circuits;
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
  database.returns(begun{row_in(state::created), begun::next::create, {}});
  database.returns(done{}); // noted as unknown
  CAF_CHECK(ask(create_payment{}, 3s).code == ec::timeout);
  CAF_CHECK_EQUAL(*database.asked, 3);
}

CAF_TEST(what went wrong is told though it cannot be noted) {
  using pair = std::pair<ec, ec>;
  for (auto [from_provider, told] : {pair{ec::timeout, ec::timeout}, pair{ec::internal, ec::timeout},
                                     pair{ec::upstream, ec::upstream}, pair{ec::unavailable, ec::unavailable}}) {
    failure = from_provider;
    database.returns(begun{row_in(state::created), begun::next::create, {}});
    database.fails(ec::overloaded);
    CAF_CHECK(ask(create_payment{}).code == told);
  }
}

CAF_TEST(a charge that cannot be stored is not shown) {
  database.returns(begun{row_in(state::created), begun::next::create, {}});
  database.fails(ec::in_doubt);
  CAF_CHECK(ask(create_payment{}).code == ec::in_doubt);
}

CAF_TEST(a known charge is answered without the provider) {
  hangs = true;
  database.returns(begun{row_in(state::pending, "1"), begun::next::answer, {}});
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
  database.returns(true);
  CAF_CHECK(ask(call).code == ec::none);
  database.returns(false); // doubled
  CAF_CHECK(ask(call).code == ec::none);
}

CAF_TEST(a forged webhook stores nothing) {
  is_forged = true;
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

CAF_TEST(a provider in trouble is left alone and then probed) {
  CAF_CHECK(circuits == std::vector<std::string>{"cryptobot closed"}); // what an earlier life may have said is void
  failure = ec::timeout;
  for (int i = 0; i < 5; ++i) CAF_CHECK(ask(settle_charge{"cryptobot", "1"}).code == ec::timeout);
  CAF_CHECK_EQUAL(circuits.back(), "cryptobot open");
  CAF_CHECK_EQUAL(calls, 5);
  auto before = *database.asked;
  auto refused = self->request(actor, caf::infinite, create_payment{});
  consume_messages();
  refused.receive([](payment&) { CAF_FAIL("it was asked"); },
                  [](const caf::error& error) {
                    CAF_CHECK(describe(error).code == ec::unavailable);
                    CAF_CHECK(describe(error).retry_after > 0s && describe(error).retry_after <= 30s);
                  });
  CAF_CHECK_EQUAL(*database.asked, before); // no row for nothing
  CAF_CHECK(ask(settle_charge{"cryptobot", "1"}).code == ec::unavailable);
  CAF_CHECK(!ask(list_methods{}).reply->items.front().is_open);
  CAF_CHECK_EQUAL(calls, 5);
  CAF_CHECK(ask(receive_webhook{"cryptobot", "{}", {}, {}}).code == ec::unavailable); // read, but not stored here
  clock->set_offset(31s);
  failure.reset();
  database.returns(std::optional<applied>{});
  CAF_CHECK(ask(settle_charge{"cryptobot", "1"}).code == ec::none);
  CAF_CHECK_EQUAL(calls, 6);
  CAF_CHECK_EQUAL(circuits.back(), "cryptobot closed");
  CAF_CHECK(ask(list_methods{}).reply->items.front().is_open);
}

CAF_TEST(what is refused is no trouble) {
  failure = ec::upstream;
  for (int i = 0; i < 10; ++i) CAF_CHECK(ask(settle_charge{"cryptobot", "1"}).code == ec::upstream);
  CAF_CHECK_EQUAL(calls, 10);
}

CAF_TEST(a webhook that is its own proof is stored with it and not read again) {
  database.returns(std::optional<applied>{});
  CAF_CHECK(ask(settle_charge{"cryptobot", "1", charge_seen}).code == ec::none);
  CAF_CHECK_EQUAL(calls, 0);
}

CAF_TEST(a question is answered within the request) {
  event = webhook_event{.event_id = "q", .asks = checkout{"query", payment_id::random(), {999, "USD"}}};
  database.returns(std::string{});
  CAF_CHECK(ask(receive_webhook{"cryptobot", "{}", {}, {}}).code == ec::none);
  CAF_CHECK_EQUAL(refusal.value(), "");
  database.returns(std::string{"closed"});
  CAF_CHECK(ask(receive_webhook{"cryptobot", "{}", {}, {}}).code == ec::none);
  CAF_CHECK_EQUAL(refusal.value(), "closed");
  database.fails(ec::unavailable);
  CAF_CHECK(ask(receive_webhook{"cryptobot", "{}", {}, {}}).code == ec::unavailable);
  failure = ec::timeout;
  database.returns(std::string{});
  CAF_CHECK(ask(receive_webhook{"cryptobot", "{}", {}, {}}).code == ec::timeout);
}

CAF_TEST(a lost create that cannot be found is repeated) {
  finds = false;
  auto row = row_in(state::unknown);
  database.returns(begun{row, begun::next::find, {.payment = row.id}});
  database.returns(std::optional<applied>{});
  CAF_CHECK(ask(create_payment{}).code == ec::none);
  CAF_CHECK(ordered->payment == row.id);

  ordered.reset();
  row.created_at = row.tried_at = clock->now();
  database.returns(std::vector{row}); // the poller does so too
  database.returns(create_charge{.payment = row.id});
  database.returns(std::optional<applied>{});
  sched.advance_time(10s);
  consume_messages();
  CAF_CHECK(ordered->payment == row.id);

  ordered.reset();
  row.created_at = clock->now() - repeatable_time; // the provider may have forgotten the key
  auto before = *database.asked;
  database.returns(std::vector{row});
  database.returns(done{});
  sched.advance_time(10s);
  consume_messages();
  CAF_CHECK(!ordered);
  CAF_CHECK_EQUAL(*database.asked, before + 2); // given up
}

CAF_TEST(a refund is told by the provider or noted as unknown) {
  auto row = row_in(state::paid, "1");
  row.fee = 1;
  auto given_back = row;
  given_back.state = state::refunded;
  database.returns(refunding{row, true});
  database.returns(std::optional{applied{step::reverse, given_back}});
  auto answer = ask(refund_payment{});
  CAF_REQUIRE(answer.reply);
  CAF_CHECK(answer.reply->state == state::refunded);
  CAF_CHECK((refunded->amount == money{1000, "USD"}));

  refunded.reset();
  database.returns(refunding{given_back, false}); // again
  CAF_CHECK(ask(refund_payment{}).reply->state == state::refunded);
  CAF_CHECK(!refunded);

  auto before = *database.asked;
  failure = ec::timeout;
  database.returns(refunding{row, true});
  CAF_CHECK(ask(refund_payment{}).code == ec::timeout);
  CAF_CHECK_EQUAL(*database.asked, before + 1); // the row keeps being watched
  failure = ec::refused;
  database.returns(refunding{row, true});
  database.returns(done{});
  CAF_CHECK(ask(refund_payment{}).code == ec::refused);
  CAF_CHECK_EQUAL(*database.asked, before + 3); // and not any more
  database.returns(refunding{row, true, false});
  CAF_CHECK(ask(refund_payment{}).code == ec::refused);
  CAF_CHECK_EQUAL(*database.asked, before + 4); // an earlier one may have happened: it goes on
}

CAF_TEST(a refund without an answer is repeated by the poller) {
  auto row = row_in(state::paid, "1");
  row.refund_at = start;
  charge_seen = seen_as(charge_state::refunded);
  auto before = *database.asked;
  database.returns(std::vector{row});
  database.returns(std::optional{applied{step::reverse, row}});
  sched.advance_time(10s);
  consume_messages();
  CAF_CHECK(refunded->payment == row.id);
  CAF_CHECK_EQUAL(*database.asked, before + 2); // taken and applied
}

CAF_TEST_FIXTURE_SCOPE_END()
