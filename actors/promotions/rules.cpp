#include "actors/promotions/rules.hpp"

#include "actors/kernel/error.hpp"
#include "actors/kernel/text.hpp"

#include <algorithm>

namespace backstay::promotions {

namespace {

enum class demand : std::uint8_t { none, optional, required };

/// Which fields a kind has.
struct fields_of_kind {
  demand amount = demand::none, days = demand::none, plan = demand::none, traffic = demand::none, group = demand::none,
         percent = demand::none, hours = demand::none;
};

fields_of_kind fields_of(promo_kind kind) {
  using enum demand;
  switch (kind) {
  case promo_kind::balance:
    return {.amount = required};
  case promo_kind::days:
    return {.days = required, .plan = optional, .traffic = optional};
  case promo_kind::balance_and_days:
    return {.amount = required, .days = required, .plan = optional, .traffic = optional};
  case promo_kind::trial:
    return {.days = required, .plan = optional};
  case promo_kind::group:
    return {.group = required, .percent = required};
  case promo_kind::discount:
    return {.percent = required, .hours = optional};
  }
  return {};
}

class complaints {
public:
  void add(const char* field, const char* message, const char* type = "value_error") {
    fault_.problems.push_back({{"body", field}, message, type});
  }
  void hold(const char* field, demand wanted, bool is_there) {
    if (wanted == demand::required && !is_there) add(field, "Field required for this type", "missing");
    if (wanted == demand::none && is_there) add(field, "does not belong to this type", "extra_forbidden");
  }
  void throw_if_any() {
    if (!fault_.problems.empty()) fail(fault_);
  }

private:
  fault fault_{.code = ec::invalid};
};

bool is_code_character(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

std::optional<money> read_amount(const save_promo_code& words, complaints& bad) {
  if (!words.amount || !words.currency) return std::nullopt;
  auto amount = from_decimal(*words.amount, *words.currency);
  if (amount && amount->minor > 0) return amount;
  bad.add("amount", "must be a positive amount in the currency");
  return std::nullopt;
}

void check_fields(const save_promo_code& words, complaints& bad) {
  auto fields = fields_of(words.kind);
  bad.hold("amount", fields.amount, words.amount.has_value());
  bad.hold("currency", fields.amount, words.currency.has_value());
  bad.hold("days", fields.days, words.days.has_value());
  bad.hold("plan_id", fields.plan, words.plan.has_value());
  bad.hold("traffic_gb", fields.traffic, words.traffic_gb.has_value());
  bad.hold("group", fields.group, words.group.has_value());
  bad.hold("percent", fields.percent, words.percent.has_value());
  bad.hold("hours", fields.hours, words.hours.has_value());
}

} // namespace

promo_code read(const save_promo_code& words, timestamp now) {
  complaints bad;
  promo_code made{.id = words.id.value_or(uuid::random()), .code = to_upper(words.code)};
  if (made.code.size() < 3 || made.code.size() > 50 ||
      !std::all_of(made.code.begin(), made.code.end(), is_code_character))
    bad.add("code", "must have 3 to 50 letters, digits, - or _");
  check_fields(words, bad);
  auto traffic = words.traffic_gb ? std::optional{std::int64_t{*words.traffic_gb} << 30} : std::nullopt;
  made.benefit = {words.kind,  read_amount(words, bad), words.days, words.plan, traffic,
                  words.group, words.percent,           words.hours};
  if (words.valid_from && words.valid_until && *words.valid_until <= *words.valid_from)
    bad.add("valid_until", "must be after valid_from");
  made.limits = {words.max_uses, words.valid_from, words.valid_until, words.is_active, words.is_for_first_purchase};
  made.created_at = made.updated_at = now;
  bad.throw_if_any();
  return made;
}

void check(const promo_code& code, const store::record& account, timestamp now) {
  auto& limits = code.limits;
  if (limits.max_uses && code.uses >= *limits.max_uses) fail(ec::gone, "This code has been used up.", "PROMO_USED_UP");
  if (!limits.is_active) fail(ec::refused, "This code is switched off.", "PROMO_INACTIVE");
  if (limits.valid_from && now < *limits.valid_from)
    fail(ec::refused, "This code is not valid yet.", "PROMO_NOT_YET_VALID");
  if (limits.valid_until && now >= *limits.valid_until) fail(ec::gone, "This code has expired.", "PROMO_EXPIRED");
  if (account.has_used) fail(ec::conflict, "You have used this code already.", "PROMO_ALREADY_USED");
  if (account.uses_today >= most_uses_a_day)
    fail({.code = ec::too_many,
          .message = "You have used too many codes within a day.",
          .name = "PROMO_DAILY_LIMIT",
          .retry_after = std::chrono::hours{1}});
  if (limits.is_for_first_purchase && account.has_purchased)
    fail(ec::refused, "This code is for a first purchase only.", "PROMO_FIRST_PURCHASE_ONLY");
}

std::optional<timestamp> offer_until(const benefit& what, timestamp now) {
  auto hours = what.hours.value_or(0);
  return hours > 0 ? std::optional{now + std::chrono::hours{hours}} : std::nullopt;
}

} // namespace backstay::promotions
