#pragma once

#include "integrations/payment/messages.hpp"

/// Subscriptions that a provider keeps, renews and invoices by itself (Stripe, Lemon Squeezy). Their actors understand
/// `recurring_actor` besides `provider_actor`.
///
/// Plans, customers, subscriptions and invoices go by the provider's ids. Errors are those of messages.hpp, and
/// `not_found` where the provider does not know an id.
namespace backstay::payment_provider {

enum class recurring_state : std::uint8_t {
  pending, ///< its first payment is still to come
  trialing,
  active,
  past_due, ///< a renewal failed; the provider tries again for a while
  paused,
  ended, ///< for good
};

/// A subscription as the provider sees it.
struct recurring_subscription {
  std::string external_id; ///< empty while only the checkout exists
  std::string customer;    ///< who pays; the key to `open_portal`
  std::string reference;   ///< ours, of `begin_subscription`; empty where the provider does not give it back
  std::string plan;
  recurring_state state = recurring_state::pending;
  std::optional<timestamp> period_end; ///< paid until then
  std::optional<timestamp> ends_at;    ///< cancelled: it ends then, or has ended, and is not renewed
  bool operator==(const recurring_subscription&) const = default;
};

/// A page of the provider's on which a buyer begins to pay.
struct subscription_checkout {
  std::string external_id;
  std::string url;
  std::optional<timestamp> expires_at;
  bool operator==(const subscription_checkout&) const = default;
};

/// Nothing is subscribed to before the buyer has paid at `subscription_checkout::url`.
struct begin_subscription {
  using reply = subscription_checkout;
  std::string reference;     ///< ours, of this checkout alone; the provider's idempotency key derives from it
  std::string plan;          ///< the provider's price or variant
  std::string return_url;    ///< where the buyer goes afterwards
  std::string cancel_url{};  ///< where one goes who does not buy; empty: `return_url`
  std::string customer = {}; ///< who buys, where the provider knows that already
  std::string email = {};    ///< of a new customer; may be empty
  int trial_days = 0;        ///< before the first payment; 0: as the plan says
};

/// `external_id` is a subscription's or, where the provider can tell (Stripe), its checkout's.
struct get_subscription {
  using reply = recurring_subscription;
  std::string external_id;
};

/// What happens to what was paid for the rest of the period when the plan changes.
enum class proration : std::uint8_t {
  invoice_now, ///< the difference is invoiced at once
  next_invoice,
  none,
};

/// Repeated with the plan that it has already, nothing happens.
struct change_subscription {
  using reply = recurring_subscription;
  std::string external_id;
  std::string plan;
  proration difference = proration::invoice_now;
};

/// Repeated, nothing happens. `refused` named NOT_SUPPORTED with `at_once` where there is no such thing (Lemon
/// Squeezy).
struct cancel_subscription {
  using reply = recurring_subscription;
  std::string external_id;
  bool at_once = false; ///< false: when the period ends
};

/// A page of the provider's for its customer, signed and short-lived: methods of payment, invoices, cancelling.
struct portal {
  std::string url;
  bool operator==(const portal&) const = default;
};

struct open_portal {
  using reply = portal;
  std::string customer;
  std::string return_url; ///< where the customer goes afterwards; only some providers heed it
};

enum class invoice_state : std::uint8_t { draft, open, paid, failed, voided, refunded };

struct recurring_invoice {
  std::string external_id;
  std::string number; ///< for people; may be empty
  invoice_state state = invoice_state::open;
  money price; ///< with tax
  timestamp issued_at;
  std::optional<timestamp> paid_at, period_start, period_end;
  std::string url; ///< of a page that shows it; may be empty
  std::string pdf; ///< of a document; may be empty
  bool operator==(const recurring_invoice&) const = default;
};

struct invoice_list {
  std::vector<recurring_invoice> items;
};

/// The newest 100 of a subscription, newest first.
struct list_invoices {
  using reply = invoice_list;
  std::string subscription;
};

enum class recurring_change : std::uint8_t {
  nothing, ///< an event that is no concern of subscriptions
  began,   ///< a checkout was paid
  changed,
  ended,
  invoice_paid,
  invoice_failed,
};

/// What a webhook tells of a subscription, once it was found genuine. It may be old or come twice: `get_subscription`
/// tells what is.
struct recurring_event {
  std::string event_id; ///< unique per provider, or the body's hash where the provider has none
  recurring_change what = recurring_change::nothing;
  timestamp happened_at;
  std::string subscription, customer, reference;  ///< what the event names; each may be empty
  std::optional<recurring_subscription> is_now{}; ///< as it was when this happened
  std::optional<recurring_invoice> invoice{};
};

/// A webhook in the sense of subscriptions; `read_webhook` reads the same calls in the sense of single payments.
/// Errors: those of `read_webhook`.
struct read_recurring {
  using reply = recurring_event;
  read_webhook hook;
};

using recurring_actor = caf::typed_actor<answers<begin_subscription>, answers<get_subscription>,
                                         answers<change_subscription>, answers<cancel_subscription>,
                                         answers<open_portal>, answers<list_invoices>, answers<read_recurring>>;

} // namespace backstay::payment_provider

template <>
inline constexpr std::array backstay::names_of<backstay::payment_provider::recurring_state>{
    "pending", "trialing", "active", "past_due", "paused", "ended"};
template <>
inline constexpr std::array backstay::names_of<backstay::payment_provider::invoice_state>{
    "draft", "open", "paid", "failed", "voided", "refunded"};
template <>
inline constexpr std::array backstay::names_of<backstay::payment_provider::recurring_change>{
    "nothing", "began", "changed", "ended", "invoice_paid", "invoice_failed"};
