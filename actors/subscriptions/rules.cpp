#include "actors/subscriptions/rules.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace backstay::subscriptions::rules {

namespace {

using std::chrono::days;
using namespace std::chrono_literals;

constexpr days furthest{36500};

// Products of two amounts need up to 126 bits.
__extension__ using wide = __int128;

using span = std::chrono::microseconds;

bool is_over(const period& p, timestamp now) { return p.ends_at <= now; }
span length_of(const period& p) { return p.ends_at - p.starts_at; }
span left_of(const period& p, timestamp now) { return std::max(span{0}, p.ends_at - std::max(p.starts_at, now)); }

/// Ends a period now, and gives what is left of it.
period cut(period& whole, timestamp now) {
  auto rest = whole;
  rest.id = 0;
  rest.carried_from = whole.id;
  rest.days = 0;
  rest.paid.minor = 0;
  rest.worth.minor = unused_worth(whole, now);
  rest.starts_at = std::max(whole.starts_at, now);
  whole.worth.minor -= rest.worth.minor;
  whole.starts_at = std::min(whole.starts_at, now);
  whole.ends_at = now;
  return rest;
}

/// Moves up what was behind periods that have ended meanwhile.
void close_gaps(std::vector<period>& periods, timestamp now) {
  auto free_from = now;
  for (auto& each : periods) {
    if (is_over(each, now)) continue;
    auto length = length_of(each);
    each.starts_at = std::min(each.starts_at, free_from);
    each.ends_at = each.starts_at + length;
    free_from = each.ends_at;
  }
}

void append(std::vector<period>& periods, period what, span length, timestamp now) {
  what.starts_at = end_of(periods, now);
  what.ends_at = std::min<timestamp>(what.starts_at + length, now + furthest);
  periods.push_back(std::move(what));
}

/// What is left of periods that were paid for in one currency.
struct remains {
  std::vector<period> parts;
  wide worth = 0;
  span left{0};
};

std::map<std::string, remains> cut_all(std::vector<period>& running, timestamp now) {
  std::map<std::string, remains> paid;
  for (auto& each : running) {
    auto rest = cut(each, now);
    if (rest.worth.minor == 0) continue;
    auto& same = paid[rest.worth.currency];
    same.worth += rest.worth.minor;
    same.left += length_of(rest);
    same.parts.push_back(std::move(rest));
  }
  return paid;
}

/// Each part gets its share of the days, to the microsecond, so that a part that is taken back later takes only what it
/// brought.
void append_shares(std::vector<period>& periods, const remains& what, days total, timestamp now) {
  wide before = 0;
  auto offset = [&] { return span{static_cast<std::int64_t>(span{total}.count() * before / what.worth)}; };
  for (auto& part : what.parts) {
    auto begin = offset();
    before += part.worth.minor;
    if (auto share = offset() - begin; share > 0s) append(periods, part, share, now);
  }
}

void carry_over(std::vector<period>& periods, const plan& from, const plan& to, timestamp now) {
  for (auto& [currency, what] : cut_all(periods, now)) {
    money worth{static_cast<std::int64_t>(std::min<wide>(what.worth, std::numeric_limits<std::int64_t>::max())),
                currency};
    auto total = days{carried_days(worth, what.left, from, to)};
    auto first = periods.size();
    append_shares(periods, what, total, now);
    for (auto i = first; i < periods.size(); ++i) periods[i].plan = to.id;
  }
}

void end_trial(std::vector<period>& running, timestamp now) {
  for (auto& each : running)
    if (each.from == source::trial) cut(each, now);
}

struct prices {
  std::int64_t from = 0, to = 0;
};

std::optional<prices> prices_in_common_currency(const plan& one, const plan& other) {
  for (auto& price : one.prices)
    if (auto counterpart = price_in(other, price.currency)) return prices{price.minor, counterpart->minor};
  return std::nullopt;
}

int at_most_furthest(wide days) { return static_cast<int>(std::min<wide>(days, furthest.count())); }

} // namespace

std::int64_t unused_worth(const period& of, timestamp now) {
  auto whole = length_of(of);
  if (whole <= 0s) return 0;
  return static_cast<std::int64_t>(wide{of.worth.minor} * left_of(of, now).count() / whole.count());
}

int carried_days(const money& worth, span left, const plan& from, const plan& to) {
  if (auto price = price_in(to, worth.currency); price && price->minor > 0)
    return at_most_furthest(wide{worth.minor} * to.duration_days / price->minor);
  auto whole_days = std::chrono::floor<days>(left).count();
  auto common = prices_in_common_currency(from, to);
  if (!common || common->to == 0) return at_most_furthest(whole_days);
  return at_most_furthest(wide{whole_days} * common->from * to.duration_days / (wide{common->to} * from.duration_days));
}

std::vector<period> after_grant(std::vector<period> running, const std::optional<plan>& current, const order& bought,
                                timestamp now) {
  if (current && current->id != bought.plan.id) carry_over(running, *current, bought.plan, now);
  else if (is_paid(bought.from)) end_trial(running, now);
  close_gaps(running, now);
  period fresh{.plan = bought.plan.id,
               .from = bought.from,
               .cause = bought.cause,
               .days = bought.plan.duration_days,
               .paid = bought.paid,
               .worth = bought.paid};
  append(running, std::move(fresh), days{bought.plan.duration_days}, now);
  return running;
}

std::vector<period> after_take_back(std::vector<period> running, source from, const std::string& cause, timestamp now) {
  for (auto& each : running)
    if (each.from == from && each.cause == cause && !is_over(each, now)) cut(each, now);
  close_gaps(running, now);
  return running;
}

timestamp end_of(const std::vector<period>& periods, timestamp otherwise) {
  for (auto& each : periods) otherwise = std::max(otherwise, each.ends_at);
  return otherwise;
}

bool is_paid(source from) { return from == source::payment || from == source::purchase; }

status status_of(const std::vector<period>& periods, timestamp now) {
  auto runs = [&](auto which) {
    return std::any_of(periods.begin(), periods.end(), [&](auto& p) { return !is_over(p, now) && which(p.from); });
  };
  return runs([](source from) { return from == source::trial; }) && !runs(is_paid) ? status::trial : status::active;
}

std::int64_t discounted(std::int64_t minor, int percent) {
  return minor - static_cast<std::int64_t>(wide{minor} * std::clamp(percent, 0, 100) / 100);
}

int months(int days) {
  auto whole = days / 30, rest = days % 30;
  bool up = rest > 15 || (rest == 15 && whole % 2 == 1);
  return std::max(1, whole + up);
}

std::optional<plan> for_days(const plan& what, int days) {
  auto found = std::find_if(what.offers.begin(), what.offers.end(), [&](auto& each) { return each.days == days; });
  if (found == what.offers.end()) return std::nullopt;
  auto sold = what;
  sold.duration_days = days;
  sold.prices = found->prices;
  for (auto& price : sold.prices) price.minor = discounted(price.minor, found->discount_percent);
  return sold;
}

std::optional<money> price_in(const plan& what, const std::string& currency) {
  auto found = std::find_if(what.prices.begin(), what.prices.end(), [&](auto& p) { return p.currency == currency; });
  return found == what.prices.end() ? std::nullopt : std::optional{*found};
}

namespace {

/// By what a day costs.
step step_to(const plan& sold, const std::optional<plan>& current, bool runs) {
  if (!current || !runs) return step::first;
  if (current->id == sold.id) return step::renewal;
  auto common = prices_in_common_currency(*current, sold);
  bool is_cheaper = common && wide{common->to} * current->duration_days < wide{common->from} * sold.duration_days;
  return is_cheaper ? step::downgrade : step::upgrade;
}

plan sold_for(const plan& what, std::optional<int> days) {
  auto sold = for_days(what, days.value_or(what.duration_days));
  if (!sold) fail_field("period_days", "The plan is not sold for that period");
  return *sold;
}

bool is_free_by_discount(const plan& what, const plan& sold, const std::string& currency) {
  for (auto& each : what.offers)
    if (each.days == sold.duration_days && each.discount_percent == 100)
      for (auto& price : each.prices)
        if (price.currency == currency) return price.minor > 0;
  return false;
}

/// One taken off after the other.
std::int64_t discounted(std::int64_t minor, const std::vector<int>& percents) {
  for (auto percent : percents) minor = rules::discounted(minor, percent);
  return minor;
}

} // namespace

quote quote_for(const plan& what, std::optional<int> days, const std::string& currency,
                const std::vector<int>& own_discounts, const std::vector<period>& running,
                const std::optional<plan>& current, timestamp now) {
  auto sold = sold_for(what, days);
  auto list_price = price_in(sold, currency);
  if (!list_price || (list_price->minor == 0 && !is_free_by_discount(what, sold, currency)))
    fail_field("currency", "The plan has no price in " + currency);
  money price{discounted(list_price->minor, own_discounts), currency};
  auto after = after_grant(running, current, {sold, price, source::purchase, "quote"}, now);
  span carried{0};
  for (auto& each : after)
    if (each.id == 0 && each.carried_from) carried += length_of(each);
  return {.plan = sold.id,
          .plan_name = sold.name,
          .days = sold.duration_days,
          .list_price = *list_price,
          .price = price,
          .discount_percent = static_cast<int>((10'000 - discounted(10'000, own_discounts)) / 100),
          .price_a_month = {price.minor / months(sold.duration_days), currency},
          .step = step_to(sold, current, !running.empty()),
          .carried_days = static_cast<int>(std::chrono::floor<std::chrono::days>(carried).count()),
          .starts_at = after.back().starts_at,
          .expires_at = after.back().ends_at};
}

namespace {

void find_problems_of_offers(const plan& what, const std::function<void(std::string, std::string)>& add) {
  std::set<int> periods;
  for (auto& each : what.offers) {
    if (!periods.insert(each.days).second) add("offers", "Two offers for " + std::to_string(each.days) + " days");
    std::set<std::string> currencies;
    for (auto& price : each.prices)
      if (!currencies.insert(price.currency).second) add("offers", "Two prices in " + price.currency);
  }
  if (!periods.contains(what.duration_days)) add("duration_days", "There is no offer for the default period");
  std::set<std::pair<int, std::string>> names;
  for (auto& each : what.price_names) {
    if (!periods.contains(each.days))
      add("price_names", "There is no offer for " + std::to_string(each.days) + " days");
    if (!names.emplace(each.days, each.provider).second)
      add("price_names", "Two names of one offer at " + each.provider);
  }
}

} // namespace

std::vector<problem> problems_of(const plan& what) {
  std::vector<problem> found;
  auto add = [&](std::string field, std::string text) {
    found.push_back({{"body", std::move(field)}, std::move(text), "value_error"});
  };
  find_problems_of_offers(what, add);
  return found;
}

std::optional<store::stage> stage_at(timestamp ends_at, span grace, timestamp now) {
  if (now >= ends_at + grace) return store::stage::expired;
  for (auto& each : stages)
    if (ends_at - now <= each.before) return each.stage;
  return std::nullopt;
}

int days_remaining(timestamp expires_at, timestamp now) {
  return std::max(0, static_cast<int>(std::chrono::ceil<days>(expires_at - now).count()));
}

double traffic_remaining_percent(std::optional<std::int64_t> limit, std::optional<std::int64_t> used) {
  if (!limit || *limit <= 0 || !used) return 100;
  auto share = static_cast<double>(*limit - *used) / static_cast<double>(*limit);
  return std::clamp(share * 100, 0.0, 100.0);
}

status shown_status(status stored, timestamp expires_at, const std::optional<panel::user>& known, timestamp now) {
  if (expires_at <= now) return status::expired;
  if (known && (known->status == panel::user_status::disabled || known->is_revoked)) return status::cancelled;
  return stored;
}

subscription_view view_of(const store::subscription& row, const std::optional<panel::user>& known, timestamp now) {
  auto used = known ? std::optional{known->used_traffic_bytes} : std::nullopt;
  return {.id = row.id,
          .plan = row.plan,
          .account = row.account,
          .plan_name = row.plan_name,
          .status = shown_status(row.status, row.expires_at, known, now),
          .started_at = row.started_at,
          .expires_at = row.expires_at,
          .traffic_limit_bytes = row.traffic_limit_bytes,
          .used_traffic_bytes = used,
          .max_devices = row.max_devices,
          .auto_renew = row.auto_renew,
          .days_remaining = days_remaining(row.expires_at, now),
          .traffic_remaining_percent = traffic_remaining_percent(row.traffic_limit_bytes, used)};
}

} // namespace backstay::subscriptions::rules

namespace backstay::subscriptions {

std::string store::panel_username(std::int64_t account_number) { return "bs_" + std::to_string(account_number); }

} // namespace backstay::subscriptions
