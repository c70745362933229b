#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The one interface of every payment provider. Each lives in its own folder beside this one.
///
/// Errors of all: `unavailable` (certainly not executed), `timeout` (perhaps executed), `upstream` (refused or
/// nonsense), `refused` named NOT_SUPPORTED (this provider has no such thing).
namespace backstay::payment_provider {

template <class T>
void admitted(const T&);

/// What a buyer pays with.
enum class method_kind : std::uint8_t { crypto, card, bank, stars, donation };

/// A way to pay, with its terms. One provider may have several.
struct method {
  std::string id;       ///< what the buyer chooses by, e.g. "yookassa_sbp"
  std::string title;    ///< what the buyer reads
  std::string provider; ///< who takes the money: its name in URLs, rows and settings
  method_kind kind = method_kind::card;
  bool enabled = true;                   ///< switched off: no new payments, but those under way are credited
  bool saves = false;                    ///< can be kept, to be charged again without the buyer
  std::vector<std::string> currencies;   ///< what it takes
  std::int64_t minimum = 1, maximum = 0; ///< of one payment, in minor units
  int fee = 0;                           ///< what the buyer pays on top, in hundredths of a percent
  bool operator==(const method&) const = default;
};

enum class charge_state : std::uint8_t { pending, paid, expired, failed, refunded };

/// A method that a buyer has allowed us to charge again.
struct saved_method {
  std::string id;    ///< the provider's; names no card
  std::string title; ///< such as "Visa •• 4242"
  bool operator==(const saved_method&) const = default;
};

/// A payment as the provider sees it.
struct charge {
  std::string external_id;
  std::optional<payment_id> payment; ///< ours, where the provider gives back what we attached
  charge_state state = charge_state::pending;
  money price;               ///< what was asked for or, once it is paid, what was paid
  std::int64_t refunded = 0; ///< how much of `price` went back, in minor units; all of it: `state` is `refunded`
  std::string url;
  std::optional<timestamp> expires_at, paid_at;
  std::optional<saved_method> saved;
  std::optional<std::int64_t> payer; ///< by Telegram id, where a payment comes unasked (Tribute)
  bool operator==(const charge&) const = default;
};

struct charge_list {
  std::vector<charge> items;
};

/// Repeated for the same payment it makes no second charge, where the provider has a key for that; where it has none,
/// `find_charge` goes before a repetition.
struct create_charge {
  using reply = charge;
  payment_id payment; ///< the provider's idempotency key derives from it
  money price;
  std::string description;
  std::string method = {};       ///< of `method::id`
  std::string return_url = {};   ///< where the buyer goes afterwards
  std::string email = {};        ///< of the buyer, for receipts; may be empty
  bool saves_method = false;     ///< the buyer agrees to be charged again
  std::string saved_method = {}; ///< is charged without the buyer; empty: the buyer pays at `charge::url`
};

/// Those that the provider knows, in any order. At most 100 ids.
struct list_charges {
  using reply = charge_list;
  std::vector<std::string> external_ids;
};

/// The charges that carry our id, made since `since`: zero or one, if nothing went wrong. Asked after a lost answer.
/// Takes as many calls of 3 s as the provider has pages.
struct find_charge {
  using reply = charge_list;
  payment_id payment;
  timestamp since;
};

/// Gives back `amount` of a paid charge; repeated for the same payment and amount, once. Answers with the charge as it
/// stands then.
struct refund_charge {
  using reply = charge;
  payment_id payment;
  std::string external_id;
  money amount;
};

/// The provider asks whether a buyer may pay right now, and gives us only seconds to answer (Telegram: 10).
struct checkout {
  std::string query_id;
  payment_id payment;
  money price;
  bool operator==(const checkout&) const = default;
};

struct answer_checkout {
  using reply = done;
  std::string query_id;
  std::string refusal; ///< for the buyer; empty: go on
};

/// What a webhook is about, once it was found genuine.
struct webhook_event {
  std::string event_id;        ///< unique per provider, or the body's hash where the provider has none
  std::optional<charge> about; ///< none: an event that is no concern of ours
  bool is_proof = false;       ///< the provider cannot be asked: what the webhook says is what we know
  std::optional<checkout> asks{};
};

/// Errors: `unauthenticated` for a wrong signature or sender, `malformed`.
struct read_webhook {
  using reply = webhook_event;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
  std::string address = {};                                 ///< of the caller, behind trusted proxies too
};

using provider_actor = caf::typed_actor<answers<create_charge>, answers<list_charges>, answers<find_charge>,
                                        answers<refund_charge>, answers<answer_checkout>, answers<read_webhook>>;

} // namespace backstay::payment_provider

template <>
inline constexpr std::array backstay::names_of<backstay::payment_provider::method_kind>{"crypto", "card", "bank",
                                                                                        "stars", "donation"};
template <>
inline constexpr std::array backstay::names_of<backstay::payment_provider::charge_state>{"pending", "paid", "expired",
                                                                                         "failed", "refunded"};
