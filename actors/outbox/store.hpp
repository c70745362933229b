#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/database.hpp"
#include "actors/kernel/keyring.hpp"
#include "actors/outbox/work.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace backstay::outbox::store {

/// Tells with which keys secrets in rows are sealed. Once, by the composition root, before the first job; until then a
/// work with a secret fails as internal. Thread-safe.
void seal_with(keyring keys);

/// One effect, leased to whoever claimed it.
struct entry {
  std::int64_t id = 0;
  std::int64_t claim = 0; ///< names the lease: another one after it ended has another number
  int attempts = 0;       ///< failed ones so far
  timestamp created_at;
  outbox::work work;
};

/// Writes one effect. With a `deduplication` key that exists already (done rows stay for a day), nothing: returns
/// false. Once the transaction has committed, this server's worker is woken; those of others look every second.
bool enqueue(transaction& tx, const work& what, timestamp now, const std::string& deduplication = {});

/// Costs what `enqueue` of the same mail costs, and sends nothing: whoever measures cannot tell whether an address that
/// was asked about gets one. The row is done already, and holds neither the address nor the secrets.
void enqueue_nothing(transaction& tx, const mail_work& what, timestamp now);

/// Takes up to `limit` due entries for `lease`; nobody else gets them before it ends (FOR UPDATE SKIP LOCKED).
/// Leaves kinds alone that this binary does not know, and buries what cannot be read.
std::vector<entry> claim(transaction& tx, timestamp now, std::chrono::seconds lease, int limit);

/// Done: secrets are emptied, the row stays for a day as a record.
/// False, here and below, when the lease has passed on or the entry is finished: then nothing is changed.
bool complete(transaction& tx, const entry& done, timestamp now);

/// To be tried again at `due`; `cause` is shown to operators. `counts` unless it was not really tried.
bool postpone(transaction& tx, const entry& failed, timestamp due, const std::string& cause, bool counts = true);

/// Given up: stays as a dead letter until an operator retries or removes it.
bool bury(transaction& tx, const entry& hopeless, timestamp now, const std::string& cause);

struct backlog {
  std::int64_t waiting = 0, dead = 0;
  std::chrono::seconds oldest{0}; ///< how long the oldest due entry has been due
};
backlog measure(transaction& tx, timestamp now);

/// Removes what was done before `moment`; dead letters stay.
void forget_done_before(transaction& tx, timestamp moment);

} // namespace backstay::outbox::store
