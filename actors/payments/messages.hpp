#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"
#include "integrations/payment/messages.hpp"

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
  paid,    ///< settled: booked and, if it could be, delivered, in one transaction
  expired,
  failed,
  refunded,
  held, ///< paid, but not what we asked for, or by nobody we know: a person decides
};

enum class purpose : std::uint8_t { plan, top_up };

using saved_method_id = id<struct saved_method_tag>;

struct payment {
  payment_id id;
  std::optional<account_id> account; ///< none: paid unasked, and held until somebody says by whom
  payments::purpose purpose = payments::purpose::plan;
  std::optional<plan_id> plan;
  std::string plan_name; ///< empty without a plan
  std::string provider;
  std::string method;      ///< of `payment_provider::method::id`
  std::string external_id; ///< the provider's id; empty while `created` or `unknown`
  std::string payment_url;
  money price;          ///< what it is for, without the fee
  std::int64_t fee = 0; ///< what the buyer pays on top, in minor units
  payments::state state = state::created;
  bool is_fulfilled = false; ///< the plan was bought with it; a settled one that is not is in the wallet
  timestamp created_at;
  std::optional<timestamp> expires_at, settled_at;

  // What only operators see.
  std::string review;                 ///< why a person has to look at it; empty: nobody has to
  std::optional<money> paid;          ///< what came, where a person had to decide
  std::int64_t refunded = 0;          ///< what went back at the provider, in minor units, as seen last
  std::optional<timestamp> refund_at; ///< since when the provider owes us the answer to a refund
  std::optional<timestamp> due_at;    ///< when the poller asks next; none: never again
  int looks = 0;                      ///< how often the poller has asked in this state
  bool operator==(const payment&) const = default;

  /// What the provider asks of the buyer.
  money total() const { return {price.minor + fee, price.currency}; }
};

/// A way to pay, as a buyer may choose it now.
struct offered_method {
  payment_provider::method terms;
  bool is_open = true; ///< switched on, and its provider answers
};

struct method_list {
  std::vector<offered_method> items;
};

struct list_methods {
  using reply = method_list;
};

/// Stores our row, then asks the provider for an invoice.
/// Errors: `not_found` (plan; another's account), `invalid` (no such method, or not this currency or amount by it),
/// `unavailable` (the provider certainly made no invoice), `timeout` and `upstream` (unknown whether it did). A repeat
/// with the same Idempotency-Key goes on with the same row.
struct create_payment {
  using reply = payment;
  backstay::caller caller;
  std::optional<account_id> account; ///< for whom; none: the caller. Another's only with permission::manage
  std::string plan;                  ///< id or name
  std::string currency;
  std::string payment_method = "crypto_bot"; ///< of `payment_provider::method::id`
  bool saves_method = false;                 ///< the buyer agrees to be charged again by the same method
  std::optional<claim_id> claim;             ///< of the Idempotency-Key
};

/// Puts money into the caller's own wallet. Errors as above.
struct create_top_up {
  using reply = payment;
  backstay::caller caller;
  money amount;
  std::string payment_method;
  bool saves_method = false;
  std::optional<claim_id> claim;
};

/// Buys days of a plan by a saved method, without the buyer: what they cost is the asker's to say. The answer may be
/// paid already. Errors as above; `not_found` also for another's method.
struct charge_saved {
  using reply = payment;
  account_id account;
  saved_method_id method;
  std::string plan; ///< id or name
  int days = 0;     ///< > 0
  money price;
  std::optional<claim_id> claim; ///< a repeat with the same claim charges once
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

/// Everybody's, newest first; whatever is given must fit. For operators.
struct search_payments {
  using reply = payment_page;
  std::optional<payments::state> state;
  std::optional<std::string> provider;
  std::optional<bool> review; ///< whether a person has to look at it
  std::optional<account_id> account;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

enum class resolution : std::uint8_t {
  credit,  ///< what was really paid becomes a top-up, once
  dismiss, ///< nobody has to look at it any more; what is held stays held
};

/// A person's decision about a payment in review. Audited. Errors: `not_found`; `refused` named NOT_HELD or
/// NOT_IN_REVIEW; `invalid` when nobody says whose it is.
struct resolve_payment {
  using reply = payment;
  backstay::caller caller;
  payment_id id;
  resolution as = resolution::credit;
  std::optional<account_id> account; ///< whose it is, where the payment does not say
  std::string note;                  ///< for the trail
  backstay::origin origin;
};

/// Gives a payment back, all of it: at the provider or, where that has no such thing (`refused` named NOT_SUPPORTED),
/// by hand; entitlement and booking are taken back with it. Audited; again it changes nothing. Errors: `not_found`;
/// `refused` named NOT_PAID; of the provider `unavailable` (nothing happened), `timeout` and `upstream` (unknown; the
/// poller repeats it).
struct refund_payment {
  using reply = payment;
  backstay::caller caller;
  payment_id id;
  bool at_provider = true; ///< false: the money has been given back by hand
  std::string note;        ///< for the trail
  backstay::origin origin;
};

/// A way to pay that an account has allowed us to charge again.
struct saved_method {
  saved_method_id id;
  std::string provider, method;
  std::string title; ///< such as "Visa •• 4242"
  bool is_default = false;
  timestamp created_at;
  bool operator==(const saved_method&) const = default;
};

struct saved_method_list {
  std::vector<saved_method> items;
};

/// The default one first.
struct list_saved_methods {
  using reply = saved_method_list;
  account_id account;
};

/// Without the default one, the newest of the others is it. Errors: `not_found`, also for another's.
struct remove_saved_method {
  using reply = done;
  account_id account;
  saved_method_id id;
};

/// A provider's call, as it came in. Verified on the raw bytes, stored, answered, and only then acted upon; but a
/// provider that asks whether a buyer may pay is answered first.
/// Errors: `unauthenticated` (bad signature; nothing is stored), `not_found` (no such provider here).
struct receive_webhook {
  using reply = done;
  std::string provider;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
  backstay::origin origin;
};

/// Work of the outbox: a verified webhook says that this charge changed. The charge is read again from the provider,
/// unless that cannot be asked and the webhook itself is the `proof`.
struct settle_charge {
  using reply = done;
  std::string provider;
  std::string external_id;
  std::optional<payment_provider::charge> proof{};
};

using payments_actor =
    caf::typed_actor<answers<list_methods>, answers<create_payment>, answers<create_top_up>, answers<charge_saved>,
                     answers<get_payment>, answers<list_payments>, answers<search_payments>, answers<resolve_payment>,
                     answers<refund_payment>, answers<list_saved_methods>, answers<remove_saved_method>,
                     answers<receive_webhook>, answers<settle_charge>>;

} // namespace backstay::payments

template <>
inline constexpr std::array backstay::names_of<backstay::payments::state>{"created", "unknown", "pending",  "paid",
                                                                          "expired", "failed",  "refunded", "held"};
template <>
inline constexpr std::array backstay::names_of<backstay::payments::purpose>{"plan", "top_up"};
template <>
inline constexpr std::array backstay::names_of<backstay::payments::resolution>{"credit", "dismiss"};
