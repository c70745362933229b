#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace backstay {

/// An amount in the currency's smallest unit (cents, kopeks). Never a floating-point number.
struct money {
  std::int64_t minor = 0;
  std::string currency; ///< ISO 4217, upper case; Telegram's stars are XTR

  bool operator==(const money&) const = default;
};

/// How many decimal digits `currency` shows: 2 unless ISO 4217 says otherwise. Stars have none.
int decimals(std::string_view currency);

/// "9.99": the amount as decimal text without the currency, made by integer arithmetic only.
std::string to_decimal(const money& amount);

/// Reads decimal text; empty when it is not a plain number, has more digits than the currency or does not fit.
std::optional<money> from_decimal(std::string_view text, std::string_view currency);

} // namespace backstay
