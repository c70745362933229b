#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/outbox/work.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace backstay::outbox::store {

struct entry {
  std::int64_t id = 0;
  int attempts = 0; ///< failed ones so far
  outbox::work work;
};

/// Writes one effect. With a `deduplication` key that exists already, nothing: returns false.
/// Wakes the workers of every node when the transaction commits (NOTIFY `outbox`).
bool enqueue(transaction& tx, const work& what, timestamp now, const std::string& deduplication = {});

/// Takes up to `limit` due entries for `lease`; nobody else gets them before it ends (FOR UPDATE SKIP LOCKED).
std::vector<entry> claim(transaction& tx, timestamp now, std::chrono::seconds lease, int limit);

/// Done: secrets are emptied, the row stays for a day as a record.
void complete(transaction& tx, std::int64_t id, timestamp now);

/// To be tried again at `due`; `cause` is shown to operators.
void postpone(transaction& tx, std::int64_t id, timestamp due, const std::string& cause);

/// Given up: stays as a dead letter until an operator retries or removes it.
void bury(transaction& tx, std::int64_t id, timestamp now, const std::string& cause);

struct backlog {
  std::int64_t waiting = 0, dead = 0;
  std::chrono::seconds oldest{0}; ///< how long the oldest due entry has been due
};
backlog measure(transaction& tx, timestamp now);

} // namespace backstay::outbox::store
