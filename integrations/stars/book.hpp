#pragma once

#include "integrations/stars/dialect.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace backstay::stars {

/// What was paid to the bot, as far as it has been read. It only saves reading the whole history at every question: an
/// empty one is filled again.
class book {
public:
  /// From where to read on. It overlaps with what is known by one transaction, by which a history shows that is not the
  /// one which was read before.
  std::size_t next_offset() const;

  /// Adds what was found at `next_offset()`. False: there may be more to read.
  /// Forgets everything and ends the operation by `ec::upstream` if the history is another one now.
  bool add(const std::vector<transaction>& page);

  /// By either of its names.
  const sale* find(const std::string& external_id) const;
  /// The sale of that name; by our payment's id all that were made of it, the first in front.
  std::vector<charge> list(const std::string& external_id) const;
  charge show(const sale& paid) const;

private:
  void note(const transaction& one);
  std::vector<const sale*> named(const std::string& external_id) const;

  std::vector<sale> sales_;                                             ///< the oldest first
  std::unordered_map<payment_id, std::vector<std::size_t>> by_payment_; ///< where they are in `sales_`
  std::size_t count_ = 0; ///< of the transactions that were read, those that are no sales of ours included
  std::optional<transaction> last_;
};

} // namespace backstay::stars
