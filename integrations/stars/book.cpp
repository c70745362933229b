#include "integrations/stars/book.hpp"

#include "integrations/call.hpp"

#include <algorithm>

namespace backstay::stars {

std::size_t book::next_offset() const { return last_ ? count_ - 1 : 0; }

bool book::add(const std::vector<transaction>& page) {
  const bool is_first = !last_;
  if (!is_first && (page.empty() || page.front() != *last_)) {
    *this = {};
    integrations::fail_outside(ec::upstream, "the history of transactions is another one than before");
  }
  std::for_each(page.begin() + (is_first ? 0 : 1), page.end(), [this](const transaction& one) { note(one); });
  return page.size() < page_size;
}

void book::note(const transaction& one) {
  ++count_;
  last_ = one;
  if (one.paid) {
    by_payment_[one.paid->sold.payment].push_back(sales_.size());
    sales_.push_back(*one.paid);
  } else if (!one.is_incoming) {
    // A refund follows its payment soon, if at all.
    const auto refunded =
        std::find_if(sales_.rbegin(), sales_.rend(), [&](const sale& each) { return each.charge_id == one.id; });
    if (refunded != sales_.rend()) refunded->is_refunded = true;
  }
}

std::vector<const sale*> book::named(const std::string& external_id) const {
  const auto payment = payment_id::parse(external_id.substr(0, external_id.find(':')));
  const auto places = payment ? by_payment_.find(*payment) : by_payment_.end();
  std::vector<const sale*> found;
  if (places == by_payment_.end()) return found;
  for (const auto place : places->second)
    if (external_id == to_string(*payment) || external_id == id_of(sales_[place])) found.push_back(&sales_[place]);
  return found;
}

const sale* book::find(const std::string& external_id) const {
  const auto found = named(external_id);
  return found.empty() ? nullptr : found.front();
}

std::vector<charge> book::list(const std::string& external_id) const {
  std::vector<charge> all;
  for (const auto* each : named(external_id)) all.push_back(show(*each));
  return all;
}

charge book::show(const sale& paid) const {
  const auto& first = sales_[by_payment_.at(paid.sold.payment).front()];
  return to_charge(paid, &paid == &first ? to_string(paid.sold.payment) : id_of(paid));
}

} // namespace backstay::stars
