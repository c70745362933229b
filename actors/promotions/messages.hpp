#pragma once

#include "actors/kernel/caller.hpp"
#include "actors/kernel/clock.hpp"
#include "actors/kernel/message.hpp"
#include "actors/kernel/money.hpp"
#include "actors/kernel/names.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Codes that bring money, days or a discount.
namespace backstay::promotions {

template <class T>
void admitted(const T&);

enum class promo_kind : std::uint8_t {
  balance,          ///< money for the wallet
  days,             ///< of a plan
  balance_and_days, ///< both
  trial,            ///< days for an account that never had a subscription
  group,            ///< a discount that stays
  discount,         ///< a discount on one purchase
};

/// What a code brings. Which members a kind needs, and may have, `check` in rules.hpp says.
struct benefit {
  promo_kind kind = promo_kind::balance;
  std::optional<money> amount; ///< > 0
  std::optional<int> days;     ///< 1–3650
  std::optional<plan_id> plan; ///< of the days, for accounts without a subscription; none: the first on sale
  std::optional<std::int64_t> traffic_bytes; ///< on top of the plan's, with the days
  std::optional<std::string> group;
  std::optional<int> percent; ///< 1–100
  std::optional<int> hours;   ///< how long an offer lasts; none or 0: until the first purchase
  bool operator==(const benefit&) const = default;
};

/// When and how often a code may be used.
struct limits {
  std::optional<std::int64_t> max_uses; ///< of all accounts together; each one may once
  std::optional<timestamp> valid_from, valid_until;
  bool is_active = true;
  bool is_for_first_purchase = false; ///< only for accounts that have not bought anything yet
  bool operator==(const limits&) const = default;
};

struct promo_code {
  uuid id;
  std::string code; ///< upper case
  promotions::benefit benefit;
  promotions::limits limits;
  std::int64_t uses = 0;
  timestamp created_at, updated_at;
  bool operator==(const promo_code&) const = default;
};

/// What entering a code has brought.
struct activation {
  promotions::benefit benefit;
  std::optional<timestamp> expires_at;  ///< of the subscription that got days
  std::optional<timestamp> offer_until; ///< of a discount that ends by itself
};

/// Uses a code, in whatever case. Errors, in the order in which they are looked for: `not_found` named
/// PROMO_NOT_FOUND; `gone` named PROMO_USED_UP; `refused` named PROMO_INACTIVE or PROMO_NOT_YET_VALID; `gone` named
/// PROMO_EXPIRED; `conflict` named PROMO_ALREADY_USED; `too_many` named PROMO_DAILY_LIMIT; `refused` named
/// PROMO_FIRST_PURCHASE_ONLY; and then what the kind asks for: `refused` named TRIAL_USED or NO_PLAN,
/// `conflict` named DISCOUNT_RUNNING.
struct activate {
  using reply = activation;
  backstay::caller caller;
  std::string code;
};

/// What an account pays less: first by its group, then, on the rest, by its offer.
struct discount {
  std::string group; ///< empty: none
  int group_percent = 0;
  int offer_percent = 0;
  std::optional<timestamp> offer_until; ///< none: until it is used
  bool operator==(const discount&) const = default;
};

struct get_discount {
  using reply = discount;
  account_id account;
};

// --- what administrators do

/// Makes a code, or with an `id` replaces all that is said of it. What it has brought already stays as it is.
/// Errors: `invalid`; `conflict` named PROMO_EXISTS; `not_found`.
struct save_promo_code {
  using reply = promo_code;
  backstay::caller caller;
  std::optional<uuid> id;
  std::string code;
  promo_kind kind = promo_kind::balance;
  std::optional<std::string> amount, currency; ///< the amount as decimal text
  std::optional<int> days;
  std::optional<plan_id> plan;
  std::optional<int> traffic_gb;
  std::optional<std::string> group;
  std::optional<int> percent, hours;
  std::optional<std::int64_t> max_uses;
  std::optional<timestamp> valid_from, valid_until;
  bool is_active = true;
  bool is_for_first_purchase = false;
  std::optional<claim_id> claim; ///< of the Idempotency-Key
  backstay::origin origin;
};

/// Nobody can use it any more; its uses stay known. Errors: `not_found`.
struct delete_promo_code {
  using reply = done;
  backstay::caller caller;
  uuid id;
  backstay::origin origin;
};

/// Errors: `not_found`.
struct get_promo_code {
  using reply = promo_code;
  uuid id;
};

struct promo_code_page {
  std::vector<promo_code> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// Newest first; whatever is given must fit.
struct list_promo_codes {
  using reply = promo_code_page;
  std::optional<std::string> text; ///< part of the code, in whatever case
  std::optional<promo_kind> kind;
  std::optional<bool> is_active;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

struct promo_code_use {
  account_id account;
  std::string login;
  timestamp used_at;
  std::optional<money> amount; ///< what it brought
  std::optional<int> days, percent;
};

struct use_page {
  std::vector<promo_code_use> items;
  std::int64_t total = 0, offset = 0, limit = 0;
};

/// Newest first. Errors: `not_found`.
struct list_uses {
  using reply = use_page;
  uuid id;
  std::int64_t offset = 0;
  std::int64_t limit = 50;
};

using promotions_actor =
    caf::typed_actor<answers<activate>, answers<get_discount>, answers<save_promo_code>, answers<delete_promo_code>,
                     answers<get_promo_code>, answers<list_promo_codes>, answers<list_uses>>;

} // namespace backstay::promotions

template <>
inline constexpr std::array backstay::names_of<backstay::promotions::promo_kind>{"balance", "days",  "balance_and_days",
                                                                                 "trial",   "group", "discount"};
