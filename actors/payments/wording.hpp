#pragma once

#include "actors/notifications/store.hpp"
#include "actors/payments/store.hpp"

#include <string>

/// What buyers read, in English or Russian by their account's locale.
namespace backstay::payments::wording {

/// What the provider writes on its invoice.
std::string description(const store::record& what, const std::string& locale);

/// A payment was settled: its plan is active, or the money is in the wallet.
notifications::store::notice settled(const store::record& what, const std::string& locale);

/// To a buyer who is about to pay an invoice that may not be paid any more.
std::string closed_invoice(const std::string& locale);

} // namespace backstay::payments::wording
