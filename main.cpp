// The composition root: settings → log → database → actors → HTTP; waits for a signal; stops in reverse.

#include "actors/accounts/actor.hpp"
#include "actors/accounts/rules.hpp"
#include "actors/audit/actor.hpp"
#include "actors/hashing/actor.hpp"
#include "actors/idempotency/actor.hpp"
#include "actors/identities/actor.hpp"
#include "actors/imaging/actor.hpp"
#include "actors/kernel/crypto.hpp"
#include "actors/kernel/supervision.hpp"
#include "actors/live/store.hpp"
#include "actors/monitoring/actor.hpp"
#include "actors/outbox/actor.hpp"
#include "actors/outbox/store.hpp"
#include "actors/payments/actor.hpp"
#include "actors/promotions/actor.hpp"
#include "actors/provisioning/actor.hpp"
#include "actors/referrals/actor.hpp"
#include "actors/sessions/actor.hpp"
#include "actors/subscriptions/actor.hpp"
#include "actors/two_factor/actor.hpp"
#include "actors/wallet/actor.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/log.hpp"
#include "config/reference.hpp"
#include "http/admin/family.hpp"
#include "http/connect/family.hpp"
#include "http/console/family.hpp"
#include "http/kernel/openapi.hpp"
#include "http/kernel/server.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/sockets.hpp"
#include "http/system/system.hpp"
#include "http/workspace/family.hpp"
#include "integrations/mail/client.hpp"
#include "integrations/oauth/client.hpp"
#include "integrations/panel/client.hpp"
#include "integrations/payment/registry.hpp"
#include "integrations/sandbox/companion.hpp"
#include "integrations/sandbox/sandbox.hpp"
#include "persistence/bootstrap.hpp"
#include "persistence/database.hpp"
#include "persistence/listener.hpp"
#include "persistence/migrations.hpp"
#include "persistence/postmaster.hpp"

#include <CLI/CLI.hpp>
#include <asio/executor_work_guard.hpp>
#include <sodium.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <malloc.h>
#include <sys/resource.h>
#include <termios.h>
#include <thread>
#include <unistd.h>

namespace backstay {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// sysexits.h; service managers tell them apart (docs/deploy).
constexpr int exit_bad_usage = 64, exit_gave_up = 70, exit_temporary = 75;

std::size_t or_else(std::size_t setting, std::size_t automatic) { return setting ? setting : automatic; }

/// What the document's paths are relative to; "/" is wherever the document itself was read from, so that the page to
/// try the API works under every name of this server.
std::string document_base(const config::settings& settings) {
  return settings.http.public_url.empty() ? "/" : settings.http.public_url;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// Where mails say that this server is.
std::string own_url(const config::settings& settings) {
  auto& http = settings.http;
  if (!http.public_url.empty()) return without_slash(http.public_url);
  return "http://" + http.address + ":" + std::to_string(http.port);
}

std::size_t cores() { return std::max(1u, std::thread::hardware_concurrency()); }

// ---- the database ----------------------------------------------------------------------------------------------

/// The configured database, or the private cluster; migrated.
struct database_home {
  std::shared_ptr<persistence::cluster> cluster; ///< null with a configured database
  std::string url;
};

database_home open_database(const config::settings& settings) {
  database_home home{nullptr, settings.database.url.reveal()};
  if (home.url.empty()) {
    auto report = [](std::string_view line) { log::info("postgres", line); };
    home.cluster = std::make_shared<persistence::cluster>(settings.data.directory, report);
    home.url = home.cluster->url();
  }
  persistence::migrate(home.url);
  return home;
}

/// The API families, all in one router.
void add_families(http::router& to, const http::domains& who) {
  http::mobile::add_all(to, who);
  http::console::add_all(to, who);
  http::workspace::add_all(to, who);
  http::connect::add_all(to, who);
  http::admin::add_all(to, who);
}

// ---- the house -------------------------------------------------------------------------------------------------

/// The running server: every actor under its guardian, and HTTP in front of them.
class house {
public:
  house(config::settings settings, database_home home, clock_handle clock)
      : settings_(std::move(settings)), home_(std::move(home)), clock_(std::move(clock)),
        system_(configure(actors_config_, settings_)), tree_(system_, [](const vitals& who) { give_up(who); }),
        tree_size_(plan()), web_{settings_,
                                 io_,
                                 clock_,
                                 http::gateway{gateway_},
                                 handle<sessions::sessions_actor>("sessions"),
                                 handle<idempotency::idempotency_actor>("idempotency")} {}

  ~house() { stop(); }
  house(const house&) = delete;
  house& operator=(const house&) = delete;

  void start() {
    tree_.start();
    add_routes();
    server_ =
        std::make_unique<http::server>(web_, routes_, server_options(settings_.http.address, settings_.http.port),
                                       websocket::accept_sockets(web_, sockets_, pulse_, http::mobile::sockets()));
    server_->open();
    if (settings_.sandbox.enabled) open_control();
    http_thread_ = std::thread{[this] { io_.run(); }};
  }

private:
  /// Finishes what is in flight, then ends everything in reverse, within 10 s. Also after a start that failed halfway:
  /// the actor system waits for every actor.
  void stop() {
    web_.is_stopping = true;
    if (http_thread_.joinable()) finish_requests();
    tree_.stop(1s);
    caf::anon_send_exit(gateway_, caf::exit_reason::user_shutdown);
    keep_io_.reset();
    io_.stop();
    if (http_thread_.joinable()) http_thread_.join();
  }

  void finish_requests() {
    web_.run_on_http_thread([this] {
      server_->close();
      if (control_) control_->close();
      sockets_->close_all();
    });
    std::error_code ignored;
    if (settings_.sandbox.enabled) fs::remove(control_file(), ignored);
    for (int i = 0; i < 60 && web_.open_exchanges > 0; ++i) std::this_thread::sleep_for(50ms);
    std::this_thread::sleep_for(50ms); // the last answers and close frames are on their way
  }

  /// One core is left to the HTTP thread. With the sandbox there is a second thread: an actor may be stalled on
  /// purpose.
  static caf::actor_system_config& configure(caf::actor_system_config& config, const config::settings& settings) {
    auto automatic = std::max<std::size_t>(settings.sandbox.enabled ? 2 : 1, cores() - 1);
    config.set("scheduler.max-threads", or_else(settings.actors.threads, automatic));
    config.set("scheduler.policy", caf::atom("sharing")); // idles at 0 %; `stealing` polls
    config.set("logger.verbosity", caf::atom("quiet"));
    return config;
  }

  /// A critical actor cannot be kept alive: the service manager starts the process anew.
  [[noreturn]] static void give_up(const vitals& who) {
    log::error("root", "gives up: a critical actor keeps dying", {{"actor", who.name}, {"cause", who.last_cause()}});
    log::stop();
    _exit(exit_gave_up);
  }

  template <class Handle>
  Handle handle(const std::string& name) const {
    return caf::actor_cast<Handle>(addresses_.at(name));
  }

  void add(const std::string& name, bool critical, child_maker make) {
    addresses_[name] = tree_.add(name, critical, std::move(make));
  }

  domain_context context(vitals_ptr pulse) const {
    return {std::move(pulse), clock_, handle<database_actor>("database")};
  }
  integrations::client_context outside(vitals_ptr pulse) { return {std::move(pulse), clock_, &http_client_}; }

  /// The supervision tree, in the order of its start. Makers run later, so they may name addresses further down.
  std::size_t plan() {
    const auto& s = settings_;
    if (home_.cluster)
      add("postgres", true,
          [this](auto* self, auto pulse) { return persistence::spawn_postmaster(self, pulse, home_.cluster); });
    add("database", true,
        [this](auto* self, auto pulse) { return persistence::spawn_database(self, pulse, database_options()); });
    add("listener", false, [this](auto* self, auto pulse) {
      return persistence::spawn_listener(self, pulse, {home_.url, {"sessions", "live_events"}}, listener_sinks());
    });
    add("panel", false,
        [this](auto* self, auto pulse) { return panel::spawn_panel(self, outside(pulse), settings_.panel); });
    for (auto& each : payment_provider::registered())
      if (!each.methods(s).empty())
        add(each.name, false,
            [this, &each](auto* self, auto pulse) { return each.spawn(self, outside(pulse), settings_); });
    add("mail", false,
        [this](auto* self, auto pulse) { return mail::spawn_mail(self, outside(pulse), settings_.mail); });
    add("oauth", false,
        [this](auto* self, auto pulse) { return oauth::spawn_oauth(self, outside(pulse), settings_.providers); });
    add("hub", false, [this](auto* self, auto pulse) { return websocket::spawn_hub(self, pulse, io_, sockets_); });
    add("hashing", true,
        [threads = or_else(s.actors.hashing_threads, std::max<std::size_t>(1, cores() / 2))](auto* self, auto pulse) {
          return hashing::spawn_hashing(self, pulse, threads, threads * 60);
        });
    add("imaging", false, [](auto* self, auto pulse) { return imaging::spawn_imaging(self, pulse); });
    add("sessions", true, [this](auto* self, auto pulse) {
      return sessions::spawn_sessions(
          self, context(pulse),
          {handle<hashing::hashing_actor>("hashing"), terms_, invalidator(), settings_.limits.refresh_per_session});
    });
    add("accounts", true, [this](auto* self, auto pulse) {
      return accounts::spawn_accounts(self, context(pulse),
                                      {handle<hashing::hashing_actor>("hashing"), terms_,
                                       settings_.registration.enabled,
                                       handle<subscriptions::subscriptions_actor>("subscriptions"), invalidator(),
                                       std::chrono::ceil<std::chrono::seconds>(settings_.accounts.purge_after),
                                       handle<imaging::imaging_actor>("imaging"), referral_terms()});
    });
    add("two_factor", true, [this](auto* self, auto pulse) {
      return two_factor::spawn_two_factor(
          self, context(pulse),
          {handle<hashing::hashing_actor>("hashing"), terms_, invalidator(), settings_.two_factor.issuer});
    });
    add("audit", false,
        [this](auto* self, auto pulse) { return audit::spawn_audit(self, context(pulse), settings_.audit.keep); });
    add("identities", false, [this](auto* self, auto pulse) {
      return identities::spawn_identities(self, context(pulse), identity_dependencies());
    });
    add("idempotency", true,
        [this](auto* self, auto pulse) { return idempotency::spawn_idempotency(self, context(pulse), {}); });
    add("wallet", true, [this](auto* self, auto pulse) { return wallet::spawn_wallet(self, context(pulse)); });
    add("subscriptions", true, [this](auto* self, auto pulse) {
      return subscriptions::spawn_subscriptions(self, context(pulse), subscription_dependencies());
    });
    add("payments", true, [this](auto* self, auto pulse) {
      return payments::spawn_payments(self, context(pulse), payment_dependencies());
    });
    add("referrals", false, [this](auto* self, auto pulse) {
      return referrals::spawn_referrals(self, context(pulse), {referral_terms(), share_url()});
    });
    add("promotions", false,
        [this](auto* self, auto pulse) { return promotions::spawn_promotions(self, context(pulse)); });
    add("monitoring", false, [this](auto* self, auto pulse) {
      return monitoring::spawn_monitoring(self, context(pulse),
                                          {handle<panel::panel_actor>("panel"), handle<live::hub_actor>("hub")},
                                          {settings_.panel.poll});
    });
    add("provisioning", false, [this](auto* self, auto pulse) {
      return provisioning::spawn_provisioning(self, context(pulse),
                                              {handle<panel::panel_actor>("panel"),
                                               handle<panel::catalog_actor>("panel"),
                                               handle<subscriptions::subscriptions_actor>("subscriptions"),
                                               handle<monitoring::monitoring_actor>("monitoring"),
                                               std::chrono::ceil<std::chrono::seconds>(settings_.panel.cache)});
    });
    add("outbox", false, [this](auto* self, auto pulse) {
      return outbox::spawn_outbox(self, context(pulse),
                                  {handle<mail::mail_actor>("mail"),
                                   handle<subscriptions::subscriptions_actor>("subscriptions"),
                                   handle<payments::payments_actor>("payments")},
                                  {.at_once = static_cast<int>(settings_.outbox.workers),
                                   .lease = std::chrono::ceil<std::chrono::seconds>(settings_.outbox.lease)});
    });
    return addresses_.size();
  }

  persistence::database_options database_options() const {
    auto& s = settings_;
    return {home_.url,
            {s.database.connections, s.database.queue, s.timeouts.job},
            s.database.statement_timeout,
            [this] { caf::anon_send(handle<outbox::outbox_actor>("outbox"), outbox::wake{}); }};
  }

  identities::identities_dependencies identity_dependencies() {
    auto& bot = settings_.telegram;
    return {.oauth = handle<oauth::oauth_actor>("oauth"),
            .terms = terms_,
            .invalidate = invalidator(),
            .redirect_uris = settings_.oauth.redirect_uris,
            .bot = {bot.url, bot.bot_name, bot.bot_token, bot.bot_api_secret},
            .registration_enabled = settings_.registration.enabled,
            .referral_terms = referral_terms()};
  }

  referrals::store::terms referral_terms() const {
    auto& r = settings_.referrals;
    return {.is_enabled = r.enabled,
            .percent = static_cast<int>(r.percent),
            .currency = r.currency,
            .minimum = static_cast<std::int64_t>(r.minimum),
            .referred_bonus = static_cast<std::int64_t>(r.referred_bonus),
            .referrer_bonus = static_cast<std::int64_t>(r.referrer_bonus),
            .hold = std::chrono::ceil<std::chrono::seconds>(r.hold)};
  }

  std::string share_url() const {
    auto& own = settings_.referrals.share_url;
    return own.empty() ? own_url(settings_) + "/r" : without_slash(own);
  }

  subscriptions::subscriptions_dependencies subscription_dependencies() const {
    using namespace std::chrono;
    auto& s = settings_;
    return {.panel = handle<panel::panel_actor>("panel"),
            .payments = handle<payments::payments_actor>("payments"),
            .usage_is_good_for = ceil<seconds>(s.panel.cache),
            .grace = ceil<seconds>(s.subscriptions.grace),
            .look_every = s.subscriptions.jobs,
            .trial = {.duration_days = static_cast<int>(ceil<days>(s.trial.duration).count()),
                      .traffic_limit_bytes = static_cast<std::int64_t>(s.trial.traffic_gb) << 30,
                      .max_devices = static_cast<int>(s.trial.devices)}};
  }

  void show_degraded(const std::string& name, bool is_degraded) const {
    for (auto& each : tree_.board().all())
      if (each->name == name) each->degraded = is_degraded;
  }

  payments::payments_dependencies payment_dependencies() const {
    auto& back = settings_.payments.return_url;
    payments::terms by{.methods = {}, .return_url = back.empty() ? own_url(settings_) : back, .keys = terms_->keys};
    payments::payments_dependencies with{
        .poll_every = settings_.payments.poll,
        .on_circuit = [this](auto& provider, bool is_open) { show_degraded(provider, is_open); }};
    for (auto& each : payment_provider::registered()) {
      auto methods = each.methods(settings_);
      if (methods.empty()) continue;
      with.providers.emplace(each.name, handle<payment_provider::provider_actor>(each.name));
      by.methods.insert(by.methods.end(), methods.begin(), methods.end());
    }
    with.by = std::make_shared<const payments::terms>(std::move(by));
    return with;
  }

  sessions::store::terms_ptr make_terms() const {
    auto in_seconds = [](auto duration) { return std::chrono::ceil<std::chrono::seconds>(duration); };
    auto& s = settings_;
    sessions::store::terms terms{.keys = keyring{s.security.keys}};
    terms.lifetimes = {in_seconds(s.sessions.access), in_seconds(s.sessions.refresh),
                       in_seconds(s.sessions.refresh_remembered)};
    auto api = own_url(s), app = s.mail.link_base.empty() ? api : without_slash(s.mail.link_base);
    terms.links = {.app = app,
                   .api = api,
                   .magic_link = in_seconds(s.links.magic_link),
                   .password_reset = in_seconds(s.links.password_reset),
                   .email_verification = in_seconds(s.links.email_verification)};
    terms.guesses.per_minute = static_cast<std::int64_t>(s.limits.guess_per_minute);
    terms.guesses.per_hour = static_cast<std::int64_t>(s.limits.guess_per_hour);
    terms.mails.per_minute = static_cast<std::int64_t>(s.limits.mail_per_minute);
    terms.mails.per_hour = static_cast<std::int64_t>(s.limits.mail_per_hour);
    return std::make_shared<const sessions::store::terms>(std::move(terms));
  }

  // ---- what other nodes and our own domains tell the HTTP thread

  std::function<void(const std::string&)> invalidator() {
    return [this](const std::string& what) { web_.run_on_http_thread([this, what] { web_.sessions.forget(what); }); };
  }

  persistence::listener_sinks listener_sinks() {
    return {.on_notice = [this](const persistence::notice& notice) { hear(notice); },
            .on_listening = [this] { web_.run_on_http_thread([this] { web_.sessions.set_deaf(false); }); },
            .on_deaf = [this] { web_.run_on_http_thread([this] { web_.sessions.set_deaf(true); }); }};
  }

  void hear(const persistence::notice& notice) {
    if (notice.channel == "sessions") return invalidator()(notice.payload);
    deliver_event(std::strtoll(notice.payload.c_str(), nullptr, 10));
  }

  /// Reads an announced event and gives it to this node's sockets.
  void deliver_event(std::int64_t sequence) {
    database_job read{[sequence](transaction& tx) -> std::any { return live::store::read(tx, {sequence}); }, true};
    web_.entry.ask_aside(
        handle<database_actor>("database"), std::move(read),
        [this](database_outcome& outcome) {
          for (auto& event : std::any_cast<std::vector<live::stored_event>&>(outcome.value))
            web_.run_on_http_thread([this, event] { sockets_->deliver(event); });
        },
        [](const fault& what) {
          log::warning("live", "an event could not be read", {{"outcome", to_string(what.code)}});
        });
  }

  // ---- HTTP

  void add_routes() {
    http::domains who{handle<accounts::accounts_actor>("accounts"),
                      handle<sessions::sessions_actor>("sessions"),
                      handle<identities::identities_actor>("identities"),
                      handle<subscriptions::subscriptions_actor>("subscriptions"),
                      handle<payments::payments_actor>("payments"),
                      handle<monitoring::monitoring_actor>("monitoring"),
                      handle<provisioning::provisioning_actor>("provisioning"),
                      handle<audit::audit_actor>("audit"),
                      handle<two_factor::two_factor_actor>("two_factor"),
                      handle<wallet::wallet_actor>("wallet"),
                      handle<referrals::referrals_actor>("referrals"),
                      handle<promotions::promotions_actor>("promotions")};
    http::system::add_health(
        routes_, {web_, tree_.board(), handle<database_actor>("database"), handle<outbox::outbox_actor>("outbox")});
    add_families(routes_, who);
    http::system::add_documentation(routes_, http::mobile::socket_paths(), document_base(settings_));
    web_.observe.watch(routes_);
  }

  http::server::options server_options(const std::string& address, std::uint16_t port) const {
    auto& h = settings_.http;
    return {address, port, h.max_connections, h.max_body, h.idle_timeout, h.compress_above};
  }

  fs::path control_file() const { return fs::path{settings_.data.directory} / "control.json"; }

  /// The sandbox's way in: a loopback port that nobody knows without reading our data directory.
  void open_control() {
    auto token = crypto::to_hex(crypto::random_bytes(16));
    http::system::add_control(control_routes_, {token, tree_.by_name(), clock_});
    web_.observe.watch(control_routes_);
    auto port = http::free_loopback_port();
    control_ = std::make_unique<http::server>(web_, control_routes_, server_options("127.0.0.1", port));
    control_->open();
    auto file = control_file(), fresh = fs::path{file.string() + ".new"};
    {
      std::ofstream out{fresh};
      fs::permissions(fresh, fs::perms::owner_read | fs::perms::owner_write);
      out << R"({"url":"http://127.0.0.1:)" << port << R"(","token":")" << token << "\"}\n";
    }
    fs::rename(fresh, file);
  }

  config::settings settings_;
  database_home home_;
  clock_handle clock_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> keep_io_{io_.get_executor()};
  integrations::http_client http_client_;
  std::shared_ptr<websocket::hub> sockets_ = std::make_shared<websocket::hub>();
  std::shared_ptr<websocket::heartbeat> pulse_ = std::make_shared<websocket::heartbeat>(io_);
  sessions::store::terms_ptr terms_ = make_terms();
  std::map<std::string, caf::actor> addresses_;
  caf::actor_system_config actors_config_;
  caf::actor_system system_;
  supervision tree_;
  std::size_t tree_size_;
  caf::actor gateway_ = system_.spawn(http::behave_as_gateway, settings_.timeouts.request);
  http::router routes_, control_routes_;
  http::services web_;
  std::unique_ptr<http::server> server_, control_;
  std::thread http_thread_;
};

// ---- subcommands -----------------------------------------------------------------------------------------------

/// Blocks the signals that end us in every thread; the main thread waits for them.
sigset_t block_signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return ending;
}

/// RESTinio's listener never recovers from running out of descriptors: take what we may, and stay below it.
void raise_descriptor_limit(config::settings& settings) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 65'536));
  setrlimit(RLIMIT_NOFILE, &limit);
  auto spare = static_cast<std::size_t>(limit.rlim_cur > 256 ? limit.rlim_cur - 256 : limit.rlim_cur / 2);
  settings.http.max_connections = std::min(settings.http.max_connections, spare);
}

void greet(const config::settings& settings, const std::optional<persistence::demo_admin>& admin) {
  auto base = "http://" + settings.http.address + ":" + std::to_string(settings.http.port);
  std::cerr << "\n  Backstay " BACKSTAY_VERSION " is ready (" << settings.environment << ")\n\n"
            << "    API        " << base << "/api/v1\n"
            << "    Docs       " << base << "/docs\n"
            << "    Health     " << base << "/health\n";
  if (settings.sandbox.enabled)
    std::cerr << "    Sandbox    http://127.0.0.1:" << settings.sandbox.port << "/sandbox\n";
  if (admin)
    std::cerr << "\n    Demo admin " << admin->email << "  password " << admin->password.reveal()
              << "   (shown only this once)\n";
  std::cerr << "\n  Ctrl-C stops it.\n\n" << std::flush;
}

int serve(config::settings settings, const fs::path& program) {
  auto ending = block_signals();
  raise_descriptor_limit(settings);
  fs::create_directories(settings.data.directory);
  if (settings.security.keys.empty()) settings.security.keys = config::development_keys(settings.data.directory);
  std::unique_ptr<sandbox::companion> sandbox;
  if (settings.sandbox.enabled) sandbox::point_clients_at(settings);
  config::hide_secrets(settings);
  log::start(settings.log);
  outbox::store::seal_with(keyring{settings.security.keys});
  try {
    if (settings.sandbox.enabled) sandbox = std::make_unique<sandbox::companion>(settings, program);
    auto clock = std::make_shared<domain_clock>();
    if (sandbox) clock->set_offset(sandbox->clock_offset());
    auto home = open_database(settings);
    auto admin = sandbox ? persistence::load_demo(home.url, clock->now()) : std::nullopt;
    house running{settings, home, clock};
    running.start();
    greet(settings, admin);
    log::info("root", "ready", {{"version", BACKSTAY_VERSION}, {"environment", settings.environment}});
    int signal = 0;
    sigwait(&ending, &signal);
    log::info("root", "stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  } catch (const std::exception& error) {
    log::stop();
    std::cerr << "backstay: " << error.what() << std::endl;
    return exit_temporary;
  }
  log::stop();
  return 0;
}

/// A line of standard input; from a terminal without echo.
std::string read_password() {
  termios usual{};
  bool at_terminal = tcgetattr(STDIN_FILENO, &usual) == 0;
  if (at_terminal) {
    auto silent = usual;
    silent.c_lflag &= ~tcflag_t{ECHO};
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    std::cerr << "Password: " << std::flush;
  }
  std::string password;
  std::getline(std::cin, password);
  if (at_terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
    std::cerr << '\n';
  }
  return password;
}

int create_admin(const config::settings& settings, const std::string& email, std::string given) {
  secret password{given.empty() ? read_password() : std::move(given)};
  std::vector<std::string> problems;
  if (!accounts::is_email(email)) problems.push_back(email + " is not an e-mail address");
  for (auto& each : accounts::password_problems(password, email, accounts::strength::strong))
    problems.push_back("the password " + each.message);
  for (auto& each : problems) std::cerr << "backstay: " << each << '\n';
  if (!problems.empty()) return exit_bad_usage;
  auto home = open_database(settings);
  persistence::create_admin(home.url, email, password, domain_clock{}.now());
  std::cout << "Created the super_admin " << email << ".\n";
  return 0;
}

int doctor(const config::settings& settings, const std::string& what) {
  auto home = open_database(settings);
  std::cout << "database: reachable and migrated\n";
  bool is_well = true;
  auto look_at = [&](const std::string& topic, auto audit, const char* all_is_well) {
    if (what != topic && what != "all") return;
    auto findings = audit(home.url);
    for (auto& line : findings) std::cout << topic << ": " << line << '\n';
    if (findings.empty()) std::cout << topic << ": " << all_is_well << '\n';
    is_well &= findings.empty();
  };
  look_at("accounts", persistence::audit_accounts, "a super_admin can sign in, and every account has a way in");
  look_at("ledger", persistence::audit_ledger,
          "balances equal entries, entries sum to zero, every paid payment is booked once");
  look_at("subscriptions", persistence::audit_subscriptions,
          "every paid payment has brought its days once, and they end when the subscription does");
  return is_well ? 0 : 1;
}

int print_openapi(const config::settings& settings) {
  http::router routes;
  add_families(routes, {});
  std::cout << http::make_openapi(routes, http::mobile::socket_paths(), document_base(settings)) << '\n';
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app{"Backstay: the back end that keeps a subscription product standing"};
  app.require_subcommand(1);
  config::sources from{.file = {}, .environment = config::process_environment(), .set = {}};
  bool with_sandbox = false;
  std::string email, password, checkup = "all";
  auto add = [&](const char* name, const char* text, bool takes_settings = true) {
    auto* command = app.add_subcommand(name, text);
    if (takes_settings) {
      command->add_option("--config", from.file, "TOML file with settings");
      command->add_option("--set", from.set, "section.key=value, stronger than file and environment")
          ->allow_extra_args(false);
    }
    return command;
  };
  auto* serve_command = add("serve", "Run the server");
  serve_command->add_flag("--sandbox", with_sandbox, "With fakes of every outside system and demo data (development)");
  auto* sandbox_command = add("sandbox", "Run the fakes of the outside systems on loopback");
  auto* migrate_command = add("migrate", "Bring the database up to date");
  auto* admin_command = add("create-admin", "Create a super_admin");
  admin_command->add_option("email", email, "Their e-mail")->required();
  admin_command->add_option("--password", password, "Read from standard input when missing");
  auto* check_command = add("check-config", "Check the settings, name every problem");
  auto* reference_command = add("config-reference", "Print every setting as Markdown", false);
  auto* openapi_command = add("openapi", "Print the OpenAPI document");
  auto* doctor_command = add("doctor", "Check the database, the accounts, the ledger and the subscriptions");
  doctor_command->add_option("what", checkup, "all, database, accounts, ledger or subscriptions")
      ->check(CLI::IsMember({"all", "database", "accounts", "ledger", "subscriptions"}));
  auto* version_command = add("version", "Print the version", false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (*version_command) return std::cout << "backstay " BACKSTAY_VERSION "\n", 0;
  if (*reference_command) return std::cout << config::reference(), 0;
  if (with_sandbox) from.set.push_back("sandbox.enabled=true");
  // The sandbox and the document need no production secrets.
  if (*sandbox_command || *openapi_command) from.set.push_back("environment=development");
  auto loaded = config::load(from);
  if (auto* complaints = std::get_if<std::vector<config::complaint>>(&loaded)) {
    for (auto& complaint : *complaints) std::cerr << complaint.line() << '\n';
    return config::exit_bad_settings;
  }
  auto& settings = std::get<config::settings>(loaded);
  if (*check_command) return std::cout << "The settings are fine.\n", 0;
  if (*openapi_command) return print_openapi(settings);
  if (*sandbox_command) return sandbox::run(sandbox::options_for(settings));
  if (*serve_command) return serve(settings, fs::read_symlink("/proc/self/exe"));
  if (*migrate_command) return open_database(settings), 0;
  if (*admin_command) return create_admin(settings, email, password);
  return doctor(settings, checkup);
}

} // namespace
} // namespace backstay

int main(int argc, char** argv) {
  try {
    // Two heaps for all threads: with one a thread, glibc's default, each keeps what was freed on another.
    mallopt(M_ARENA_MAX, 2);
    if (sodium_init() < 0) throw std::runtime_error{"libsodium cannot start"};
    return backstay::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "backstay: " << error.what() << std::endl;
    return backstay::exit_temporary;
  }
}
