#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/id.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The one interface of every payment provider. Each lives in its own folder beside this one.
///
/// Errors of all: `unavailable` (certainly not executed), `timeout` (perhaps executed), `upstream` (refused or
/// nonsense).
namespace backstay::payment_provider {

template <class T>
void admitted(const T&);

enum class charge_state : std::uint8_t { pending, paid, expired, failed, refunded };

/// A payment as the provider sees it.
struct charge {
  std::string external_id;
  std::optional<payment_id> payment; ///< ours, where the provider gives back what we attached
  charge_state state = charge_state::pending;
  money price; ///< what was asked for
  std::string url;
  std::optional<timestamp> expires_at, paid_at;
  bool operator==(const charge&) const = default;
};

struct charge_list {
  std::vector<charge> items;
};

struct create_charge {
  using reply = charge;
  payment_id payment;
  money price;
  std::string description;
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

/// What a webhook is about, once its signature was found right.
struct webhook_event {
  std::string event_id;        ///< unique per provider, or the body's hash where the provider has none
  std::optional<charge> about; ///< none: an event that is no concern of ours
};

/// Errors: `unauthenticated` for a wrong signature, `malformed`.
struct read_webhook {
  using reply = webhook_event;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
};

using provider_actor =
    caf::typed_actor<answers<create_charge>, answers<list_charges>, answers<find_charge>, answers<read_webhook>>;

} // namespace backstay::payment_provider

template <>
inline constexpr std::array backstay::names_of<backstay::payment_provider::charge_state>{"pending", "paid", "expired",
                                                                                         "failed", "refunded"};
