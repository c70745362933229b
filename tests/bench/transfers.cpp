// How many transfers a second the wallet actor books, for transfers.py.
//
//   bench_transfers URL CLIENTS SECONDS WALLETS TARGET
//
// CLIENTS transfers are on their way at any time, from one of the wallets "bench-1" … "bench-WALLETS" to another of
// them (TARGET `wallets`) or to our revenue (TARGET `revenue`). Prints the rate.

#include "actors/wallet/actor.hpp"
#include "persistence/database.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

using namespace backstay;
using namespace backstay::wallet;
using steady = std::chrono::steady_clock;

namespace {

struct load {
  int clients;
  steady::duration lasts;
  unsigned wallets;
  bool to_revenue;
};

struct client_state {
  client_state() = default;
  static inline constexpr auto name = "client";
  wallet_actor wallet;
  load wanted{};
  std::mt19937 random{1};
  steady::time_point begun, end;
  long booked = 0;
  int open = 0;
};
static_assert(!std::is_aggregate_v<client_state>);
using client = caf::stateful_actor<client_state>;

book any_wallet(client_state& state) {
  return {book_kind::wallet, "bench-" + std::to_string(1 + state.random() % state.wanted.wallets)};
}

transfer next_transfer(client_state& state) {
  transfer made{{cause_kind::admin, to_string(uuid::random())}, any_wallet(state), revenue(), {1, "USD"}};
  if (!state.wanted.to_revenue) do
      made.to = any_wallet(state);
    while (made.to == made.from);
  return made;
}

void leave(client* self) {
  auto& state = self->state;
  if (--state.open > 0) return;
  std::printf("%.1f\n",
              static_cast<double>(state.booked) / std::chrono::duration<double>(steady::now() - state.begun).count());
  std::fflush(stdout);
  std::_Exit(0);
}

void send_next(client* self) {
  auto& state = self->state;
  if (steady::now() >= state.end) return leave(self);
  self->request(state.wallet, caf::infinite, next_transfer(state))
      .then(
          [self](const transferred& reply) {
            self->state.booked += reply.is_new;
            send_next(self);
          },
          [](const caf::error& error) {
            std::fprintf(stderr, "a transfer failed: %s\n", to_string(describe(error).code).c_str());
            std::_Exit(1);
          });
}

caf::behavior run(client* self, const std::string& url, load wanted) {
  auto pulse = [](auto name) { return std::make_shared<vitals>(name, true); };
  auto database = persistence::spawn_database(self, pulse("database"), {.url = url, .pool = {2}});
  domain_context context{pulse("wallet"), std::make_shared<domain_clock>(), caf::actor_cast<database_actor>(database)};
  auto& state = self->state;
  state.wallet = caf::actor_cast<wallet_actor>(spawn_wallet(self, context));
  state.wanted = wanted;
  state.begun = steady::now();
  state.end = state.begun + wanted.lasts;
  state.open = wanted.clients;
  for (int i = 0; i < wanted.clients; ++i) send_next(self);
  return {[](int) {}};
}

} // namespace

int main(int count, char** arguments) {
  if (count != 6) return std::fputs("usage: bench_transfers URL CLIENTS SECONDS WALLETS TARGET\n", stderr), 2;
  std::chrono::duration<double> seconds{std::atof(arguments[3])};
  load wanted{std::atoi(arguments[2]), std::chrono::duration_cast<steady::duration>(seconds),
              static_cast<unsigned>(std::atoi(arguments[4])), std::string_view{arguments[5]} == "revenue"};
  caf::actor_system_config config;
  config.set("scheduler.max-threads", std::size_t{1}); // as the server has on two cores
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system{config};
  system.spawn(run, std::string{arguments[1]}, wanted);
}
