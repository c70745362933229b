#include "actors/kernel/money.hpp"

#include <charconv>

namespace backstay {

int decimals(std::string_view currency) {
  for (auto whole : {"JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF", "XPF", "PYG", "UGX", "XTR"})
    if (currency == whole) return 0;
  for (auto thousandths : {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
    if (currency == thousandths) return 3;
  return 2;
}

std::string to_decimal(const money& amount) {
  auto digits = std::to_string(amount.minor);
  bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  auto places = static_cast<std::size_t>(decimals(amount.currency));
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  if (places > 0) digits.insert(digits.size() - places, ".");
  return negative ? "-" + digits : digits;
}

std::optional<money> from_decimal(std::string_view text, std::string_view currency) {
  auto places = static_cast<std::size_t>(decimals(currency));
  auto point = text.find('.');
  std::string digits{text.substr(0, point)};
  std::string_view fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  if (digits.empty() || digits == "-" || text.ends_with('.')) return std::nullopt;
  while (fraction.size() > places && fraction.ends_with('0')) fraction.remove_suffix(1);
  if (fraction.size() > places) return std::nullopt;
  digits += fraction;
  digits.append(places - fraction.size(), '0');
  money amount{0, std::string{currency}};
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), amount.minor);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return amount;
}

} // namespace backstay
