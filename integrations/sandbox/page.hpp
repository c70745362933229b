#pragma once

#include "integrations/sandbox/fake.hpp"

#include <string>
#include <utility>
#include <vector>

namespace backstay::sandbox {

/// A page with a form for every control route of the table.
std::string render_page(const routes& table);

/// A page of a payment provider on which a person decides what becomes of a payment.
struct checkout_page {
  std::string price;
  std::string description;
  std::string status;
  /// Where each button posts to, and what it says; none once it is decided.
  std::vector<std::pair<std::string, std::string>> buttons;
};
std::string render_checkout(const checkout_page& page);

} // namespace backstay::sandbox
