#pragma once

#include "integrations/call.hpp"
#include "integrations/payment/messages.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// How a client answers `list_charges` where its provider tells of one charge at a time.
namespace backstay::payment_provider {

/// How many charges are asked about at once.
inline constexpr std::size_t most_lookups = 4;

namespace detail {

using lookup_promise = caf::typed_response_promise<charge_list>;

/// One `list_charges` under way.
struct lookups {
  std::vector<std::string> left; ///< not asked about yet
  std::size_t open = 0;          ///< asked about, and not answered
  bool has_failed = false;
  charge_list found;
  lookup_promise promise;
};

/// The first failure ends them all: of a charge that could not be read nobody may think that it is not there.
struct end_lookups {
  std::shared_ptr<lookups> all;
  void deliver(const caf::error& error) {
    if (!std::exchange(all->has_failed, true)) all->promise.deliver(error);
    all->left.clear();
  }
};

template <class Self, class Ask, class Read>
void look_up_next(Self* self, const std::shared_ptr<lookups>& all, Ask ask, Read read) {
  if (all->left.empty()) {
    if (all->open == 0 && !all->has_failed) all->promise.deliver(std::move(all->found));
    return;
  }
  auto id = std::move(all->left.back());
  all->left.pop_back();
  ++all->open;
  auto request = ask(id);
  integrations::call(self, "list_charges", std::move(request), end_lookups{all},
                     [=](const integrations::http_response& answer) {
                       --all->open;
                       if (auto one = read(answer)) {
                         if (one->external_id != id) integrations::fail_outside(ec::upstream, "told of another charge");
                         all->found.items.push_back(std::move(*one));
                       }
                       look_up_next(self, all, ask, read);
                     });
}

} // namespace detail

/// Asks about each of `ids` by `ask(id)`, an `http_request`, and reads the answer by `read(http_response)`, which is
/// empty where the provider knows no such charge.
template <class Self, class Ask, class Read>
caf::typed_response_promise<charge_list> look_up_each(Self* self, std::vector<std::string> ids, Ask ask, Read read) {
  auto all = std::make_shared<detail::lookups>();
  all->left = std::move(ids);
  all->promise = self->template make_response_promise<charge_list>();
  auto promise = all->promise;
  const auto lanes = std::clamp<std::size_t>(all->left.size(), 1, most_lookups);
  for (std::size_t i = 0; i < lanes; ++i) detail::look_up_next(self, all, ask, read);
  return promise;
}

} // namespace backstay::payment_provider
