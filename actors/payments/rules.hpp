#pragma once

#include "actors/payments/store.hpp"
#include "integrations/payment/messages.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

/// The decisions about payments, without actors, SQL or clock.
namespace backstay::payments {

/// What a sight of a charge at its provider asks of us.
enum class step : std::uint8_t {
  nothing,
  await,  ///< the charge exists: give its link to the buyer and wait
  settle, ///< book the money and deliver what it was for
  expire,
  fail,
  hold,    ///< paid, but not what we asked for or by nobody we know: a person decides, nothing is booked
  refund,  ///< the money went back before we booked it
  reverse, ///< the money went back after we booked it: so does all that came of it
  review,  ///< settled already, and a part of the money went back: a person has to look
  surplus, ///< a second charge of a settled row was paid: it gets a row of its own, which is held
};

/// A late payment of an expired or failed row is settled like any other; a settled one is never settled again.
step decide(const store::record& ours, const payment_provider::charge& seen);

/// Why `decide` said `hold` or `review`, for the person who looks.
std::string reason(const store::record& ours, const payment_provider::charge& seen);

/// Of the charges that a provider has for one row: a paid one, else one that can be paid, else any. Not empty.
payment_provider::charge best_of(const std::vector<payment_provider::charge>& charges);

/// The method of that id. Errors: `invalid`.
const payment_provider::method& find_method(const std::vector<payment_provider::method>& methods,
                                            const std::string& id);

/// Fails as `invalid`, naming the field, unless `by` is switched on and takes that amount of that currency.
/// `amount_field` is where the caller said the amount.
void check_takes(const payment_provider::method& by, const money& amount, const std::string& amount_field);

/// What the buyer pays on top of `amount`, rounded half up to minor units. `rate` is in hundredths of a percent.
std::int64_t fee_of(const money& amount, int rate);

/// Whether a buyer may pay right now what the provider asks about. `ours` is the row that it says it carries, if any.
bool may_pay(const std::optional<store::record>& ours, const std::string& provider, const money& asked);

/// How much a refund gives back: all that came.
money refundable(const store::record& ours);

/// True when the provider cannot have done what we asked.
bool is_certainly_not_executed(ec code);

/// This provider has no such operation, whoever asks.
bool is_not_supported(const fault& what);

/// The provider itself is in trouble, not what we asked of it: for its circuit breaker.
bool is_trouble(const fault& what);

/// Our id or a provider's: 1–100 visible ASCII characters. Others need not be looked for.
bool is_plausible_id(const std::string& id);

// ---- The poller's times.

/// A create that nobody heard back from is looked for this soon: after the request has given up.
inline constexpr std::chrono::seconds first_look{10};
/// A charge that cannot be found this long after it was asked for does not exist.
inline constexpr std::chrono::minutes safe_time{2};
/// A charge is watched this long after it expired, and a refund after it was asked for.
inline constexpr std::chrono::hours watch_after_expiry{72};
/// Providers remember idempotency keys for a day at least: a lost create is repeated within half of it.
inline constexpr std::chrono::hours repeatable_time{12};

/// After this moment a look that finds nothing new is the last one.
timestamp closing_time(const store::record& ours);

/// When to look next, after `looks` looks: 5 s at first, doubling to 10 min, hourly once the charge has expired; never
/// past the closing time unless that is over (the provider did not answer then). `jitter` in [0, 1) spreads it by
/// a quarter to either side.
timestamp next_look(const store::record& ours, timestamp now, double jitter);

/// What a row becomes when its watch ends; none: it stays as it is.
std::optional<state> state_at_closing(state now);

} // namespace backstay::payments
