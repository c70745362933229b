#define CAF_SUITE integrations.smtp

#include "integrations/mail/smtp.hpp"
#include "integrations/mail/client.hpp"
#include "integrations/mail/mime.hpp"
#include "tests/integrations/harness.hpp"

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::mail;
using namespace backstay::testing;

namespace {

const std::string subject = "Ваш код подтверждения, и ещё немного, чтобы не хватило одной строки";

send_mail order(const std::string& key = "outbox-17") {
  return {key, "anna@example.com", subject, secret{"Код:\n\n123456\n.\n..\n"}, secret{"<b>123456</b>"}};
}

std::uint16_t free_port() {
  asio::io_context context;
  return asio::ip::tcp::acceptor{context, {asio::ip::address_v4::loopback(), 0}}.local_endpoint().port();
}

/// A server that plays one conversation: its greeting, then a reply a line that it reads.
class scripted_server {
public:
  explicit scripted_server(std::vector<std::string> replies) : replies_(std::move(replies)) {
    thread_ = std::thread{[this] { serve(); }};
  }
  ~scripted_server() {
    asio::error_code ignored;
    asio::ip::tcp::socket{context_}.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
  void serve() {
    auto socket = acceptor_.accept();
    asio::error_code error;
    std::string input;
    for (auto& reply : replies_) {
      asio::write(socket, asio::buffer(reply + "\r\n"), error);
      auto size = asio::read_until(socket, asio::dynamic_buffer(input), "\r\n", error);
      if (error) return;
      input.erase(0, size);
    }
  }

  std::vector<std::string> replies_;
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::thread thread_;
};

struct fixture {
  fixture() : given(sandbox_options("http://127.0.0.1:1")) {
    given.smtp_port = free_port();
    fakes.emplace(given);
    connect(given.smtp_port, given.mail_key);
  }

  void connect(std::uint16_t port, const std::string& password) {
    settings = {.transport = "smtp",
                .from = "Backstay, the шкот <hello@example.com>",
                .host = "127.0.0.1",
                .port = port,
                .user = given.smtp_user,
                .password = secret{password}};
    client.emplace("mail", [this](auto* parent, auto context) { return spawn_mail(parent, context, settings); });
  }
  json mails() { return read_control(fakes->url() + "/sandbox/mail?to=anna@example.com")["items"]; }
  void misbehave(const json& how) {
    auto faults = how;
    faults["system"] = "mail";
    control(fakes->url() + "/sandbox/faults", faults);
  }
  ec outcome_of(std::vector<std::string> replies) {
    scripted_server remote{std::move(replies)};
    connect(remote.port(), "x");
    settings.user.clear();
    client.emplace("mail", [this](auto* parent, auto context) { return spawn_mail(parent, context, settings); });
    return client->failure(order());
  }

  sandbox::options given;
  std::optional<sandbox::sandbox> fakes;
  config::settings::mail_section settings;
  std::optional<harness> client;
};

} // namespace

CAF_TEST(a message is ASCII in short lines with both alternatives) {
  auto message = compose("Backstay, Inc. <hello@example.com>", order(), *from_rfc3339("2026-02-03T04:05:06Z"));
  auto& text = message.reveal();
  CAF_CHECK(text.starts_with("Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n"
                             "From: \"Backstay, Inc.\" <hello@example.com>\r\nTo: <anna@example.com>\r\nSubject: =?"));
  for (std::size_t begin = 0, end; (end = text.find("\r\n", begin)) != std::string::npos; begin = end + 2)
    CAF_CHECK(end - begin <= 78);
  CAF_CHECK(std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 128; }));
  CAF_CHECK(text.find("123456") == std::string::npos);
  auto again = compose("hello@example.com", order(), *from_rfc3339("2026-02-03T05:05:06Z"));
  auto id = [](const std::string& of) { return of.substr(of.find("Message-ID: "), 60); };
  CAF_CHECK_EQUAL(id(text), id(again.reveal()));
  CAF_CHECK(id(text) != id(compose("hello@example.com", order("outbox-18"), {}).reveal()));
}

CAF_TEST(an address cannot begin another header) {
  for (auto* bad : {"a@b.c\r\nBcc: x@y.z", "a@b.c> <x@y.z", "a@b.c, x@y.z", "анна@example.com"}) {
    auto what = order();
    what.to = bad;
    try {
      compose("hello@example.com", what, {});
      CAF_FAIL("composed");
    } catch (const fault_error& error) {
      CAF_CHECK(error.what_failed.code == ec::refused);
    }
  }
}

CAF_TEST(only loopback is spoken to in the clear) {
  for (auto* host : {"127.0.0.1", "127.8.8.8", "::1", "localhost"})
    CAF_CHECK(protection_of(host, 25) == protection::none);
  for (auto* host : {"mail.example.com", "127.example.com", "10.0.0.1", "localhost.example.com"})
    CAF_CHECK(protection_of(host, 587) == protection::starttls);
  CAF_CHECK(protection_of("mail.example.com", 465) == protection::implicit);
}

CAF_TEST(the end of a conversation has a meaning) {
  CAF_CHECK(meaning_of(CURLE_OK, 250) == ec::none);
  CAF_CHECK(meaning_of(CURLE_SEND_ERROR, 550) == ec::refused);
  CAF_CHECK(meaning_of(CURLE_SEND_ERROR, 554) == ec::refused);
  CAF_CHECK(meaning_of(CURLE_SEND_ERROR, 451) == ec::upstream);
  CAF_CHECK(meaning_of(CURLE_LOGIN_DENIED, 535) == ec::upstream);
  CAF_CHECK(meaning_of(CURLE_COULDNT_CONNECT, 0) == ec::unavailable);
  CAF_CHECK(meaning_of(CURLE_USE_SSL_FAILED, 454) == ec::unavailable);
  CAF_CHECK(meaning_of(CURLE_OPERATION_TIMEDOUT, 250) == ec::timeout);
  CAF_CHECK(meaning_of(CURLE_GOT_NOTHING, 0) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE(smtp_tests, fixture)

CAF_TEST(a mail arrives as it was written) {
  CAF_CHECK(client->ask(order()).value);
  CAF_CHECK(client->ask(order()).value); // and again over the same connection
  auto arrived = mails();
  CAF_REQUIRE_EQUAL(arrived.size(), 2u);
  CAF_CHECK_EQUAL(arrived[0]["subject"], subject);
  CAF_CHECK_EQUAL(arrived[0]["text"], "Код:\n\n123456\n.\n..\n");
  CAF_CHECK_EQUAL(arrived[0]["html"], "<b>123456</b>");
  CAF_CHECK_EQUAL(arrived[0]["transport"], "smtp");
}

CAF_TEST(many at once arrive) {
  caf::scoped_actor self{client->system};
  for (int i = 0; i < 40; ++i) self->send(client->guard(), order("outbox-" + std::to_string(i)));
  eventually([&] { return mails().size() >= 40; });
  CAF_CHECK_EQUAL(mails().size(), 40u);
}

CAF_TEST(faults are told apart) {
  misbehave({{"error_rate", 1}});
  CAF_CHECK(client->failure(order()) == ec::upstream);
  misbehave({{"error_rate", 0}, {"lose_answer_rate", 1}});
  CAF_CHECK(client->failure(order()) != ec::none);
  CAF_CHECK_EQUAL(mails().size(), 1u); // taken, only the answer was lost
  misbehave({{"lose_answer_rate", 0}});
  auto nobody = order();
  nobody.to = "nobody";
  CAF_CHECK(client->failure(nobody) == ec::refused);
  connect(given.smtp_port, "wrong");
  CAF_CHECK(client->failure(order()) == ec::upstream);
  connect(free_port(), "x");
  CAF_CHECK(client->failure(order()) == ec::unavailable);
}

CAF_TEST(without TLS nothing is sent where it is required) {
  client.emplace("mail", [this](auto* parent, auto context) {
    return caf::actor_cast<caf::actor>(parent->spawn(smtp, context, settings, protection::starttls));
  });
  CAF_CHECK(client->failure(order()) == ec::unavailable);
  CAF_CHECK(mails().empty());
}

CAF_TEST(servers that say no or nothing sensible) {
  CAF_CHECK(outcome_of({"220 hi", "250 ok", "250 ok", "550 5.1.1 no such user"}) == ec::refused);
  CAF_CHECK(outcome_of({"220 hi", "250 ok", "250 ok", "450 4.2.1 later"}) == ec::upstream);
  CAF_CHECK(outcome_of({"554 go away"}) != ec::none);
  CAF_CHECK(outcome_of({"nonsense"}) != ec::none);
  CAF_CHECK(outcome_of({"220 hi", "250 ok", "421 4.3.2 closing"}) == ec::upstream);
}

CAF_TEST_FIXTURE_SCOPE_END()
