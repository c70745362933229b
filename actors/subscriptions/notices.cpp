#include "actors/subscriptions/notices.hpp"

#include "actors/kernel/text.hpp"

namespace backstay::subscriptions::notices {

namespace {

using live::notification_kind;

std::string day_of(timestamp moment) { return to_rfc3339(moment).substr(0, 10); }
std::string show(const money& amount) { return to_decimal(amount) + " " + amount.currency; }

struct wording {
  std::string title, body;
};

notice make(notification_kind kind, const std::string& locale, wording english, wording russian) {
  auto& words = is_russian(locale) ? russian : english;
  return {kind, std::move(words.title), std::move(words.body), "/subscription"};
}

} // namespace

notice announced(const quote& what, timestamp ends_at, const std::string& locale) {
  return make(notification_kind::subscription_expiring, locale,
              {"Your subscription will be renewed", what.plan_name + " ends on " + day_of(ends_at) + ". Within a day " +
                                                        show(what.price) + " will be charged for the next period."},
              {"Подписка будет продлена", what.plan_name + " действует до " + day_of(ends_at) +
                                              ". В течение суток за следующий период спишется " + show(what.price) +
                                              "."});
}

notice renewed(const receipt& what, const std::string& locale) {
  return make(notification_kind::payment_confirmed, locale,
              {"Your subscription was renewed",
               what.plan_name + " runs until " + day_of(what.expires_at) + ". Charged: " + show(what.paid) + "."},
              {"Подписка продлена",
               what.plan_name + " действует до " + day_of(what.expires_at) + ". Списано: " + show(what.paid) + "."});
}

notice short_of(const quote& what, const money& missing, timestamp ends_at, const std::string& locale) {
  return make(
      notification_kind::subscription_expiring, locale,
      {"Your subscription could not be renewed",
       what.plan_name + " ends on " + day_of(ends_at) + ". Top up your balance: " + show(missing) + " is missing."},
      {"Не удалось продлить подписку",
       what.plan_name + " действует до " + day_of(ends_at) + ". Пополните баланс: не хватает " + show(missing) + "."});
}

notice ends_soon(const std::string& plan_name, timestamp ends_at, const std::string& locale) {
  return make(notification_kind::subscription_expiring, locale,
              {"Your subscription ends soon", plan_name + " ends on " + day_of(ends_at) + "."},
              {"Подписка скоро закончится", plan_name + " действует до " + day_of(ends_at) + "."});
}

notice expired(const std::string& plan_name, const std::string& locale) {
  return make(notification_kind::expired, locale, {"Your subscription has ended", plan_name + " has ended."},
              {"Подписка закончилась", "Срок подписки " + plan_name + " истёк."});
}

} // namespace backstay::subscriptions::notices
