#pragma once

#include <string>
#include <utility>
#include <vector>

namespace backstay::sandbox {

/// The page on which a buyer would pay; with us its buttons decide what becomes of the payment.
struct checkout {
  std::string price; ///< with its currency
  std::string description;
  std::string status;
  std::string path;                                         ///< of this page; a button posts to `path/action`
  std::vector<std::pair<std::string, std::string>> buttons; ///< action and label
};

std::string render_checkout(const checkout& page);

} // namespace backstay::sandbox
