#include "actors/payments/wording.hpp"

#include "actors/kernel/text.hpp"

namespace backstay::payments::wording {

namespace {

std::string text_of(const money& amount) { return to_decimal(amount) + " " + amount.currency; }

/// Why money that was meant for a plan is in the wallet: a debt was paid from it first, or another amount came.
std::string kept(const store::record& what, bool in_russian) {
  auto amount = text_of(what.price);
  return in_russian ? amount + " на балансе: купить «" + what.plan_name + "» не удалось"
                    : amount + " went to your balance instead of buying " + what.plan_name;
}

} // namespace

std::string description(const store::record& what, const std::string& locale) {
  if (what.purpose == purpose::top_up) return is_russian(locale) ? "Пополнение баланса" : "Balance top-up";
  auto days = std::to_string(what.duration_days);
  return what.plan_name + " - " + days + (is_russian(locale) ? " дн." : " days");
}

notifications::store::notice settled(const store::record& what, const std::string& locale) {
  bool in_russian = is_russian(locale);
  notifications::store::notice notice{.kind = live::notification_kind::payment_confirmed,
                                      .title = in_russian ? "Платёж получен" : "Payment received",
                                      .action_route = what.is_fulfilled ? "/subscription" : "/wallet"};
  if (what.is_fulfilled) notice.body = what.plan_name + (in_russian ? ": подписка активна" : " is active");
  else if (what.purpose == purpose::plan) notice.body = kept(what, in_russian);
  else notice.body = text_of(what.price) + (in_russian ? " на балансе" : " was added to your balance");
  return notice;
}

std::string closed_invoice(const std::string& locale) {
  return is_russian(locale) ? "Этот счёт больше нельзя оплатить. Создайте новый в приложении."
                            : "This invoice cannot be paid any more. Please create a new one in the app.";
}

} // namespace backstay::payments::wording
