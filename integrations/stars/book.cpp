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

const sale* book::find(const std::string& external_id) const {
  const auto payment = payment_id::parse(external_id.substr(0, external_id.find(':')));
  const auto found = payment ? by_payment_.find(*payment) : by_payment_.end();
  if (found == by_payment_.end()) return nullptr;
  for (const auto place : found->second)
    if (external_id == to_string(*payment) || external_id == id_of(sales_[place])) return &sales_[place];
  return nullptr;
}

std::vector<charge> book::list(const payment_id& payment) const {
  std::vector<charge> all;
  if (const auto found = by_payment_.find(payment); found != by_payment_.end())
    for (const auto place : found->second) all.push_back(show(sales_[place]));
  return all;
}

charge book::show(const sale& paid) const {
  const bool is_first = &paid == &first_of(paid.sold.payment);
  return to_charge(paid, is_first ? to_string(paid.sold.payment) : id_of(paid));
}

const sale& book::first_of(const payment_id& payment) const { return sales_[by_payment_.at(payment).front()]; }

} // namespace backstay::stars
