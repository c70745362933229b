#pragma once

#include "integrations/call_each.hpp"
#include "integrations/payment/messages.hpp"

#include <string>
#include <utility>
#include <vector>

/// How a client answers `list_charges` where its provider tells of one charge at a time.
namespace backstay::payment_provider {

/// How many charges are asked about at once.
inline constexpr std::size_t most_lookups = 4;

/// Asks about each of `ids` by `ask(id)`, an `http_request`, and reads the answer by `read(http_response)`, which is
/// empty where the provider knows no such charge. A failure ends them all: of a charge that could not be read nobody
/// may think that it is not there.
template <class Self, class Ask, class Read>
caf::typed_response_promise<charge_list> look_up_each(Self* self, std::vector<std::string> ids, Ask ask, Read read) {
  std::vector<integrations::http_request> requests;
  for (const auto& id : ids) requests.push_back(ask(id));
  auto promise = self->template make_response_promise<charge_list>();
  if (requests.empty()) return promise.deliver(charge_list{});
  auto collect = [=](const std::vector<integrations::http_response>& answers) mutable {
    charge_list found;
    for (std::size_t i = 0; i < answers.size(); ++i)
      if (auto one = read(answers[i])) {
        if (one->external_id != ids[i]) integrations::fail_outside(ec::upstream, "told of another charge");
        found.items.push_back(std::move(*one));
      }
    promise.deliver(std::move(found));
  };
  integrations::call_each(self, "list_charges", std::move(requests), promise, std::move(collect), most_lookups);
  return promise;
}

} // namespace backstay::payment_provider
