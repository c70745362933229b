#pragma once

#include "actors/kernel/database.hpp"
#include "actors/live/messages.hpp"

#include <vector>

/// The stored stream of events: kept 24 hours, announced to every node by NOTIFY on `live_events`.
namespace backstay::live::store {

/// Tells the sockets of an account, on every node. Becomes visible, and is announced, when the transaction commits: an
/// event is told if and only if its cause stands.
void append(transaction& tx, const account_id& account, const event& what, timestamp now);

/// Tells the subscribers of a topic, on every node; likewise.
void append(transaction& tx, topic where, const event& what, timestamp now);

/// Those of the given sequence numbers that are still kept, in order.
std::vector<stored_event> read(transaction& tx, const std::vector<std::int64_t>& sequences);

/// Everything after `sequence`, at most `limit`, in order: what a node missed while it could not listen.
std::vector<stored_event> read_after(transaction& tx, std::int64_t sequence, std::int64_t limit);

std::int64_t last_sequence(transaction& tx);

/// Called by the outbox once an hour.
void forget_before(transaction& tx, timestamp moment);

} // namespace backstay::live::store
