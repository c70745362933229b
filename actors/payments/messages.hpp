#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"

#include <caf/typed_actor.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Money that comes in from payment providers, and what it was meant for.
namespace backstay::payments {

template <class T>
void admitted(const T&);

enum class state : std::uint8_t {
  created, ///< our row stands; the provider has not been asked, or has not answered yet
  unknown, ///< the provider was asked and its answer was lost: the poller finds out
  pending, ///< waiting for the buyer
  paid,    ///< settled: booked and delivered, in one transaction
  expired,
  failed,
  refunded,
  held, ///< paid, but amount or currency differ from our row: a person decides
};

struct payment {
  payment_id id;
  account_id account;
  plan_id plan;
  std::string plan_name;
  std::string provider;
  std::string external_id; ///< the provider's id; empty while `created` or `unknown`
  std::string payment_url;
  money price;
  payments::state state = state::created;
  timestamp created_at;
  std::optional<timestamp> expires_at, settled_at;
  bool operator==(const payment&) const = default;
};

/// Stores our row, then asks the provider for an invoice.
/// Errors: `not_found` (plan; another's account), `invalid` (no price in that currency, no such provider),
/// `unavailable` (the provider certainly made no invoice), `timeout` and `upstream` (unknown whether it did). A repeat
/// with the same Idempotency-Key goes on with the same row.
struct create_payment {
  using reply = payment;
  backstay::caller caller;
  std::optional<account_id> account; ///< for whom; none: the caller. Another's only with permission::manage
  std::string plan;                  ///< id or name
  std::string currency;
  std::string provider = "cryptobot";
  std::optional<claim_id> claim; ///< of the Idempotency-Key
};

/// `id` is the provider's invoice id or ours. A payment that still waits is checked with the provider first, at most
/// every few seconds. Errors: `not_found`, also for another's payment.
struct get_payment {
  using reply = payment;
  backstay::caller caller;
  std::string id;
};

struct payment_page {
  std::vector<payment> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// Newest first. Another's only with permission::payment_read, otherwise `not_found`.
struct list_payments {
  using reply = payment_page;
  backstay::caller caller;
  std::optional<account_id> account;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

/// A provider's call, as it came in. Verified on the raw bytes, stored, answered, and only then acted upon.
/// Errors: `unauthenticated` (bad signature; nothing is stored), `not_found` (no such provider here).
struct receive_webhook {
  using reply = done;
  std::string provider;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
  backstay::origin origin;
};

/// Work of the outbox: a verified webhook says that this charge changed. `charge` is re-read from the provider.
struct settle_charge {
  using reply = done;
  std::string provider;
  std::string external_id;
};

using payments_actor = caf::typed_actor<answers<create_payment>, answers<get_payment>, answers<list_payments>,
                                        answers<receive_webhook>, answers<settle_charge>>;

} // namespace backstay::payments

template <>
inline constexpr std::array backstay::names_of<backstay::payments::state>{"created", "unknown", "pending",  "paid",
                                                                          "expired", "failed",  "refunded", "held"};
