#include "integrations/sandbox/companion.hpp"

#include "integrations/http_client.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <future>
#include <optional>
#include <stdexcept>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

std::string url_of(const config::settings& settings) {
  return "http://127.0.0.1:" + std::to_string(settings.sandbox.port);
}

/// The body of the sandbox's answer; nothing when there is none.
std::optional<std::string> get(const std::string& url) {
  integrations::http_client client;
  std::promise<std::optional<std::string>> heard;
  client.send({.method = "GET", .url = url, .headers = {}, .body = {}, .timeout = 1000ms},
              [&](integrations::http_result result) {
                bool is_answer =
                    result.failure == integrations::transport_failure::none && result.response.status == 200;
                heard.set_value(is_answer ? std::optional{std::move(result.response.body)} : std::nullopt);
              });
  return heard.get_future().get();
}

bool answers(const std::string& url) { return get(url + "/sandbox/health").has_value(); }

/// In the child, between fork and exec: a session of its own, so that Ctrl-C in our terminal is not its signal.
[[noreturn]] void become_sandbox(const char* const* arguments, int log) {
  setsid();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], const_cast<char* const*>(arguments));
  _exit(127);
}

void point_providers_at(config::settings::providers_section& providers, const std::string& sandbox,
                        const secret& client_secret) {
  const auto provider = [&](const std::string& name, const std::string& below_url, const std::string& below_api) {
    return config::settings::provider_section{sandbox + "/" + name + below_url, sandbox + "/" + name + below_api,
                                              "sandbox-" + name, client_secret};
  };
  providers.github = provider("github", "", "");
  providers.google = provider("google", "", "");
  providers.discord = provider("discord", "", "/api");
  providers.apple = provider("apple", "", "");
  providers.microsoft = provider("microsoft", "/common", "");
  providers.twitter = provider("twitter", "", "");
}

void point_payments_at(config::settings& settings, const std::string& sandbox, const secret& key) {
  settings.yookassa.url = sandbox + "/yookassa/v3";
  settings.yookassa.shop_id = "100500";
  settings.yookassa.secret_key = key;
  settings.yookassa.networks = {"127.0.0.0/8", "::1/128"};
  settings.stars.url = sandbox + "/stars";
  settings.stars.webhook_secret = key;
  settings.stripe.url = sandbox + "/stripe";
  settings.stripe.secret_key = key;
  settings.stripe.webhook_secrets = {key};
  settings.lemonsqueezy.url = sandbox + "/lemonsqueezy";
  settings.lemonsqueezy.api_key = key;
  settings.lemonsqueezy.store = "100500";
  settings.lemonsqueezy.variant = "100501";
  settings.lemonsqueezy.webhook_secret = key;
  settings.heleket.url = sandbox + "/heleket/v1";
  settings.heleket.merchant = "sandbox-merchant";
  settings.heleket.api_key = key;
  settings.mulenpay.url = sandbox + "/mulenpay/api";
  settings.mulenpay.api_key = key;
  settings.mulenpay.shop_id = "100500";
  settings.mulenpay.secret_key = key;
  settings.tribute.donate_url = sandbox + "/tribute/donate";
  settings.tribute.api_key = key;
}

} // namespace

options options_for(const config::settings& settings) {
  std::filesystem::path data = settings.data.directory;
  return {.address = "127.0.0.1",
          .port = settings.sandbox.port,
          .backend = "http://127.0.0.1:" + std::to_string(settings.http.port),
          .data = data,
          .cryptobot_token = "1:sandbox-cryptobot",
          .panel_token = "sandbox-panel",
          .panel_webhook_secret = "sandboxpanelwebhooksecret0123456789",
          .mail_key = "re_sandbox",
          .smtp_port = settings.sandbox.smtp_port,
          .oauth_client_secret = "sandbox-oauth",
          .telegram_bot_token = "7000000001:sandbox-telegram",
          .payment_key = "sandbox-payments",
          .control_file = data / "control.json"};
}

void point_clients_at(config::settings& settings) {
  auto with = options_for(settings);
  settings.panel.url = url_of(settings) + "/panel";
  settings.panel.token = secret{with.panel_token};
  settings.panel.webhook_secret = secret{with.panel_webhook_secret};
  settings.cryptobot.url = url_of(settings) + "/cryptobot/api";
  settings.cryptobot.token = secret{with.cryptobot_token};
  point_providers_at(settings.providers, url_of(settings), secret{with.oauth_client_secret});
  point_payments_at(settings, url_of(settings), secret{with.payment_key});
  settings.telegram.url = url_of(settings) + "/telegram";
  settings.telegram.bot_token = secret{with.telegram_bot_token};
  if (settings.telegram.bot_name.empty()) settings.telegram.bot_name = "sandbox_bot";
  settings.mail.url = url_of(settings) + "/mail";
  settings.mail.key = secret{with.mail_key};
  settings.mail.host = "127.0.0.1";
  settings.mail.port = settings.sandbox.smtp_port;
  settings.mail.user = with.smtp_user;
  settings.mail.password = secret{with.mail_key};
  if (settings.mail.from.empty()) settings.mail.from = "Backstay <no-reply@backstay.localhost>";
}

companion::companion(const config::settings& settings, const std::filesystem::path& program) : url_(url_of(settings)) {
  std::filesystem::path data = settings.data.directory;
  pid_file_ = data / "sandbox.pid";
  users_ = open((data / "sandbox.users").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (users_ < 0) throw std::runtime_error{"cannot write to the data directory " + data.string()};
  flock(users_, LOCK_SH);
  if (answers(url_)) return;
  start(program, settings);
  for (int i = 0; i < 100; ++i) {
    if (answers(url_)) return;
    std::this_thread::sleep_for(50ms);
  }
  throw std::runtime_error{"the sandbox does not answer on port " + std::to_string(settings.sandbox.port) + "; see " +
                           (data / "sandbox.log").string()};
}

void companion::start(const std::filesystem::path& program, const config::settings& settings) const {
  std::filesystem::path data = settings.data.directory;
  auto path = program.string(), port = "sandbox.port=" + std::to_string(settings.sandbox.port),
       http_port = "http.port=" + std::to_string(settings.http.port),
       smtp_port = "sandbox.smtp_port=" + std::to_string(settings.sandbox.smtp_port),
       directory = "data.directory=" + settings.data.directory;
  const char* arguments[] = {path.c_str(), "sandbox",         "--set", port.c_str(),      "--set", http_port.c_str(),
                             "--set",      smtp_port.c_str(), "--set", directory.c_str(), nullptr};
  int log = open((data / "sandbox.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  auto child = fork();
  if (child < 0) throw std::runtime_error{std::string{"cannot start the sandbox: "} + std::strerror(errno)};
  if (child == 0) become_sandbox(arguments, log);
  close(log);
  std::ofstream{pid_file_} << child << '\n';
}

std::chrono::seconds companion::clock_offset() const {
  auto clock = nlohmann::json::parse(get(url_ + "/sandbox/clock").value_or("{}"), nullptr, false);
  return std::chrono::seconds{clock.is_object() ? clock.value("offset_seconds", std::int64_t{0}) : 0};
}

bool companion::is_last_user() const { return flock(users_, LOCK_EX | LOCK_NB) == 0; }

companion::~companion() {
  pid_t process = 0;
  std::ifstream{pid_file_} >> process;
  if (process > 0 && is_last_user()) {
    kill(process, SIGTERM);
    std::error_code ignored;
    std::filesystem::remove(pid_file_, ignored);
  }
  close(users_);
}

} // namespace backstay::sandbox
