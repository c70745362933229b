#define CAF_SUITE log

#include "config/log.hpp"
#include "config/redaction.hpp"

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "caf/test/dsl.hpp"

using namespace backstay;
using nlohmann::json;

namespace {

struct fixture {
  std::vector<std::string> lines; // of the log's thread until it is stopped

  ~fixture() { log::stop(); }

  void start(config::settings::log_section settings = {}) {
    log::start(settings, [this](std::string_view line) { lines.emplace_back(line); });
  }

  /// Ends the log; returns its only line.
  std::string only_line() {
    log::stop();
    CAF_REQUIRE_EQUAL(lines.size(), 1u);
    return lines.front();
  }
};

std::string message_of(const std::string& line) { return json::parse(line).at("message").get<std::string>(); }

std::string redacted(std::string_view text) { return log::redacted(text, {}); }

} // namespace

CAF_TEST_FIXTURE_SCOPE(log_tests, fixture)

CAF_TEST(a line is JSON with the fields in order) {
  start();
  log::info("http", "answered", {{"request_id", "r-1"}, {"status", "200"}});
  const auto line = only_line();
  const auto parsed = json::parse(line);
  CAF_CHECK_EQUAL(parsed["level"], "info");
  CAF_CHECK_EQUAL(parsed["logger"], "http");
  CAF_CHECK_EQUAL(parsed["message"], "answered");
  CAF_CHECK_EQUAL(parsed["request_id"], "r-1");
  CAF_CHECK(std::regex_match(parsed["time"].get<std::string>(),
                             std::regex{R"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z)"}));
  CAF_CHECK(line.starts_with("{\"time\":\""));
  CAF_CHECK(line.ends_with(R"(,"request_id":"r-1","status":"200"})"));
}

CAF_TEST(whatever the text the line stays one line of valid JSON) {
  start();
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
  const std::string broken = "\xC0\x80|\xED\xA0\x80|\xF5\x80\x80\x80|\xE2\x82|\xF0\x9F\x98";
  log::error("test", every_byte, {{"q\"\n", "a\"b\\c\nd\te"}, {"broken", broken}, {"good", "é€😀"}});
  const auto line = only_line();
  CAF_CHECK_EQUAL(line.find('\n'), line.npos);
  const auto parsed = json::parse(line);
  CAF_CHECK_EQUAL(parsed["q\"\n"], "a\"b\\c\nd\te");
  CAF_CHECK_EQUAL(parsed["good"], "é€😀");
  CAF_CHECK_EQUAL(parsed["message"].get<std::string>().substr(0, 128), every_byte.substr(0, 128));
  CAF_CHECK_EQUAL(parsed["broken"].get<std::string>().find("\xEF\xBF\xBD"), 0u);
}

CAF_TEST(text lines are for people) {
  start({.format = "text"});
  log::warning("pool", "worker lost", {{"cause", "connection closed"}, {"count", "2"}, {"forged", "a\nb"}});
  CAF_CHECK_EQUAL(only_line().substr(25),
                  R"(warning pool         worker lost cause="connection closed" count=2 forged=a\nb)");
}

CAF_TEST(less important lines are left out) {
  start({.level = "warning"});
  CAF_CHECK(!log::is_on(log::level::info));
  CAF_CHECK(log::is_on(log::level::warning));
  log::debug("a", "no");
  log::info("a", "no");
  log::warning("a", "yes");
  log::error("a", "yes");
  log::stop();
  CAF_CHECK_EQUAL(lines.size(), 2u);
  log::error("a", "after the end");
  CAF_CHECK_EQUAL(lines.size(), 2u);
}

CAF_TEST(a slow output loses the oldest lines and counts them) {
  std::mutex mutex;
  std::condition_variable changed;
  bool writing = false;
  bool released = false;
  log::start({.queue = 16}, [&](std::string_view line) {
    std::unique_lock lock(mutex);
    writing = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
    lines.emplace_back(line);
  });
  log::info("a", "0");
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return writing; });
  }
  for (int i = 1; i <= 100; ++i) log::info("a", std::to_string(i)); // returns although nothing is written
  CAF_CHECK_EQUAL(log::dropped(), 84u);
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  log::stop();
  // The end of the log is itself an entry of the queue, but one that waits for room.
  CAF_REQUIRE_EQUAL(lines.size(), 17u);
  CAF_CHECK_EQUAL(message_of(lines[0]), "0");
  CAF_CHECK_EQUAL(message_of(lines[1]), "85");
  CAF_CHECK_EQUAL(message_of(lines[16]), "100");
}

CAF_TEST(many threads may log while it starts and stops) {
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([] {
        for (int n = 0; n < 2'000; ++n) log::info("a", "line", {{"n", std::to_string(n)}});
      });
    for (int i = 0; i < 20; ++i) {
      log::start({}, [](std::string_view) {});
      log::stop();
    }
  }
  start();
  log::info("a", "last");
  CAF_CHECK_EQUAL(message_of(only_line()), "last");
}

CAF_TEST(known secrets and telling fields are hidden in every part) {
  config::settings values;
  values.panel.token = secret{"panel-token-1"};
  values.database.url = secret{"host=db dbname=x"};
  values.security.keys = {secret{std::string(32, 'k')}};
  values.mail.key = secret{"short"};
  config::hide_secrets(values);
  start();
  log::info("a", "called with panel-token-1 and panel-token-1",
            {{"at", "<host=db dbname=x>"},
             {"hex", "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b"},
             {"base64", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"},
             {"word", "short"},
             {"refresh_token", "whatever"},
             {"Authorization", "whatever"}});
  const auto parsed = json::parse(only_line());
  CAF_CHECK_EQUAL(parsed["message"], "called with *** and ***");
  CAF_CHECK_EQUAL(parsed["at"], "<***>");
  CAF_CHECK_EQUAL(parsed["hex"], "***");
  CAF_CHECK_EQUAL(parsed["base64"], "***");
  CAF_CHECK_EQUAL(parsed["word"], "short");
  CAF_CHECK_EQUAL(parsed["refresh_token"], "***");
  CAF_CHECK_EQUAL(parsed["Authorization"], "***");
}

CAF_TEST_FIXTURE_SCOPE_END()

CAF_TEST(credentials are recognized by their looks) {
  CAF_CHECK_EQUAL(redacted("Authorization: Bearer abc.def-_~+/=, next"), "Authorization: *** ***, next");
  CAF_CHECK_EQUAL(redacted("sent bearer abc and BASIC dXNlcg=="), "sent bearer *** and BASIC ***");
  CAF_CHECK_EQUAL(redacted("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ today"), "got *** today");
  CAF_CHECK_EQUAL(redacted("GET /ws?ticket=t1&x=2&access_token=a"), "GET /ws?ticket=***&x=2&access_token=***");
  CAF_CHECK_EQUAL(redacted("host=db password='two words' user=u"), "host=db password='***' user=u");
  CAF_CHECK_EQUAL(redacted("password = hunter2;"), "password = ***;");
  CAF_CHECK_EQUAL(redacted(R"({"password": "a b", "login": "c"})"), R"({"password": "***", "login": "c"})");
  CAF_CHECK_EQUAL(redacted("postgresql://me:pa@ss@db:5432/x"), "postgresql://***@db:5432/x");
}

CAF_TEST(harmless text stays as it is) {
  for (const char* text :
       {"", "password authentication failed for user \"me\"", "https://example.com/a@b?token", "a=b c:d", "eyJ",
        "eyJx no token", "2024-01-01T00:00:00Z", "bearer", "the bearer ", "://", "=", "password="})
    CAF_CHECK_EQUAL(redacted(text), text);
}

CAF_TEST(redaction ends for any text) {
  for (std::string_view piece : {"=", "password=", "eyJ.", "Bearer ", "://@", "token:\"", "***"}) {
    std::string text;
    for (int i = 0; i < 2'000; ++i) text += piece;
    CAF_CHECK(!log::redacted(text, std::vector{secret{std::string{"*******"}}}).empty());
  }
}
