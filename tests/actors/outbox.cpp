#define CAF_SUITE actors_outbox

#include "actors/outbox/actor.hpp"

#include "actors/outbox/letters.hpp"
#include "actors/outbox/rules.hpp"
#include "tests/actors/scripted_database.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::outbox;
using namespace std::chrono_literals;

namespace {

constexpr double middle = 0.5; ///< the chance that leaves a pause as it is

std::optional<std::chrono::milliseconds> pause(kind which, int failures, std::chrono::seconds age = 0s,
                                               fault failure = {.code = ec::unavailable}) {
  auto again = rules::after_failure(which, failure, failures, age, middle);
  return again ? std::optional{again->pause} : std::nullopt;
}

mail_work letter(const std::string& locale) {
  return {"ann@example.org", locale, template_name::verification_code, secret{"123456"}};
}

store::entry settlement(std::int64_t id) { return {id, 1, 0, timestamp{}, settle_work{"cryptobot", "7"}}; }

/// An outbox whose database is a script and whose payments actor counts.
struct fixture : test_coordinator_fixture<> {
  /// Its loops never end by themselves, and the fixture below waits for all to be quiet.
  ~fixture() {
    if (outbox) self->send_exit(outbox, caf::exit_reason::kill);
    consume_messages();
  }
  void start(outbox_options options = {}) {
    auto payments = sys.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {[this](const payments::settle_charge&) -> caf::result<done> {
        ++settled;
        if (failure) return to_error({.code = *failure});
        return done{};
      }};
    });
    domain_context context{std::make_shared<vitals>("outbox", true), std::make_shared<domain_clock>(),
                           database.spawn(sys)};
    outbox = sys.spawn(outbox_behavior, context,
                       outbox_dependencies{{}, {}, caf::actor_cast<payments::payments_actor>(payments)}, options);
    consume_messages();
  }
  void next_tick() {
    sched.advance_time(1s);
    consume_messages();
  }

  /// The first jobs of each life: a claim, and tidying up.
  void begin_with(std::vector<store::entry> entries) {
    database.returns(std::move(entries));
    database.returns(done{});
  }

  outbox_actor outbox;
  scripted_database database;
  int settled = 0;
  std::optional<ec> failure;
};

} // namespace

CAF_TEST(pauses grow as each kind wants it) {
  CAF_CHECK(pause(kind::mail, 0) == 30s);
  CAF_CHECK(pause(kind::mail, 1) == 2min);
  CAF_CHECK(pause(kind::mail, 2) == 10min);
  CAF_CHECK(pause(kind::mail, 3) == 1h);
  CAF_CHECK(pause(kind::mail, 20) == 1h);
  CAF_CHECK(pause(kind::panel, 0) == 5s);
  CAF_CHECK(pause(kind::panel, 3) == 40s);
  CAF_CHECK(pause(kind::panel, 10) == 1h);
  CAF_CHECK(pause(kind::panel, 1000000) == 1h);
  CAF_CHECK(pause(kind::settle, 0) == 2s);
  CAF_CHECK(pause(kind::settle, 8) == 512s);
  CAF_CHECK(pause(kind::settle, 9) == 10min);
}

CAF_TEST(pauses are spread by a fifth to both sides) {
  auto at = [](double chance) {
    return rules::after_failure(kind::panel, {.code = ec::timeout}, 0, 0s, chance)->pause;
  };
  CAF_CHECK(at(0.0) == 4s);
  CAF_CHECK(at(0.999) > 5900ms);
  CAF_CHECK(at(0.999) <= 6s);
}

CAF_TEST(what is refused or too old is given up) {
  CAF_CHECK(!pause(kind::mail, 0, 0s, {.code = ec::refused}));
  CAF_CHECK(!pause(kind::settle, 0, 0s, {.code = ec::malformed}));
  CAF_CHECK(pause(kind::mail, 9, 24h - 1s).has_value());
  CAF_CHECK(!pause(kind::mail, 9, 24h));
  CAF_CHECK(pause(kind::settle, 9, 71h).has_value());
  CAF_CHECK(!pause(kind::settle, 9, 72h));
  CAF_CHECK(pause(kind::panel, 9, 6 * 24h).has_value());
  CAF_CHECK(!pause(kind::panel, 9, 7 * 24h));
}

CAF_TEST(who was not there to try is asked soon and it does not count) {
  auto again = rules::after_failure(kind::mail, {.code = ec::restarting}, 3, 0s, middle);
  CAF_CHECK(again == (rules::retry{1s, false}));
  CAF_CHECK(rules::after_failure(kind::mail, {.code = ec::timeout}, 0, 0s, middle)->counts);
}

CAF_TEST(advice to wait longer is followed) {
  CAF_CHECK(pause(kind::settle, 0, 0s, {.code = ec::too_many, .retry_after = 60s}) == 60s);
}

CAF_TEST(letters speak the language of the locale and hold the code) {
  auto english = write_letter(letter("en-EN"), "outbox-1");
  CAF_CHECK_EQUAL(english.subject, "Your verification code");
  CAF_CHECK_EQUAL(english.key, "outbox-1");
  CAF_CHECK_EQUAL(english.to, "ann@example.org");
  for (auto russian : {"ru", "ru-RU", "RU_ru"})
    CAF_CHECK_EQUAL(write_letter(letter(russian), "").subject, "Ваш код подтверждения");
  for (auto other : {"", "r", "de", "run-RN"})
    CAF_CHECK_EQUAL(write_letter(letter(other), "").subject, english.subject);
  for (auto locale : {"en", "ru"}) {
    auto mail = write_letter(letter(locale), "");
    CAF_CHECK_NOT_EQUAL(mail.text.reveal().find("\n123456\n"), std::string::npos);
    CAF_CHECK_NOT_EQUAL(mail.html.reveal().find(">123456</p>"), std::string::npos);
    CAF_CHECK_EQUAL(mail.subject.find("123456"), std::string::npos);
  }
}

CAF_TEST(every letter has words in both languages and holds what it is about) {
  for (auto name : names_of<template_name>)
    for (auto locale : {"en", "ru"}) {
      mail_work work{.to = "ann@example.org", .locale = locale, .template_ = *from_name<template_name>(name)};
      bool has_code =
               work.template_ == template_name::verification_code || work.template_ == template_name::password_reset,
           has_link = work.template_ == template_name::verification_link ||
                      work.template_ == template_name::password_reset || work.template_ == template_name::magic_link;
      if (has_code) work.code = secret{"123456"};
      if (has_link) work.link = secret{"https://example.org/x?token=abc"};
      auto mail = write_letter(work, "");
      auto &text = mail.text.reveal(), &html = mail.html.reveal();
      CAF_CHECK(!mail.subject.empty());
      CAF_CHECK_EQUAL(text.find("\n123456\n") != std::string::npos, has_code);
      CAF_CHECK_EQUAL(text.find("\nhttps://example.org/x?token=abc\n") != std::string::npos, has_link);
      CAF_CHECK_EQUAL(html.find("<a href=\"https://example.org/x?token=abc\">") != std::string::npos, has_link);
      CAF_CHECK_EQUAL(text.find("\n\n\n"), std::string::npos);
      bool is_cyrillic = text.find("\xd0") != std::string::npos;
      CAF_CHECK_EQUAL(is_cyrillic, std::string_view{locale} == "ru");
    }
}

CAF_TEST(a damaged code is no markup) {
  auto work = letter("en");
  work.code = secret{"<script>"};
  work.link = secret{"\"><script>"};
  CAF_CHECK_EQUAL(write_letter(work, "").html.reveal().find("<script>"), std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE(outbox_actor_tests, fixture)

CAF_TEST(what is due is performed and written down) {
  begin_with({settlement(1), settlement(2)});
  database.returns(true);
  database.returns(true);
  start();
  CAF_CHECK_EQUAL(settled, 2);
  CAF_CHECK_EQUAL(*database.asked, 4);
  CAF_CHECK(database.answers->empty());
}

CAF_TEST(it goes on after the database was away) {
  database.fails(ec::unavailable);
  database.fails(ec::unavailable);
  start();
  CAF_CHECK_EQUAL(settled, 0);
  database.returns(std::vector{settlement(1)});
  database.returns(true);
  next_tick();
  CAF_CHECK_EQUAL(settled, 1);
}

CAF_TEST(an outcome that could not be written keeps no hand busy) {
  begin_with({settlement(1)});
  database.fails(ec::unavailable);
  start({.at_once = 1});
  CAF_CHECK_EQUAL(settled, 1);
  database.returns(std::vector{settlement(1)});
  database.returns(true);
  next_tick();
  CAF_CHECK_EQUAL(settled, 2);
}

CAF_TEST(a full claim is followed by another without waiting) {
  begin_with({settlement(1)});
  database.returns(true);
  database.returns(std::vector{settlement(2)});
  database.returns(true);
  database.returns(std::vector<store::entry>{});
  start({.at_once = 1});
  CAF_CHECK_EQUAL(settled, 2);
  CAF_CHECK(database.answers->empty());
}

CAF_TEST(a failure is written down too) {
  failure = ec::restarting;
  begin_with({settlement(1)});
  database.returns(true);
  start();
  CAF_CHECK_EQUAL(settled, 1);
  CAF_CHECK(database.answers->empty());
}

CAF_TEST(woken it looks at once) {
  begin_with({});
  start();
  database.returns(std::vector{settlement(1)});
  database.returns(true);
  self->send(outbox, wake{});
  consume_messages();
  CAF_CHECK_EQUAL(settled, 1);
}

CAF_TEST_FIXTURE_SCOPE_END()
