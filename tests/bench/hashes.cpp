// How many passwords bare libsodium checks a second: the measure for sign-ins.
//
//   hashes THREADS SECONDS
//
// Prints the rate. Parameters as in actors/hashing/rules.cpp: Argon2id m = 19 MiB, t = 2, p = 1.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include <sodium.h>

int main(int count, char** arguments) {
  if (count != 3 || sodium_init() < 0) return std::fputs("usage: hashes THREADS SECONDS\n", stderr), 2;
  constexpr std::string_view password = "Correct-Horse-7-Battery";
  char hash[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str_alg(hash, password.data(), password.size(), 2, 19 * 1024 * 1024,
                            crypto_pwhash_ALG_ARGON2ID13) != 0)
    return 1;
  using clock = std::chrono::steady_clock;
  auto seconds = std::chrono::duration<double>{std::atof(arguments[2])};
  auto begun = clock::now(), end = begun + std::chrono::duration_cast<clock::duration>(seconds);
  std::atomic<int> checked{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(arguments[1]); ++i)
    threads.emplace_back([&] {
      for (; clock::now() < end; ++checked)
        if (crypto_pwhash_str_verify(hash, password.data(), password.size()) != 0) std::abort();
    });
  for (auto& thread : threads) thread.join();
  std::printf("%.2f\n", checked / std::chrono::duration<double>(clock::now() - begun).count());
}
