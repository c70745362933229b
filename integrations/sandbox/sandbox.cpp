#include "integrations/sandbox/sandbox.hpp"

#include "integrations/sandbox/control.hpp"
#include "integrations/sandbox/server.hpp"
#include "integrations/sandbox/state_file.hpp"

#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <sysexits.h>
#include <system_error>
#include <thread>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

/// How late the fakes may notice that something expired.
constexpr auto tick_interval = 1s;

options checked(const options& given) {
  asio::error_code error;
  const auto address = asio::ip::make_address(given.address, error);
  if (error || !address.is_loopback()) throw std::invalid_argument("the sandbox serves a loopback address only");
  return given;
}

} // namespace

class sandbox::instance {
public:
  explicit instance(const options& given)
      : given_(checked(given)), world_(given_, context_),
        state_(
            given_.data, [this] { return save(); },
            [this](auto delay, auto then) { world_.later(delay, std::move(then)); }),
        server_(world_, fakes_, table_) {
    load();
    for (const auto& f : fakes_) f->declare(table_);
    declare_control(world_, table_, [this] { tick(); });
    world_.changed = [this] { state_.touch(); };
    keep_ticking();
    thread_ = std::thread([this] { context_.run(); });
  }

  ~instance() {
    context_.stop();
    thread_.join();
    state_.flush();
  }

  std::string url() const { return world_.base_url(); }

private:
  void tick() {
    for (const auto& f : fakes_) f->tick();
  }

  void keep_ticking() {
    tick();
    world_.later(tick_interval, [this] { keep_ticking(); });
  }

  json save() const {
    json state{{"version", 1}, {"world", world_.save()}};
    for (const auto& f : fakes_) state["fakes"][f->name()] = f->save();
    return state;
  }

  /// Begins with the state on disk, or afresh when it is not one that was written here.
  void load() {
    start_afresh();
    try {
      if (const auto state = state_.load(); !state.is_null()) load(state);
    } catch (const json::exception&) {
      state_.set_aside();
      start_afresh();
    }
  }

  void load(const json& state) {
    for (const auto& f : fakes_)
      if (const auto saved = state.at("fakes").find(f->name()); saved != state.at("fakes").end()) f->load(*saved);
    world_.load(state.at("world"));
  }

  void start_afresh() {
    fakes_ = make_fakes(world_);
    for (const auto& f : fakes_) world_.faulty[f->name()] = {};
  }

  const options given_;
  asio::io_context context_;
  world world_;
  std::vector<std::unique_ptr<fake>> fakes_;
  routes table_;
  state_file state_;
  server server_;
  std::thread thread_;
};

sandbox::sandbox(const options& given) : instance_(std::make_unique<instance>(given)) {}

sandbox::~sandbox() = default;

std::string sandbox::url() const { return instance_->url(); }

int run(const options& given) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr); // before there are threads: they inherit it
  const auto give_up = [](const std::string& why, int code) {
    std::fprintf(stderr, "backstay sandbox: %s\n", why.c_str());
    return code;
  };
  try {
    const sandbox s(given);
    std::printf("backstay sandbox: listening, see %s/sandbox\n", s.url().c_str());
    std::fflush(stdout);
    int received = 0;
    sigwait(&stop, &received);
    return 0;
  } catch (const std::invalid_argument& error) {
    return give_up(error.what(), EX_CONFIG);
  } catch (const std::filesystem::filesystem_error& error) {
    return give_up(error.what(), EX_CONFIG);
  } catch (const std::system_error& error) {
    const auto port = "port " + std::to_string(given.port);
    if (error.code() == asio::error::address_in_use) return give_up(port + " is taken", EX_TEMPFAIL);
    return give_up(port + " cannot be used: " + error.code().message(), EX_CONFIG);
  }
}

} // namespace backstay::sandbox
